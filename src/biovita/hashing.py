"""The hash that files are known by."""

from __future__ import annotations

import hashlib
from pathlib import Path

from biovita.files import open_regular

__all__ = ["sha256_of"]


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal.

    Raises
    ------
    DatasetError
        Where it is no regular file, but a device or a pipe, say: those have no end.
    """
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
