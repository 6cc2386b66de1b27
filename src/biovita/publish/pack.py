"""Media packed into one Lance table: read at random from one place, also from object storage."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from biovita.dataset import Dataset
from biovita.dataset.dataset import replace_tables
from biovita.dataset.media_paths import MediaPaths, is_beside
from biovita.dataset.outgoing import Outgoing, allowed_outside, bytes_of, stated_files
from biovita.dataset.packed_media import PACKED, PackedMedia
from biovita.errors import DatasetError
from biovita.filenames import is_path, path_from
from biovita.files import require_possible, require_replaceable, target_of
from biovita.modality import MEDIA
from biovita.storage import for_lance, is_address

__all__ = ["pack", "state_packed", "unpack"]

_BATCH_BYTES = 32 << 20


def pack(dataset: Dataset, out: str, *, allow_outside: bool = False) -> int:
    """Write every file that a dataset's tables name into a Lance table, and return how many there are.

    Each file's bytes are compared with the hash that the tables give. The table appears when all is written. The
    dataset reads its media from it once `state_packed` has said so.

    Parameters
    ----------
    out
        A path, or an address of object storage as Lance takes it (``s3://...``, ``gs://...``).
    allow_outside
        Pack files that lie outside the dataset, too.

    Raises
    ------
    DatasetError
        Where ``out`` exists, lies among the dataset's files or cannot be written, files lie outside the dataset and
        that is not allowed, or one is missing or not what the tables state.
    """
    import lance

    if not is_address(out):
        require_replaceable(Path(out), marker=None)
        if target_of(Path(out)).exists():
            raise DatasetError(f"{out} already exists. Choose another place")
        if Path(out).resolve().is_relative_to((dataset.path / "media").resolve()):
            raise DatasetError(f"{out} lies among the dataset's files, which an update may delete. Choose another")
    files = {path: file for modality in MEDIA for path, file in stated_files(dataset, modality)}
    allowed_outside(dataset.path, files.values(), allow=allow_outside)
    faults: list[DatasetError] = []

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            yield from _batches(files)
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
        place = path_from(dataset.path.resolve(), Path(place).resolve())
    replace_tables(dataset, {}, {"packed": place})


def unpack(packed: str, directory: Path) -> int:
    """Write packed media back to files, those that are not there yet, and return how many were written.

    Files that the tables name outside the dataset, by an absolute path or by ``../``, are never written; where they lie
    still, they are left alone.
    A dataset in ``directory`` that reads its media from this table reads the files from then on.

    Raises
    ------
    DatasetError
        Where there are no packed media, a path in them leads out of the directory, or that cannot be made.
    """
    require_possible(directory)
    media = PackedMedia.open(packed)
    directory = target_of(directory)
    paths = MediaPaths.of(directory)
    elsewhere = {
        path
        for path in media.rows
        if is_path(path) and (Path(path).is_absolute() or is_beside(path)) and paths.place(path).is_file()
    }
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


def _batches(files: Mapping[str, Outgoing]) -> Iterator[pa.RecordBatch]:
    waiting: list[tuple[str, str, str, int, bytes]] = []
    size = 0
    for path, file in files.items():
        content = bytes_of(file)
        assert file.sha256 is not None
        waiting.append((path, file.modality.value, file.sha256, len(content), content))
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
