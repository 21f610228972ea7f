"""A SavedModel draws from the samplers that were fitted, as the model does."""

import numpy as np
import pytest

from bms_keras import sampling

tf = pytest.importorskip("tensorflow")


def test_signatures_draw_as_the_samplers_do(tiny_model, tmp_path):
    model = tiny_model()
    x = np.random.default_rng(0).standard_normal((60, 2)).astype("float32")
    for name in ("likelihood", "likelihood+mh", "rejection"):
        sampling.fit(model, name, x, **({"length": 5} if "mh" in name else {}))
    signatures = tf.saved_model.load(str(model.export_saved_model(tmp_path))).signatures
    assert {name for name in signatures if name.startswith("sample")} == {
        "sample",
        "sample_likelihood",
        "sample_likelihood_mh",  # how often rejection proposes is not known beforehand
    }
    for n, seed in ((7, 2**40 + 3), (1, 5)):
        asked = {"n": tf.constant(n), "seed": tf.constant(seed, tf.int64)}
        for name in ("likelihood", "likelihood+mh"):
            found = signatures[f"sample_{name.replace('+', '_')}"](**asked)["points"]
            expected = model.sample(n, seed, sampler=name)
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
