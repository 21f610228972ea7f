"""What a config of images takes over from a method's authors: rates, margins, weights."""

from bms_keras import methods


def as_published(config, data=None):
    """Trains a method on images as its authors do, in the fields of which a public source tells.

    Args:
        config: A whole `ConfigDict` of images, for a file in `configs/` to end with; it is changed.
        data: "cifar10" or "celeba", for what they have for these alone.

    Returns:
        The config.
    """
    training = methods.get(config.method).training
    config.update_from_flattened_dict(training.get("images", {}) | training.get(data, {}))
    return config


def wae_weights(config, span=2.0, mmd=10.0):
    """Gives a pure autoencoder of images the weights of WAE's authors; other configs stay.

    They minimise 0.05 sum (x - G(z))^2 + lambda MMD for images in [-1, 1], with a lambda of 10, or
    of 100 on CelebA (Tolstikhin et al. 2018; `reconstruction_loss` of `wae.py` and `configs.py` at
    github.com/tolstikhin/wae). Ours is a mean over the d dimensions, so lambda_ = 0.05 d. A latent
    critic's divergence keeps its weight of 1, as in eq. 7.

    Args:
        config: A `ConfigDict` of images whose `data.resolution` and `data.channels` are set; where
            they change later, lambda_ stays.
        span: Width of the range of their images: 2 of [-1, 1], 1 of [0, 1]; ours have 2.
        mmd: Weight of MMD.
    """
    if methods.get(config.method).autoencoder:
        d = config.data.resolution**2 * config.data.channels
        config.objective.update(norm=2, lambda_=d / 20 * (span / 2) ** 2)
        if config.objective.get("prior") == "mmd":
            config.objective.divergence_weight = mmd
