"""`fit` says how far it is, and refuses data that are not scaled."""

import os
import signal

import keras
import numpy as np
import pytest

import bms_keras


def image_gan():
    shape = (2, 2, 3)
    generator = [keras.Input((4,)), keras.layers.Dense(12), keras.layers.Reshape(shape)]
    critic = [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(1)]
    model = bms_keras.GAN(keras.Sequential(generator), keras.Sequential(critic))
    model.compile()
    return model


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.full((8, 2, 2, 3), 200, "uint8"), r"x / 127\.5 - 1 of uint8\. Received: uint8"),
        (np.linspace(0, 255, 96).reshape(8, 2, 2, 3), r"in 0\.\.255\. .*from 0 to 255"),
    ],
    ids=["uint8", "floats"],
)
def test_images_in_0_to_255_are_refused_with_what_converts_them(x, message):
    with pytest.raises(ValueError, match=message):
        image_gan().fit(x, batch_size=4)


def test_batches_of_integers_are_refused(tiny_model):
    with pytest.raises(ValueError, match=r"data must be floats.*Received: int"):
        tiny_model().fit((batch for batch in [(np.ones((8, 2), "int32"),)]), shuffle=False)


def test_points_may_lie_anywhere(tiny_model, x, train):
    assert np.isfinite(train(tiny_model(), 1000 * x)["loss"])


def test_fit_prints_a_line_an_epoch_unless_told_otherwise(tiny_model, x, capsys):
    model = tiny_model()
    model.fit(x, batch_size=8, epochs=2)
    first, second = capsys.readouterr().out.splitlines()
    assert first.split()[:4] == ["step", "3", "of", "6"]
    assert {"left", "generator", "image_critic"} < set(second.split())
    model.fit(x, batch_size=8, verbose=2)
    assert "generator/divergence" in capsys.readouterr().out  # Keras's own


def test_a_fit_that_fails_leaves_the_weights(tiny_model, x):
    model = tiny_model()
    before = model.sample(4, seed=0)
    with pytest.raises(ValueError, match="incompatible"):  # of points that are too wide
        model.fit(np.concatenate([x, x], 1), verbose=0)
    np.testing.assert_array_equal(model.sample(4, seed=0), before)


@pytest.fixture
def interruptible():
    """Python's own answer to SIGINT, which what runs in a shell's background does not have."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_ends_fit_between_two_steps(interruptible, tiny_model, x, capsys):
    """In the middle of one, JAX would have given the variables' memory away."""
    model = tiny_model()
    begun = lambda batch, logs: os.kill(os.getpid(), signal.SIGINT)  # noqa: E731
    press = keras.callbacks.LambdaCallback(on_train_batch_begin=begun)
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, batch_size=8, callbacks=[press])
    assert int(model.optimizer.iterations.numpy()) == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert np.isfinite(model.sample(4, seed=0)).all()
    model.fit(x, batch_size=8, verbose=0)  # and goes on
    assert int(model.optimizer.iterations.numpy()) == 4


def test_ctrl_c_is_not_held_back_from_a_callback_list(interruptible, tiny_model, x):
    """To which nothing is added that could act on it: its epochs would go on to the last."""
    begun = []

    def press(batch, logs):
        begun.append(batch)
        os.kill(os.getpid(), signal.SIGINT)

    press = keras.callbacks.LambdaCallback(on_train_batch_begin=press)
    model = tiny_model()
    callbacks = keras.callbacks.CallbackList([press], model=model, epochs=3, steps=1)
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, epochs=3, callbacks=callbacks, verbose=0)
    assert len(begun) == 1
