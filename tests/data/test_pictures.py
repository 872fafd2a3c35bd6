"""Pictures as they come: turned, given colour, stripped of an empty alpha channel by rule, or refused by name."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Command, make_pictures
from PIL import Image

from kdlearn.data.dataset import Dataset
from kdlearn.data.images import load_images

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (4, 6, 3), dtype=np.uint8)
GREY = COLOUR[..., 0]
TURNS = {  # from stored pixels to upright ones, as the EXIF standard describes the eight orientations
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


def folder_of(
    folder: Path, picture: Image.Image | bytes, others: np.ndarray = COLOUR, name="odd.png", **options
) -> Path:
    """Two classes with one plain picture of each split; class a's training pictures begin with `picture`."""
    for split in ("train", "test"):
        for label in ("a", "b"):
            (folder / split / label).mkdir(parents=True)
            Image.fromarray(others).save(folder / split / label / "plain.png")
    path = folder / "train/a" / name
    path.write_bytes(picture) if isinstance(picture, bytes) else picture.copy().save(path, **options)
    return folder


def odd(data: Dataset) -> np.ndarray:
    return data.train.inputs[0].permute(1, 2, 0).numpy()


def png16(kind: int, channels: int) -> bytes:
    """4 × 6 pixels of 16 bits, written by hand: Pillow writes such files in grey alone."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", 6, 4, 16, kind, 0, 0, 0)
    row = np.arange(12 * channels, dtype=np.uint8).reshape(6, channels, 2)
    row[:, 3:] = 255  # alpha
    rows = (b"\0" + row.tobytes()) * 4
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("suffix", ["png", "tiff", "webp"])
@pytest.mark.parametrize("orientation", TURNS)
def test_a_picture_is_turned_as_its_exif_orientation_says(tmp_path, orientation, suffix):
    exif, wanted = Image.Exif(), TURNS[orientation](COLOUR)
    exif[0x0112] = orientation
    options = {"exif": exif} | ({"lossless": True} if suffix == "webp" else {})
    others = np.zeros_like(wanted)
    data = load_images(folder_of(tmp_path, Image.fromarray(COLOUR), others, f"odd.{suffix}", **options))
    assert np.array_equal(odd(data), wanted)


@pytest.mark.parametrize(
    ("picture", "wanted"),
    [
        (Image.fromarray(GREY), np.repeat(GREY[..., None], 3, axis=2)),
        (Image.fromarray(GREY > 127), np.repeat(255 * (GREY > 127)[..., None], 3, axis=2)),
        (Image.fromarray(COLOUR).quantize(256), COLOUR),
        (Image.fromarray(np.dstack([COLOUR, np.full_like(GREY, 255)])), COLOUR),
        (Image.fromarray(np.dstack([GREY, np.full_like(GREY, 255)])), np.repeat(GREY[..., None], 3, axis=2)),
    ],
    ids=["grey", "black and white", "palette", "opaque", "opaque grey"],
)
def test_among_colour_everything_becomes_rgb(tmp_path, picture, wanted):
    assert np.array_equal(odd(load_images(folder_of(tmp_path, picture))), wanted)


def test_one_picture_with_colour_gives_all_of_them_three_channels(tmp_path):
    data = load_images(folder_of(tmp_path, Image.fromarray(COLOUR), GREY))
    assert np.array_equal(odd(data), COLOUR)
    assert torch.equal(data.test.inputs, torch.tensor(GREY).expand(2, 3, 4, 6))


def test_grey_alone_stays_one_channel(tmp_path):
    opaque = Image.fromarray(np.dstack([255 - GREY, np.full_like(GREY, 255)]))
    data = load_images(folder_of(tmp_path, opaque, GREY))
    assert data.train.inputs.shape == (3, 1, 4, 6) and np.array_equal(odd(data)[..., 0], 255 - GREY)


def transparent(channels: np.ndarray) -> Image.Image:
    alpha = np.full_like(GREY, 255)
    alpha[2, 3] = 254
    return Image.fromarray(np.dstack([channels, alpha]))


PLAIN, FIRST = Image.fromarray(COLOUR), tuple(map(int, COLOUR[0, 0]))
REFUSED = {
    "16 bits, grey": (png16(0, 1), "odd.png", {}, "mode is I;16"),
    "floats": (Image.fromarray(GREY.astype(np.float32)), "odd.tiff", {}, "mode is F"),
    "CMYK": (PLAIN.convert("CMYK"), "odd.jpg", {}, "mode is CMYK"),
    "Lab": (PLAIN.convert("LAB"), "odd.tiff", {}, "mode is LAB"),
    "transparent": (transparent(COLOUR), "odd.png", {}, "transparent in places"),
    "transparent grey": (transparent(GREY), "odd.png", {}, "transparent in places"),
    "a transparent colour": (PLAIN, "odd.png", {"transparency": FIRST}, "transparent in places"),
    "a transparent colour of a palette": (PLAIN.quantize(8), "odd.png", {"transparency": 0}, "transparent in places"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("resize", [None, (4, 6)])
def test_what_would_be_changed_silently_is_refused_by_name(tmp_path, case, resize):
    picture, name, options, words = REFUSED[case]
    with pytest.raises(ValueError, match=rf"{name} is no image that can be used.*{words}.*; save it"):
        load_images(folder_of(tmp_path, picture, name=name, **options), resize=resize)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(("kind", "channels"), [(2, 3), (6, 4)])
def test_of_16_bits_in_colour_the_upper_8_are_taken(tmp_path, kind, channels):
    values = np.arange(12 * channels, dtype=np.uint8).reshape(6, channels, 2)[..., 0]
    made = png16(kind, channels)
    assert np.array_equal(odd(load_images(folder_of(tmp_path, made))), np.tile(values[:, :3], (4, 1, 1)))


@pytest.mark.parametrize(("kind", "suffix"), [("PNG", "png"), ("TIFF", "tiff"), ("WEBP", "webp"), ("MPO", "jpg")])
def test_of_several_frames_the_first_is_taken(tmp_path, kind, suffix):
    file, (first, second) = BytesIO(), (Image.new("RGB", (6, 4), (level,) * 3) for level in (200, 40))
    first.save(file, kind, save_all=True, append_images=[second])
    made = odd(load_images(folder_of(tmp_path, file.getvalue(), name=f"odd.{suffix}")))
    assert np.abs(made.astype(int) - 200).max() < 3, "JPEG and WEBP are lossy"


def test_256_levels_of_another_scale_are_taken(tmp_path):
    """PPM names its white: below 255 Pillow spreads the values, and nothing is lost."""
    values = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
    data = load_images(folder_of(tmp_path, b"P6 6 4 100\n" + values.tobytes(), name="odd.ppm"))
    assert np.abs(odd(data) - 2.55 * values).max() < 0.501, "rounded to the nearest"


# Sizes


def test_sizes_that_differ_are_stretched_where_that_is_asked_for(tmp_path):
    """Twice as large in blocks, or half as large: averages of what a pixel covers, by hand."""
    level = np.full((8, 12, 3), 200, np.uint8)
    level[:, 6:] = 40
    folder = folder_of(tmp_path, Image.fromarray(level))
    words = "plain.png is 4 pixels high and 6 wide, the first image 8 and 12: give resize"
    with pytest.raises(ValueError, match=words):
        load_images(folder)
    data = load_images(folder, resize=(4, 6))
    assert data.train.inputs.shape == (3, 3, 4, 6)
    assert np.array_equal(odd(data)[:, :2], level[:4, :2]) and np.array_equal(odd(data)[:, 4:], level[:4, 10:])
    assert np.array_equal(data.train.inputs[1].permute(1, 2, 0), COLOUR), "what has the size is left alone"


def test_all_pixels_count_where_a_picture_shrinks(tmp_path):
    """A fine checkerboard becomes its mean, not one of its two colours."""
    board = (255 * (np.indices((64, 96)).sum(axis=0) % 2)).astype(np.uint8)
    data = load_images(folder_of(tmp_path, Image.fromarray(board)), resize=(4, 6))
    assert abs(odd(data).astype(int) - 127).max() <= 2


def test_a_size_decides_cache_and_key(tmp_path):
    folder = folder_of(tmp_path, PLAIN)
    plain, small, again = load_images(folder), load_images(folder, resize=(2, 3)), load_images(folder)
    assert small.test.inputs.shape == (2, 3, 2, 3) and plain.key == again.key != small.key
    assert load_images(folder, resize=(4, 6)).key == plain.key, "the key is of the pixels"


@pytest.mark.parametrize("resize", [32, (32,), (0, 32), (32, -1), (32.0, 32), "32"])
def test_a_size_is_two_whole_numbers_and_a_named_set_keeps_its_own(tmp_path, resize):
    for source, size in ((tmp_path, resize), ("mnist", (32, 32))):
        with pytest.raises(ValueError, match=r"resize must be \(height, width\).*left away for cifar10 and mnist"):
            load_images(source, resize=size)


def test_the_command_line_resizes(here, trained, kdlearn_here: Command, monkeypatch):
    folder = make_pictures(here / "images", per_class=20, test_per_class=1)
    PLAIN.resize((9, 9)).save(folder / "train/ball/odd.png")
    words = ["distill", folder, "--out", "out", "--preset", "tiny"]
    refused = kdlearn_here(*words)
    assert refused.code == 1 and "--resize" in refused.err and not trained
    assert kdlearn_here(*words, "--resize", 32, "--seeds", 1).code == 130 and trained
