"""Common names that stand beside a checklist: which table has them, and the one for each taxon."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from biovita.csv_records import split_header
from biovita.errors import DatasetError
from biovita.taxonomy.checklist_files import ListFile, first_line, opened
from biovita.taxonomy.checklist_forms import plain_term

__all__ = ["CommonNames", "common_names"]

_COLUMNS = {
    "taxon": ("taxonID", "id", "coreid"),
    "name": ("vernacularName", "name"),
    "language": ("language",),
    "preferred": ("isPreferredName", "preferred"),
}
_BLOCK = 4 * 2**20  # bytes of the file that are read at once; Arrow reads some dozens ahead
# ISO 639-3 of the two letters of ISO 639-1, for languages that lists of animals have; a code may also be given as is.
_CODES = (
    "af:afr ar:ara bg:bul br:bre ca:cat cs:ces cy:cym da:dan de:deu el:ell en:eng eo:epo es:spa et:est eu:eus fa:fas "
    "fi:fin fo:fao fr:fra ga:gle gl:glg he:heb hi:hin hr:hrv hu:hun id:ind is:isl it:ita ja:jpn ka:kat ko:kor lt:lit "
    "lv:lav mk:mkd mn:mon mr:mar ms:msa mt:mlt nb:nob ne:nep nl:nld nn:nno no:nor pl:pol pt:por ro:ron ru:rus se:sme "
    "sk:slk sl:slv sq:sqi sr:srp sv:swe sw:swa ta:tam th:tha tr:tur uk:ukr vi:vie zh:zho"
)
_THREE = dict(pair.split(":") for pair in _CODES.split())


@dataclass(frozen=True)
class CommonNames:
    """Common names by taxon, and what was seen of them.

    Attributes
    ----------
    names
        Columns ``id`` and ``common_name``, a row a taxon.
    files
        The tables that they were read from.
    languages
        How many names there are in each language, as the tables write them.
    """

    names: pa.Table
    files: tuple[ListFile, ...]
    languages: Counter[str]


def common_names(files: Sequence[ListFile], languages: Sequence[str]) -> CommonNames:
    """Return one common name for each taxon that has any in one of the languages, the earliest of these that it has.

    Of several names in one language it is one that is marked as preferred, or else the one that most rows give, or else
    the first.

    Parameters
    ----------
    files
        Those of a checklist; the tables of common names among them are read.
    languages
        Codes of ISO 639 with two or three letters, such as ``en`` or ``eng``; ``pt`` is also ``pt-BR``.

    Raises
    ------
    DatasetError
        Where a table cannot be read.
    """
    import duckdb

    counts: Counter[str] = Counter()
    tables = [(file, columns) for file in files if (columns := _columns_of(file))]
    with duckdb.connect() as connection:
        connection.execute("SET threads = 2")
        connection.execute(
            "CREATE TABLE found (id VARCHAR, name VARCHAR, place INTEGER, preferred BOOLEAN, line BIGINT)"
        )
        line = 0
        for file, columns in tables:
            for block in _blocks(file, columns):
                rows = _ranked(block, languages, counts, line)  # noqa: F841 - DuckDB finds it by its name
                connection.execute("INSERT INTO found SELECT * FROM rows")
                line += block.num_rows
        names = connection.sql(_CHOICE).to_arrow_table()
    return CommonNames(names, tuple(file for file, _ in tables), counts)


_CHOICE = """
    WITH each AS (
        SELECT id, name, place, bool_or(preferred) AS preferred, count(*) AS rows, min(line) AS line
        FROM found GROUP BY id, name, place
    )
    SELECT id, first(name ORDER BY place, preferred DESC, rows DESC, line) AS common_name FROM each GROUP BY id
"""


def _columns_of(file: ListFile) -> tuple[str, tuple[str, ...], dict[str, str]] | None:
    """Return delimiter, header and wanted columns of a table of common names; None of any other file."""
    if "vernacular" not in file.name or not file.name.endswith((".tsv", ".txt", ".csv")):
        return None
    line = first_line(file)
    tab = line is not None and "\t" in line
    delimiter, header = split_header(line, file.where, "\t" if tab else ",;|", ("vernacularName",))
    plain = {plain_term(name): name for name in header}
    found = {
        field: next(plain[name] for name in names if name in plain)
        for field, names in _COLUMNS.items()
        if set(names) & set(plain)
    }
    if not {"taxon", "name", "language"} <= set(found):
        raise DatasetError(
            f"{file.where}: is no table of common names: it has {', '.join(header)[:300]}. It needs taxonID (or id), "
            "vernacularName (or name) and language"
        )
    return delimiter, tuple(header), found


def _blocks(file: ListFile, columns: tuple[str, tuple[str, ...], dict[str, str]]) -> Iterator[pa.Table]:
    delimiter, header, wanted = columns
    tab = delimiter == "\t"
    try:
        with opened(file) as raw:
            reader = pacsv.open_csv(
                raw,
                pacsv.ReadOptions(column_names=list(header), skip_rows=1, block_size=_BLOCK),
                pacsv.ParseOptions(
                    delimiter=delimiter, quote_char=False if tab else '"', newlines_in_values=not tab
                ),
                pacsv.ConvertOptions(
                    include_columns=list(wanted.values()),
                    column_types=dict.fromkeys(wanted.values(), pa.string()),
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=True,
                    null_values=[""],
                ),
            )
            for batch in reader:
                yield pa.Table.from_batches([batch]).rename_columns(list(wanted))
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{file.where} cannot be read: {error}") from error


def _ranked(block: pa.Table, languages: Sequence[str], counts: Counter[str], line: int) -> pa.Table:
    """Return the names in the languages, each with the place of its language among them."""
    written = pc.fill_null(pc.utf8_trim_whitespace(block["language"]), "").combine_chunks().dictionary_encode()
    for each in pc.value_counts(written).to_pylist():
        counts[each["values"]] += each["counts"]
    places = pa.array([_place(code, languages) for code in written.dictionary.to_pylist()], pa.int32())
    place = places.take(written.indices)
    said = pc.utf8_lower(block["preferred"]) if "preferred" in block.column_names else None
    preferred = pc.is_in(said, value_set=pa.array(["1", "true", "t", "yes"])) if said else [False] * block.num_rows
    name = pc.utf8_trim_whitespace(block["name"])
    lines = pa.array(range(line, line + block.num_rows), pa.int64())
    ranked = pa.table(
        [block["taxon"], name, place, preferred, lines], ["id", "name", "place", "preferred", "line"]
    )
    kept = pc.and_(pc.is_valid(place), pc.and_(pc.is_valid(block["taxon"]), pc.is_valid(name)))
    return ranked.filter(kept)


def _place(code: str, languages: Sequence[str]) -> int | None:
    main = code.lower().replace("_", "-").split("-")[0]
    for place, language in enumerate(languages):
        if language.lower() in {code.lower(), main} or _three(language) == _three(main):
            return place
    return None


def _three(code: str) -> str:
    return _THREE.get(code.lower(), code.lower())
