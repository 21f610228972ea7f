"""How a game is saved, loaded and exported."""

import keras

from bms_keras.backends import without_tensorflow


class Saves:
    """What a `keras.Model` of several networks needs for `save`, `load_model` and `export`."""

    def __init_subclass__(cls, **kwargs):
        """Registers a method with Keras, which else would not load what it saves or exports."""
        super().__init_subclass__(**kwargs)
        keras.saving.register_keras_serializable(cls.__module__)(cls)

    def save_own_variables(self, store):
        """Adds the states of the seed generators to what Keras saves, so that noise goes on."""
        super().save_own_variables(store)
        for i, state in enumerate(self._seed_states()):
            store[f"seed_{i}"] = state.numpy()

    def load_own_variables(self, store):
        names = [name for name in store.keys() if not name.startswith("seed_")]  # noqa: SIM118
        super().load_own_variables({name: store[name] for name in names})
        for i, state in enumerate(self._seed_states()):
            if f"seed_{i}" in store:  # a file of an earlier version has none
                state.assign(store[f"seed_{i}"])

    def _seed_states(self):
        weights = {id(weight) for weight in self.weights}
        return [variable for variable in self.variables if id(variable) not in weights]

    def export(self, filepath, format="tf_saved_model", **kwargs):
        """Exports G, from latents to data, as `keras.Model.export` exports any model.

        `export_saved_model` writes all that the game can do, with seeds and signatures.
        """
        return self.inference_network("generator").export(filepath, format=format, **kwargs)

    def export_saved_model(self, folder, **metadata):
        """Writes a SavedModel for TF Serving into the first free `folder/1`, `folder/2`, ….

        Its signatures are listed in `bms_keras.export`: samples of latents or of seeds and, where
        the method has the networks, encoding, reconstruction and log D_I. It needs TensorFlow.

        Args:
            folder: Path; made where it is missing.
            **metadata: What else `metadata.json` in the new folder shall hold.

        Returns:
            `pathlib.Path` of the new version.

        Raises:
            BadInput: If it cannot be written.

        Example:

        >>> model.export_saved_model("serving/bms")
        PosixPath('serving/bms/1')
        """
        from bms_keras.export import saved_model  # a game knows no files; its exporter knows games

        return saved_model.export_saved_model(self, folder, **metadata)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        with without_tensorflow():
            networks = {name: serialize(network) for name, network in self.networks.items()}
        kept = {name: getattr(self, name) for name in self._kept}
        return {**networks, **kept, "ema": self.ema, "seed": self.seed, "name": self.name}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        deserialize = keras.saving.deserialize_keras_object
        return cls(
            **{
                key: deserialize(value, custom_objects) if isinstance(value, dict) else value
                for key, value in config.items()
            }
        )
