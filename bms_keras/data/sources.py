"""Images from an `.npz`, a folder or tensorflow-datasets, brought to one size once.

Digests are those of what the source holds, the bytes of a file or of an array's image, so that
they depend neither on the size that is asked for nor on the version of a decoder.
"""

from PIL import Image

from bms_keras.data import archives, contents, decoding, store
from bms_keras.data.folders import image_files
from bms_keras.data.images import Images, Rows
from bms_keras.errors import BadInput, one_line


def from_npz(config, path, batch_size, seed):
    """Images of an `.npz`: `x_train` and, unless a share of that is to be held out, `x_test`.

    The arrays are uint8, `(n, height, width)` or `(n, height, width, channels)`.
    """
    name = one_line(path)
    try:
        arrays, held = archives.read(path, ("x_train", "x_test"))
    except Exception as error:  # of a file that is cut short, damaged or no archive
        raise BadInput(
            f"{name} cannot be read as an .npz: {one_line(error) or type(error).__name__}"
        ) from None
    if "x_train" not in arrays:
        raise BadInput(f"{name} must hold x_train. Received: {one_line(', '.join(held))}")
    parts = {part: _checked(array, f"{name}:{part}") for part, array in arrays.items()}
    digests = {part: contents.of_rows(array) for part, array in parts.items()}
    for part in parts:
        parts[part] = _fitted(parts[part], digests[part], config, f"{name}:{part}")
    train, ids = parts["x_train"], digests["x_train"]
    if "x_test" not in parts:
        return _with_held_out(train, ids, config, batch_size, seed, path.stem)
    test = parts["x_test"]
    if not len(test) or test.shape[1:] != train.shape[1:]:
        raise BadInput(
            f"{name}: x_test must be one or more images of the size of x_train, "
            f"{train.shape[1:]}. Received: {test.shape}"
        )
    digests = ids, digests["x_test"]
    return Images(train, test, batch_size, seed, path.stem, digests, _prepared(config))


def _checked(images, name):
    """An array as uint8 `(n, height, width, channels)`."""
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in decoding.MODES or 0 in images.shape[1:]:
        raise BadInput(
            f"{name} must be uint8 images (n, height, width) or (n, height, width, 1 or 3). "
            f"Received: {images.dtype} {images.shape}"
        )
    return images


def _fitted(images, digests, config, name):
    """An array's images, brought to the resolution and the channels of the config.

    A resolution or channels of 0 leave them as they are.
    """
    resolution = config.resolution or min(images.shape[1:3])
    channels = config.channels or images.shape[-1]
    fits = images.shape[1:] == (resolution, resolution, channels) and not config.crop
    if fits or not len(images):
        return images
    size = (resolution, channels, config.crop)

    def fit(image):
        try:
            flat = image[..., 0] if image.shape[-1] == 1 else image
            return decoding.fit(Image.fromarray(flat), resolution, channels, config.crop)
        except ValueError as error:
            raise BadInput(f"{name} holds an image that does not fit: {error}") from None

    def make():
        shape = (resolution, resolution, channels)
        return shape, ((fit(image), digest) for image, digest in zip(images, digests, strict=True))

    size = (resolution, channels, config.crop)
    return store.kept(contents.fingerprint(digests, (), size), len(images), make)[0]


def from_folder(config, path, batch_size, seed):
    """Every PNG, JPEG and WebP file of a folder and of the folders in it."""
    images, digests = decoding.decoded(image_files(path), config)
    return _with_held_out(images, digests, config, batch_size, seed, path.resolve().name)


def from_tfds(config, name, batch_size, seed):
    """A data set of tensorflow-datasets: its splits "train" and, if there is one, "test".

    Raises:
        BadInput: If tensorflow-datasets is not installed, does not know the name, or cannot
            download the data.
    """
    try:
        import tensorflow_datasets as tfds

        builder = tfds.builder(name)
        if "image" not in builder.info.features:
            raise ValueError("it holds no feature 'image'")
        builder.download_and_prepare()
        parts = [
            _tfds_split(builder, split, config)
            for split in ("train", "test")
            if split == "train" or split in builder.info.splits
        ]
    except Exception as error:  # what a download raises is anybody's guess
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadInput(f"config.data.source='tfds:{name}' failed ({reason})") from None
    if len(parts) == 1:
        return _with_held_out(*parts[0], config, batch_size, seed, name)
    (train, test), digests = zip(*parts, strict=True)
    return Images(train, test, batch_size, seed, name, digests, _prepared(config))


def _tfds_split(builder, split, config):
    import tensorflow_datasets as tfds

    info = builder.info
    channels = config.channels or info.features["image"].shape[-1] or 3
    size = (config.resolution, channels, config.crop, config.background)

    def rows():
        for example in tfds.as_numpy(builder.as_dataset(split=split)):
            image = example["image"]
            yield (
                decoding.fit(Image.fromarray(image.squeeze()), *size),
                contents.digest(image.tobytes()),
            )

    key = (info.full_name, split, size)
    shape = (config.resolution, config.resolution, channels)
    return store.kept(key, info.splits[split].num_examples, lambda: (shape, rows()))


def _with_held_out(images, digests, config, batch_size, seed, name):
    """A data set without a split of its own: a share is held out, by each image's content."""
    parts = contents.split(digests, config.held_out, one_line(config.source))
    train, test = (Rows(images, index) for index in parts)
    digests = tuple(digests[index] for index in parts)
    return Images(train, test, batch_size, seed, name, digests, _prepared(config))


def _prepared(config):
    """What is done to images before they are of the data set's shape."""
    return config.crop, config.background
