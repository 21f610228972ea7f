"""The BMS-VAE-GAN and SN-GAN steps as a user of PyTorch would write them: a baseline of `step.py`.

SN-GAN's is that of its PyTorch libraries: `torch.nn.utils.spectral_norm`, fakes detached in D's
turn. All T samples are tiled and take part in the backward pass.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils import spectral_norm

KEEP = lambda layer: layer  # noqa: E731


def halving(channels, width, stages, outputs, side, wrap, batch_norm):
    """DCGAN's critic or recognition network."""
    layers = []
    for i in range(stages):
        filters = width * 2**i
        normalized = batch_norm and i > 0
        layers.append(wrap(nn.Conv2d(channels, filters, 4, 2, 1, bias=not normalized)))
        layers += [nn.BatchNorm2d(filters, 1e-3)] * normalized + [nn.LeakyReLU(0.2)]
        channels = filters
    return nn.Sequential(*layers, nn.Flatten(), wrap(nn.Linear(channels * side**2, outputs)))


def standard_critic(width):
    layers, channels = [], 3
    for factor, halve in ((1, True), (2, True), (4, True), (8, False)):
        filters = factor * width
        layers += [spectral_norm(nn.Conv2d(channels, filters, 3, 1, 1)), nn.LeakyReLU(0.1)]
        if halve:
            layers += [spectral_norm(nn.Conv2d(filters, filters, 4, 2, 1)), nn.LeakyReLU(0.1)]
        channels = filters
    return nn.Sequential(*layers, nn.Flatten(), spectral_norm(nn.Linear(channels * 16, 1)))


def generator(latent, width, stages, standard):
    first = width * 2 ** (stages - 1) if not standard else 8 * width
    layers = [nn.Linear(latent, first * 16), nn.Unflatten(1, (first, 4, 4))]
    if not standard:
        layers += [nn.BatchNorm2d(first, 1e-3), nn.ReLU()]
    channels = first
    for _ in range(stages if standard else stages - 1):
        layers += [nn.ConvTranspose2d(channels, channels // 2, 4, 2, 1, bias=False)]
        layers += [nn.BatchNorm2d(channels // 2, 1e-3), nn.ReLU()]
        channels //= 2
    last = nn.Conv2d(channels, 3, 3, 1, 1) if standard else nn.ConvTranspose2d(channels, 3, 4, 2, 1)
    return nn.Sequential(*layers, last, nn.Tanh())


def perceptron(latent, widths=(750, 750, 750)):
    layers = []
    for width in widths:
        layers += [nn.Linear(latent, width), nn.ReLU()]
        latent = width
    return nn.Sequential(*layers, nn.Linear(latent, 1))


def load(network, arrays):
    """Copies Keras's weights, whose images are (height, width, channels), into a network."""
    arrays, channels = list(arrays), None
    for i, layer in enumerate(network):
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            # Keras has (kh, kw, in, out), and (kh, kw, out, in) for the transposed one.
            value = arrays.pop(0).transpose(3, 2, 0, 1)
        elif isinstance(layer, nn.Linear):
            value = arrays.pop(0)
            if i and isinstance(network[i - 1], nn.Flatten):
                value = value.reshape(4, 4, channels, -1).transpose(2, 0, 1, 3)
            if i + 1 < len(network) and isinstance(network[i + 1], nn.Unflatten):
                value = value.reshape(len(value), 4, 4, -1).transpose(0, 3, 1, 2)
                value = value.reshape(len(value), -1)
            value = value.reshape(-1, layer.out_features).T
        elif isinstance(layer, nn.BatchNorm2d):
            layer.weight.data[:], layer.bias.data[:] = map(
                torch.tensor, (arrays.pop(0), arrays.pop(0))
            )
            continue
        else:
            continue
        target = getattr(layer, "weight_orig", layer.weight)
        target.data[:] = torch.tensor(np.ascontiguousarray(value))
        if hasattr(layer, "weight_orig"):
            exact(layer)
        if layer.bias is not None:
            layer.bias.data[:] = torch.tensor(arrays.pop(0))
        channels = value.shape[0]
    assert not arrays
    return network


def exact(layer):
    """Makes sigma exact, by the leading singular vectors."""
    matrix = layer.weight_orig.data.flatten(1)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    layer.weight_u.data[:], layer.weight_v.data[:] = u[:, 0], v[0]


class Trainer:
    """The networks, their optimizers and the step."""

    def __init__(self, arrays, method, networks, samples, lambda_, shape, width=64, latent=100):
        standard, side = networks == "standard_cnn", shape[0]
        stages = int(np.log2(side)) - 2
        made = {
            "generator": generator(latent, width, stages, standard),
            "image_critic": standard_critic(width)
            if standard
            else halving(3, width, stages, 1, 4, spectral_norm, False),
        }
        if method != "sn_gan":
            made["recognition"] = halving(3, width, stages, 2 * latent, 4, KEEP, True)
            made["latent_critic"] = perceptron(latent)
        for name, network in made.items():
            load(network, arrays[name])
        self.G, self.D = made["generator"], made["image_critic"]
        self.R, self.L = made.get("recognition"), made.get("latent_critic")
        self.hybrid, self.samples, self.lambda_ = self.R is not None, samples, lambda_
        self.latent = latent
        players = [[self.R, self.G], [self.D], [self.L]] if self.hybrid else [[self.G], [self.D]]
        self.optimizers = [
            torch.optim.Adam(
                [p for network in networks for p in network.parameters()], 2e-4, betas=(0.0, 0.9)
            )
            for networks in players
        ]

    def generator_loss(self, x, prior, noise):
        score = self.D(self.G(prior)).mean()
        if not self.hybrid:
            return -score
        z = self.posterior(x, noise)
        x_i = self.G(z)
        distance = (x_i.reshape(self.samples, *x.shape) - x[None]).abs().mean((2, 3, 4))
        realism = self.D(x_i).reshape(self.samples, -1)
        divergence = -self.L(z).mean()
        best, worst = distance.min(0).values.mean(), realism.min(0).values.mean()
        return self.lambda_ * best - worst - score + divergence

    def critic_loss(self, x, prior, noise):
        with torch.no_grad():
            fake = self.G(prior)
        return F.relu(1 - self.D(x)).mean() + F.relu(1 + self.D(fake)).mean()

    def latent_loss(self, x, prior, noise):
        with torch.no_grad():
            z = self.posterior(x, noise[:1])
        return F.softplus(-self.L(prior)).mean() + F.softplus(self.L(z)).mean()

    def posterior(self, x, noise):
        mean, log_variance = self.R(x).chunk(2, -1)
        z = mean + (0.5 * log_variance.clamp(-12, 3)).exp() * noise
        return z.reshape(-1, self.latent)

    def turns(self):
        losses = (self.generator_loss, self.critic_loss, self.latent_loss)
        return zip(losses, self.optimizers, strict=False)

    def step(self, x):
        x = self.images(x)
        for loss, optimizer in self.turns():
            prior = torch.randn(len(x), self.latent)
            noise = torch.randn(self.samples, len(x), self.latent)
            optimizer.zero_grad()
            loss(x, prior, noise).backward()
            optimizer.step()

    def images(self, x):
        return torch.tensor(x.transpose(0, 3, 1, 2))

    def losses_of(self, x, prior, noise):
        """The losses of all players on given data and noise."""
        names = ("generator", "image_critic", "latent_critic")
        x, prior, noise = self.images(x), torch.tensor(prior), torch.tensor(noise)
        with torch.no_grad():
            losses = [loss(x, prior, noise).item() for loss, _ in self.turns()]
        return dict(zip(names, losses, strict=False))
