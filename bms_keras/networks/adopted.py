"""Networks of a user's own, in the one form that games work with."""

import keras


def functional(network, name):
    """The network as a functional model, whose shapes are known; a subclassed one is wrapped.

    Args:
        network: A Keras model of one input and one output.
        name: What the game calls it, for errors.

    Returns:
        The network itself, or a `keras.Model` around it, with the same weights.

    Raises:
        ValueError: If the shape of its input is not known.

    Example:

    >>> class Decoder(keras.Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.dense = keras.layers.Dense(2)
    ...     def call(self, z):
    ...         return self.dense(z)
    >>> decoder = Decoder()
    >>> y = decoder(keras.Input((32,)))
    >>> functional(decoder, "generator").output_shape
    (None, 2)
    """
    if not isinstance(network, keras.Model):
        raise ValueError(
            f"the network {name!r} must be a keras.Model. Received: {type(network).__name__}"
        )
    if network.built and isinstance(network, (keras.Sequential, keras.src.models.Functional)):
        return network
    shapes = list((getattr(network, "_build_shapes_dict", None) or {}).values())
    if not network.built or len(shapes) != 1 or None in shapes[0][1:]:
        raise ValueError(
            f"the network {name!r} must know the shape of its input: begin it with a keras.Input, "
            f"or call it on one first. Received: {network.name}, a {type(network).__name__} that "
            f"{'was built with ' + str(shapes) if network.built else 'is not built'}"
        )
    inputs = keras.Input(shapes[0][1:])
    return keras.Model(inputs, network(inputs), name=network.name)
