"""Soundscapes whose calls are known: labelled clips at drawn times and signal-to-noise ratios over real backgrounds.

As scaper makes them (Salamon et al., WASPAA 2017). What is to be heard lies beside the recordings.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from biovita.dataset import Dataset
from biovita.errors import BiovitaError
from biovita.files import new_directory, write_whole
from biovita.hashing import sha256_of
from biovita.one_line import OneLine
from biovita.progress import progress_bar
from biovita.simulation.backgrounds import QUIET_BELOW, BackgroundFile, BackgroundTrack, background_files
from biovita.simulation.soundscape_mix import Mix, write_recording
from biovita.simulation.soundscape_plan import APART_S, ClipSounds, chosen_clips, placed_calls
from biovita.simulation.soundscape_truth import HeardCall, write_truth
from biovita.version import __version__

__all__ = ["MANIFEST", "SoundscapeReport", "SoundscapeSettings", "write_soundscape"]

_BEGIN = datetime(2026, 5, 1, 5)  # noqa: DTZ001 - by the clock of a recorder that does not say its zone
_RATES = (8_000, 192_000)
_MOST_HOURS = 1000.0
MANIFEST = "soundscape.json"  # of what all was made, and how


@dataclass(frozen=True, kw_only=True)
class SoundscapeSettings:
    """What a soundscape is to be.

    Attributes
    ----------
    hours, file_minutes
        Of all recordings, and minutes of each; the last may be shorter.
    events, at_once
        Number of calls, and how many may be heard at the same time.
    species
        How many, or their names; None: all that have clips.
    hold_out
        Use the clips of one group of each species, and only species that have another: the others may be a gallery.
    snr_db
        Least and largest level of a call over the background, both in the call's band while it lasts. The noise of the
        clip itself counts as call.
    longest_s
        Of a call, in seconds.
    rate
        In hertz.
    """

    hours: float = 1.0
    file_minutes: float = 60.0
    events: int = 150
    at_once: int = 2
    species: int | Sequence[str] | None = None
    hold_out: bool = False
    snr_db: tuple[float, float] = (0.0, 20.0)
    longest_s: float = 6.0
    rate: int = 32_000
    seed: int = 0

    def __post_init__(self) -> None:
        lowest, highest = self.snr_db
        wrong = {
            f"hours is {self.hours:g}; it has to be above 0 and {_MOST_HOURS:g} at most": (
                0 < self.hours <= _MOST_HOURS
            ),
            f"file_minutes is {self.file_minutes:g}; it has to be above 0": self.file_minutes > 0,
            f"events is {self.events}; it has to be 1 or more": self.events >= 1,
            f"at_once is {self.at_once}; it has to be 1 or more": self.at_once >= 1,
            f"snr_db is {lowest:g} to {highest:g}; the second may not be less than the first": (
                math.isfinite(lowest) and math.isfinite(highest) and lowest <= highest
            ),
            f"longest_s is {self.longest_s:g}; it has to be above 0": self.longest_s > 0,
            f"rate is {self.rate}; it has to be {_RATES[0]} to {_RATES[1]}": _RATES[0] <= self.rate <= _RATES[1],
        }
        for message, right in wrong.items():
            if not right:
                raise BiovitaError(message)

    @property
    def file_samples(self) -> tuple[int, ...]:
        """The length of each recording."""
        total, each = round(self.hours * 3600 * self.rate), round(self.file_minutes * 60 * self.rate)
        full, rest = divmod(total, each)
        return (each,) * full + ((rest,) if rest else ())


@dataclass(frozen=True, repr=False)
class SoundscapeReport(OneLine):
    """What was made.

    Attributes
    ----------
    lowered
        Calls that were made quieter than drawn, because their peak would pass half of full scale.
    clipped
        Samples that passed full scale.
    backgrounds
        All that were given, with what keeps some from being used.
    left_for_gallery
        Ids of clips of the same species that are not in it, and share no group with one that is.
    silent
        Ids of clips that are silent, and were passed over.
    """

    out: Path
    files: tuple[str, ...]
    hours: float
    events: int
    species: tuple[str, ...]
    lowered: int
    clipped: int
    backgrounds: tuple[BackgroundFile, ...]
    left_for_gallery: tuple[str, ...]
    silent: tuple[str, ...]


def write_soundscape(
    dataset: str | Path | Dataset,
    settings: SoundscapeSettings,
    *,
    backgrounds: str | Path | Sequence[str | Path],
    out: str | Path,
    loudest: Callable[[Path], float] | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> SoundscapeReport:
    """Write recordings with known calls, and what is to be heard in them.

    Recordings are FLAC, mono, 16 bit, and called after their begin, as recorders do: ``SIM_20260501_050000.flac``. They
    follow each other without a gap, and are written block by block, so they may be of any length. Beside them lie
    ``truth.parquet``, ``events.csv`` and a table for Raven of each; ``soundscape.json`` says of what all was made, and
    how. The same arguments give the same bytes, as long as the versions of the libraries are the same.

    Parameters
    ----------
    dataset
        Whose clips are heard: of each its call, see `biovita.simulation.active_part.active_part`.
    backgrounds
        A folder, or files.
    loudest
        Returns the largest score that a detector gives to anything in a background. Those of 0.25 and more are left
        out; None: nobody listens, and all are used.

    Raises
    ------
    BiovitaError
        Where no background can be used, the calls do not find room, or ``out`` is not replaced or cannot be made.
    MediaError
        Where a clip cannot be decoded.
    """
    dataset, out, rate = Dataset.open(dataset), Path(out), settings.rate
    given = Path(backgrounds) if isinstance(backgrounds, str | Path) else [Path(each) for each in backgrounds]
    clips = chosen_clips(dataset, settings.species, hold_out=settings.hold_out, seed=settings.seed)
    listened = background_files(given, loudest)
    sizes = settings.file_samples
    track = BackgroundTrack([each for each in listened if each.left_out is None], sum(sizes), rate, settings.seed)
    sounds = ClipSounds(dataset, rate, settings.longest_s)
    calls, silent = placed_calls(
        clips,
        sounds,
        events=settings.events,
        file_samples=sizes,
        rate=rate,
        snr_db=settings.snr_db,
        at_once=settings.at_once,
        seed=settings.seed,
    )
    begins = [_BEGIN + timedelta(seconds=sum(sizes[:number]) / rate) for number in range(len(sizes))]
    names = [f"SIM_{begin:%Y%m%d_%H%M%S}.flac" for begin in begins]
    mix = Mix(track, sounds, sizes, rate)
    with new_directory(out, replace=overwrite, marker=MANIFEST) as directory:
        mixed, clipped = [mix.levelled(call) for call in calls], 0
        with progress_bar("Mixing recordings", len(sizes), shown=progress) as advance:
            for number, name in enumerate(names):
                mine = [each for each in mixed if each.call.file == number]
                clipped += write_recording(directory / name, mix.blocks(number, mine), rate)
                advance(1)
        files = [(names[each.call.file], begins[each.call.file]) for each in mixed]
        heard = [HeardCall(each.call, *file, rate, each.snr_db) for each, file in zip(mixed, files, strict=True)]
        durations = {name: size / rate for name, size in zip(names, sizes, strict=True)}
        write_truth(directory, dataset, heard, durations)
        report = SoundscapeReport(
            out=out,
            files=tuple(names),
            hours=sum(sizes) / rate / 3600,
            events=len(calls),
            species=tuple(sorted(dataset.taxonomy[taxon].scientific_name for taxon in clips)),
            lowered=sum(each.snr_db < each.call.snr_db for each in mixed),
            clipped=clipped,
            backgrounds=listened,
            left_for_gallery=_others(dataset, clips),
            silent=tuple(silent),
        )
        manifest = _manifest(report, dataset, settings, listened_to=loudest is not None)
        write_whole(directory / MANIFEST, json.dumps(manifest, indent=1) + "\n")
    return report


def _others(dataset: Dataset, clips: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the clips of the species that share no group with one that may be heard."""
    rows = dataset.audio.select(["id", "taxon_id", "group_id"]).to_pylist()
    heard = {item for items in clips.values() for item in items}
    groups = {row["group_id"] for row in rows if row["id"] in heard}
    return tuple(sorted(row["id"] for row in rows if row["taxon_id"] in clips and row["group_id"] not in groups))


def _manifest(
    report: SoundscapeReport, dataset: Dataset, settings: SoundscapeSettings, *, listened_to: bool
) -> dict[str, Any]:
    """Return what ``soundscape.json`` says; no paths, so that the same soundscape has the same bytes anywhere."""
    return {
        "made": {"by": "biovita simulate soundscape", "biovita": __version__, "simulated": True},
        "dataset": {"name": dataset.info.get("name"), "version": dataset.info.get("version")},
        "settings": {**asdict(settings), "apart_s": APART_S},
        "files": report.files,
        "hours": report.hours,
        "events": report.events,
        "species": report.species,
        "lowered": report.lowered,
        "clipped": report.clipped,
        "quiet_below": QUIET_BELOW if listened_to else None,
        "backgrounds": [
            {"file": each.path.name, "sha256": sha256_of(each.path), "loudest": each.loudest}
            for each in report.backgrounds
            if each.left_out is None
        ],
        "backgrounds_left_out": [
            {"file": each.path.name, "reason": each.left_out, "loudest": each.loudest}
            for each in report.backgrounds
            if each.left_out is not None
        ],
        "left_for_gallery": report.left_for_gallery,
        "silent": report.silent,
    }
