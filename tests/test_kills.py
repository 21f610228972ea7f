"""The short form of `benchmarks/kills.py`: a run that is killed ends in the same bits."""

import json

from helpers import on_tensorflow

KILLS = 1  # each costs two starts


@on_tensorflow
def test_a_killed_run_ends_in_the_same_bits(command_line):
    result = command_line("benchmarks/kills.py", "--kinds=tiny", f"--kills={KILLS}")
    assert result.returncode == 0, result.stderr
    record = json.loads(result.stdout.splitlines()[-1])["tiny"]
    assert record["identical"]
    assert record["kills"] == KILLS
    assert 0 <= record["steps_repeated"] <= KILLS * 20  # no more than `checkpoint_every` a kill
