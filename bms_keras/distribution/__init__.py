"""Several devices, processes and hosts: how a game is spread over them, for each Keras backend.

`tensorflow` mirrors a game over the devices of one host, `jax` shards its batches over those of all
processes. Both give the same names, of which this room holds those of the backend in force;
`strategies` makes of them what `config.strategy` asks for.
"""

import keras

if keras.backend.backend() == "tensorflow":
    from bms_keras.distribution import tensorflow as _backend
else:
    from bms_keras.distribution import jax as _backend

LIMITS = _backend.LIMITS
STRATEGY = _backend.STRATEGY
WHOLE_BATCH = _backend.WHOLE_BATCH

any_process = _backend.any_process
batch_noise = _backend.batch_noise
devices = _backend.devices
initialize = _backend.initialize
is_alone = _backend.is_alone
is_first = _backend.is_first
local_rows = _backend.local_rows
mean_over_replicas = _backend.mean_over_replicas
replicas = _backend.replicas
run_locally = _backend.run_locally
same_everywhere = _backend.same_everywhere
scope = _backend.scope
shard = _backend.shard
single_device = _backend.single_device
