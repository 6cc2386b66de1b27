"""Encoders of one modality each, behind one protocol."""

from biovita.compute.device import select_device
from biovita.towers.encoder import Encoder, EncoderCard

__all__ = ["Encoder", "EncoderCard", "select_device"]
