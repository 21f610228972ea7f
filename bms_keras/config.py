"""What a file in `configs/` begins with; see `bms_keras.runs.config` for the fields."""

from bms_keras.runs.config import default_config
from bms_keras.runs.published import as_published, wae_weights

__all__ = ["as_published", "default_config", "wae_weights"]
