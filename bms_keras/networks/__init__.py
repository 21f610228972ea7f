"""Networks by family.

A family is a module with a `build` of its own that takes the same, and with `FIELDS`: those of
`config.networks` that it reads beside `COMMON`. A field that it does not read is refused.
"""

import types

from bms_keras import fields
from bms_keras.errors import OWN, BadInput, enter, lookup
from bms_keras.fields import Field
from bms_keras.layers import require_channels_last
from bms_keras.networks import cnn, dcgan, mlp, standard_cnn
from bms_keras.networks.mlp import lipschitz_critic, perceptron

__all__ = [
    "COMMON",
    "FAMILIES",
    "build",
    "defaults",
    "fields_of",
    "lipschitz_critic",
    "perceptron",
    "register",
]

FAMILIES = {"mlp": mlp, "dcgan": dcgan, "standard_cnn": standard_cnn, "cnn": cnn}
COMMON = {
    "family": Field("", fields.one_of(FAMILIES), "which networks"),
    "latent_dim": Field(100, fields.size, "dimensions of z"),
}


def fields_of(family):
    """The fields of `config.networks` of a family, by name.

    Raises:
        BadInput: If the family is unknown.
    """
    return COMMON | lookup(FAMILIES, family, "networks.family", OWN).FIELDS


def register(name, family):
    """Adds a family of one's own, for `config.networks.family`.

    Args:
        name: Its name; one that is taken is replaced.
        family: A module or an object with `FIELDS`, a `bms_keras.fields.Field` by name, and with
            `build(config, shape, names, normalization, outputs)`; see `build`.

    Raises:
        BadInput: If the name is none, or one of the fields is common to all families.

    Example:

    >>> register("residual", my_networks)
    """
    if taken := COMMON.keys() & family.FIELDS:
        raise BadInput(f"the networks {name!r} may not have a field {min(taken)!r}: all have it")
    enter(FAMILIES, name, family, "a family of networks")


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


def build(config, shape, names, normalization="spectral", outputs=1, pack=1):
    """Builds the networks that a method needs.

    Args:
        config: `config.networks`, or a dictionary as `defaults` gives: the family and its fields;
            what is missing is at its default.
        shape: Shape of one data point.
        names: Which networks: "recognition", "generator", "image_critic", "latent_critic",
            "joint_critic" (of data and latents), "autoencoder" (of data), or what a method of
            your own calls its own, which a family of your own builds.
        normalization: Of the image critic: "spectral", "batch" or "none".
        outputs: Numbers that the image critic puts out for a data point.
        pack: How many data points the image critic takes side by side in the last axis.

    Returns:
        Dictionary of `keras.Model`s by name.

    Raises:
        BadInput: If the family is unknown, does not fit the data, or lacks one of the networks.
        ValueError: If Keras is set to another order of an image's axes.

    Example:

    >>> config = defaults("mlp", latent_dim=8)
    >>> build(config, (2,), ("recognition", "generator"))["generator"].output_shape
    (None, 2)
    """
    if isinstance(config, dict):
        config = types.SimpleNamespace(**config)
    if len(shape) == 3:
        require_channels_last()
    own = fields_of(config.family)
    values = {key: getattr(config, key, field.default) for key, field in own.items()}
    family, values = FAMILIES[config.family], types.SimpleNamespace(**values)
    try:
        of_packs = ("image_critic",) if pack > 1 and "image_critic" in names else ()
        others = tuple(name for name in names if name not in of_packs)
        built = dict(family.build(values, shape, others, normalization, outputs))
        if of_packs:
            packs = (*shape[:-1], pack * shape[-1])
            built |= family.build(values, packs, of_packs, normalization, outputs)
        return {name: built[name] for name in names}
    except KeyError as error:
        if error.args[0] not in names:
            raise
        raise BadInput(
            f"networks.family {config.family!r} has no network {error.args[0]!r}, which the method "
            "needs: take another family, or one of your own"
        ) from error
