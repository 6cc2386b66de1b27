"""What the ``meta.xml`` of a Darwin Core archive says about its data files (the text guidelines of TDWG)."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from xml.etree import ElementTree as ET
from xml.parsers import expat

from biovita.errors import DatasetError

__all__ = ["DataFile", "Field", "Meta", "check_separators", "parse_meta", "short_term"]

# Encodings of text; Python knows others that unpack, escape or swap letters.
_ENCODINGS = frozenset(
    {
        *("ascii", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"),
        *("iso8859-1", *(f"iso8859-{part}" for part in (*range(2, 12), 13, 14, 15, 16))),
        *(f"cp{page}" for page in (437, 850, 852, 858, 866, 874, 932, 949, 950, *range(1250, 1259))),
        *("mac-roman", "mac-cyrillic", "mac-greek", "mac-latin2", "koi8-r", "koi8-u", "tis-620"),
        *("gb2312", "gbk", "gb18030", "big5", "big5hkscs", "shift_jis", "euc_jp", "euc_kr", "iso2022_jp"),
    }
)
_MAX_FIELDS = 1000
_MAX_SEPARATOR = 10  # characters
_MAX_DEFAULTS = 10_000  # characters, all of a file together
_ESCAPES = {r"\t": "\t", r"\n": "\n", r"\r": "\r", r"\\": "\\", r"\"": '"', r"\'": "'"}


@dataclass(frozen=True, slots=True)
class Field:
    """A term, the column it stands in (None: in none), and what holds where that is empty."""

    term: str
    index: int | None
    default: str | None = None


@dataclass(frozen=True, slots=True)
class DataFile:
    """A core or extension file: where it is, how it is written and what its columns mean.

    Attributes
    ----------
    id_index
        Column of the id (core) or of the core's id (extension); None where there is none.
    header_lines
        Lines before the first row.
    columns
        How many columns its rows have, also those that mean nothing; None where that is not known.
    """

    locations: tuple[str, ...]
    row_type: str
    fields: tuple[Field, ...]
    id_index: int | None = None
    encoding: str = "utf-8"
    delimiter: str = ","
    line_end: str = "\n"
    quote: str = '"'
    header_lines: int = 0
    columns: int | None = None

    @property
    def row_kind(self) -> str:
        """The last part of the row type's address in lower case, such as ``multimedia``."""
        return short_term(self.row_type).lower()

    @property
    def width(self) -> int:
        """How many columns a row has to have."""
        used = [field.index for field in self.fields if field.index is not None]
        return max([*used, -1 if self.id_index is None else self.id_index]) + 1


@dataclass(frozen=True, slots=True)
class Meta:
    """The core, its extensions, and the name of the metadata document."""

    core: DataFile
    extensions: tuple[DataFile, ...] = ()
    metadata: str | None = None


@lru_cache(maxsize=4 * _MAX_FIELDS)
def short_term(term: str) -> str:
    """Return the last part of a term's address.

    Examples
    --------
    >>> short_term("http://rs.tdwg.org/dwc/terms/scientificName")
    'scientificName'
    """
    return re.split(r"[/#]", term.rstrip("/"))[-1]


def parse_meta(content: bytes, where: str) -> Meta:
    """Return what ``meta.xml`` says.

    Parameters
    ----------
    where
        The document's name, for errors.

    Raises
    ------
    DatasetError
        Where it is no well-formed XML, declares a document type (and so could define entities), or lacks a core,
        a location or a usable column number.
    """
    root = _parse_xml(content, where)
    cores = [node for node in root if _local(node) == "core"]
    if _local(root) != "archive" or len(cores) != 1:
        raise DatasetError(
            f"{where}: expected <archive> with one <core>, found <{_local(root)}> with {len(cores)}"
        )
    extensions = tuple(_data_file(node, where, "coreid") for node in root if _local(node) == "extension")
    core = _data_file(cores[0], where, "id")
    if extensions and core.id_index is None:
        core = _with_stated_id(core, where)
    return Meta(core, extensions, _attribute(root, "metadata"))


def _with_stated_id(core: DataFile, where: str) -> DataFile:
    """Return a core without ``<id>`` with the column of its occurrenceID as the id."""
    ids = [field.index for field in core.fields if short_term(field.term).lower() == "occurrenceid"]
    if ids[:1] in ([], [None]):
        raise DatasetError(f"{where}: the core has extensions, and neither <id> nor a column of occurrenceID")
    return replace(core, id_index=ids[0])


