"""Calls mixed with their background, block by block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from biovita.simulation.active_part import band_level
from biovita.simulation.backgrounds import BackgroundTrack
from biovita.simulation.soundscape_plan import ClipSounds, PlacedCall

__all__ = ["LevelledCall", "Mix", "write_recording"]

_LOUDEST = 0.5  # peak of a call, full scale 1: two of them and the background do not clip
_SOFTEST = 1e-5  # level of a background that is silent in a call's band, full scale 1: -100 dB
_BLOCK_S = 10.0
_FULL_SCALE = 32767


@dataclass(frozen=True, slots=True)
class LevelledCall:
    """A call, the factor on its samples, and the ratio that this gives; it is the one drawn, or less."""

    call: PlacedCall
    gain: float
    snr_db: float


class Mix:
    """Recordings of a soundscape, of ``sizes`` samples each, over one track."""

    def __init__(self, track: BackgroundTrack, sounds: ClipSounds, sizes: Sequence[int], rate: int) -> None:
        self._track, self._sounds, self._sizes, self._rate = track, sounds, sizes, rate

    def levelled(self, call: PlacedCall) -> LevelledCall:
        """Return how loud a call is mixed: as drawn, but with a peak of half of full scale at most."""
        begin = sum(self._sizes[: call.file])
        behind = self._track.part(begin + call.start, begin + call.stop)
        part = call.part
        level = max(band_level(behind, self._rate, part.low_hz, part.high_hz), _SOFTEST)
        wanted = 10 ** (call.snr_db / 20) * level / part.level
        gain = min(wanted, _LOUDEST / float(np.abs(self._sounds.call(call.item)).max()))
        snr = call.snr_db if gain == wanted else float(20 * np.log10(gain * part.level / level))
        return LevelledCall(call, gain, snr)

    def blocks(self, file: int, calls: Sequence[LevelledCall]) -> Iterator[np.ndarray]:
        """Yield the samples of a recording, float32; ``calls`` are those that it has."""
        begin, size = sum(self._sizes[:file]), self._sizes[file]
        step = round(_BLOCK_S * self._rate)
        for start in range(0, size, step):
            stop = min(start + step, size)
            block = self._track.part(begin + start, begin + stop)
            for each in calls:
                call = each.call
                first, last = max(start, call.start), min(stop, call.stop)
                if first < last:
                    heard = self._sounds.call(call.item)[first - call.start : last - call.start]
                    block[first - start : last - start] += np.float32(each.gain) * heard
            yield block


def write_recording(file: Path, blocks: Iterable[np.ndarray], rate: int) -> int:
    """Write a mono FLAC of 16 bit, and return how many samples passed full scale; those are set to it."""
    import soundfile

    clipped = 0
    with soundfile.SoundFile(file, "w", rate, 1, "PCM_16", format="FLAC") as out:
        for block in blocks:
            clipped += int((np.abs(block) > 1).sum())
            out.write(np.rint(block.clip(-1, 1) * _FULL_SCALE).astype(np.int16))
    return clipped
