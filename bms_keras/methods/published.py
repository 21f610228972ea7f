"""What each method's authors train it with on images, where a public source says it.

By data set: "images" for any, "cifar10" and "celeba" for what they have for these alone, which
comes last. Each holds fields of a config by dotted name. On points all methods have the same budget
and rates, those of the config.
"""


def _adam(rate, beta_1, beta_2):
    """Adam of one rate for all players."""
    return {
        "optimizer.learning_rate": rate,
        "optimizer.image_critic_learning_rate": rate,
        "optimizer.latent_critic_learning_rate": rate,
        "optimizer.beta_1": beta_1,
        "optimizer.beta_2": beta_2,
    }


# The paper's own (section 4.3; section 4.2 has the rates that every config begins with): two time
# scales on CelebA. Its alpha-GAN is "identical" but for the best of many.
HYBRID = {
    "cifar10": {"objective.margins": (2.0, 0.0)},  # log D_I in [0, 2]
    "celeba": {
        "optimizer.learning_rate": 1e-4,
        "optimizer.image_critic_learning_rate": 4e-4,
        "optimizer.latent_critic_learning_rate": 4e-4,
        "objective.margins": (0.5, 0.5),  # in [-0.5, 0.5]
    },
}

# tolstikhin/wae, configs.py at its last commit: MNIST's stand for any images, there falling in two
# steps, CelebA's smoothly to a hundredth; earlier commits have 1e-4 for CelebA, with an MMD weight
# of 10. BMS-VAE, which is the paper's, differs from WAE-GAN in T alone.
WAE = {"images": {**_adam(1e-3, 0.5, 0.999), "optimizer.latent_critic_learning_rate": 5e-4}}
WAE_GAN = WAE | {
    "celeba": {
        "optimizer.learning_rate": 3e-4,
        "optimizer.image_critic_learning_rate": 3e-4,
        "optimizer.latent_critic_learning_rate": 1e-3,
    }
}

# Radford et al. 2016, section 4, and Newmu/dcgan_code, faces/train_uncond_dcgan.py; PacGAN's, too:
# fjxmlzn/PacGAN, stacked_MNIST_experiments/VEEGAN_experiment/config.py.
DCGAN = {"images": _adam(2e-4, 0.5, 0.999)}

# brownvc/R3GAN, train.py: what its schedules begin with; the rate then falls to a quarter, gamma to
# a tenth, and beta_2 rises to 0.99. FFHQ at 64 x 64 stands for CelebA; at 256 x 256 gamma is 150.
R3GAN = {
    "images": {**_adam(2e-4, 0.0, 0.9), "objective.gamma": 1.0},
    "cifar10": {"objective.gamma": 0.05},
    "celeba": {"objective.gamma": 2.0},
}

# pfnet-research/chainer-gan-lib, example.sh: the standard CNN, one turn of D_I.
SN_GAN = {"images": _adam(2e-4, 0.5, 0.999)}

# igul222/improved_wgan_training, gan_cifar.py and gan_64x64.py.
WGAN_GP = {"images": _adam(1e-4, 0.5, 0.9), "celeba": {"optimizer.beta_1": 0.0}}

# adler-j/bwgan, cifar10_sobolev.py: the rate falls to 0 from the first step on.
BW_GAN = {
    "images": {
        **_adam(2e-4, 0.0, 0.9),
        "optimizer.hold": 0.0,
        "optimizer.final": 0.0,
        "ema": 0.99,
    }
}

# Berthelot et al. 2017, section 4.1, has 5e-5 to 1e-4, and no public code; the betas are those of
# carpedm20/BEGAN-tensorflow, config.py.
BEGAN = {"images": _adam(1e-4, 0.5, 0.999)}

# tntrung/gan, distgan_image/distgan_cifar.py (the hinge, of table 6) and distgan_celeba.py ("log").
DIST_GAN = {
    "images": {
        **_adam(2e-4, 0.5, 0.9),
        "objective.critic_loss": "hinge",
        "objective.distances": "features",
    },
    "celeba": {"objective.critic_loss": "cross_entropy"},
}

# M-Elfeki/GDPP, gdppgan_cifar.py.
GDPP_GAN = {"images": _adam(2e-4, 0.5, 0.999)}
