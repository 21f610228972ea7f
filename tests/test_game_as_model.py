"""A game is sampled, saved, summed up and drawn as a Keras model."""

import shutil

import keras
import numpy as np
import pytest

import bms_keras


def test_sample(tiny_model):
    model = tiny_model()
    y = model.sample(7, seed=1)
    assert y.shape == (7, 2)
    assert y.dtype == "float32"
    np.testing.assert_array_equal(model.sample(7, seed=1), y)
    np.testing.assert_allclose(model.sample(7, seed=1, batch_size=3), y, rtol=1e-5, atol=1e-6)
    assert not np.any(model.sample(7, seed=2) == y)
    assert not np.any(model.sample(7) == model.sample(7))
    assert model.sample(0).shape == (0, 2)


def test_a_game_is_called_with_latents(tiny_model, x):
    model = tiny_model()
    z = np.zeros((3, model.latent_dim), "float32")
    np.testing.assert_array_equal(model(z), model.generator(z))
    np.testing.assert_array_equal(model.predict(z, verbose=0), model.generator(z))
    with pytest.raises(ValueError, match=r"latents of shape \(n, 4\).*Received: shape=\(.*, 2\)"):
        model(x)
    with pytest.raises(ValueError, match="encode and reconstruct"):
        model.predict(x, verbose=0)


def test_sampling_does_not_touch_the_noise_of_training(tiny_model, same):
    model = tiny_model()
    state = model.seed_generator.state.numpy()
    model.sample(3, seed=0)
    model.sample(3)
    assert same([model.seed_generator.state], [state])


def test_the_seed_decides_the_noise_of_training(tiny_model, x, train, same):
    first, second, other = (tiny_model(seed=seed) for seed in (1, 1, 2))
    for model in (first, second, other):
        train(model, x)
    assert same(first.weights, second.weights)
    assert not same(first.weights, other.weights)


def test_save_and_load(tiny_model, x, train, tmp_path, same):
    options = {"samples": 5, "gradient": "all", "alpha": 0.5, "norm": 2, "margins": (2.0, 0.0)}
    model = tiny_model(ema=0.9, seed=3, **options)
    train(model, x)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert type(loaded) is bms_keras.BMSVAEGAN
    assert {name: getattr(loaded, name) for name in options} == options
    assert (loaded.ema, loaded.seed) == (0.9, 3)
    assert same(loaded.weights, model.weights)
    np.testing.assert_array_equal(loaded.sample(5, seed=0), model.sample(5, seed=0))
    np.testing.assert_array_equal(loaded.reconstruct(x, seed=0), model.reconstruct(x, seed=0))


def test_save_and_load_without_critics(tiny_model, tmp_path, same):
    model = tiny_model(names=("recognition", "generator"))
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert same(loaded.weights, model.weights)
    assert loaded.prior_term == "mmd"


def test_a_summary_shows_each_network_and_its_players(tiny_model):
    model, lines = tiny_model(ema=0.5), []
    model.summary(print_fn=lambda text: lines.append(text))
    text = "\n".join(lines)
    starts = [text.index(f"{name}, trained by the player ") for name in model.networks]
    assert starts == sorted(starts)
    assert "recognition, trained by the player 'generator'\n" in text
    for network in model.networks.values():
        assert all(layer.name in text for layer in network.layers)
    total = sum(w.size for network in model.networks.values() for w in network.get_weights())
    assert lines[-1] == (
        f"{total} parameters in 4 networks; moving averages of recognition and generator"
    )


def test_a_summary_is_printed(tiny_model, capsys):
    tiny_model().summary()
    printed = capsys.readouterr().out
    assert printed.count('Model: "') == 4
    assert printed.endswith(" parameters in 4 networks\n")


def test_each_network_can_be_drawn(tiny_model, tmp_path):
    pytest.importorskip("pydot")
    for name, network in tiny_model().networks.items():
        text = keras.utils.model_to_dot(network, show_shapes=True).to_string()
        assert all(f"<b>{layer.name}</b>" in text for layer in network.layers), text
        if shutil.which("dot"):  # graphviz's program, which turns that text into a picture
            keras.utils.plot_model(network, tmp_path / f"{name}.png", show_shapes=True)
            assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_unbuilt_networks_are_refused(tiny_networks):
    networks = tiny_networks() | {"generator": keras.Sequential([keras.layers.Dense(2)])}
    with pytest.raises(
        ValueError, match=r"'generator' must know the shape.*keras.Input.*is not built"
    ):
        bms_keras.BMSVAEGAN(**networks)


@pytest.mark.parametrize("ema", [-0.1, 1.0])
def test_a_momentum_out_of_range_is_refused(tiny_networks, ema):
    with pytest.raises(ValueError, match=rf"ema must be in \[0, 1\).*ema={ema}"):
        bms_keras.BMSVAEGAN(**tiny_networks(), ema=ema)
