"""Files of vectors that were made elsewhere, read so that a hostile one is a plain error."""

from __future__ import annotations

from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import pyarrow as pa

from biovita.errors import BiovitaError

__all__ = ["check_vector_columns", "load_npy", "load_pt"]

_HEADER = 10_000  # bytes of a .npy header; numpy's own limit


def load_npy(file: Path) -> np.ndarray:
    """Return the array of numbers in a ``.npy`` file, mapped into memory.

    Raises
    ------
    BiovitaError
        Where it is no array of real numbers, or its header and its size do not go together.
    """
    try:
        with file.open("rb") as stream:
            version = np.lib.format.read_magic(stream)
            wide = 2 if version == (1, 0) else 4
            length = int.from_bytes(stream.read(wide), "little")
        if length > _HEADER:
            raise BiovitaError(f"{file}: the header is {length:,} bytes long. At most {_HEADER:,} are accepted")
        array = np.lib.format.open_memmap(file, mode="r", max_header_size=_HEADER)
    except BiovitaError:
        raise
    except (
        ValueError,
        TypeError,
        LookupError,
        ArithmeticError,
        AttributeError,
        OSError,
        EOFError,
        MemoryError,
        RecursionError,
        SyntaxError,
        TokenError,
    ) as error:
        reason = str(error).split("\n", maxsplit=1)[0][:200] or type(error).__name__
        raise BiovitaError(f"{file} cannot be read as an array: {reason}") from error
    if array.dtype.kind not in "fiu" or array.dtype.itemsize > 8:
        raise BiovitaError(
            f"{file} holds {str(array.dtype)[:60]}. Vectors have to be real numbers of up to 64 bits"
        )
    return array


def load_pt(file: Path) -> np.ndarray:
    """Return the one tensor in a ``.pt`` file, float32.

    Raises
    ------
    BiovitaError
        Where it holds anything else, or cannot be read safely.
    """
    import torch

    from biovita.weights.state_dicts import is_whole, read_checkpoint

    found = read_checkpoint(file)
    if not isinstance(found, torch.Tensor):
        raise BiovitaError(f"{file} holds {type(found).__name__}. It has to hold one tensor")
    if not is_whole(found) or found.is_complex():
        raise BiovitaError(f"{file} has to hold a plain tensor of real numbers, all of them in the file")
    vector: np.ndarray = found.detach().float().numpy()
    return vector


def check_vector_columns(schema: pa.Schema, where: Path) -> None:
    """Raise a `BiovitaError` where the columns ``id`` and ``vector`` of a table are missing or of other types."""
    for name in ("id", "vector"):
        if name not in schema.names:
            raise BiovitaError(f"{where} lacks the column {name}")
    key, vector = schema.field("id").type, schema.field("vector").type
    if not (pa.types.is_string(key) or pa.types.is_large_string(key) or pa.types.is_integer(key)):
        raise BiovitaError(f"{where}: the column id is of {str(key)[:60]}. It has to hold texts or whole numbers")
    lists = pa.types.is_list(vector) or pa.types.is_large_list(vector) or pa.types.is_fixed_size_list(vector)
    inner: Any = vector.value_type if lists else None
    if inner is None or not (pa.types.is_floating(inner) or pa.types.is_integer(inner)):
        raise BiovitaError(f"{where}: the column vector is of {str(vector)[:60]}. It has to hold lists of numbers")
