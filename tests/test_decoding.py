"""Files of any size, format and mode become uint8 of one size, once; what does not is named."""

import numpy as np
import pytest
from helpers import load, values
from image_files import all_values, fields, save
from PIL import Image

import bms_keras
from bms_keras.data import decoding

pytestmark = [pytest.mark.neutral, pytest.mark.usefixtures("cache")]


def test_a_folder_of_any_formats_sizes_and_depth(tmp_path):
    folder = tmp_path / "mine"
    (folder / "sub" / "deep").mkdir(parents=True)
    names = ["a.png", "b.JPG", "sub/c.jpeg", "sub/deep/d.webp", "sub/deep/e.PNG"]
    for i, name in enumerate(names, 1):
        size = (8 + 7 * i, 30 - 4 * i)
        Image.new("RGB", size, (20 * i,) * 3).save(folder / name, quality=100, lossless=True)
    (folder / "notes.txt").write_text("no image")
    found = load(folder)
    assert found.train.dtype == np.uint8
    assert (found.shape, found.name) == ((8, 8, 3), "mine")
    np.testing.assert_allclose(all_values(found), [20, 40, 60, 80, 100], atol=1)  # JPEG rounds


def test_other_formats_are_taken_of_which_the_first_frame(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    pictures = [Image.new("RGB", (8, 8), (value,) * 3) for value in (30, 60, 90, 120)]
    pictures[0].save(folder / "a.gif", save_all=True, append_images=pictures[3:])
    pictures[1].save(folder / "b.BMP")
    pictures[2].save(folder / "c.tif", compression="tiff_lzw")
    Image.fromarray(np.full((8, 8), 120 * 257, "uint16")).save(folder / "d.tiff")
    assert all_values(load(folder)) == [30, 60, 90, 120]


@pytest.mark.parametrize(("dtype", "why"), [("float32", "floats"), ("int32", "32 bits")])
def test_pixels_whose_range_nobody_knows_are_refused(folder, dtype, why):
    Image.fromarray(np.full((9, 9), 70_000, dtype)).save(folder / "deep.tif")
    with pytest.raises(bms_keras.BadInput, match=rf"deep\.tif is no image .*{why}"):
        load(folder)


def test_a_share_of_a_folder_is_held_out_once_and_for_all(folder):
    found = load(folder)
    assert 0 < len(found.test) < 8
    assert all_values(found) == [10, 20, 30, 40, 50, 60, 70, 80]
    assert values(load(folder, resolution=10).test) == values(found.test)


def test_a_folder_is_called_by_its_name(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert load(".").name == "mine"


def lanczos(signal, n):
    """A signal resized to `n` by the definition: windowed sincs, 3 lobes, stretched to fit."""
    scale = max(1, len(signal) / n)
    centres = (np.arange(n) + 0.5) * len(signal) / n
    t = (np.arange(len(signal)) + 0.5 - centres[:, None]) / scale
    weights = np.where(np.abs(t) < 3, np.sinc(t) * np.sinc(t / 3), 0)
    return weights @ signal / weights.sum(1)


@pytest.mark.parametrize("resolution", [4, 8, 12])
@pytest.mark.parametrize("crop", [0, 6])
@pytest.mark.parametrize("upright", [True, False])
def test_the_centre_is_cropped_and_resized(resolution, crop, upright):
    """Halves of 40 and 200, 14 x 8: the side is cut to 8 or 6 at the middle."""
    halves = np.repeat(np.array([40, 200], "uint8"), 7)
    picture = np.tile(halves, (8, 1))
    y = decoding.fit(Image.fromarray(picture.T if upright else picture), resolution, 1, crop)
    assert y.shape == (resolution, resolution, 1)
    assert y.dtype == np.uint8
    side = crop or 8
    expected = lanczos(np.repeat([40.0, 200.0], side // 2), resolution).clip(0, 255)
    y = y[..., 0].T if upright else y[..., 0]
    np.testing.assert_allclose(y, np.tile(expected, (resolution, 1)), atol=1)


def test_a_crop_wider_than_the_image_is_the_widest_there_is():
    picture = Image.fromarray(np.arange(8 * 8, dtype="uint8").reshape(8, 8))
    np.testing.assert_array_equal(decoding.fit(picture, 8, 1, crop=50)[..., 0], picture)


def test_photographs_are_turned_upright(tmp_path):
    """Orientation 6: the camera was held so that the picture must be turned clockwise."""
    stored = np.arange(64, dtype="uint8").reshape(8, 8)
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.png"
    Image.fromarray(stored).save(path, exif=exif)
    ((y,), _) = decoding.decoded([path], fields(channels=1))
    np.testing.assert_array_equal(y[..., 0], np.rot90(stored, -1))


COLORS = np.array([[250, 10, 30], [20, 240, 60], [70, 80, 200], [128, 128, 128]], "uint8")


def picture(mode):
    """Quadrants in four colours, in a mode of Pillow's; and what they are in RGB."""
    index = np.zeros((8, 8), "uint8")
    index[:4, 4:], index[4:, :4], index[4:, 4:] = 1, 2, 3
    rgb = COLORS[index]
    grey = (rgb @ [299, 587, 114] / 1000).round()
    if mode == "P":
        image = Image.fromarray(index)
        image.putpalette(COLORS.tobytes())
        return image, rgb
    if mode == "RGBA":
        image = Image.fromarray(np.dstack([rgb, np.full((8, 8), 102, "uint8")]))
        return image, 0.4 * rgb + 0.6 * 255  # on white
    if mode == "RGB":
        return Image.fromarray(rgb), rgb
    grey_rgb = np.repeat(grey[..., None], 3, -1)
    if mode == "I;16":  # 65535 is white
        return Image.fromarray((grey * 257).astype("uint16")), grey_rgb
    if mode == "LA":
        return Image.fromarray(grey.astype("uint8")).convert("LA"), grey_rgb
    return Image.fromarray(grey.astype("uint8")), grey_rgb


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "I;16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_modes_become_grey_or_rgb(tmp_path, mode, channels):
    image, rgb = picture(mode)
    image.save(tmp_path / "image.png")
    with Image.open(tmp_path / "image.png") as saved:
        assert saved.mode == mode
        y = decoding.fit(saved, 8, channels)
    expected = rgb if channels == 3 else rgb @ [[299], [587], [114]] / 1000
    np.testing.assert_allclose(y, expected, atol=1)


@pytest.mark.parametrize("background", [0, 255, 100])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["RGBA", "LA", "P", "RGB", "L", "webp"])
def test_what_is_transparent_shows_the_background(tmp_path, kind, channels, background):
    """Not the colours hidden there. Left it is opaque and 200; right transparent and 50."""
    half = np.repeat(np.array([[200] * 4 + [50] * 4], "uint8"), 8, 0)
    alpha = np.where(half == 200, 255, 0).astype("uint8")
    grey, options = Image.fromarray(half), {}
    if kind in ("RGBA", "LA", "webp"):
        image = grey.convert("RGB" if kind == "webp" else kind.removesuffix("A"))
        image.putalpha(Image.fromarray(alpha))
    elif kind == "P":
        image = Image.fromarray((half == 50).astype("uint8"))
        image.putpalette([200] * 3 + [50] * 3)
        options["transparency"] = 1
    else:
        image = grey.convert(kind)
        options["transparency"] = (50, 50, 50) if kind == "RGB" else 50
    name = "a.webp" if kind == "webp" else "a.png"
    path = save(image, tmp_path / name, **options, **({"lossless": True} if kind == "webp" else {}))
    ((y,), _) = decoding.decoded([path], fields(channels=channels, background=background))
    assert (y[:, :4] == 200).all()
    assert (y[:, 4:] == background).all()


@pytest.mark.parametrize("colours", [0, 1])
def test_no_channels_are_those_of_the_files(folder, colours):
    """Grey if all are."""
    for path in folder.iterdir():
        save(Image.open(path).convert("L"), path)
    for i in range(colours):
        save(Image.new("RGB", (8, 8), (99, 99, 99)), folder / f"colour{i}.png")
    (folder / "broken.jpg").write_bytes(b"no image")
    found = load(folder, channels=0, skip_broken=True)
    assert found.shape == (8, 8, 3 if colours else 1)
