"""Real backgrounds joined into a track of any length: in a seeded order, again and again, with cross-fades."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from biovita.errors import BiovitaError, MediaError
from biovita.files import all_below
from biovita.media import probe_audio, read_clip
from biovita.modality import Modality
from biovita.simulation.seeds import stream
from biovita.values import media_kind

__all__ = ["QUIET_BELOW", "BackgroundFile", "BackgroundTrack", "background_files"]

QUIET_BELOW = 0.25  # of a detector's score
_FADE_S = 1.0
_PIECE_S = 60.0  # longer recordings are cut
_SHORTEST_S = 4 * _FADE_S
_HELD = 6  # pieces


@dataclass(frozen=True, slots=True)
class BackgroundFile:
    """A recording that may be background.

    Attributes
    ----------
    loudest
        The largest score that a detector gives to anything in it; None where nobody listened.
    left_out
        Why it is not used; None where it is.
    """

    path: Path
    duration_s: float
    loudest: float | None = None
    left_out: str | None = None


def background_files(
    backgrounds: Path | Sequence[Path], loudest: Callable[[Path], float] | None
) -> tuple[BackgroundFile, ...]:
    """Return the recordings of a folder, or those that are given, by name, with what keeps some from being used.

    Parameters
    ----------
    loudest
        Returns the largest score that a detector gives to anything in a recording; `QUIET_BELOW` and more is not quiet.

    Raises
    ------
    BiovitaError
        Where none can be used.
    """
    paths = _sounds(backgrounds) if isinstance(backgrounds, Path) else list(backgrounds)
    found = []
    for path in sorted(paths, key=lambda each: (each.name, each)):
        try:
            duration = probe_audio(path).duration_s
        except MediaError as error:
            found.append(BackgroundFile(path, 0.0, None, f"{error.reason}: {error}"))
            continue
        score = loudest(path) if loudest is not None else None
        reason = None
        if duration < _SHORTEST_S:
            reason = f"too-short: it lasts {duration:.1f} s, and {_SHORTEST_S:g} s are needed"
        elif score is not None and score >= QUIET_BELOW:
            reason = f"not-quiet: something in it scores {score:.2f}, and {QUIET_BELOW:g} is too much"
        found.append(BackgroundFile(path, duration, score, reason))
    if all(each.left_out for each in found):
        reasons = "; ".join(f"{each.path.name}: {each.left_out}" for each in found[:3])
        raise BiovitaError(f"none of {len(found)} backgrounds can be used. {reasons or 'There are no recordings'}")
    return tuple(found)


def _sounds(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise BiovitaError(f"{folder} is no folder. Give a folder of recordings without animals, or name them")
    return [
        path
        for path in all_below(folder)
        if path.is_file() and media_kind(None, None, path.name) == Modality.AUDIO
    ]


@dataclass(frozen=True, slots=True)
class _Piece:
    path: Path
    start_s: float
    end_s: float
    begin: int  # sample of the track
    size: int


class BackgroundTrack:
    """A track of ``samples`` samples at ``rate``, of which any part can be made, the same whatever else is.

    Each piece fades in over 1 s while the one before fades out, with equal power. All are used once before any is used
    again, and none follows itself where there are two. Levels are those of the files.
    """

    def __init__(self, files: Sequence[BackgroundFile], samples: int, rate: int, seed: int) -> None:
        self._rate = rate
        self._fade = round(_FADE_S * rate)
        self._pieces = _laid_out(_cut(files), samples, rate, self._fade, seed)
        self._begins = np.array([piece.begin for piece in self._pieces])
        ramp = np.linspace(0.0, np.pi / 2, self._fade, endpoint=False, dtype=np.float32)
        self._rise = np.sin(ramp)
        self._read = lru_cache(_HELD)(self._samples_of)

    def part(self, start: int, stop: int) -> np.ndarray:
        """Return the samples from ``start`` up to ``stop``, float32 ``(samples,)``."""
        track = np.zeros(stop - start, np.float32)
        place = max(0, int(np.searchsorted(self._begins, start, side="right")) - 2)
        for piece in self._pieces[place:]:
            if piece.begin >= stop:
                break
            first, last = max(start, piece.begin), min(stop, piece.begin + piece.size)
            if first < last:
                faded = self._read(piece)[first - piece.begin : last - piece.begin]
                track[first - start : last - start] += faded
        return track

    def _samples_of(self, piece: _Piece) -> np.ndarray:
        """Return a piece with its fades."""
        sound, _ = read_clip(piece.path, piece.start_s, piece.end_s, sample_rate=self._rate)
        faded = np.zeros(piece.size, np.float32)  # resampling may give a sample more or less
        kept = sound[: piece.size]
        faded[: len(kept)] = kept
        if piece.begin:
            faded[: self._fade] *= self._rise
        faded[-self._fade :] *= self._rise[::-1]
        return faded


def _cut(files: Sequence[BackgroundFile]) -> list[tuple[Path, float, float]]:
    """Return parts of at most a minute, all of a file of one length."""
    parts = []
    for file in files:
        number = int(np.ceil(file.duration_s / _PIECE_S))
        edges = np.linspace(0.0, file.duration_s, number + 1)
        parts += [(file.path, float(begin), float(end)) for begin, end in pairwise(edges)]
    return parts


def _laid_out(
    parts: Sequence[tuple[Path, float, float]], samples: int, rate: int, fade: int, seed: int
) -> list[_Piece]:
    pieces: list[_Piece] = []
    begin, turn, last = 0, 0, -1
    while begin < samples:
        order = stream(seed, "backgrounds", turn).permutation(len(parts)).tolist()
        if order[0] == last:
            order.append(order.pop(0))
        for number in order:
            path, start_s, end_s = parts[number]
            size = int((end_s - start_s) * rate)
            pieces.append(_Piece(path, start_s, end_s, begin, size))
            begin += size - fade
            last = number
        turn += 1
    return pieces
