"""The encode loop: shards of items in, their vectors out. It is the only one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from biovita.compute.pipeline import encode_ahead, in_batches, in_processes, load_ahead
from biovita.embed.failures import Failure
from biovita.embed.items import file_state, loadable
from biovita.embed.shards import Shard
from biovita.embed.store import COLUMNS, WHOLE
from biovita.errors import DatasetError, MediaError
from biovita.hashing import sha256_of
from biovita.media.items import Clip
from biovita.media.packed import MediaPath, PackedFile
from biovita.modality import Modality
from biovita.towers.base import Encoder, Loaded
from biovita.towers.long import LongWindows, window_parts

__all__ = ["Result", "Work"]


@dataclass(frozen=True, eq=False)
class Result:
    """What comes out of a shard.

    Attributes
    ----------
    items
        How many the shard has.
    rows, vectors
        As `biovita.embed.store.COLUMNS` has them, and ``(rows, dim)``, float32; both in the order of the shard.
    failed
        Its items without a vector.
    """

    key: str
    items: int
    rows: pa.Table
    vectors: np.ndarray
    failed: tuple[Failure, ...]


@dataclass(slots=True)
class _Gathering:
    """A shard on its way through the pipeline."""

    shard: Shard
    left: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    vectors: list[np.ndarray] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)


_Row: TypeAlias = "tuple[_Gathering, dict[str, Any]]"
_Batch: TypeAlias = "list[tuple[_Row, Loaded | MediaError]]"


@dataclass(frozen=True)
class Work:
    """Embeds shards; it can be sent to where they are embedded, if ``open`` and ``locate`` can.

    Attributes
    ----------
    open
        Opens the encoder, or gives one that is open.
    each_window
        Whether each window of a recording gets a row, beside the recording as a whole.
    batch_size
        Items encoded together; None is the encoder's own choice. No batch has items of two shards.
    workers
        Threads that decode; for a GPU processes, where there are ``many`` items: they take seconds to begin.
    """

    open: Callable[[], Encoder]
    modality: Modality
    locate: Callable[[str], MediaPath]
    each_window: bool
    batch_size: int | None
    workers: int
    many: bool

    def __call__(self, shards: Iterable[Shard]) -> Iterator[Result]:
        """Yield a result a shard, in their order; while one is encoded, the next ones are decoded."""
        encoder = self.open()
        size = self.batch_size or encoder.batch_size
        on_device = encoder.device.kind != "cpu"
        loader = encoder.loader if on_device and self.many else None
        encode = partial(_windows if self.each_window else _wholes, encoder)
        with (
            in_processes(loader, self.workers) if loader else nullcontext(encoder.load) as load,
            closing(
                load_ahead(self._entries(shards), load, workers=self.workers, ahead=max(2 * size, self.workers))
            ) as loaded,
            closing(
                encode_ahead(
                    in_batches(loaded, size, group=lambda row: id(row[0])),
                    partial(_encoded, encode),
                    depth=2 if on_device else 1,
                )
            ) as encoded,
        ):
            for batch, vectors in encoded:
                gathering = batch[0][0][0]
                self._keep(gathering, batch, vectors, encoder.card.name)
                if not gathering.left:
                    yield _result(gathering, encoder.card.dim)

    def _entries(self, shards: Iterable[Shard]) -> Iterator[tuple[_Row, Clip | MediaPath | str]]:
        for shard in shards:
            gathering = _Gathering(shard, len(shard))
            for row in shard.rows.to_pylist():
                item = loadable(self.modality, row, self.locate)
                del row["path"]
                row["shard"] = shard.key
                path = item.path if isinstance(item, Clip) else item
                if not isinstance(path, str):
                    row["file_size"], row["file_mtime_ns"] = file_state(path)
                    row["sha256"] = row["sha256"] or _hash_of(path)
                yield (gathering, row), item

    def _keep(
        self, gathering: _Gathering, batch: _Batch, vectors: Sequence[np.ndarray | MediaError], encoder: str
    ) -> None:
        """Enter what came out of a batch; what is not finite has no vector."""
        for ((_, row), _), found in zip(batch, vectors, strict=True):
            gathering.left -= 1
            if isinstance(found, MediaError):
                gathering.failed.append(Failure(self.modality, row["id"], found.reason, str(found)))
            elif not np.isfinite(found).all():
                detail = f"{encoder} gave a vector with NaN or infinity"
                gathering.failed.append(Failure(self.modality, row["id"], "not-finite", detail))
            else:
                gathering.rows += [{**row, "window": number} for number in range(WHOLE, WHOLE + len(found))]
                gathering.vectors.append(found)


def _result(gathering: _Gathering, dim: int) -> Result:
    rows = pa.Table.from_pylist(gathering.rows, schema=COLUMNS)
    vectors = np.concatenate(gathering.vectors) if gathering.vectors else np.zeros((0, dim), np.float32)
    assert vectors.shape == (len(rows), dim)
    return Result(gathering.shard.key, len(gathering.shard), rows, vectors, tuple(gathering.failed))


def _hash_of(path: Any) -> str | None:
    """Return the hash of a file; None of one that is packed or cannot be read, which decoding will tell."""
    if isinstance(path, PackedFile):
        return None
    try:
        return sha256_of(path)
    except (OSError, DatasetError):
        return None


_Encode: TypeAlias = "Callable[[list[Any]], list[np.ndarray]]"


def _encoded(encode: _Encode, batch: _Batch) -> list[np.ndarray | MediaError]:
    """Return for each item of a batch its vectors, or why it has none."""
    found: list[np.ndarray | MediaError] = []
    arrays = [loaded for _, loaded in batch if not isinstance(loaded, MediaError)]
    try:
        made = iter(encode(arrays) if arrays else [])
    except MediaError:  # of a long recording, which is read while it is encoded
        return [_alone(encode, loaded) for _, loaded in batch]
    for _, loaded in batch:
        found.append(loaded if isinstance(loaded, MediaError) else next(made))
    return found


def _alone(encode: _Encode, loaded: Loaded | MediaError) -> np.ndarray | MediaError:
    if isinstance(loaded, MediaError):
        return loaded
    try:
        return encode([loaded])[0]
    except MediaError as error:
        return error


def _wholes(encoder: Encoder, batch: list[Any]) -> list[np.ndarray]:
    """Return one vector an item, each ``(1, dim)``."""
    return list(encoder.encode(batch)[:, None])


def _windows(encoder: Encoder, batch: list[Any]) -> list[np.ndarray]:
    """Return of each item its mean and then its windows, ``(1 + windows, dim)``.

    Windows of recordings that are held are encoded together, those of a long recording as they are read.
    """
    held = [loaded for loaded in batch if not isinstance(loaded, LongWindows)]
    vectors = (
        encoder.encode_windows([window for windows in held for window in windows]) if held else np.empty((0, 0))
    )
    ends = np.cumsum([len(windows) for windows in held])
    parts = iter(np.split(vectors, ends[:-1]) if held else [])
    found = []
    for loaded in batch:
        if isinstance(loaded, LongWindows):
            windows = np.concatenate([encoder.encode_windows(list(some)) for some in window_parts(loaded)])
            whole = windows.mean(axis=0, dtype=np.float64).astype(np.float32)
        else:
            windows = next(parts)
            whole = windows.mean(axis=0)
        found.append(np.concatenate([whole[None], windows]))
    return found
