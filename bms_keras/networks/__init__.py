"""Networks by family.

A family is a module with a `build` of its own that takes the same, and with `FIELDS`: those of
`config.networks` that it reads beside `COMMON`. A field that it does not read is refused.
"""

import types

from bms_keras import fields
from bms_keras.errors import lookup
from bms_keras.fields import Field
from bms_keras.layers import require_channels_last
from bms_keras.networks import dcgan, mlp, standard_cnn

FAMILIES = {"mlp": mlp, "dcgan": dcgan, "standard_cnn": standard_cnn}
COMMON = {
    "family": Field("", fields.one_of(FAMILIES), "which networks"),
    "latent_dim": Field(100, fields.size, "dimensions of z"),
}


def fields_of(family):
    """The fields of `config.networks` of a family, by name.

    Raises:
        BadInput: If the family is unknown.
    """
    return COMMON | lookup(FAMILIES, family, "networks.family").FIELDS


def defaults(family, **values):
    """All fields of `config.networks` of a family, for a file in `configs/`.

    Args:
        family: Its name.
        **values: Those that are not at their default.

    Returns:
        A dictionary by name.
    """
    return {key: field.default for key, field in fields_of(family).items()} | {
        "family": family,
        **values,
    }


def build(config, shape, names, normalization="spectral", outputs=1):
    """Builds the networks that a method needs.

    Args:
        config: `config.networks`: the family and its fields; what is missing is at its default.
        shape: Shape of one data point.
        names: Which networks: "recognition", "generator", "image_critic", "latent_critic",
            "joint_critic" (of data and latents), "autoencoder" (of data).
        normalization: Of the image critic: "spectral", "batch" or "none".
        outputs: Numbers that the image critic puts out for a data point.

    Returns:
        Dictionary of `keras.Model`s by name.

    Raises:
        BadInput: If the family is unknown or does not fit the data.
        ValueError: If Keras is set to another order of an image's axes.
    """
    if len(shape) == 3:
        require_channels_last()
    own = fields_of(config.family)
    values = {key: getattr(config, key, field.default) for key, field in own.items()}
    family = FAMILIES[config.family]
    return family.build(types.SimpleNamespace(**values), shape, names, normalization, outputs)
