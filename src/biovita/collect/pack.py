"""Media packed into one Lance table: read at random from one place, also from object storage."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from biovita.dataset import Dataset, Modality
from biovita.errors import DatasetError

if TYPE_CHECKING:
    import lance

__all__ = ["PACKED", "PackedMedia", "pack"]

PACKED = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),  # as the dataset's tables name it
        pa.field("modality", pa.string(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("content", pa.large_binary(), nullable=False),  # the file's bytes
    ]
)
_BATCH_BYTES = 32 << 20


def pack(dataset: Dataset, out: str) -> int:
    """Write every file that a dataset's tables name into a Lance table, and return how many there are.

    Each file's bytes are compared with the hash that the tables give. The table appears when all is written.

    Parameters
    ----------
    out
        A path, or an address of object storage as Lance takes it (``s3://...``, ``gs://...``).

    Raises
    ------
    DatasetError
        Where ``out`` exists, or a file is missing or has changed.
    """
    import lance

    if "://" not in out and Path(out).exists():
        raise DatasetError(f"{out} already exists. Choose another place")
    files = _files(dataset)
    faults: list[DatasetError] = []

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            yield from _batches(dataset, files)
        except DatasetError as error:  # Lance would make it an OSError with a traceback in it
            faults.append(error)
            raise

    try:
        lance.write_dataset(
            pa.RecordBatchReader.from_batches(PACKED, batches()), out, schema=PACKED, mode="create"
        )
    except OSError:
        if "://" not in out:
            shutil.rmtree(out, ignore_errors=True)
        if faults:
            raise faults[0] from None
        raise
    return len(files)


def _files(dataset: Dataset) -> list[tuple[str, str, str]]:
    """Return (path, modality, sha256) of each file, in the order of the tables."""
    found: dict[str, tuple[str, str, str]] = {}
    for modality in (Modality.AUDIO, Modality.IMAGE):
        table = dataset.media(modality)
        for path, digest in zip(table["path"].to_pylist(), table["sha256"].to_pylist(), strict=True):
            found.setdefault(path, (path, modality.value, digest))
    return list(found.values())


def _batches(dataset: Dataset, files: Sequence[tuple[str, str, str]]) -> Iterator[pa.RecordBatch]:
    waiting: list[tuple[str, str, str, bytes]] = []
    size = 0
    for path, modality, digest in files:
        try:
            content = dataset.locate(path).read_bytes()
        except OSError as error:
            raise DatasetError(f"{dataset.path}: {path} cannot be read: {error.strerror}") from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise DatasetError(
                f"{dataset.path}: {path} is not the file that the tables describe: its bytes changed"
            )
        waiting.append((path, modality, digest, content))
        size += len(content)
        if size >= _BATCH_BYTES:
            yield _batch(waiting)
            waiting, size = [], 0
    if waiting:
        yield _batch(waiting)


def _batch(rows: Sequence[tuple[str, str, str, bytes]]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    return pa.RecordBatch.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, PACKED, strict=True)], schema=PACKED
    )


@dataclass(frozen=True)
class PackedMedia:
    """A packed table, open for reading."""

    table: lance.LanceDataset
    rows: dict[str, int]

    @classmethod
    def open(cls, address: str) -> PackedMedia:
        """Return the packed media at a path or an address of object storage.

        Raises
        ------
        DatasetError
            Where there is none.
        """
        import lance

        try:
            table = lance.dataset(address)
            paths = table.to_table(columns=["path"])["path"].to_pylist()
        except (ValueError, OSError) as error:
            raise DatasetError(f"{address} is not packed media: {str(error).splitlines()[0]}") from None
        return cls(table, {path: row for row, path in enumerate(paths)})

    def read(self, paths: Sequence[str]) -> list[bytes]:
        """Return the bytes of files, in the order asked for."""
        missing = [path for path in paths if path not in self.rows]
        if missing:
            raise DatasetError(f"{missing[0]} is not in {self.table.uri}")
        taken = self.table.take([self.rows[path] for path in paths], columns=["path", "content"]).to_pylist()
        found = {row["path"]: row["content"] for row in taken}
        return [found[path] for path in paths]

    def unpack(self, directory: Path, paths: Sequence[str] | None = None) -> int:
        """Write files into a directory at their paths, those that are not there yet; return how many were written.

        Raises
        ------
        DatasetError
            Where a path is absolute or leads out of the directory.
        """
        root = directory.resolve()
        wanted = list(self.rows) if paths is None else list(paths)
        for path in wanted:
            if Path(path).is_absolute() or not (root / path).resolve().is_relative_to(root):
                raise DatasetError(f"{path} in {self.table.uri} leads out of {directory}")
        written = 0
        for start in range(0, len(wanted), 64):
            some = [path for path in wanted[start : start + 64] if not (root / path).is_file()]
            for path, content in zip(some, self.read(some) if some else (), strict=True):
                place = root / path
                place.parent.mkdir(parents=True, exist_ok=True)
                scratch = place.with_name(f".{place.name}.part")
                scratch.write_bytes(content)
                scratch.replace(place)
                written += 1
        return written
