"""Checklists as backbones: Darwin Core's (GBIF, Catalogue of Life, iNaturalist), ColDP, and GBIF's simple table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from biovita.errors import DatasetError
from biovita.foreign_tables import Held
from biovita.hashing import sha256_of
from biovita.limits import limit, over
from biovita.taxonomy.backbone import LINEAGE, Backbone, members_of
from biovita.taxonomy.checklist_files import ListFile, first_line, list_files, opened
from biovita.taxonomy.checklist_forms import NAMING, PARENT, STATUS, ChecklistForm, form_of
from biovita.taxonomy.plain_names import plain_names
from biovita.taxonomy.references import RowOfId, accepted_rows, climbed

__all__ = ["Checklist", "Unread", "read_taxa", "taxon_file"]

_FILES = (
    *("taxon.tsv", "taxon.txt", "taxa.csv", "taxa.txt", "taxa.tsv", "taxon.csv"),
    *("nameusage.tsv", "nameusage.csv", "nameusage.txt", "simple.txt"),
)
_TABLES = (".tsv", ".txt", ".csv")
_WANTED = ("scientificName", "taxonRank")
_REPEATED = ("taxonRank", STATUS, *LINEAGE)  # few values, held once
_HELD = 16  # times the size of the file may be held of it, where that is more than the memory that may be used
_BLOCK = 4 * 2**20  # bytes of the file that are read at once; Arrow reads some dozens ahead
_SHOWN = 20  # of the names that are left out for one reason


@dataclass
class Unread:
    """What is left out of a list of taxa: how many names for each reason, and the first of them."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, names: pa.Array | pa.ChunkedArray) -> None:
        """Count names that are left out."""
        self.counts[reason] += len(names)
        shown = self.examples.setdefault(reason, [])
        shown += [name or "" for name in names.slice(0, max(0, _SHOWN - len(shown))).to_pylist()]


@dataclass(frozen=True)
class Checklist:
    """A checklist that was read.

    Attributes
    ----------
    file
        The table of its taxa.
    notes
        What a user of it has to know.
    """

    backbone: Backbone
    form: ChecklistForm
    file: ListFile
    unread: Unread
    notes: tuple[str, ...]


def read_taxa(
    path: Path, within: Collection[str] = (), progress: Callable[[int], object] | None = None
) -> Checklist:
    """Return a checklist, with what was left out of it.

    Columns are found by their terms, with or without a prefix such as ``dwc:``. A tab in the first line means tab
    separated without quotes, otherwise it is CSV, of commas, semicolons or bars; or it is a workbook. Names lose their
    authorship. A row whose ``acceptedNameUsageID`` (in ColDP and GBIF's simple table: the parent of a synonym) is
    another row is a synonym; a lineage that has no columns, or empty ones, is climbed from parent to parent. Misapplied
    names and bare names are left out and counted.

    Parameters
    ----------
    within
        Groups from kingdom to genus, in any case. What lies in none of them is left out where the rows have their
        lineage beside them. Empty: everything.
    progress
        Told how many rows have been read. None: nobody is.

    Raises
    ------
    DatasetError
        Where there is no taxon file, a needed column is missing, ids repeat, parents lead back to themselves, or
        nothing is left.
    """
    file, form = taxon_file(path)
    terms, unread = _needed(form), Unread(Counter({"misapplied": 0, "no name": 0}))
    early = tuple(within) if set(LINEAGE) <= set(terms) else ()
    held, blocks, rows_read = Held(file.where, least=_HELD * file.packed), [], 0
    with opened(file, _WANTED) as raw:
        for block in _blocks(raw, file.where, form, terms):
            rows_read += block.num_rows
            if rows_read > limit("rows"):
                raise DatasetError(f"{file.where}: has too many rows: {over('rows')}")
            blocks.append(_kept(block, form, early, unread))
            held.add(blocks[-1].nbytes)
            if progress is not None:
                progress(rows_read)
    if not rows_read:
        raise DatasetError(f"{file.where} holds no taxa")
    table = pa.concat_tables(blocks).unify_dictionaries()
    del blocks, block
    table = _combined(table)
    backbone, notes = _backbone(path, table, file.where, dict(unread.counts))
    return Checklist(backbone, form, file, unread, notes)


