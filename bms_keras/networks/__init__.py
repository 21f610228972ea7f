"""Networks by family. A family is a module with a `build` of its own that takes the same."""

from bms_keras.errors import lookup
from bms_keras.networks import dcgan, mlp, standard_cnn

FAMILIES = {"mlp": mlp, "dcgan": dcgan, "standard_cnn": standard_cnn}


def build(config, shape, names, normalization="spectral", outputs=1):
    """Builds the networks that a method needs.

    Args:
        config: `config.networks`: the family and its own fields.
        shape: Shape of one data point.
        names: Which networks: "recognition", "generator", "image_critic", "latent_critic",
            "joint_critic" (of data and latents), "autoencoder" (of data).
        normalization: Of the image critic: "spectral", "batch" or "none".
        outputs: Numbers that the image critic puts out for a data point.

    Returns:
        Dictionary of `keras.Model`s by name.

    Raises:
        BadInput: If the family is unknown or does not fit the data.
    """
    family = lookup(FAMILIES, config.family, "networks.family")
    return family.build(config, shape, names, normalization, outputs)
