"""Images of any size and of the usual formats, brought to one size as uint8."""

import concurrent.futures
import contextlib
import hashlib
import os
import threading
import warnings

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from bms_keras.data import store
from bms_keras.data.folders import some
from bms_keras.errors import BadInput, one_line

FORMATS = (
    "PNG",
    "JPEG",
    "WEBP",
    "GIF",
    "BMP",
    "TIFF",
)  # whatever a file is called, no other decoder sees it
MODES = {1: "L", 3: "RGB"}
GREY = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L")
LARGEST_FILE = 2**30  # bytes
PIXELS = 2**26  # of the largest image (8192 x 8192), and of all that are decoded at a time
TURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def fit(image, resolution, channels, crop=0, background=255):
    """Crops the centre of an image and resizes it.

    Args:
        image: A `PIL.Image`.
        resolution: Height and width of the result.
        channels: 1 or 3.
        crop: Side of the central square that is kept; 0 for the largest there is.
        background: Grey level, 0 to 255, that shows through where the image is transparent.

    Returns:
        uint8 array `(resolution, resolution, channels)`.

    Raises:
        ValueError: If the image is smaller than half of the resolution.
    """
    side = min(image.size)
    side = min(crop or side, side)
    if 2 * side < resolution:
        size = "x".join(map(str, image.size)) + (f" cropped to {side}" if crop else "")
        raise ValueError(f"it is {size}, less than half of config.data.resolution={resolution}")
    left, top = ((length - side) // 2 for length in image.size)
    if image.size != (side, side):  # no copy of a large image that is not needed
        image = image.crop((left, top, left + side, top + side))
    image = _converted(image, channels, background)
    if side != resolution:
        image = image.resize((resolution, resolution), Image.Resampling.LANCZOS)
    return np.asarray(image).reshape(resolution, resolution, channels)


def _converted(image, channels, background):
    """An image in grey or RGB, of 8 bits and without transparency."""
    if image.mode.startswith("I"):  # 16 bits, which Pillow would cut off at 255
        image = Image.fromarray((_of_16_bits(image) // 257).astype("uint8"))
    elif image.mode == "F":
        raise ValueError("its pixels are floats, whose range nobody knows")
    elif image.has_transparency_data:
        ground = Image.new("RGB", image.size, (background,) * 3)
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        ground.paste(image, mask=image)
        image = ground
    return image if image.mode == MODES[channels] else image.convert(MODES[channels])


def read(path, channels, resolution=0):
    """The image of a file, as uint8 `(height, width, channels)`.

    Args:
        path: Path of it.
        channels: 1 or 3.
        resolution: Height and width that `fit` brings it to; 0 leaves it as it is.

    Raises:
        BadInput: If it cannot be decoded.
    """
    try:
        with _opened(path) as (image, _), ROOM.taken(image.width * image.height):
            if resolution:
                return fit(_upright(image), resolution, channels)
            return np.atleast_3d(np.asarray(_converted(_upright(image), channels, 255)))
    except Exception as error:  # what a decoder raises is anybody's guess
        raise BadInput(f"{one_line(path)} is no image that can be read ({_why(error)})") from None


def channels_of(files):
    """1 if all files are grey, else 3."""
    return 1 if all(map(_is_grey, files)) else 3


def decoded(files, config):
    """Decodes files once, into a memory-mapped array that later runs find in the cache.

    Files are known by their names, sizes, times and inodes: a folder may be moved.

    A line on standard error reports what became of the files, when they come from the cache, too.

    Args:
        files: Paths.
        config: `config.data`; channels of 0 are 1 if all files are grey, else 3. Of files that
            cannot be decoded, the first is an error, or with `skip_broken` they are left out and
            reported.

    Returns:
        uint8 `(n, resolution, resolution, channels)`, and the digests of the files, uint64 `(n,)`.

    Raises:
        BadInput: If a file, or with `skip_broken` every file, cannot be decoded.
    """
    top = len(os.path.commonpath([path.parent for path in files]))
    stamps = [(str(path)[top:], _stamp(path)) for path in files]
    fields = (config.resolution, config.channels, config.crop, config.background)

    def make():
        channels = config.channels or channels_of(files)
        shape = (config.resolution, config.resolution, channels)
        report = _Report(len(files), config)
        rows = in_order(lambda path: _decoded(path, channels, config, report), files)
        return shape, rows, report

    return store.kept((stamps, fields, config.skip_broken), len(files), make)


def in_order(function, files):
    """What a function says of each file, by as many threads as there are processors."""
    pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")  # of EXIF that nobody needs, say
        try:
            for first in range(0, len(files), 256):  # so that the first error ends the work
                yield from pool.map(function, files[first : first + 256])
        finally:
            pool.shutdown(cancel_futures=True)  # at an error or Ctrl-C nothing more is begun


class _Report:
    """What became of files: how many were used, cropped and resized, and which were skipped."""

    def __init__(self, total, config):
        self.total, self.config = total, config
        self.sizes, self.skipped = [], []

    def __call__(self):
        """The report, a line."""
        sides = [min(self.config.crop or min(size), *size) for size in self.sizes]
        cropped = sum(size != (s, s) for size, s in zip(self.sizes, sides, strict=True))
        resized = sum(side != self.config.resolution for side in sides)
        line = f"{len(self.sizes)} of {self.total} files used, {cropped} of them cropped"
        line += f" and {resized} resized to {self.config.resolution}x{self.config.resolution}"
        if not self.skipped:
            return line
        return f"{line}; {len(self.skipped)} skipped: {some(sorted(self.skipped))}"


def _decoded(path, channels, config, report):
    """A file's image and digest; `None` if it is none and that is all right."""
    try:
        with _opened(path) as (image, digest), ROOM.taken(image.width * image.height):
            size = (config.resolution, channels, config.crop, config.background)
            found = fit(_upright(image), *size), digest
            report.sizes.append(image.size)
            return found
    except Exception as error:  # what a decoder raises is anybody's guess
        reason = _why(error)
        if config.skip_broken:
            report.skipped.append(f"{one_line(path.name)} ({reason})")
            return None
        raise BadInput(
            f"{one_line(path)} is no image to train on ({reason}); remove it, or set "
            "config.data.skip_broken=True"
        ) from None


def _why(error):
    known = {UnidentifiedImageError: f"it is none of {', '.join(FORMATS)}"}
    return known.get(type(error)) or one_line(str(error) or type(error).__name__)


@contextlib.contextmanager
def _opened(path):
    """A file's image, of which the header is read only, and the digest of the file."""
    with open(path, "rb") as file:
        if (size := os.fstat(file.fileno()).st_size) > LARGEST_FILE:
            raise ValueError(f"it has {size} bytes, more than {LARGEST_FILE}")
        content = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).digest()
        file.seek(0)
        with Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > PIXELS:
                raise ValueError(f"it is {image.width}x{image.height}, more than {PIXELS} pixels")
            if image.format == "TIFF" and image.mode == "I":
                raise ValueError("its pixels have 32 bits, whose range nobody knows")
            yield image, int.from_bytes(content, "little")


def _of_16_bits(image):
    """The pixels of an image of integers, in 0..65535."""
    pixels = np.asarray(image)
    if pixels.min() < 0 or pixels.max() > 65535:
        raise ValueError("its pixels are integers of more than 16 bits")
    return pixels


def _is_grey(path):
    """Whether a file is grey; one that is no image does not count as colour."""
    try:
        with _opened(path) as (image, _):
            return image.mode in GREY
    except Exception:
        return True


def _upright(image):
    """An image turned as its EXIF says, of which nothing else is read."""
    image.load()
    try:
        turn = TURNED.get(image.getexif().get(ExifTags.Base.Orientation))
    except Exception:  # it is damaged, which says nothing about the image
        turn = None
    return image if turn is None else image.transpose(turn)


class _Room:
    """Room for so many pixels, shared by threads: bounds the memory that decoding takes."""

    def __init__(self, pixels):
        self.free = pixels
        self.changed = threading.Condition()

    @contextlib.contextmanager
    def taken(self, pixels):
        """Waits until there is room, and takes it for the length of a `with` block."""
        with self.changed:
            self.changed.wait_for(lambda: pixels <= self.free)
            self.free -= pixels
        try:
            yield
        finally:
            with self.changed:
                self.free += pixels
                self.changed.notify_all()


ROOM = _Room(PIXELS)


def _stamp(path):
    """What changes when a file does, but not when its folder is moved."""
    try:
        stat = path.stat()
    except OSError:  # a link may lead nowhere
        return None
    return stat.st_size, stat.st_mtime_ns, stat.st_ino
