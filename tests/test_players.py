"""What a config sets of one player's optimizer: `optimizer.players.NAME`."""

import numpy as np
import pytest
from helpers import config

from bms_keras.runs import experiment
from bms_keras.runs.config import changes, differences


@pytest.mark.parametrize("method", ["veegan", "dist_gan", "wae_gan"])
def test_every_player_has_an_optimizer_of_its_own_choice(method):
    """What a player's section sets is its own; the rest is that of all."""
    one = config(method, **{"optimizer.learning_rate": 5e-3, "optimizer.beta_2": 0.99})
    names = list(one.optimizer.players)
    first, last = names[0], names[-1]
    own = {"learning_rate": 7e-4, "beta_1": 0.4, "beta_2": 0.0, "final": 0.3}
    one.optimizer.players[last].update(own)
    one.optimizer.update(hold=0.5, final=0.1)
    model = experiment.build(one).model
    assert {player.name for player in model.players()} == set(names)
    common, set_ = model.optimizer[first], model.optimizer[last]
    assert (set_.beta_1, set_.beta_2) == (0.4, 0.0)
    assert (common.beta_1, common.beta_2) == (0.0, 0.99)
    for optimizer, rate, final in ((common, 5e-3, 0.1), (set_, 7e-4, 0.3)):
        np.testing.assert_allclose(optimizer._learning_rate(0), rate, rtol=1e-5)
        np.testing.assert_allclose(optimizer._learning_rate(10**6), rate * final, rtol=1e-5)


def test_a_players_section_comes_before_the_older_fields():
    fields = {"optimizer.image_critic_learning_rate": 1e-3, "optimizer.image_critic_final": 0.7}
    one = config(**fields)
    rate = lambda: float(experiment.build(one).model.optimizer["image_critic"].learning_rate)  # noqa: E731
    np.testing.assert_allclose(rate(), 1e-3, rtol=1e-6)
    one.optimizer.players.image_critic.learning_rate = 2e-3
    np.testing.assert_allclose(rate(), 2e-3, rtol=1e-6)
    one.optimizer.players.image_critic.final = 0.2
    one.optimizer.hold = 0.5
    schedule = experiment.build(one).model.optimizer["image_critic"]._learning_rate
    np.testing.assert_allclose(schedule(10**6), 4e-4, rtol=1e-5)


def test_a_run_from_before_the_players_had_sections_reads_as_their_defaults():
    """What may change of them does; a player's betas may not."""
    old, new = config("veegan").to_dict(), config("veegan").to_dict()
    del old["optimizer"]["players"]
    assert not changes(old, new)
    new["optimizer"]["players"]["joint_critic"] = {"learning_rate": 1e-3, "final": 0.5}
    name = "optimizer.players.joint_critic"
    found = {f"{name}.learning_rate": (-1.0, 1e-3), f"{name}.final": (-1.0, 0.5)}
    assert changes(old, new) == found
    assert not differences(old, new)
    new["optimizer"]["players"]["joint_critic"]["beta_1"] = 0.5
    assert differences(old, new) == [f"{name}.beta_1: -1.0 there, 0.5 now"]
