"""Baseline (c) of step.py: the same networks and step in PyTorch, as its users write them.

Eager mode, `torch.nn.utils.parametrizations.spectral_norm`, `torch.optim.Adam`, a `backward` for
each player; for SN-GAN the step of kwotsin/mimicry, with one turn of the critic. No Keras here.
"""

import torch
from torch import nn
from torch.nn.functional import softplus
from torch.nn.utils.parametrizations import spectral_norm


def _batch_norm(filters):
    return nn.BatchNorm2d(filters)  # whose numbers are those of `mlp.batch_normalization`


def _double(c_in, c_out, norm=True):
    conv = nn.ConvTranspose2d(c_in, c_out, 4, 2, 1, bias=not norm)
    return [conv, _batch_norm(c_out), nn.ReLU()] if norm else [conv]


def standard_cnn(latent, width, shape):
    """G and D_I of Miyato et al. 2018, table 3."""
    side, channels = shape[0] // 8, shape[-1]
    units = 8 * width * side * side
    g = [nn.Linear(latent, units, bias=False), nn.BatchNorm1d(units)]
    g += [nn.ReLU(), nn.Unflatten(1, (8 * width, side, side))]
    for factor in (4, 2, 1):
        g += _double(2 * factor * width, factor * width)
    g += [nn.Conv2d(width, channels, 3, 1, 1), nn.Tanh()]
    d, last = [], channels
    for factor, halve in ((1, True), (2, True), (4, True), (8, False)):
        d += [spectral_norm(nn.Conv2d(last, factor * width, 3, 1, 1)), nn.LeakyReLU(0.1)]
        last = factor * width
        if halve:
            d += [spectral_norm(nn.Conv2d(last, last, 4, 2, 1)), nn.LeakyReLU(0.1)]
    d += [nn.Flatten(), spectral_norm(nn.Linear(last * side * side, 1))]
    return nn.Sequential(*g), nn.Sequential(*d)


def dcgan(latent, width, shape):
    """G and D_I of Radford et al. 2016, D_I with spectral instead of batch normalisation."""
    widths = _widths(shape, width)
    side, last = shape[0] // 2 ** len(widths), widths[-1]
    g = [nn.Linear(latent, side * side * last), nn.Unflatten(1, (last, side, side))]
    g += [_batch_norm(last), nn.ReLU()]
    for filters in reversed(widths[:-1]):
        g += _double(last, filters)
        last = filters
    g += [*_double(last, shape[-1], norm=False), nn.Tanh()]
    d, last = [], shape[-1]
    for filters in widths:
        d += [spectral_norm(nn.Conv2d(last, filters, 4, 2, 1)), nn.LeakyReLU(0.2)]
        last = filters
    d += [nn.Flatten(), spectral_norm(nn.Linear(last * side * side, 1))]
    return nn.Sequential(*g), nn.Sequential(*d)


def _widths(shape, width):
    side, widths = shape[0], []
    while side >= 8:
        widths.append(width * 2 ** len(widths))
        side //= 2
    return widths


def recognition(latent, width, shape):
    r, last = [], shape[-1]
    for i, filters in enumerate(_widths(shape, width)):
        r += [nn.Conv2d(last, filters, 4, 2, 1, bias=not i)]
        r += [_batch_norm(filters), nn.LeakyReLU(0.2)] if i else [nn.LeakyReLU(0.2)]
        last = filters
    side = shape[0] // 2 ** len(_widths(shape, width))
    return nn.Sequential(*r, nn.Flatten(), nn.Linear(last * side * side, 2 * latent))


def latent_critic(latent, widths):
    d = []
    for n, width in zip((latent, *widths), widths, strict=False):
        d += [nn.Linear(n, width), nn.ReLU()]
    return nn.Sequential(*d, nn.Linear(widths[-1], 1))


def load(network, arrays):
    """Copies Keras's weights: a list with a dictionary for each layer that has any.

    Channels come last there and first here, in kernels and in what is flattened.
    """
    arrays, last = iter(arrays), 1
    for i, layer in enumerate(network):
        if not list(layer.parameters()):
            continue
        own = {name: torch.from_numpy(array) for name, array in next(arrays).items()}
        parametrized = hasattr(layer, "parametrizations")
        if "kernel" in own:
            target = layer.parametrizations.weight.original if parametrized else layer.weight
            target.data.copy_(_kernel(network, i, own["kernel"], last))
            last = target.shape[1 if isinstance(layer, nn.ConvTranspose2d) else 0]
        else:
            layer.weight.data.copy_(_unflattened(network, i, own["gamma"]))
        bias = own.get("bias", own.get("beta"))
        if bias is not None:
            layer.bias.data.copy_(_unflattened(network, i, bias))
        if parametrized:  # the vectors of power iteration
            norm, u = layer.parametrizations.weight[0], own["u"][0]
            norm._u.copy_(u)
            norm._v.copy_(nn.functional.normalize(target.data.flatten(1).T @ u, dim=0))


def _kernel(network, i, kernel, channels):
    if kernel.ndim == 4:
        return kernel.permute(3, 2, 0, 1)
    if i and isinstance(network[i - 1], nn.Flatten):
        kernel = kernel.unflatten(0, (-1, channels)).transpose(0, 1).flatten(0, 1)
    return _unflattened(network, i, kernel).T


