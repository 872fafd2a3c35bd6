"""What a figure takes for logits, names and images, and what it says to what it cannot take."""

import base64
import io
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
import traitlets


def to_array(name: str, values: Any) -> np.ndarray:
    """A float64 array from a tensor of any device, an array or nested lists."""
    values = values.detach().cpu().double().numpy() if hasattr(values, "detach") else values
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be numbers in a tensor, an array or nested lists; got {values!r:.60}") from None


def to_logits(name: str, values: Any) -> list[list[float]]:
    """Finite `(N, C)`, from `(C,)` or `(N, C)`."""
    array = np.atleast_2d(to_array(name, values))
    if array.ndim != 2 or array.shape[0] < 1 or array.shape[1] < 2:
        raise ValueError(f"{name} must have shape (C,) or (N, C) with at least 2 classes; got {np.shape(values)}")
    if not np.isfinite(array).all():
        row = int((~np.isfinite(array)).any(axis=1).argmax())
        raise ValueError(f"{name} must be finite; row {row} holds NaN or infinity")
    return array.tolist()


def to_names(names: Sequence[str] | None, num_classes: int) -> list[str]:
    """One string a class: its number where no names are given."""
    names = [str(name) for name in (range(num_classes) if names is None else names)]
    if len(names) != num_classes:
        raise ValueError(f"class_names must hold one name a class, {num_classes} in all; got {len(names)}")
    return names


def to_labels(labels: Any, num_rows: int, num_classes: int) -> list[int]:
    """`(N,)` class indices, one a row."""
    array = to_array("labels", labels)
    if array.shape != (num_rows,):
        raise ValueError(f"labels must hold one class index an example, {num_rows} in all; got shape {array.shape}")
    wrong = np.flatnonzero(~((array >= 0) & (array < num_classes) & (array == np.round(array))))
    if len(wrong):
        value, highest = array[wrong[0]], num_classes - 1
        raise ValueError(f"labels must be whole numbers in 0 … {highest}; got {value:g} at position {wrong[0]}")
    return array.astype(int).tolist()


def to_pixels(images: Any, num_rows: int) -> np.ndarray:
    """uint8 `(N, H, W)` or `(N, H, W, 3)`, from grey or colour images, channels first, last or none; or from one.

    uint8 and values from 0 to 1 stay as they are; normalised images are stretched as a whole.
    """
    array = to_array("images", images)
    if num_rows == 1 and (array.ndim == 2 or (array.ndim == 3 and 3 in (array.shape[0], array.shape[2]))):
        array = array[None]
    if array.ndim == 4 and array.shape[1] in (1, 3):
        array = np.moveaxis(array, 1, -1)
    if array.ndim not in (3, 4) or len(array) != num_rows or array.size == 0 or array.shape[3:] not in ((), (1,), (3,)):
        raise ValueError(f"images must be {num_rows} of shape (H, W), (1, H, W) or (3, H, W); got {np.shape(images)}")
    if not np.isfinite(array).all():
        raise ValueError("images must be finite; they hold NaN or infinity")
    low, high = array.min(), array.max()
    if not -255 <= low <= high <= 255:
        raise ValueError(f"images must hold bytes, 0 … 1 or normalised pixels; they reach from {low:g} to {high:g}")
    if getattr(images, "dtype", None) == np.uint8 or str(getattr(images, "dtype", "")) == "torch.uint8":
        low, high = 0, 255
    elif low >= 0 and high <= 1:
        low, high = 0, 1
    pixels = np.round(255 * (array - low) / max(high - low, 1e-12)).astype(np.uint8)
    return pixels[..., 0] if pixels.shape[3:] == (1,) else pixels


def to_data_uri(pixels: np.ndarray) -> str:
    """uint8 images, one below the other in one: grey ones exactly; colour as JPEG, whose 8 × 8 blocks part them."""
    from PIL import Image

    buffer, image = io.BytesIO(), Image.fromarray(pixels.reshape(-1, *pixels.shape[2:]))
    if pixels.ndim == 4 and pixels.shape[1] % 8 == 0:
        kind, options = "jpeg", {"quality": 90, "subsampling": 0}
    else:
        kind, options = "png", {"optimize": True}
    image.save(buffer, kind, **options)
    return f"data:image/{kind};base64," + base64.b64encode(buffer.getvalue()).decode()


def log_softmax(logits: Any, temperature: float) -> np.ndarray:
    """log softmax(logits / temperature) over the last axis."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    scaled = scaled - scaled.max(axis=-1, keepdims=True)
    return scaled - np.log(np.exp(scaled).sum(axis=-1, keepdims=True))


class Number(traitlets.Float):
    """A number in `min` … `max`, which NaN is not."""

    def validate(self, owner: Any, value: Any) -> float:
        if isinstance(value, Real) and not self.min <= value <= self.max:
            raise ValueError(f"{self.name} must lie in {self.min:g} … {self.max:g}; got {value}")
        return super().validate(owner, value)


class Logits(traitlets.TraitType):
    """Finite numbers of shape `(N, C)`, kept as nested lists."""

    def validate(self, owner: Any, value: Any) -> list[list[float]]:
        return to_logits(str(self.name), value)
