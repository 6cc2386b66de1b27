"""What a method of others returned, as rows of numbers: NumPy, torch on any device, or a list of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from biovita.embedding.made import MOST_NUMBERS
from biovita.errors import ModelError

__all__ = ["returned_rows"]

_NUMBERS = "fiu"  # NumPy's kinds of real numbers


def returned_rows(returned: Any, count: int, method: str) -> np.ndarray:
    """Return what ``method`` returned for ``count`` items as an array of its own, ``(count, dim)``, float32.

    Torch tensors may be on any device, of any type of real numbers, and may require grad. A number that float32 does
    not hold becomes infinite.

    Raises
    ------
    ModelError
        Where it is no array of ``count`` vectors of one length; the message says what it is.
    """
    wanted = f"It has to return one vector an item: an array or tensor of the shape ({count}, numbers)"
    found = _array(returned)
    if found is None:
        raise ModelError(f"{method} returned {_kind(returned)}. {wanted}")
    if found.ndim != 2 or len(found) != count:
        raise ModelError(f"{method} returned the shape {found.shape}. {wanted}{_hint(found, count)}")
    if not 1 <= found.shape[1] <= MOST_NUMBERS:
        raise ModelError(
            f"{method} returned vectors of {found.shape[1]:,} numbers. They may have from 1 to {MOST_NUMBERS:,}"
        )
    if found.dtype.kind not in _NUMBERS:
        raise ModelError(f"{method} returned {found.dtype} values. They have to be real numbers, such as float32")
    with np.errstate(over="ignore"):
        return found.astype(np.float32)  # a copy: it may be the object's own


def _array(value: Any) -> np.ndarray | None:
    """Return an array of what looks like one, or like a list of vectors; None of all else."""
    if isinstance(value, list | tuple):
        rows = [_array(row) if hasattr(row, "detach") else row for row in value]
        try:
            return np.asarray(rows)
        except ValueError:  # of different lengths
            return None
    if callable(getattr(value, "detach", None)):
        return _of_tensor(value)
    return np.asarray(value) if hasattr(value, "__array__") else None


def _of_tensor(tensor: Any) -> np.ndarray:
    """Return a torch tensor as an array; one of real numbers that NumPy may not have, such as bfloat16, as float32."""
    tensor = tensor.detach().cpu()
    found: np.ndarray = (tensor.float() if tensor.is_floating_point() else tensor.resolve_conj()).numpy()
    return found


def _kind(returned: Any) -> str:
    """Return what something is that cannot be taken for vectors."""
    if returned is None:
        return "None"
    several = isinstance(returned, list | tuple)
    return f"a {type(returned).__name__}" + (" whose entries differ in length" if several else "")


def _hint(found: np.ndarray, count: int) -> str:
    """Return what is often the reason for a shape."""
    if found.ndim == 1 and count == 1:
        return ". Does it squeeze the result? A list of one item gives one row"
    if found.ndim == 3 and len(found) == count:
        return ". Take the mean over the places in between, or one of them"
    return ""
