"""Stacked MNIST: its rows by three sizes of networks, beside modes and KL as others print them.

By the rows' titles, as in Lin et al. 2018 (tables 2 and 3): of two figures for DCGAN the first is
what they quote (Metz et al. 2017, Srivastava et al. 2017), the other their own rerun. R3GAN's are
of a small ResNet (Huang et al. 2024, table 3).
"""

from bms_keras.tables.table import Row, Table

_HYBRIDS = "alpha_gan_sn", "bms_vae_gan"  # T = 1 and 10
_CRITICS = {"objective.pack": 2}, {"objective.critic_loss": "relativistic", "objective.gamma": 1.0}
_METHODS = [  # and their fields, by each config
    *((name, {}) for name in ("dcgan", "sn_gan", "pacgan")),
    *(("pacgan", {"objective.pack": pack}) for pack in (3, 4)),
    ("r3gan", {}),
    ("r3gan", {"objective.critic_loss": "cross_entropy"}),  # without its pairs
    *((name, {}) for name in ("veegan", "alpha_gan", *_HYBRIDS)),
    ("bms_vae_gan", {"samples": 30}),
    *((name, fields) for name in _HYBRIDS for fields in _CRITICS),
]
_QUARTER = {  # D_I has a quarter of G's channels
    "dcgan": ("30.6 ± 20.7; 78.5 ± 17.6", "5.99 ± 0.42; 5.21 ± 0.19"),
    "pacgan": ("484.5 ± 33.0", "2.61 ± 0.22"),
    "pacgan pack=3": ("601.3 ± 32.2", "2.00 ± 0.17"),
    "pacgan pack=4": ("667.4 ± 29.0", "1.81 ± 0.15"),
}
_HALF = {
    "dcgan": ("628.0 ± 140.9; 487.7 ± 34.6", "2.58 ± 0.75; 2.24 ± 0.15"),
    "pacgan": ("840.7 ± 15.9", "1.00 ± 0.05"),
    "pacgan pack=3": ("866.6 ± 12.1", "0.90 ± 0.04"),
    "pacgan pack=4": ("820.2 ± 25.5", "1.15 ± 0.14"),
}
_BY_DCGAN = {
    "dcgan": ("99.0; 78.9 ± 6.5", "3.40; 4.50 ± 0.13"),
    "pacgan": ("1000 ± 0", "0.06 ± 0.003"),
    "pacgan pack=3": ("1000 ± 0", "0.06 ± 0.003"),
    "pacgan pack=4": ("1000 ± 0", "0.07 ± 0.005"),
    "r3gan": ("1000", "0.078"),
    "r3gan critic_loss=cross_entropy": ("693", "0.927"),
    "veegan": ("150.0", "2.95"),
}


def _rows(config, batch, printed):
    """The rows of one of the configs, whose batch counts packs.

    Args:
        config: Its name.
        batch: Packs a step.
        printed: The published modes and KL by the rows' titles.
    """
    rows = []
    for method, fields in _METHODS:
        figures = printed.get(Row(config, method, fields).title, ())
        if "objective.pack" in fields:
            fields = fields | {"batch_size": batch * fields["objective.pack"]}
        figures = dict(zip(("stacked_modes", "stacked_kl"), figures, strict=False))
        rows.append(Row(config, method, fields, figures))
    return rows


TABLE = Table(
    "Modes of Stacked MNIST, which the paper lacks; beside it what others have published",
    (
        *_rows("stacked_mnist_small", 128, _QUARTER),
        *_rows("stacked_mnist_half", 128, _HALF),
        *_rows("stacked_mnist", 64, _BY_DCGAN),
    ),
    ("stacked_mnist",),
    whose="published",
    note="Deviations of ours are over the seeds; those published are standard errors, of 10 runs "
    "with DCGAN's networks and of 50 with the small ones. Of two figures for DCGAN the first is "
    "that of its rivals, the second the rerun of PacGAN's authors.",
)