def taxon_file(path: Path) -> tuple[ListFile, ChecklistForm]:
    """Return the table of taxa in a file, folder or ZIP file, and its form.

    It is the one that is called as such tables are, or else the only one whose columns are those of one.

    Raises
    ------
    DatasetError
        Where there is none, or there are several.
    """
    files = list_files(path)
    if len(files) == 1 and files[0].member is None and not path.is_dir():
        return files[0], form_of(first_line(files[0], _WANTED), files[0].where)
    named = [file for file in files if file.name in _FILES]
    if named:
        return named[0], form_of(first_line(named[0]), named[0].where)
    found = [(file, form) for file in files if file.name.endswith(_TABLES) and (form := _form_if(file))]
    if not found:
        raise DatasetError(f"{path} has no taxon file. It has to have one of {', '.join(_FILES)}")
    if len(found) > 1:
        names = ", ".join(file.name for file, _ in found)
        raise DatasetError(f"{path} has several tables of taxa: {names[:300]}. Give the one that is meant")
    return found[0]


def _form_if(file: ListFile) -> ChecklistForm | None:
    try:
        return form_of(first_line(file), file.where)
    except DatasetError:
        return None


def _needed(form: ChecklistForm) -> dict[str, str]:
    """Return the columns that are read. Of two ids the one that others refer to matters only where any do."""
    terms = dict(form.terms)
    if {"id", "taxonID", *LINEAGE} <= set(terms) and "acceptedNameUsageID" not in terms:
        del terms["taxonID"]
        terms.pop(PARENT, None)
    return terms


def _backbone(
    path: Path, table: pa.Table, where: str, left_out: dict[str, int]
) -> tuple[Backbone, tuple[str, ...]]:
    ids = table["id" if "id" in table.column_names else "taxonID"].combine_chunks()
    missing = ids.null_count
    if missing:
        raise DatasetError(f"{where}: rows without a taxonID: {missing:,}. Each needs one of its own")
    rows = RowOfId(table["taxonID"].combine_chunks() if "taxonID" in table.column_names else ids, where)
    accepted = accepted_rows(table, rows)
    lineage, notes = _lineage(table, rows, accepted, where)
    columns = {
        "id": ids,
        "name": table["name"].combine_chunks(),
        "rank": _lower(table["taxonRank"]),
        "accepted": pa.array(accepted),
        **lineage,
    }
    sha256 = sha256_of(path) if path.is_file() else ""
    return Backbone.of(path.name, columns, sha256=sha256, left_out=left_out), notes


def _blocks(file: IO[bytes], where: str, form: ChecklistForm, terms: dict[str, str]) -> Iterator[pa.Table]:
    """Give the wanted columns, by their terms, a block of the file at a time."""
    tab = form.delimiter == "\t"
    words = pa.dictionary(pa.int32(), pa.string())
    try:
        reader = pacsv.open_csv(
            file,
            pacsv.ReadOptions(column_names=list(form.header), skip_rows=form.skip, block_size=_BLOCK),
            pacsv.ParseOptions(
                delimiter=form.delimiter, quote_char=False if tab else '"', newlines_in_values=not tab
            ),
            pacsv.ConvertOptions(
                include_columns=list(terms.values()),
                column_types={name: words if term in _REPEATED else pa.string() for term, name in terms.items()},
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
                null_values=["", form.null],
            ),
        )
        for batch in reader:
            yield pa.Table.from_batches([batch]).rename_columns(list(terms))
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{where} cannot be read: {error}") from error


