"""A dataset's media in one Lance table, on local disk or in object storage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.errors import DatasetError, MediaError
from biovita.filenames import is_path
from biovita.files import replacing
from biovita.lance_tables import read_columns
from biovita.media.packed_files import PackedFile, contents, packed_table
from biovita.redact import redacted
from biovita.storage import is_address

if TYPE_CHECKING:
    import lance

__all__ = ["PACKED", "PackedMedia"]

PACKED = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),  # as the dataset's tables name it
        pa.field("modality", pa.string(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("content", pa.large_binary(), nullable=False),  # the file
    ]
)
_HEAD = pa.schema([PACKED.field(name).with_nullable(True) for name in ("path", "sha256", "bytes")])  # noqa: FBT003
_AT_ONCE, _AT_ONCE_BYTES = 64, 64 << 20  # of files that are read together when all are unpacked


@dataclass(frozen=True, eq=False)
class PackedMedia:
    """A packed table, open for reading.

    Attributes
    ----------
    rows
        By the path that the dataset's tables name, the place in the table.
    sizes
        ``(rows of the table,)``, int64, in bytes.
    """

    address: str
    table: lance.LanceDataset
    rows: dict[str, int]
    sizes: np.ndarray

    @classmethod
    def open(cls, address: str, known: pa.Table | None = None) -> PackedMedia:
        """Return the packed media at a path or an address of object storage.

        Parameters
        ----------
        known
            ``path`` and ``sha256`` of the files that a dataset names; what the table holds beside them, or of other
            bytes, does not count. None takes all.

        Raises
        ------
        DatasetError
            Where there is none.
        """
        if not is_address(address) and not (place := Path(address)).joinpath("_versions").is_dir():
            what = "is a folder of something else" if place.is_dir() else "is a file"
            raise DatasetError(
                f"{address} is not packed media: it {what if place.exists() else 'does not exist'}. "
                "Packed media are a folder that biovita data pack writes"
            )
        try:
            table = packed_table(address, anew=True)
            lacking = [name for name in PACKED.names if name not in table.schema.names]
            if lacking:
                raise ValueError(f"it lacks the column(s) {', '.join(lacking)}")
            held = read_columns(table, address, _HEAD)
            if any(column.null_count for column in held.columns):
                raise ValueError("it does not state path, hash and size of each file")
        except DatasetError:
            raise
        except (ValueError, OSError) as error:
            raise DatasetError(redacted(f"{address} is not packed media: {str(error).splitlines()[0]}")) from None
        counts = np.ones(held.num_rows, bool) if known is None else _is_known(held, known)
        paths = held["path"].filter(pa.array(counts)).to_pylist()
        rows = dict(zip(paths, np.flatnonzero(counts).tolist(), strict=True))
        return cls(address, table, rows, held["bytes"].to_numpy())

    def find(self, path: str) -> PackedFile | None:
        """Return a file by its path; None where it is not in the table."""
        row = self.rows.get(path)
        return None if row is None else PackedFile(self.address, row, path, int(self.sizes[row]))

    def read(self, paths: Sequence[str]) -> list[bytes]:
        """Return the bytes of files, in the order asked for."""
        files = [self.find(path) for path in paths]
        there = [file for file in files if file is not None]
        if len(there) < len(files):
            raise DatasetError(f"{paths[files.index(None)]} is not in {self.address}")
        try:
            found = contents(there)
        except MediaError as error:
            raise DatasetError(str(error)) from None
        return [found[file] for file in there]

    def unpack(self, directory: Path, paths: Sequence[str] | None = None) -> int:
        """Write files into a directory at their paths, those that are not there yet; return how many were written.

        Raises
        ------
        DatasetError
            Where a path is absolute or leads out of the directory, is not the path of a file, or is that of a folder
            which another path needs. Nothing is written then.
        """
        root = directory.resolve()
        wanted = list(self.rows) if paths is None else list(paths)
        self._check_places(root, wanted)
        written = 0
        for some in self._together([path for path in wanted if not (root / path).is_file()]):
            for path, content in zip(some, self.read(some), strict=True):
                place = root / path
                place.parent.mkdir(parents=True, exist_ok=True)
                with replacing(place) as scratch:
                    scratch.write_bytes(content)
                written += 1
        return written

    def _together(self, paths: Sequence[str]) -> Iterator[list[str]]:
        some: list[str] = []
        size = 0
        for path in paths:
            some.append(path)
            size += int(self.sizes[self.rows[path]])
            if len(some) == _AT_ONCE or size >= _AT_ONCE_BYTES:
                yield some
                some, size = [], 0
        if some:
            yield some

    def _check_places(self, root: Path, paths: Sequence[str]) -> None:
        named = {PurePosixPath(path) for path in paths}
        for path in paths:
            place = PurePosixPath(path)
            if not is_path(path):
                raise DatasetError(f"{path!r} in {self.address} is not the path of a file")
            if place.is_absolute() or ".." in place.parts or not (root / path).resolve().is_relative_to(root):
                raise DatasetError(f"{path} in {self.address} leads out of {root}")
            folder = next(
                (parent for parent in place.parents if parent in named or (root / parent).is_file()), None
            )
            if folder is not None:
                raise DatasetError(f"{path} in {self.address} needs a folder {folder}, and that is a file")
            if (root / path).is_dir():
                raise DatasetError(f"{path} in {self.address} is the path of a folder in {root}")


def _is_known(held: pa.Table, known: pa.Table) -> np.ndarray:
    """Return ``(rows,)`` bool: which files are those that a dataset names, by path and hash."""
    place = pc.index_in(held["path"], value_set=known["path"].combine_chunks())
    same: np.ndarray = pc.fill_null(pc.equal(known["sha256"].take(place), held["sha256"]), False).to_numpy()  # noqa: FBT003 - pyarrow takes it by position only
    return same
