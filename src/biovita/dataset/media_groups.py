"""Whose each recording and photograph is, and to which group it belongs, as numbers: texts would not fit for many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.dataset.dataset import Dataset
from biovita.dataset.repeated_keys import ranked
from biovita.dataset.schema import MEDIA_TABLES
from biovita.modality import MEDIA, Modality

__all__ = ["MediaGroups", "TextNumbers", "media_groups"]


class TextNumbers:
    """Numbers for texts in the order in which they first occur, of a column with few different ones."""

    def __init__(self) -> None:
        self.of_text: dict[str | None, int] = {}

    def of(self, column: pa.Array) -> np.ndarray:
        """Return the number of each text of some rows, ``(rows,)``, int64."""
        coded = pc.dictionary_encode(column, null_encoding="encode")
        own = [self.of_text.setdefault(text, len(self.of_text)) for text in coded.dictionary.to_pylist()]
        return np.array(own, np.int64)[coded.indices.to_numpy()]


@dataclass(frozen=True, eq=False)
class MediaGroups:
    """The taxon and the group of each item.

    Attributes
    ----------
    taxa
        The ids of the taxa that have items, sorted; a taxon's number is its place here.
    groups
        How many different groups there are. They are numbered in the order of their ids.
    owners, members
        By modality, of each item in the order of the table the numbers of its taxon and of its group, ``(items,)``,
        int64.
    group_id
        Gives the id of the group of an item, by its place.
    """

    taxa: tuple[str, ...]
    groups: int
    owners: Mapping[Modality, np.ndarray]
    members: Mapping[Modality, np.ndarray]
    group_id: Callable[[Modality, int], str]

    @property
    def all_owners(self) -> np.ndarray:
        """Those of recordings and photographs."""
        return np.concatenate([self.owners[modality] for modality in MEDIA])

    @property
    def all_members(self) -> np.ndarray:
        """Those of recordings and photographs."""
        return np.concatenate([self.members[modality] for modality in MEDIA])

    def groups_of(self, modality: Modality) -> np.ndarray:
        """Return how many groups each taxon has in a modality, ``(taxa,)``."""
        pairs = np.unique(self.owners[modality] * max(1, self.groups) + self.members[modality])
        return np.bincount(pairs // max(1, self.groups), minlength=len(self.taxa))


def media_groups(dataset: Dataset) -> MediaGroups:
    """Return the taxon and the group of each item of a dataset.

    Raises
    ------
    DatasetError
        Where a table cannot be read.
    """
    numbers = TextNumbers()
    owners: dict[Modality, list[np.ndarray]] = {modality: [] for modality in MEDIA}

    def groups() -> Iterator[pa.Array]:
        for modality in MEDIA:
            for batch in dataset.batches(MEDIA_TABLES[modality], ["taxon_id", "group_id"]):
                owners[modality].append(numbers.of(batch.column("taxon_id")))
                yield batch.column("group_id")

    members, different = ranked(groups(), sum(map(dataset.rows, MEDIA_TABLES.values())))
    taxa = sorted(str(taxon) for taxon in numbers.of_text)
    place = np.empty(len(taxa), np.int64)
    place[[numbers.of_text[taxon] for taxon in taxa]] = np.arange(len(taxa))
    of_modality = {m: place[np.concatenate([np.empty(0, np.int64), *parts])] for m, parts in owners.items()}
    sounds = len(of_modality[Modality.AUDIO])
    return MediaGroups(
        taxa=tuple(taxa),
        groups=different,
        owners=of_modality,
        members={Modality.AUDIO: members[:sounds], Modality.IMAGE: members[sounds:]},
        group_id=lambda modality, item: _group_id(dataset, modality, item),
    )


def _group_id(dataset: Dataset, modality: Modality, item: int) -> str:
    for batch in dataset.batches(MEDIA_TABLES[modality], ["group_id"]):
        if item < batch.num_rows:
            return str(batch.column(0)[item])
        item -= batch.num_rows
    raise LookupError(item)
