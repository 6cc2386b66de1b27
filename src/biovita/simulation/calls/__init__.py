"""Recordings of simulated animals: notes, phrases, callers, and the place they are heard in."""

from biovita.simulation.calls.recording import SAMPLE_RATE, call, recording

__all__ = ["SAMPLE_RATE", "call", "recording"]
