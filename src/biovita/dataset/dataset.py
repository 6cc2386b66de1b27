"""A dataset on disk: opened for reading, and written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import tomli_w

from biovita.dataset.info import read_info
from biovita.dataset.media_paths import MediaPaths, is_beside
from biovita.dataset.packed_media import PackedMedia
from biovita.dataset.schema import LARGE_TABLES, MEDIA_TABLES, TABLES, taxonomy_of
from biovita.dataset.table_columns import named_columns, rows_of, table_batches
from biovita.errors import DatasetError
from biovita.files import replacing, write_whole
from biovita.media.packed_files import MediaPath
from biovita.modality import Modality
from biovita.parquet import gathered
from biovita.storage import is_address
from biovita.suggestion import suggested
from biovita.taxonomy import Taxonomy

__all__ = ["FORMAT", "Dataset", "replace_tables", "write_dataset", "write_table"]

_ROWS = 1 << 16  # that are read at once
FORMAT = 1  # of the directory; raised when older code could misread it


@dataclass(frozen=True, repr=False)
class Dataset:
    """A dataset directory. Whole tables are read when first asked for and then kept.

    A dataset may have millions of rows: `columns` reads some columns, and `batches` some rows at a time; neither keeps
    what it read.

    Examples
    --------
    >>> dataset = Dataset.open("birds")
    >>> dataset.audio.num_rows, len(dataset.taxonomy)
    (21, 8)
    """

    path: Path

    def __repr__(self) -> str:
        held = {"taxa": "taxa", "audio": "recordings", "images": "photographs", "traits": "trait labels"}
        counts = ((words, self._rows(name)) for name, words in held.items())
        listed = ", ".join(f"{rows:,} {words}" for words, rows in counts if rows is not None)
        return f"<Dataset {str(self.path)!r}: {listed or 'no tables'}>"

    def _rows(self, name: str) -> int | None:
        """Return how many rows a table has; None where its file does not say."""
        try:
            return self.rows(name) if (self.path / f"{name}.parquet").is_file() else None
        except DatasetError:
            return None

    @classmethod
    def open(cls, path: str | Path | Dataset) -> Dataset:
        """Return the dataset at ``path``; one that is open is returned as it is.

        Raises
        ------
        DatasetError
            Where there is none, or it was written by a newer biovita.
        """
        if isinstance(path, Dataset):
            return path
        path = Path(path)
        if not path.exists():
            raise DatasetError(
                f"{path} does not exist. Make a dataset with: "
                + suggested("data import folder", "SRC", "--out", path)
            )
        if not (path / "dataset.toml").is_file():
            raise DatasetError(
                f"{path} is not a dataset: it has no dataset.toml. "
                "Make one with: biovita data import folder SRC --out DATASET"
            )
        dataset = cls(path)
        found = dataset.info.get("format")
        if found != FORMAT:
            raise DatasetError(f"{path}/dataset.toml: format is {found!r}, and this biovita reads format {FORMAT}")
        return dataset

    @cached_property
    def info(self) -> dict[str, Any]:
        """What ``dataset.toml`` says of name, version, counts, and how the dataset was made."""
        return read_info(self.path / "dataset.toml")

    def table(self, name: str) -> pa.Table:
        """Return one of the tables in `TABLES`, as its schema says; an absent one is empty.

        Raises
        ------
        DatasetError
            Where the file is not Parquet, lacks a column, or holds in one what the schema does not allow.
        """
        return self.columns(name, TABLES[name].names)

    def columns(self, name: str, columns: Sequence[str], where: pc.Expression | None = None) -> pa.Table:
        """Return some columns of one of the tables in `TABLES`; nothing else of it is read.

        Parameters
        ----------
        columns
            In the order that they are to have.
        where
            What holds for the rows that are wanted. It may name other columns than those asked for.

        Raises
        ------
        DatasetError
            As `table`.
        """
        held: pa.Table | None = self.__dict__.get(name)
        if held is not None:
            return (held if where is None else held.filter(where)).select(columns)
        file = self.path / f"{name}.parquet"
        schema = pa.schema([TABLES[name].field(column) for column in columns])
        if not file.is_file():
            return schema.empty_table()
        return gathered(self.batches(name, columns, where), schema, file, file.stat().st_size)

    def batches(
        self, name: str, columns: Sequence[str], where: pc.Expression | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield what `columns` returns some ten thousand rows at a time, or raise when what is wrong is reached."""
        held: pa.Table | None = self.__dict__.get(name)
        if held is not None:
            yield from self.columns(name, columns, where).to_batches(max_chunksize=_ROWS)
            return
        wanted = TABLES[name]
        schema = pa.schema([wanted.field(column) for column in named_columns(wanted, columns, where)])
        for batch in table_batches(self.path / f"{name}.parquet", schema):
            if where is None:
                yield batch.select(columns)
            else:
                yield from pa.Table.from_batches([batch]).filter(where).select(columns).to_batches()

    def media(
        self, modality: Modality, columns: Sequence[str] | None = None, where: pc.Expression | None = None
    ) -> pa.Table:
        """Return the audio or the images table, or what `columns` returns of it.

        Without ``columns`` and ``where`` it is kept.
        """
        name = MEDIA_TABLES[modality]
        if columns is None and where is None:
            table: pa.Table = getattr(self, name)
            return table
        return self.columns(name, TABLES[name].names if columns is None else columns, where)

    def rows(self, name: str) -> int:
        """Return how many rows a table has, of which only the end of the file is read.

        Raises
        ------
        DatasetError
            Where the file is not Parquet.
        """
        return rows_of(self.path / f"{name}.parquet")

    @cached_property
    def taxonomy(self) -> Taxonomy:
        """The taxa of ``taxa.parquet``."""
        return taxonomy_of(self.table("taxa"))

    @cached_property
    def audio(self) -> pa.Table:
        """One row a recording or clip."""
        return self.table("audio")

    @cached_property
    def images(self) -> pa.Table:
        """One row a photograph."""
        return self.table("images")

    @cached_property
    def traits(self) -> pa.Table:
        """One row a known trait label of a taxon."""
        return self.table("traits")

    @cached_property
    def rejected(self) -> pa.Table:
        """One row for each record that was left out, and why."""
        return self.table("rejected")

    @property
    def packed_address(self) -> str | None:
        """The path or address that ``dataset.toml`` states of packed media; None where it states none."""
        stated = self.info.get("packed")
        return stated if stated is None or is_address(stated) else str(self.path / stated)

    @cached_property
    def packed(self) -> PackedMedia | None:
        """The packed media, where ``dataset.toml`` names some.

        Raises
        ------
        DatasetError
            Where they cannot be read.
        """
        address = self.packed_address
        if address is None:
            return None
        named = [self.columns(name, ["path", "sha256"]) for name in MEDIA_TABLES.values()]
        try:
            return PackedMedia.open(address, pa.concat_tables(named))
        except DatasetError as error:
            raise DatasetError(f"{self.path}/dataset.toml says that the media are packed, but {error}") from None

    def locate(self, path: str) -> MediaPath:
        """Return where a media path of this dataset lies.

        In the packed media, where there are some and they hold it as the tables describe it; otherwise it is a file,
        and a relative path starts at the dataset's directory. One that begins with ``../`` starts where the directory
        really is, links resolved.
        """
        found = self.packed.find(path) if self.packed is not None else None
        return found or (self._paths.place(path) if is_beside(path) else self.path / path)

    @cached_property
    def _paths(self) -> MediaPaths:
        return MediaPaths.of(self.path)


