"""Recordings, photographs and names of animals in one vector space."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from biovita.model import Model, load_model

__all__ = ["Model", "__version__", "load_model"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Import the model on first use, so that ``import biovita`` stays light."""
    if name in {"Model", "load_model"}:
        import biovita.model

        return getattr(biovita.model, name)
    raise AttributeError(f"module 'biovita' has no attribute {name!r}")
