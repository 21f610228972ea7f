"""What the tests of image files share."""

import types

from helpers import values


def fields(**given):
    """`config.data` as `decoded` needs it."""
    config = {"resolution": 8, "channels": 3, "crop": 0, "skip_broken": False, "background": 255}
    return types.SimpleNamespace(**config | given)


def all_values(found):
    return sorted(values(found.train) + values(found.test))


def save(image, path, **options):
    image.save(path, **options)
    return path
