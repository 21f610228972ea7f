"""The life of a run: its config, training, checkpoints, folder, evaluation, command lines."""
