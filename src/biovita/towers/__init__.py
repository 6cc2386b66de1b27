"""Encoders of one modality each, behind one protocol."""

from biovita.towers.encoder import Encoder, EncoderCard

__all__ = ["Encoder", "EncoderCard"]