def _unflattened(network, i, array):
    """An array whose last axis is about to become an image."""
    unit_by_unit = nn.BatchNorm1d, nn.ReLU
    following = next(
        (each for each in network[i + 1 :] if not isinstance(each, unit_by_unit)), None
    )
    if isinstance(following, nn.Unflatten):
        channels = following.unflattened_size[0]
        return array.unflatten(-1, (-1, channels)).transpose(-1, -2).flatten(-2, -1)
    return array


class Torch:
    """What step.py times: BMS-VAE-GAN, or SN-GAN where `method` says so.

    Args:
        spec: `family`, `shape`, `width`, `latent_dim`, `latent_critic`, `samples`, `lambda_`,
            `margins`, `method`, `critic_to_recognition`, `channels_last`.
        weights: For each network what `load` takes.
        x: The batch, NumPy `(b, height, width, channels)`.
        noise: Function of a shape, for `check`.
    """

    def __init__(self, spec, weights, x, noise):
        self.spec, self.known_noise = spec, noise
        size = spec["latent_dim"], spec["width"], spec["shape"]
        family = {"standard_cnn": standard_cnn, "dcgan": dcgan}[spec["family"]]
        self.generator, self.image_critic = family(*size)
        self.networks = {"generator": self.generator, "image_critic": self.image_critic}
        if spec["method"] != "sn_gan":
            self.recognition = recognition(*size)
            self.latent_critic = latent_critic(spec["latent_dim"], spec["latent_critic"])
            self.networks["recognition"] = self.recognition
            self.networks["latent_critic"] = self.latent_critic
        for name, network in self.networks.items():
            load(network, weights[name])
            if spec["channels_last"]:
                network.to(memory_format=torch.channels_last)
        self.x = torch.from_numpy(x).permute(0, 3, 1, 2)
        if not spec["channels_last"]:
            self.x = self.x.contiguous()
        self.noise = self.random
        adam = lambda *nets: torch.optim.Adam(  # noqa: E731
            [p for net in nets for p in net.parameters()], 2e-4, (0.0, 0.9)
        )
        self.turns = [(self.generator_loss, adam(self.generator))]
        self.turns.append((self.image_critic_loss, adam(self.image_critic)))
        if spec["method"] != "sn_gan":
            self.turns[0] = (self.hybrid_generator_loss, adam(self.recognition, self.generator))
            self.turns.append((self.latent_critic_loss, adam(self.latent_critic)))

    def random(self, *shape):
        return torch.randn(*shape, self.spec["latent_dim"])

    def posterior(self, samples):
        mean, log_variance = self.recognition(self.x).chunk(2, -1)
        std = torch.exp(0.5 * log_variance.clamp(-12, 3))
        return (mean + std * self.noise(samples, len(self.x))).flatten(0, 1)

    def critic(self, x):
        return self.image_critic(x)[:, 0]

    def generated(self):
        return self.generator(self.noise(len(self.x)))

    def generator_loss(self):
        return -self.critic(self.generated()).mean()

    def hybrid_generator_loss(self):
        T = self.spec["samples"]
        z = self.posterior(T)
        x_i = self.generator(z)
        distance = (self.x.repeat(T, 1, 1, 1) - x_i).abs().mean((1, 2, 3))
        best = distance.view(T, -1).amin(0).mean()
        least_realistic = self.critic(x_i).view(T, -1).amin(0).mean()
        divergence = -self.latent_critic(z).mean()
        prior = self.critic(self.generated()).mean()
        seen_by_recognition = self.spec["lambda_"] * best + divergence
        loss = seen_by_recognition - least_realistic - prior
        if torch.is_grad_enabled() and not self.spec["critic_to_recognition"]:
            self.backward_to_recognition(seen_by_recognition)
        return loss

    def backward_to_recognition(self, loss):
        """R's gradient where the critic's stops at z; G's is taken from the whole loss."""
        weights = list(self.recognition.parameters())
        self.own = torch.autograd.grad(loss, weights, retain_graph=True)

    def image_critic_loss(self):
        a, b = self.spec["margins"]
        with torch.no_grad():
            fake = self.generated()
        return (a - self.critic(self.x)).relu().mean() + (b + self.critic(fake)).relu().mean()

    def latent_critic_loss(self):
        with torch.no_grad():
            z = self.posterior(1)
        p = self.latent_critic(self.noise(len(self.x)))
        return softplus(-p).mean() + softplus(self.latent_critic(z)).mean()

    def check(self):
        self.noise = lambda *shape: torch.from_numpy(self.known_noise(*shape))
        self.generator.eval()
        self.image_critic.eval()
        with torch.no_grad():
            values = {
                loss.__name__.removeprefix("hybrid_"): float(loss()) for loss, _ in self.turns
            }
        self.generator.train()
        self.image_critic.train()
        self.noise = self.random
        return values

    def step(self):
        for loss, optimizer in self.turns:
            for _, other in self.turns:  # the others' gradients would be computed for nothing
                for p in other.param_groups[0]["params"]:
                    p.requires_grad_(other is optimizer)
            optimizer.zero_grad()
            self.own = None
            value = loss()
            if self.own is None:
                value.backward()
            else:
                value.backward(inputs=list(self.generator.parameters()))
                for p, gradient in zip(self.recognition.parameters(), self.own, strict=True):
                    p.grad = gradient
            optimizer.step()

    def operators(self):
        from operators import pytorch

        return pytorch(self.step)