def _kept(block: pa.Table, form: ChecklistForm, within: Collection[str], unread: Unread) -> pa.Table:
    """Return a block with plain names in place of the columns that they are made of, without what is left out."""
    if STATUS in block.column_names:
        status = pc.utf8_lower(pc.fill_null(block[STATUS].cast(pa.string()), ""))
        for reason in ("misapplied", "bare name"):
            block, status = _without(block, pc.match_substring(status, reason), reason, unread, status)
        synonym = pc.match_substring(status, "synonym")
        if form.synonyms_by_parent:
            block = _linked(block, synonym)
        block = block.drop_columns(STATUS).append_column("synonym", synonym)
    nameless = pc.is_null(block["scientificName"])
    block, _ = _without(block, nameless, "no name", unread, nameless)
    if within and _has_lineage(block):
        outside = pc.invert(members_of(block.unify_dictionaries().combine_chunks(), within))
        block, _ = _without(block, outside, f"not in {', '.join(within)}", unread, outside)
    block = block.combine_chunks()
    names = plain_names(block)
    return block.drop_columns([column for column in NAMING if column in block.column_names]).append_column(
        "name", names
    )


def _combined(table: pa.Table) -> pa.Table:
    """Return a table whose columns are of one piece each, made one by one so that no more is held twice.

    Parents are dropped where the rows have their lineage beside them.
    """
    if PARENT in table.column_names and _has_lineage(table):
        table = table.drop_columns(PARENT)
    columns = {}
    for name in table.column_names:
        columns[name] = table[name].combine_chunks()
        table = table.drop_columns(name)
    return pa.table(columns)


def _has_lineage(table: pa.Table) -> bool:
    return any(table[rank].null_count < table.num_rows for rank in LINEAGE if rank in table.column_names)


def _without(
    block: pa.Table, out: pa.ChunkedArray, reason: str, unread: Unread, beside: pa.ChunkedArray
) -> tuple[pa.Table, pa.ChunkedArray]:
    """Return the rows that are not left out, of the block and of a column beside it."""
    if not pc.any(out).as_py():
        return block, beside
    unread.add(reason, block["scientificName"].filter(out))
    kept = pc.invert(out)
    return block.filter(kept), beside.filter(kept)


def _linked(block: pa.Table, synonym: pa.ChunkedArray) -> pa.Table:
    """Return a block in which the parent of a synonym, its accepted name, is said to be that."""
    none = pa.scalar(None, pa.string())
    parent = block[PARENT]
    at = block.column_names.index(PARENT)
    block = block.set_column(at, PARENT, pc.if_else(synonym, none, parent))
    return block.append_column("acceptedNameUsageID", pc.if_else(synonym, parent, none))


def _lower(column: pa.ChunkedArray) -> pa.Array:
    """Return a dictionary column in lower case, changing its few words only."""
    array = column.combine_chunks()
    plain = pc.utf8_lower(array.dictionary)
    words = plain.dictionary_encode()  # two spellings may become one
    return pa.DictionaryArray.from_arrays(words.indices.take(array.indices), words.dictionary)


def _lineage(
    table: pa.Table, rows: RowOfId, accepted: np.ndarray, where: str
) -> tuple[dict[str, pa.Array], tuple[str, ...]]:
    """Return the lineage's columns as they stand, or climbed from parent to parent; and what is odd of the parents."""
    present = [rank for rank in LINEAGE if rank in table.column_names]
    if PARENT not in table.column_names or _has_lineage(table):
        return {rank: table[rank].combine_chunks() for rank in present}, ()
    names = table["name"].combine_chunks()
    parents = table[PARENT].combine_chunks()
    above, missing = climbed(rows, parents, _lower(table["taxonRank"]), accepted, where)
    lineage = {rank: _words(names, found) for rank, found in above.items()}
    if not missing:
        return lineage, ()
    return lineage, (f"the parent of {missing:,} names is not in the list: their lineage ends there",)


def _words(names: pa.Array, rows: np.ndarray) -> pa.DictionaryArray:
    """Return the names at ``rows`` (-1: none) as a dictionary column."""
    unique, inverse = np.unique(rows, return_inverse=True)
    missing = int(len(unique) > 0 and unique[0] < 0)
    places = pa.array(inverse.astype(np.int32) - missing, mask=rows < 0)
    words = names.take(pa.array(unique[missing:])).dictionary_encode()  # two groups may have one name
    return pa.DictionaryArray.from_arrays(words.indices.take(places), words.dictionary)
