"""A picture's file as pixels: what is converted and by which rule, and what is refused since a choice would be hidden.

Converted: turned as its EXIF orientation says; grey and palette to RGB where any picture of the set has colour (a
palette counts as colour); black and white to 0 and 255; an alpha channel that is opaque everywhere is dropped. Refused:
16 bits a channel, transparency, several frames, and modes such as CMYK. Colour profiles are not applied.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps

FORMATS = ("BMP", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # not all that Pillow knows: for EPS it runs Ghostscript
GREY, COLOUR = ("1", "L", "LA"), ("P", "PA", "RGB", "RGBA")
ORIENTATION, ON_ITS_SIDE = 0x0112, (5, 6, 7, 8)


class Form(NamedTuple):
    """What a file's header tells: its size in pixels as it is looked at, and whether it has colour."""

    height: int
    width: int
    colour: bool


def read_bytes(path: str) -> bytes:
    if not os.path.isfile(path):
        raise ValueError(f"{path} must be an image file; it is a folder, a broken link or a special file")
    with open(path, "rb", buffering=0) as file:  # without a buffer small files are read several times faster
        return file.read()


@contextmanager
def opened(path: str, content: bytes) -> Iterator[Image.Image]:
    """The picture, whose pixels are decoded when they are asked for; whatever is wrong with it is a ValueError."""
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            if problem := refusal(image):
                raise ValueError(problem)
            yield image
    except Exception as error:  # Pillow raises many kinds for what is broken
        raise ValueError(f"{path} is no image that can be used ({', '.join(FORMATS)}): {error}") from error


def refusal(image: Image.Image) -> str | None:
    """Why the picture cannot be used, and what to do about it."""
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        return f"it holds {frames} frames; save the one that you mean as a file of its own"
    if image.mode[0] in "IF" or any(is_wide(codec, arguments) for codec, _, _, arguments in getattr(image, "tile", ())):
        return "it has more than 8 bits a channel; save it with 8, scaled as you want it"
    if image.mode not in (*GREY, *COLOUR):
        return f"its mode is {image.mode}, which has no one conversion to RGB; save it as RGB of 8 bits"
    return None


def is_wide(codec: str, arguments: object) -> bool:
    """Whether Pillow would cut 16 bits a channel down to 8, which it does without a word."""
    if codec.startswith("ppm") and isinstance(arguments, tuple):
        return arguments[-1] > 255
    return re.search(";16[BLNS]", str(arguments)) is not None


def form_of(path: str, content: bytes) -> Form:
    """The form of a picture by its header alone, which takes some 20 µs."""
    with opened(path, content) as image:
        width, height = image.size
        if image.getexif().get(ORIENTATION) in ON_ITS_SIDE and image.format != "TIFF":  # which Pillow turns by itself
            height, width = width, height
        return Form(height, width, image.mode in COLOUR)


def read_pixels(path: str, shape: tuple[int, int, int], resize: bool) -> np.ndarray:
    """Pixels uint8 of this shape `(channels, height, width)`, resized to it if that is asked for."""
    channels, height, width = shape
    with opened(path, read_bytes(path)) as image:
        plain = opaque(ImageOps.exif_transpose(image)).convert("RGB" if channels == 3 else "L")
        if resize:
            plain = plain.resize((width, height), Image.Resampling.BILINEAR)
        return np.atleast_3d(np.asarray(plain)).transpose(2, 0, 1)


def opaque(image: Image.Image) -> Image.Image:
    """The picture, if nothing of it is transparent."""
    if image.mode not in ("LA", "PA", "RGBA") and "transparency" not in image.info:
        return image
    image = image.convert("RGBA")
    least: Any = image.getchannel("A").getextrema()[0]
    if least < 255:
        raise ValueError("it is transparent in places; save it on a background of your choice")
    return image
