"""What ``biovita simulate soundscape`` does, as a function with the same arguments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from biovita.errors import BiovitaError
from biovita.files import require_replaceable

if TYPE_CHECKING:
    from biovita.dataset.dataset import Dataset
    from biovita.simulation.soundscape import SoundscapeReport

__all__ = ["simulate_soundscape"]


def simulate_soundscape(
    dataset: Dataset | str | Path,
    *,
    backgrounds: str | Path,
    out: str | Path,
    hours: float = 1.0,
    file_minutes: float = 60.0,
    events: int = 150,
    at_once: int = 2,
    species: int | None = None,
    only: Sequence[str] | None = None,
    hold_out: bool = False,
    snr_db: tuple[float, float] = (0.0, 20.0),
    longest: float = 6.0,
    rate: int = 32_000,
    any_background: bool = False,
    seed: int = 0,
    overwrite: bool = False,
    progress: bool = True,
) -> SoundscapeReport:
    """Make recordings of any length with known calls: clips of a dataset over real backgrounds, and the truth beside.

    The same seed gives the same bytes.

    Parameters
    ----------
    dataset, backgrounds
        Whose clips are heard, and a folder of recordings in which nothing calls.
    out
        Directory to write.
    hours, file_minutes
        Of all recordings together, and minutes of each.
    events, at_once
        Number of calls, and how many may be heard at the same time.
    species, only
        How many species, drawn, or their scientific names; None: all that have clips.
    hold_out
        Use one recording of each species, and only species that have another: the others may be a gallery.
    snr_db, longest, rate
        Least and largest level of a call over the background, in decibels; its most seconds; samples a second.
    any_background
        Use backgrounds in which BirdNET hears something, too. Nothing listens to them then.
    seed, overwrite
        For all that is drawn; and whether ``out`` is replaced where it exists.
    progress
        Show bars on standard error where that is a terminal.

    Raises
    ------
    BiovitaError
        Where a number is out of range, a species has no clips, no background can be used, or calls find no room.
    """
    from biovita.simulation.quiet import birdnet_listener
    from biovita.simulation.soundscape import MANIFEST, SoundscapeSettings, write_soundscape

    if species is not None and only:
        raise BiovitaError("give a number of species or the names of those that are wanted, not both")
    require_replaceable(Path(out), replace=overwrite, marker=MANIFEST)
    settings = SoundscapeSettings(
        hours=hours,
        file_minutes=file_minutes,
        events=events,
        at_once=at_once,
        species=tuple(only) if only else species,
        hold_out=hold_out,
        snr_db=snr_db,
        longest_s=longest,
        rate=rate,
        seed=seed,
    )
    return write_soundscape(
        dataset,
        settings,
        backgrounds=backgrounds,
        out=out,
        loudest=None if any_background else birdnet_listener(),
        overwrite=overwrite,
        progress=progress,
    )
