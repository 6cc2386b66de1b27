"""Media packed into one Lance table: read at random from one place, also from object storage."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from biovita.dataset import Dataset, Modality
from biovita.dataset.packed import PACKED, PackedMedia
from biovita.dataset.store import replace_tables
from biovita.errors import DatasetError, MediaError
from biovita.storage import for_lance, is_address

__all__ = ["pack", "state_packed", "unpack"]

_BATCH_BYTES = 32 << 20


def pack(dataset: Dataset, out: str) -> int:
    """Write every file that a dataset's tables name into a Lance table, and return how many there are.

    Each file's bytes are compared with the hash that the tables give. The table appears when all is written. The
    dataset reads its media from it once `state_packed` has said so.

    Parameters
    ----------
    out
        A path, or an address of object storage as Lance takes it (``s3://...``, ``gs://...``).

    Raises
    ------
    DatasetError
        Where ``out`` exists, lies among the dataset's files or cannot be written, or a file is missing or has
        changed.
    """
    import lance

    if not is_address(out):
        if Path(out).exists():
            raise DatasetError(f"{out} already exists. Choose another place")
        if Path(out).resolve().is_relative_to((dataset.path / "media").resolve()):
            raise DatasetError(f"{out} lies among the dataset's files, which an update may delete. Choose another")
    files = _files(dataset)
    faults: list[DatasetError] = []

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            yield from _batches(dataset, files)
        except DatasetError as error:  # Lance would make it an OSError with a traceback in it
            faults.append(error)
            raise

    place, options = for_lance(out)
    reader = pa.RecordBatchReader.from_batches(PACKED, batches())
    try:
        lance.write_dataset(reader, place, schema=PACKED, mode="create", storage_options=options)
    except (OSError, ValueError) as error:
        if not is_address(out):
            shutil.rmtree(out, ignore_errors=True)
        if faults:
            raise faults[0] from None
        raise DatasetError(f"{out} cannot be written: {str(error).splitlines()[0]}") from None
    return len(files)


def state_packed(dataset: Dataset, place: str | None) -> None:
    """Write into ``dataset.toml`` that the media are read from a packed table; None: from their files again.

    A path is written relative to the dataset, so that both can be moved together.
    """
    if place is not None and not is_address(place):
        place = Path(os.path.relpath(Path(place).resolve(), dataset.path.resolve())).as_posix()
    replace_tables(dataset, {}, {"packed": place})


def unpack(packed: str, directory: Path) -> int:
    """Write packed media back to files, those that are not there yet, and return how many were written.

    Files that the tables name by an absolute path, outside the dataset, are never written; where they lie still, they
    are left alone.
    A dataset in ``directory`` that reads its media from this table reads the files from then on.

    Raises
    ------
    DatasetError
        Where there are no packed media, or a path in them leads out of the directory.
    """
    media = PackedMedia.open(packed)
    elsewhere = {path for path in media.rows if Path(path).is_absolute() and Path(path).is_file()}
    written = media.unpack(directory, [path for path in media.rows if path not in elsewhere])
    if (directory / "dataset.toml").is_file():
        dataset = Dataset.open(directory)
        stated = dataset.packed_address
        same = stated == packed or (
            stated is not None and not is_address(stated) and Path(stated).resolve() == Path(packed).resolve()
        )
        if same:
            state_packed(dataset, None)
    return written


def _files(dataset: Dataset) -> list[tuple[str, str, str]]:
    """Return (path, modality, sha256) of each file, in the order of the tables."""
    found: dict[str, tuple[str, str, str]] = {}
    for modality in (Modality.AUDIO, Modality.IMAGE):
        table = dataset.media(modality)
        for path, digest in zip(table["path"].to_pylist(), table["sha256"].to_pylist(), strict=True):
            found.setdefault(path, (path, modality.value, digest))
    return list(found.values())


def _batches(dataset: Dataset, files: Sequence[tuple[str, str, str]]) -> Iterator[pa.RecordBatch]:
    waiting: list[tuple[str, str, str, int, bytes]] = []
    size = 0
    for path, modality, digest in files:
        try:
            content = dataset.locate(path).read_bytes()
        except OSError as error:
            raise DatasetError(f"{dataset.path}: {path} cannot be read: {error.strerror}") from None
        except MediaError as error:
            raise DatasetError(str(error)) from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise DatasetError(
                f"{dataset.path}: {path} is not the file that the tables describe: its bytes changed"
            )
        waiting.append((path, modality, digest, len(content), content))
        size += len(content)
        if size >= _BATCH_BYTES:
            yield _batch(waiting)
            waiting, size = [], 0
    if waiting:
        yield _batch(waiting)


def _batch(rows: Sequence[tuple[str, str, str, int, bytes]]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    return pa.RecordBatch.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, PACKED, strict=True)], schema=PACKED
    )