def _parse_xml(content: bytes, where: str) -> ET.Element:
    def refuse(name: str, *_: object) -> None:
        raise DatasetError(
            f"{where}, line {checker.CurrentLineNumber}: declares a document type ({name}), which could define "
            "entities. Remove the declaration"
        )

    checker = expat.ParserCreate()
    checker.StartDoctypeDeclHandler = refuse
    try:
        checker.Parse(content, True)  # noqa: FBT003 - expat takes it by position only
        return ET.fromstring(content)  # noqa: S314 - document types, and so entities, were refused above
    except (expat.ExpatError, ET.ParseError, ValueError, LookupError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(f"{where}: is not well-formed XML: {error}") from None


def _local(node: ET.Element) -> str:
    """Return the name of an element without its namespace, which is also written with https or none, in lower case."""
    return node.tag.rpartition("}")[2].lower() if isinstance(node.tag, str) else ""


def _attribute(node: ET.Element, name: str, default: str | None = None) -> str | None:
    """Return an attribute, in whatever letter case it is named."""
    if (value := node.get(name)) is not None:
        return value
    return next((each for key, each in node.items() if key.lower() == name.lower()), default)


def _children(node: ET.Element, name: str) -> list[ET.Element]:
    return [child for child in node.iter() if _local(child) == name]


def _data_file(node: ET.Element, where: str, id_name: str) -> DataFile:
    kind = _local(node)
    locations = tuple((child.text or "").strip() for child in _children(node, "location"))
    if not locations or not all(locations):
        raise DatasetError(f"{where}: <{kind}> names no file. Give it as <files><location>...</location></files>")
    ids = _children(node, id_name)
    fields = []
    for child in _children(node, "field"):
        term = (_attribute(child, "term") or "").strip()
        if not term:
            raise DatasetError(f"{where}: a <field> of <{kind}> {locations[0]} has no term")
        default = _attribute(child, "default")
        index = _number(child, "index", where) if _attribute(child, "index") is not None else None
        if index is None and default is None:
            raise DatasetError(f"{where}: the field {term} of {locations[0]} has neither an index nor a default")
        fields.append(Field(term, index, default))
    if len(fields) > _MAX_FIELDS or sum(len(field.default or "") for field in fields) > _MAX_DEFAULTS:
        raise DatasetError(
            f"{where}: {locations[0]} has {len(fields):,} fields. At most {_MAX_FIELDS:,} fields are accepted, and "
            f"{_MAX_DEFAULTS:,} characters of their defaults"
        )
    if len(set(locations)) < len(locations):
        raise DatasetError(f"{where}: <{kind}> names a file more than once")
    delimiter = _separator(node, "fieldsTerminatedBy", ",") or ","
    line_end = _separator(node, "linesTerminatedBy", "\n") or "\n"
    quote = _separator(node, "fieldsEnclosedBy", '"')
    if max(map(len, (delimiter, line_end, quote))) > _MAX_SEPARATOR:
        raise DatasetError(f"{where}: {locations[0]}: a separator has more than {_MAX_SEPARATOR} characters")
    return DataFile(
        locations=locations,
        row_type=(_attribute(node, "rowType") or "").strip(),
        fields=tuple(fields),
        id_index=_number(ids[0], "index", where) if ids else None,
        encoding=_encoding((_attribute(node, "encoding") or "").strip() or "utf-8", f"{where}: {locations[0]}"),
        delimiter=delimiter,
        line_end=line_end,
        quote=quote,
        header_lines=_number(node, "ignoreHeaderLines", where) if _attribute(node, "ignoreHeaderLines") else 0,
    )


def _encoding(stated: str, where: str) -> str:
    try:
        known = re.fullmatch(r"[\w.: -]{1,40}", stated, re.ASCII) is not None
        if known and codecs.lookup(stated).name in _ENCODINGS:
            return stated
    except LookupError:
        pass
    raise DatasetError(
        f"{where} states the unknown encoding {stated[:40]!r}. Give an encoding of text, such as utf-8 or windows-1252"
    )


def check_separators(where: str, file: DataFile) -> None:
    """Refuse separators that cannot be told apart.

    Raises
    ------
    DatasetError
        With what they are.
    """
    delimiter, line_end, quote = file.delimiter, file.line_end, file.quote
    if delimiter in {quote, line_end} or quote == line_end or (quote and {delimiter, quote} & {"\r", "\n"}):
        raise DatasetError(
            f"{where}: fields are separated by {delimiter!r}, enclosed by {quote!r} and rows end with {line_end!r}; "
            "the three have to differ, and only rows may end with a line end"
        )


def _number(node: ET.Element, name: str, where: str) -> int:
    text = (_attribute(node, name) or "").strip()
    if not text.isascii() or not text.isdigit() or len(text) > 6 or int(text) > 10_000:
        raise DatasetError(f"{where}: {name} of <{_local(node)}> is {text[:40]!r}. Give a number from 0 to 10,000")
    return int(text)


def _separator(node: ET.Element, name: str, default: str) -> str:
    stated = _attribute(node, name)
    if stated is None:
        return default
    return re.sub(r"\\.", lambda match: _ESCAPES.get(match[0], match[0]), stated)
