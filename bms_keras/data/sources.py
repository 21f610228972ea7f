"""Data from arrays in a file, images of a folder or of tensorflow-datasets too.

Images are brought to one size once.

Digests are those of what the source holds, the bytes of a file or of an array's image, so that
they depend neither on the size that is asked for nor on the version of a decoder.
"""

from PIL import Image

from bms_keras.data import archives, contents, decoding, store
from bms_keras.data.folders import image_files
from bms_keras.data.images import Images, Rows, as_uint8, of_flattened
from bms_keras.data.points import Points
from bms_keras.errors import BadInput, one_line

TRAIN = ("x_train", "images", "arr_0")  # names of the array to train on; the first there is
OF_IMAGES = ("resolution", "channels", "crop", "flip")  # fields that say nothing of points


def from_arrays(config, path, batch_size, seed):
    """Images or points of an `.npz` or an `.npy`.

    An `.npz` holds `x_train` (or `images`, or `arr_0`) and, unless a share of that is to be held
    out, `x_test`; an `.npy` is what is trained on. Arrays of two axes are points, see `Points`;
    others are images, see `as_uint8`.
    """
    arrays, name = archives.read(path, (TRAIN, ("x_test",))), one_line(path)
    key = next((key for key in TRAIN if key in arrays), None)
    if not key:
        raise BadInput(
            f"{name} must hold x_train (or {' or '.join(TRAIN[1:])}). "
            f"Received: {one_line(', '.join(arrays.held))}"
        )
    parts = {"x_train": arrays[key]} | {k: arrays[k] for k in ("x_test",) if k in arrays}
    if parts["x_train"].ndim == 2 and parts["x_train"].dtype != "uint8":
        return _points(parts, name, config, batch_size, seed, path.stem)
    return _images(parts, name, config, batch_size, seed, path.stem)


def _points(parts, name, config, batch_size, seed, stem):
    given = [field for field in OF_IMAGES if getattr(config, field)]
    if given:
        shape = parts["x_train"].shape
        how = of_flattened(shape[1])
        raise BadInput(
            f"config.data.{given[0]} is of images, and {name} holds points, which --config=points "
            f"is for{how and f'; {how}'}. Received: {parts['x_train'].dtype} {shape}"
        )
    test = parts.get("x_test")
    return Points(parts["x_train"], test, batch_size, seed, stem, config.held_out)


def _images(parts, name, config, batch_size, seed, stem):
    parts = {part: as_uint8(array, f"{name}:{part}") for part, array in parts.items()}
    digests = {part: contents.of_rows(array) for part, array in parts.items()}
    for part in parts:
        parts[part] = _fitted(parts[part], digests[part], config, f"{name}:{part}")
    train, ids = parts["x_train"], digests["x_train"]
    if "x_test" not in parts:
        return _with_held_out(train, ids, config, batch_size, seed, stem)
    test = parts["x_test"]
    if not len(test) or test.shape[1:] != train.shape[1:]:
        raise BadInput(
            f"{name}: x_test must be one or more images of the size of x_train, "
            f"{train.shape[1:]}. Received: {test.shape}"
        )
    return _opened(config, (train, test), (ids, digests["x_test"]), batch_size, seed, stem)


def _fitted(images, digests, config, name):
    """An array's images, brought to the resolution and the channels of the config.

    A resolution or channels of 0 leave them as they are.
    """
    resolution = config.resolution or min(images.shape[1:3])
    channels = config.channels or images.shape[-1]
    fits = images.shape[1:] == (resolution, resolution, channels) and not config.crop
    if fits or not len(images):
        return images

    def fit(image):
        try:
            flat = image[..., 0] if image.shape[-1] == 1 else image
            return decoding.fit(Image.fromarray(flat), resolution, channels, config.crop)
        except ValueError as error:
            raise BadInput(f"{name} holds an image that does not fit: {error}") from None

    def make():
        shape = (resolution, resolution, channels)
        rows = ((fit(image), digest) for image, digest in zip(images, digests, strict=True))
        return shape, rows, str

    size = (resolution, channels, config.crop)
    return store.kept(contents.fingerprint(digests, (), size), len(images), make)[0]


def from_folder(config, path, batch_size, seed):
    """Every image file of a folder and of the folders in it."""
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
    return _opened(config, (train, test), digests, batch_size, seed, name)


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
    return store.kept(key, info.splits[split].num_examples, lambda: (shape, rows(), str))


def _with_held_out(images, digests, config, batch_size, seed, name):
    """A data set without a split of its own: a share is held out, by each image's content."""
    parts = contents.split(digests, config.held_out, one_line(config.source))
    rows = [Rows(images, index) for index in parts]
    digests = tuple(digests[index] for index in parts)
    return _opened(config, rows, digests, batch_size, seed, name)


def _opened(config, parts, digests, batch_size, seed, name):
    """Images to train on and held out, as the config asks for them."""
    prepared = config.crop, config.background  # before they are of the data set's shape
    return Images(*parts, batch_size, seed, name, digests, prepared, config.flip)
