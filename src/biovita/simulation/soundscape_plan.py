"""What is to be heard in a soundscape, when, and how loud: labelled clips, drawn and placed by a seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow.compute as pc

from biovita.dataset import Dataset
from biovita.errors import BiovitaError
from biovita.media import read_clip
from biovita.simulation.active_part import ActivePart, active_part
from biovita.simulation.seeds import stream
from biovita.taxonomy import Rank

__all__ = ["APART_S", "ClipSounds", "PlacedCall", "chosen_clips", "placed_calls"]

APART_S = 6.0  # between calls of one species, so that each is an event of its own
_TRIES = 2000  # places drawn for a call
_FADE_S = 0.02
_HELD = 64  # clips


@dataclass(frozen=True, slots=True)
class PlacedCall:
    """A call in a soundscape.

    Attributes
    ----------
    item
        Id of the clip in the dataset.
    part
        What of the clip is heard.
    file
        Number of the recording.
    start
        Sample of that recording.
    snr_db
        Level of the call over that of the background in the call's band, while it lasts.
    """

    item: str
    taxon_id: str
    part: ActivePart
    file: int
    start: int
    snr_db: float

    @property
    def stop(self) -> int:
        """The sample after the last."""
        return self.start + self.part.stop - self.part.start


class ClipSounds:
    """The calls of a dataset's clips at one rate."""

    def __init__(self, dataset: Dataset, rate: int, longest_s: float) -> None:
        self._dataset, self._rate, self._longest_s = dataset, rate, longest_s
        ids = dataset.audio["id"].to_pylist()
        self._rows = {key: row for row, key in enumerate(ids)}
        self._parts: dict[str, ActivePart | None] = {}
        self._read = lru_cache(_HELD)(self._samples)

    def part(self, item: str) -> ActivePart | None:
        """Return where a clip's call is; None where it is silent."""
        if item not in self._parts:
            self._parts[item] = active_part(self._read(item), self._rate, self._longest_s)
        return self._parts[item]

    def call(self, item: str) -> np.ndarray:
        """Return a clip's call, float32 ``(samples,)``, faded in and out over 20 ms."""
        part = self.part(item)
        assert part is not None
        sound = self._read(item)[part.start : part.stop].copy()
        fade = min(round(_FADE_S * self._rate), len(sound) // 2)
        ramp = np.linspace(0.0, 1.0, fade, endpoint=False, dtype=np.float32)
        sound[:fade] *= ramp
        sound[len(sound) - fade :] *= ramp[::-1]
        return sound

    def _samples(self, item: str) -> np.ndarray:
        row = self._dataset.audio.slice(self._rows[item], 1).to_pylist()[0]
        path = self._dataset.locate(row["path"])
        return read_clip(path, row["start_s"], row["end_s"], sample_rate=self._rate)[0]


def chosen_clips(
    dataset: Dataset, species: int | Sequence[str] | None, *, hold_out: bool, seed: int
) -> Mapping[str, tuple[str, ...]]:
    """Return, by taxon id in a seeded order, the ids of the clips that may be heard.

    Parameters
    ----------
    species
        How many, drawn by the seed, or their names; None: all that have clips.
    hold_out
        Take the clips of one ``group_id`` of each species, and only of species that have another one.

    Raises
    ------
    BiovitaError
        Where there are too few, or a name is of no species with such clips.
    """
    clips: dict[str, dict[str, list[str]]] = {}
    table = dataset.audio.select(["taxon_id", "group_id", "id"])
    for row in table.take(pc.sort_indices(table, [("taxon_id", "ascending"), ("id", "ascending")])).to_pylist():
        if dataset.taxonomy[row["taxon_id"]].rank == Rank.SPECIES:
            clips.setdefault(row["taxon_id"], {}).setdefault(row["group_id"], []).append(row["id"])
    if hold_out:
        clips = {taxon: groups for taxon, groups in clips.items() if len(groups) > 1}
    which = " that have two recordings" if hold_out else " that have recordings"
    wanted = _wanted(dataset, list(clips), species, which, seed)
    found = {}
    for taxon in wanted:
        groups = list(clips[taxon].values())
        if hold_out:
            groups = [groups[int(stream(seed, f"held-out {taxon}").integers(len(groups)))]]
        found[taxon] = tuple(item for group in groups for item in group)
    return found


def _wanted(
    dataset: Dataset, there: Sequence[str], species: int | Sequence[str] | None, which: str, seed: int
) -> list[str]:
    if species is not None and not isinstance(species, int):
        wanted = [dataset.taxonomy.find(name).id for name in species]
        missing = [dataset.taxonomy[taxon].scientific_name for taxon in wanted if taxon not in there]
        if missing:
            raise BiovitaError(
                f"{', '.join(missing)}: not among the {len(there)} species{which} in {dataset.path}"
            )
        return list(dict.fromkeys(wanted))
    number = len(there) if species is None else species
    if not 1 <= number <= len(there):
        raise BiovitaError(f"species is {number}. {dataset.path} has {len(there)} species{which}")
    return [there[at] for at in stream(seed, "species").permutation(len(there))[:number].tolist()]


def placed_calls(
    clips: Mapping[str, Sequence[str]],
    sounds: ClipSounds,
    *,
    events: int,
    file_samples: Sequence[int],
    rate: int,
    snr_db: tuple[float, float],
    at_once: int,
    seed: int,
) -> tuple[list[PlacedCall], list[str]]:
    """Return calls by recording and begin, and the clips that are silent.

    Species take turns, in the order of ``clips``. A call begins anywhere in any recording with the same probability, as
    in a Poisson process of which the number of events is known; no call is cut by the end of a recording, at most
    ``at_once`` are heard at the same time, and two of one species have 6 s between them.

    Raises
    ------
    BiovitaError
        Where a species has silent clips alone, or so many events do not find room.
    """
    taxa, silent = list(clips), []
    placed: list[list[PlacedCall]] = [[] for _ in file_samples]
    for number in range(events):
        taxon = taxa[number % len(taxa)]
        rng = stream(seed, "event", number)
        usable = [item for item in clips[taxon] if sounds.part(item) is not None]
        silent += [item for item in clips[taxon] if item not in usable and item not in silent]
        if not usable:
            raise BiovitaError(f"all clips of {taxon} are silent. Leave it out of the species")
        item = usable[int(rng.integers(len(usable)))]
        part = sounds.part(item)
        assert part is not None
        snr = float(rng.uniform(*snr_db))
        for _ in range(_TRIES):
            at = int(rng.integers(sum(file_samples)))
            file = int(np.searchsorted(np.cumsum(file_samples), at, side="right"))
            start = at - sum(file_samples[:file])
            call = PlacedCall(item, taxon, part, file, start, snr)
            if call.stop <= file_samples[file] and _has_room(call, placed[file], round(APART_S * rate), at_once):
                placed[file].append(call)
                break
        else:
            raise BiovitaError(
                f"{events} events do not find room: after {number} there is none for one of {taxon}. Ask for fewer, "
                "for more hours or species, or for more at once"
            )
    return [call for calls in placed for call in sorted(calls, key=_order)], silent


def _order(call: PlacedCall) -> Any:
    return call.start, call.item


def _has_room(call: PlacedCall, others: Sequence[PlacedCall], apart: int, at_once: int) -> bool:
    near = [other for other in others if other.start < call.stop + apart and call.start < other.stop + apart]
    if any(other.taxon_id == call.taxon_id for other in near):
        return False
    meeting = [other for other in near if other.start < call.stop and call.start < other.stop]
    moments = [call.start, *(other.start for other in meeting if other.start > call.start)]
    most = max(sum(other.start <= moment < other.stop for other in meeting) for moment in moments)
    return most < at_once
