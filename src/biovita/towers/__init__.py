"""Encoders of one modality each, behind one protocol."""

from biovita.towers.base import Encoder, EncoderCard
from biovita.towers.device import select_device

__all__ = ["Encoder", "EncoderCard", "select_device"]