def write_table(table: pa.Table | pa.RecordBatchReader, file: Path) -> int:
    """Write one Parquet file through a temporary one beside it, so that readers see the old or the new.

    A reader is written batch by batch, a row group each. Returns the number of rows.
    """
    with replacing(file) as scratch:
        return _write(table, scratch)


def _write(table: pa.Table | pa.RecordBatchReader, file: Path) -> int:
    with file.open("wb") as raw:  # pyarrow would take some names for addresses
        if isinstance(table, pa.Table):
            pq.write_table(table, raw, compression="zstd")
            return table.num_rows
        rows = 0
        with pq.ParquetWriter(raw, table.schema, compression="zstd") as writer:
            for batch in table:
                writer.write_batch(batch)
                rows += batch.num_rows
        return rows


def _fitting(name: str, table: pa.Table | pa.RecordBatchReader) -> pa.Table | pa.RecordBatchReader:
    """Return a table as its schema says; a reader has that already."""
    schema = {**TABLES, **LARGE_TABLES}[name]
    if isinstance(table, pa.RecordBatchReader):
        assert table.schema.equals(schema), name
        return table
    return table.select(schema.names).cast(schema)


def replace_tables(
    dataset: Dataset, tables: Mapping[str, pa.Table | pa.RecordBatchReader], info: Mapping[str, Any]
) -> None:
    """Replace some tables of a dataset, and what ``dataset.toml`` says; the counts follow by themselves.

    Everything is written under temporary names before the first is renamed. What ``dataset`` held of the old tables
    is forgotten.

    Parameters
    ----------
    tables
        By the names of `TABLES`; each is cast to its schema. One that does not fit into memory comes as a reader, which
        already has the schema; it may read what it replaces.
    info
        Added to ``dataset.toml``, in place of what it had under the same keys; None takes a key out.
    """
    fitting = {name: _fitting(name, table) for name, table in tables.items()}
    counts = dict(dataset.info.get("counts", {}))
    with ExitStack() as renamed_last_to_first:
        toml = renamed_last_to_first.enter_context(replacing(dataset.path / "dataset.toml"))
        for name, table in fitting.items():
            scratch = renamed_last_to_first.enter_context(replacing(dataset.path / f"{name}.parquet"))
            counts[name] = _write(table, scratch)
        stated = {**dataset.info, **info, "counts": counts}
        text = tomli_w.dumps({key: value for key, value in stated.items() if value is not None})
        toml.write_text(text, encoding="utf-8", newline="")
    for cached in ("info", "taxonomy", "packed", *tables):
        dataset.__dict__.pop(cached, None)


def write_dataset(
    directory: Path, tables: Mapping[str, pa.Table | pa.RecordBatchReader], info: Mapping[str, Any]
) -> None:
    """Write tables and ``dataset.toml`` into an existing directory, usually one from `biovita.files.new_directory`.

    Parameters
    ----------
    tables
        By the names of `TABLES`; what is absent is written empty. Each is cast to its schema. One that does not fit
        into memory comes as a reader, which already has the schema. Those of `LARGE_TABLES` may be there too.
    info
        ``name``, ``version`` and ``made`` (how it was made); format and counts are added here.
    """
    counts = {}
    large = {name: schema for name, schema in LARGE_TABLES.items() if name in tables}
    for name, schema in {**TABLES, **large}.items():
        table = _fitting(name, tables.get(name, schema.empty_table()))
        counts[name] = write_table(table, directory / f"{name}.parquet")
    write_whole(directory / "dataset.toml", tomli_w.dumps({"format": FORMAT, **info, "counts": counts}))
