"""Fashion-MNIST (28 x 28, grey): recognisable samples within 20 minutes on two CPU cores.

    python train.py --config=configs/fashion_mnist.py --workdir=runs/fashion
    python eval.py --workdir=runs/fashion --metrics=fid --real=2000 --generated=2000

Not in the paper. Expect an FID (2,000 held-out, 2,000 generated) of 253 after 200 steps and of 54
after 2,000, which take 4 minutes (one seed); the default 5,000 take 10.

`tfds` brings the data; `--config.data.source=fashion_mnist.npz` reads x_train and x_test from a
file.
"""

from bms_keras import networks
from bms_keras.config import as_published, default_config, wae_weights


def get_config(method="bms_vae_gan"):
    config = default_config(method, lambda_=10.0)
    config.steps = 5000
    config.data.source = "tfds:fashion_mnist"
    config.data.resolution = 28
    config.data.channels = 1
    wae_weights(config, span=1.0)  # as their MNIST, which lies in [0, 1]
    config.networks = networks.defaults(
        "dcgan", latent_dim=32, width=32, latent_critic=(256, 256, 256)
    )
    config.ema = 0.99
    config.optimizer.update(
        learning_rate=5e-4,
        image_critic_learning_rate=1e-3,
        latent_critic_learning_rate=1e-3,
        beta_1=0.5,
    )
    config.checkpoint_every = 500
    config.eval_every = 500
    return as_published(config)
