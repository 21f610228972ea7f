"""What a file in `configs/` begins with; see `bms_keras.runs.schema` for the fields."""

from bms_keras.runs.config import as_published, default_config, wae_weights

__all__ = ["as_published", "default_config", "wae_weights"]
