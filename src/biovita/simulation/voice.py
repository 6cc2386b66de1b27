"""From what a species inherited to how it calls."""

from __future__ import annotations

from dataclasses import dataclass

from biovita.simulation.axes import Axis
from biovita.simulation.evolve import Latent, bounded, clip
from biovita.simulation.voices import VOICES

__all__ = ["Voice", "voice_of"]

_LOWEST_HZ, _HIGHEST_HZ = 90.0, 14000.0


@dataclass(frozen=True, slots=True)
class Voice:
    """How a species calls: the fields of `VoiceKind` as it bends them, and more.

    Attributes
    ----------
    kind
        Name in `VOICES`.
    hz
        Frequency of the strongest part of its notes.
    vibrato_hz, vibrato
        Rate, and depth in octaves, of a wobble of the pitch.
    motif
        Pitch of successive notes of a phrase, in octaves from ``hz``.
    callers
        Mean number of animals heard in a recording.
    """

    kind: str
    mode: str
    hz: float
    note_s: float
    rate: float
    notes: float
    pause_s: float
    slope: float
    arch: float
    harmonics: int
    rolloff_db: float
    noise: float
    am_hz: float
    am_depth: float
    vibrato_hz: float
    vibrato: float
    motif: tuple[float, ...]
    callers: float


def voice_of(latent: Latent) -> Voice:
    """Return how a species with this inheritance calls."""
    kind = VOICES[latent.voice]
    size, cover, water, night, display, warmth, tempo, harsh, social, cold, tame = (
        bounded(latent, axis) for axis in Axis
    )
    own = [clip(value, -2.0, 2.0) for value in latent.private[29:41]]
    octaves = -0.50 * size - 0.06 * cover - 0.08 * night + 0.12 * tame + 0.10 * own[0]
    hz = clip(kind.hz * 2.0**octaves, _LOWEST_HZ, _HIGHEST_HZ)
    rate = kind.rate * 2.0 ** (0.50 * tempo - 0.15 * size + 0.08 * own[1])
    note_s = min(kind.note_s * 2.0 ** (-0.35 * tempo + 0.18 * size + 0.08 * own[2]), 0.92 / rate)
    showy = 2.0 ** (0.55 * display)
    # A rising or a falling note: warmth tilts every kind of voice the same way.
    slope = clip(kind.slope * showy + 0.30 * warmth + 0.06 * own[3], -1.2, 1.2)
    arch = clip(kind.arch * showy + 0.06 * own[4], -0.8, 0.8)
    spread = kind.variety * showy + max(0.0, 0.12 * display)
    motif = tuple(spread * value for value in own[5:11])
    return Voice(
        kind=latent.voice,
        mode=kind.mode,
        hz=hz,
        note_s=float(note_s),
        rate=float(rate),
        notes=float(max(1.0, kind.notes * 2.0 ** (0.25 * display - 0.30 * cold + 0.3 * tempo))),
        pause_s=clip(kind.pause_s * 2.0 ** (0.35 * night - 0.2 * social + 0.15 * size), 0.15, 2.0),
        slope=slope,
        arch=arch,
        harmonics=round(clip(kind.harmonics * 2.0 ** (0.5 * harsh), 1, 24)),
        rolloff_db=clip(kind.rolloff_db * 2.0 ** (-0.5 * harsh), 1.5, 30.0),
        noise=clip(kind.noise + 0.16 * harsh, 0.0, 0.75),
        am_hz=float(kind.am_hz * 2.0 ** (0.4 * tempo)) if kind.am_hz else 38.0,
        am_depth=clip((0.75 if kind.am_hz else 0.0) + 0.30 * harsh - 0.25 * cover, 0.0, 0.95),
        vibrato_hz=float(11.0 * 2.0 ** (0.3 * tempo)),
        vibrato=clip(0.07 * water, 0.0, 0.2),
        motif=motif,
        callers=clip(1.0 + 0.9 * max(0.0, social), 1.0, 3.5),
    )
