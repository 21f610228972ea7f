"""SN-GAN on Grid by `bms_keras` beside the same game by hand in plain JAX.

    python benchmarks/plain_jax.py --out=results/plain_jax.json

Both play from the same weights, on the same points, with the same noise, as one `lax.scan` of an
epoch's steps: so this is the price of Keras, of the classes and of the logs, which the game by hand
has none of. Before the clock runs, ten steps of each must have had the same losses. The last line
is a JSON object: `over_plain` is our steps a second over the plain loop's, by CPU time, and its
quartiles over the rounds.
"""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))  # configs/ is no package to install
os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)

import time

import jax
import numpy as np
from absl import app, flags
from jax import numpy as jnp
from timing import ROUNDS, agree, ratio, table, write
from tiny import compiled_loop

from bms_keras.configs import grid
from bms_keras.runs import experiment

STEPS = flags.DEFINE_integer("steps", 500, "Steps of a turn.", 1)
CHECKED = 10  # steps whose losses must agree


def unit(vector):
    return vector / (jnp.linalg.norm(vector) + 1e-12)


def generate(g, z):
    for w, b in g[:-1]:
        z = jax.nn.relu(z @ w + b)
    return z @ g[-1][0] + g[-1][1]


def judge(d, us, x, lipschitz, scale):
    x = scale * x
    for i, ((w, b), u) in enumerate(zip(d, us, strict=True)):
        v = jax.lax.stop_gradient(unit(u @ w.T))
        x = x @ (w / jnp.sum(v @ w * u)) + b
        x = x if i == len(d) - 1 else jax.nn.leaky_relu(x, 0.2)
    return lipschitz / scale * x[:, 0]


def adam(weights, gradients, m, v, t, rate, beta_1, beta_2):
    m = jax.tree.map(lambda m, g: m + (g - m) * (1 - beta_1), m, gradients)
    v = jax.tree.map(lambda v, g: v + (g * g - v) * (1 - beta_2), v, gradients)
    alpha = rate * jnp.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    move = lambda w, m, v: w - alpha * m / (jnp.sqrt(v) + 1e-7)  # noqa: E731
    return jax.tree.map(move, weights, m, v), m, v


def plain_loop(model, config):
    """The game by hand, from a model's weights: a function of batches that returns the losses."""
    nets, rates = config.networks, config.optimizer
    betas = rates.beta_1, rates.beta_2
    layers = lambda network: [  # noqa: E731
        (jnp.array(w.value), jnp.array(b.value))
        for w, b in zip(*[iter(network.trainable_variables)] * 2, strict=True)
    ]
    g, d = layers(model.generator), layers(model.image_critic)
    us = [jnp.array(u.value) for u in model.image_critic.non_trainable_variables]
    zeros = lambda tree: jax.tree.map(jnp.zeros_like, tree)  # noqa: E731
    score = lambda d, us, x: judge(d, us, x, nets.lipschitz, nets.input_scale)  # noqa: E731

    def noise(key, x):
        return jax.random.normal(key, (len(x), nets.latent_dim)), key.at[1].add(1)

    def step(state, x):
        g, d, us, adam_g, adam_d, average, t, key = state
        t, (z, key) = t + 1, noise(key, x)
        of_g, gradients = jax.value_and_grad(lambda g: -score(d, us, generate(g, z)).mean())(g)
        g, *adam_g = adam(g, gradients, *adam_g, t, rates.learning_rate, *betas)
        us = [unit(unit(u @ w.T) @ w) for (w, _), u in zip(d, us, strict=True)]
        z, key = noise(key, x)
        y = generate(g, z)

        def hinge(d):
            real, fake = score(d, us, x), score(d, us, y)
            return jax.nn.relu(1 - real).mean() + jax.nn.relu(1 + fake).mean()

        of_d, gradients = jax.value_and_grad(hinge)(d)
        d, *adam_d = adam(d, gradients, *adam_d, t, rates.image_critic_learning_rate, *betas)
        average = jax.tree.map(lambda m, w: config.ema * m + (1 - config.ema) * w, average, g)
        return (g, d, us, adam_g, adam_d, average, t, key), (of_g, of_d)

    key = jnp.array(model.seed_generator.state.value)
    copies = [zeros(g), zeros(g)], [zeros(d), zeros(d)], jax.tree.map(jnp.copy, g)
    state = (g, d, us, *copies, jnp.float32(0), key)
    scan = jax.jit(lambda state, batches: jax.lax.scan(step, state, batches), donate_argnums=0)

    def play(batches):
        nonlocal state
        state, losses = jax.block_until_ready(scan(state, batches))
        return {"generator/loss": losses[0].mean(), "image_critic/loss": losses[1].mean()}

    return play


def main(_):
    config = grid.get_config("sn_gan")
    config.optimizer.hold = 1.0  # the rates do not fall
    built = experiment.build(config)
    batches = np.stack([built.data.batch(i) for i in range(STEPS.value)])
    plain, ours = plain_loop(built.model, config), compiled_loop(built.model)
    expected = plain(batches[:CHECKED])
    ours(batches[:CHECKED])
    logs = {name: float(built.model.trackers[name].result()) for name in expected}
    agree("bms_keras", logs, {name: float(loss) for name, loss in expected.items()})
    loops = {"bms_keras": ours, "plain JAX": plain}
    seconds = {name: [] for name in loops}
    for _ in range(1 + ROUNDS.value):  # the first compiles
        for name, loop in loops.items():
            began = time.process_time()
            loop(batches)
            seconds[name].append(time.process_time() - began)
    rates = {name: (STEPS.value / np.array(taken[1:])).round(1) for name, taken in seconds.items()}
    print(table([{"": n, "steps a CPU second": f"{np.median(r):.0f}"} for n, r in rates.items()]))
    over, *quartiles = ratio(rates["bms_keras"], rates["plain JAX"])
    record = {"config": "grid:sn_gan", "over_plain": over, "quartiles": quartiles}
    write(record | {"rates": {name: rate.tolist() for name, rate in rates.items()}})


if __name__ == "__main__":
    app.run(main)
