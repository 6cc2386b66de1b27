"""The names that a list of taxa holds, whatever program wrote it: lines, tables of peers, datasets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from biovita.csv_records import not_decoded, open_text, text_lines
from biovita.csv_table import open_csv, sound_rows
from biovita.errors import DatasetError
from biovita.foreign_tables import Held
from biovita.parquet import read_parquet
from biovita.table_kinds import TableKind, kind_of_table
from biovita.text_encoding import encoding_of

__all__ = ["COMMON_COLUMNS", "SCIENTIFIC_COLUMNS", "ListedName", "column_key", "first_column", "listed_names"]

# What peers call their columns, without case, spaces and signs, the surest first.
SCIENTIFIC_COLUMNS = (
    *(
        "acceptedscientificname",
        "scientificname",
        "sciname",
        "canonicalname",
        "latinname",
        "scientific",
        "binomial",
    ),
    "taxonname",
)
COMMON_COLUMNS = (
    *(
        "primarycomname",
        "commonname",
        "comname",
        "vernacularname",
        "preferredcommonname",
        "englishname",
        "english",
    ),
    "common",
)
_EITHER_COLUMNS = (
    "species",
    "taxon",
    "name",
    "label",
)  # of one program a scientific name, of another a common one
_CODE_COLUMNS = ("speciescode", "ebirdcode", "reportas")
_LINEAGE = ("kingdom", "phylum", "class", "order", "family", "genus")
_RANK_COLUMNS = ("taxonrank", "rank")
_TABLE = {".csv", ".tsv", ".txt", ".tab", ".xlsx"}
_SIGNS = re.compile(r"[^a-z0-9]+")
_CHECKLISTS = ("ebird", "avilist", "ioc", "clements", "gbif", "inaturalist", "birdnet")  # "avilist_common_name"
_PAIR = re.compile(r"^([A-Z][a-z]+(?: [a-z][a-z-]+){1,2})_(\S.*)$")  # as BirdNET's lists and labels are
_TAXA = "taxa.parquet"
_NAME_BYTES = 300


@dataclass(frozen=True, slots=True)
class ListedName:
    """One entry of a list.

    Attributes
    ----------
    line
        Where it stands, from 1; of a Parquet file the row.
    scientific, common, either
        What the list gives: a scientific name, a common one, or one of which it does not say what it is.
    lineage
        The groups that the list places it in, by rank.
    rank
        As the list states it.
    """

    line: int
    scientific: str | None = None
    common: str | None = None
    either: str | None = None
    lineage: Mapping[str, str] = field(default_factory=dict)
    rank: str | None = None

    @property
    def text(self) -> str:
        """The entry as a message shows it."""
        return (self.scientific or self.either or self.common or "")[:200]


def listed_names(path: str | Path) -> list[ListedName]:
    """Return the entries of a list of taxa, in its order.

    A list is one name a line (a scientific or common name, or ``Scientific name_Common name`` as BirdNET writes them;
    what begins with ``#`` is passed over), a CSV or tab-separated table with a column of names, a Parquet file with a
    column ``scientific_name``, or the directory of a dataset.

    Raises
    ------
    DatasetError
        Where there is no such file, it holds no name, or it is a table without a column of names.
    """
    path = Path(path)
    file = path / _TAXA if path.is_dir() else path
    if not file.is_file():
        raise DatasetError(
            f"{file} does not exist. Give a list of taxa: a text file with one name a line, a table with a column of "
            "names, or a dataset"
        )
    names = list(_of_parquet(file) if file.suffix.lower() == ".parquet" else _of_text(file))
    if not names:
        raise DatasetError(
            f"{path} holds no name. Write one a line, or give a table with a column scientific_name"
        )
    return names


def column_key(column: str) -> str:
    """Return what a column is recognised by: its name without case and signs, and without that of a checklist.

    Examples
    --------
    >>> column_key("Scientific name"), column_key("PRIMARY_COM_NAME"), column_key("ebird_common_name")
    ('scientificname', 'primarycomname', 'commonname')
    """
    words = [word for word in _SIGNS.split(column.lower()) if word]
    return "".join(words[1:] if len(words) > 1 and words[0] in _CHECKLISTS else words)


def first_column(header: Sequence[str], wanted: Sequence[str]) -> str | None:
    """Return the column of a header that one of the names, as `column_key` makes them, is of: the first that is."""
    keys = {column_key(column): column for column in reversed(header)}
    return next((keys[name] for name in wanted if name in keys), None)


def _of_parquet(file: Path) -> Iterator[ListedName]:
    table = read_parquet(file, pa.schema([pa.field("scientific_name", pa.string())]))
    for row, name in enumerate(table["scientific_name"].to_pylist(), 1):
        if name:
            yield ListedName(row, scientific=name)


def _of_text(file: Path) -> Iterator[ListedName]:
    is_book = kind_of_table(file) is TableKind.WORKBOOK
    header = open_csv(file, ()).ignored if is_book or not _is_commented(file) else ()
    fields = {
        "scientific": first_column(header, SCIENTIFIC_COLUMNS),
        "common": first_column(header, COMMON_COLUMNS),
        "either": first_column(header, _EITHER_COLUMNS),
    }
    named = {name: column for name, column in fields.items() if column is not None}
    if named:
        yield from _of_table(file, header, named)
        return
    if first_column(header, _CODE_COLUMNS):
        raise DatasetError(
            f"{file} has a column of species codes and none of names: {', '.join(header)[:300]}. Add the scientific "
            "or the common names, which eBird's taxonomy has beside its codes"
        )
    if len(header) > 1 and file.suffix.lower() in _TABLE and file.suffix.lower() != ".txt":
        raise DatasetError(
            f"{file} has no column of names. Its columns are {', '.join(header)[:300]}. Call one of them "
            "scientific_name or common_name"
        )
    yield from _of_lines(file)


def _is_commented(file: Path) -> bool:
    """Return whether a list begins with a comment, or holds nothing else."""
    with open_text(file, encoding_of(file)[0]) as stream:
        lines = (line for _, line in text_lines(stream))
        first = next(lines, "") or ""
        return first.startswith("#") or not any(line and line[:1] != "#" for line in (first, *lines))


def _of_table(file: Path, header: Sequence[str], named: Mapping[str, str]) -> Iterator[ListedName]:
    columns = dict(named)
    for rank in _LINEAGE:
        if (column := first_column(header, (rank,))) is not None:
            columns[rank] = column
    if (column := first_column(header, _RANK_COLUMNS)) is not None:
        columns["rank"] = column
    for row in sound_rows(open_csv(file, tuple(columns), columns=columns, strict=False, short_rows=True)):
        values = row.values
        scientific, common, either = (values.get(name) for name in ("scientific", "common", "either"))
        if scientific is None and common is None and either is None:
            continue
        lineage = {rank: name.split(" (")[0] for rank in _LINEAGE if (name := values.get(rank)) is not None}
        yield _split(ListedName(row.line, scientific, common, either, lineage, values.get("rank")))


def _of_lines(file: Path) -> Iterator[ListedName]:
    held = Held(str(file))
    with open_text(file, encoding_of(file)[0]) as stream:
        for number, line in text_lines(stream):
            if line is None or not_decoded(line):
                what = "is too long" if line is None else "is not UTF-8. Save the list as UTF-8"
                raise DatasetError(f"{file}, line {number}: {what}")
            name = line.strip().strip('"').strip()
            if name and not name.startswith("#"):
                held.add(_NAME_BYTES + len(name))
                yield _split(ListedName(number, either=name))


def _split(entry: ListedName) -> ListedName:
    """Return an entry with the two names told apart where it gives them as BirdNET does.

    BirdNET writes what has no scientific name, a sound of people or machines, twice: ``Engine_Engine``.
    """
    text = entry.either or entry.scientific or ""
    first, _, second = text.partition("_")
    if first and first == second:
        return replace(entry, scientific=None, either=first)
    pair = _PAIR.match(text)
    return (
        entry if pair is None else replace(entry, scientific=pair[1], common=entry.common or pair[2], either=None)
    )
