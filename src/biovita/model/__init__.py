"""Models: which one a name stands for, opening it, and writing it."""

from biovita.model.card import ModelCard
from biovita.model.describe import describe, load_encoder, load_model, write_model
from biovita.model.model import Model

__all__ = ["Model", "ModelCard", "describe", "load_encoder", "load_model", "write_model"]
