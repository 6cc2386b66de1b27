"""Common names in a language: from BirdNET's label files, tables of several languages, and iNaturalist's archives."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from biovita.csv_table import BrokenRow, open_csv, sound_rows
from biovita.errors import DatasetError
from biovita.files import require_file
from biovita.identification.listed_names import (
    COMMON_COLUMNS,
    SCIENTIFIC_COLUMNS,
    column_key,
    first_column,
    listed_names,
)
from biovita.taxonomy.parse import fold

__all__ = ["LANGUAGES", "read_common_names"]

# ISO 639-1 codes of the languages that such tables have, and what the tables call them.
_CODES = (
    "af afrikaans, ar arabic, be belarusian, bg bulgarian, ca catalan, cs czech, da danish, de german, el "
    "greek, en english, eo esperanto, es spanish, et estonian, eu basque, fa persian, fi finnish, fr french, "
    "gl galician, he hebrew, hi hindi, hr croatian, hu hungarian, id indonesian, is icelandic, it italian, ja "
    "japanese, ka georgian, ko korean, lt lithuanian, lv latvian, mk macedonian, ml malayalam, mn mongolian, "
    "nl dutch, no norwegian, pl polish, pt portuguese, ro romanian, ru russian, se northern sami, sk slovak, "
    "sl slovenian, sr serbian, sv swedish, th thai, tr turkish, uk ukrainian, vi vietnamese, zh chinese"
)
LANGUAGES: Mapping[str, str] = {each[:2]: each[3:] for each in _CODES.split(", ")}
_LANGUAGE_COLUMNS = ("language", "lang", "locale", "languagecode", "lexicon")
_ID_COLUMNS = ("id", "taxonid")
_TAXA = "taxa.csv"  # beside iNaturalist's VernacularNames-*.csv, which have no scientific names of their own
_OF_FILE = re.compile(r"[-_.]([a-z]{2}(?:[-_][A-Za-z]{2})?|[a-z]{4,})$")  # labels_de, VernacularNames-german


def read_common_names(path: str | Path, language: str) -> Mapping[str, str]:
    """Return the common names of a table in a language: by folded scientific name, as `fold` makes it.

    A table is a file of ``Scientific name_Common name`` lines, as BirdNET's labels are, whose own name may state its
    language (``labels_de.txt``); a CSV with a scientific name and a column a language (``de``, ``German``); one with
    columns for the language and the name; or iNaturalist's ``VernacularNames-german.csv`` with its ``taxa.csv`` beside
    it. Of several names of a taxon in a language the first counts.

    Parameters
    ----------
    language
        A code such as ``de`` or ``pt_BR``, or a name in English such as ``German``.

    Raises
    ------
    DatasetError
        Where there is no such file, it has no such columns, or it lacks the language; then with those that it has.
    """
    path = Path(path)
    require_file(path, "Give a table of scientific names with common names")
    header = open_csv(path, ()).ignored
    scientific, said = first_column(header, SCIENTIFIC_COLUMNS), first_column(header, _LANGUAGE_COLUMNS)
    common, identifier = first_column(header, COMMON_COLUMNS), first_column(header, _ID_COLUMNS)
    if scientific is None and len(header) == 1:
        return _of_labels(path, language)
    if said is not None and common is not None and (scientific or identifier):
        columns = {"name": scientific or str(identifier), "common": common, "language": said}
        return _of_rows(path, columns, language, numbered=scientific is None)
    if scientific is None:
        raise DatasetError(
            f"{path} has no column of scientific names. Its columns are {', '.join(header)[:500]}. "
            "Call one of them scientific_name"
        )
    of_language = [
        each for each in header if _language(each)[0] in LANGUAGES and column_key(each) not in _ID_COLUMNS
    ]
    column = next((each for each in of_language if _is_same(language, each)), None)
    if column is None and common is not None and not of_language:
        _check_file_name(path, language)
        column = common
    if column is None:
        raise _missing(path, language, of_language or header)
    columns = {"name": scientific, "common": column}
    table = open_csv(path, ("name", "common"), columns=columns, strict=False, short_rows=True)
    return _first_names((row.values["name"], row.values["common"]) for row in sound_rows(table))


def _language(text: str) -> tuple[str, str | None]:
    """Return the code of a language, or its name where it has none here, and its region."""
    name, _, region = fold(text).replace("-", " ").replace(" (", "(").rstrip(")").partition("(")
    by_name = {name: code for code, name in LANGUAGES.items()}
    if name in by_name:
        return by_name[name], region or None
    code, _, place = name.partition(" ")
    return (code, place or None) if code in LANGUAGES and len(place) <= 3 else (name, region or None)


def _is_same(asked: str, stated: str) -> bool:
    (one, region), (other, place) = _language(asked), _language(stated)
    return one == other and (region is None or place is None or region == place)


def _check_file_name(path: Path, language: str) -> None:
    """Refuse a file whose own name states another language."""
    stated = _OF_FILE.search(path.stem)
    if stated is not None and _language(stated[1])[0] in LANGUAGES and not _is_same(language, stated[1]):
        raise _missing(path, language, [stated[1]])


def _of_labels(path: Path, language: str) -> Mapping[str, str]:
    _check_file_name(path, language)
    found = _first_names((entry.scientific, entry.common) for entry in listed_names(path))
    if not found:
        raise DatasetError(f"{path} has no line of the form Scientific name_Common name")
    return found


def _of_rows(path: Path, columns: Mapping[str, str], language: str, *, numbered: bool) -> Mapping[str, str]:
    """Return the names of a table with a row a language; its taxa may be numbers that a table beside it names."""
    rows = sound_rows(open_csv(path, tuple(columns), columns=columns, strict=False, short_rows=True))
    there: set[str] = set()
    pairs: list[tuple[str | None, str | None]] = []
    for row in rows:
        stated = row.values["language"]
        there.add(stated or "")
        if stated is not None and _is_same(language, stated):
            pairs.append((row.values["name"], row.values["common"]))
    if not pairs:
        raise _missing(path, language, sorted(filter(None, there)))
    if not numbered:
        return _first_names(pairs)
    names = _names_beside(path, {number for number, _ in pairs if number})
    return _first_names((names.get(number or ""), name) for number, name in pairs)


def _names_beside(path: Path, numbers: set[str]) -> Mapping[str, str]:
    """Return the scientific names of an archive's taxa, by their numbers."""
    taxa = path.with_name(_TAXA)
    if not taxa.is_file():
        raise DatasetError(
            f"{path} gives taxa by their numbers, and there is no {_TAXA} beside it. Put that file of the archive there"
        )
    columns = {"id": "id", "name": "scientificName"}
    found = {}
    for row in open_csv(taxa, ("id", "name"), ("id", "name"), columns=columns, strict=False):
        if isinstance(row, BrokenRow):
            raise DatasetError(f"{taxa}, line {row.line}: {row.detail}")
        number, name = row.values["id"], row.values["name"]
        if number in numbers and name:
            found[number] = name
    return found


def _first_names(pairs: Iterable[tuple[str | None, str | None]]) -> Mapping[str, str]:
    names: dict[str, str] = {}
    for scientific, common in pairs:
        if scientific and common:
            names.setdefault(fold(scientific), common)
    return names


def _missing(path: Path, language: str, there: Sequence[str]) -> DatasetError:
    return DatasetError(f"{path} has no names in {language!r}. It has: {', '.join(there)[:500] or 'none'}")
