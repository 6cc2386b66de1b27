"""The aligned model, its directory, and loading by name or path."""

from biovita.model.model import Model
from biovita.model.store import load_model, save_model

__all__ = ["Model", "load_model", "save_model"]
