"""What is done with a shard: its items are found, encoded, and come out as rows with vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from biovita.embedding.failures import Failure
from biovita.embedding.items import file_state, loadable
from biovita.embedding.shards import Shard
from biovita.embedding.store import COLUMNS, WHOLE
from biovita.errors import DatasetError, MediaError
from biovita.hashing import sha256_of
from biovita.media.hearing import AS_IT_IS, Hearing
from biovita.media.inputs import Clip, Picture
from biovita.media.packed_files import MediaPath, PackedFile
from biovita.modality import Modality
from biovita.towers.encode import encode_items
from biovita.towers.encoder import Encoder

__all__ = ["Result", "Work"]


@dataclass(frozen=True, eq=False)
class Result:
    """What comes out of a shard.

    Attributes
    ----------
    items
        How many the shard has.
    rows, vectors
        As `biovita.embedding.store.COLUMNS` has them, and ``(rows, dim)``, float32; both in the order of the shard.
    failed
        Its items without a vector.
    """

    key: str
    items: int
    rows: pa.Table
    vectors: np.ndarray
    failed: tuple[Failure, ...]


@dataclass(slots=True, eq=False)
class _Gathering:
    """A shard on its way through the pipeline."""

    shard: Shard
    left: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    vectors: list[np.ndarray] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)


_Row: TypeAlias = "tuple[_Gathering, dict[str, Any]]"


@dataclass(frozen=True)
class Work:
    """Embeds shards; it can be sent to where they are embedded, if ``open`` and ``locate`` can.

    Attributes
    ----------
    open
        Opens the encoder, or gives one that is open.
    each_window, batch_size, workers, many
        See `encode_items`. No batch has items of two shards.
    """

    open: Callable[[], Encoder]
    modality: Modality
    locate: Callable[[str], MediaPath]
    each_window: bool
    batch_size: int | None
    workers: int | None
    many: bool
    hearing: Hearing = AS_IT_IS

    def __call__(self, shards: Iterable[Shard]) -> Iterator[Result]:
        """Yield a result a shard, in their order; while one is encoded, the next ones are decoded."""
        encoder = self.open()
        encoded = encode_items(
            encoder,
            self._entries(shards),
            group=lambda row: row[0],
            each_window=self.each_window,
            batch_size=self.batch_size,
            workers=self.workers,
            many=self.many,
        )
        with closing(encoded):
            for (gathering, row), found in encoded:
                self._keep(gathering, row, found, encoder.card.name)
                if not gathering.left:
                    yield _result(gathering, encoder.card.dim)

    def _entries(self, shards: Iterable[Shard]) -> Iterator[tuple[_Row, Clip | Picture | MediaPath | str]]:
        for shard in shards:
            gathering = _Gathering(shard, len(shard))
            for row in shard.rows.to_pylist():
                item = loadable(self.modality, row, self.locate, self.hearing)
                row["shard"] = shard.key
                path = item.path if isinstance(item, Clip | Picture) else item
                if not isinstance(path, str):
                    row["file_size"], row["file_mtime_ns"] = file_state(path)
                    row["sha256"] = row["sha256"] or _hash_of(path)
                yield (gathering, row), item

    def _keep(
        self, gathering: _Gathering, row: dict[str, Any], found: np.ndarray | MediaError, encoder: str
    ) -> None:
        """Enter what came out of an item; what is not finite has no vector."""
        gathering.left -= 1
        if isinstance(found, MediaError):
            gathering.failed.append(Failure(self.modality, row["id"], found.reason, str(found)))
        elif not np.isfinite(found).all():
            detail = f"{encoder} gave a vector with NaN or infinity, or one of zeros alone"
            gathering.failed.append(Failure(self.modality, row["id"], "not-finite", detail))
        else:
            gathering.rows += [{**row, "window": number} for number in range(WHOLE, WHOLE + len(found))]
            gathering.vectors.append(found)


def _result(gathering: _Gathering, dim: int) -> Result:
    rows = pa.Table.from_pylist(gathering.rows, schema=COLUMNS)
    vectors = np.concatenate(gathering.vectors) if gathering.vectors else np.zeros((0, dim), np.float32)
    return Result(gathering.shard.key, len(gathering.shard), rows, vectors, tuple(gathering.failed))


def _hash_of(path: MediaPath) -> str | None:
    """Return the hash of a file; None of one that is packed or cannot be read, which decoding will tell."""
    if isinstance(path, PackedFile):
        return None
    try:
        return sha256_of(path)
    except (OSError, DatasetError):
        return None
