"""What the ``meta.xml`` of a Darwin Core archive says about its data files (the text guidelines of TDWG)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree as ET
from xml.parsers import expat

from biovita.errors import DatasetError

__all__ = ["DataFile", "Field", "Meta", "parse_meta", "short_term"]

_NAMESPACE = "{http://rs.tdwg.org/dwc/text/}"
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
    extensions = tuple(_data_file(node, where, "coreid") for node in root.iter() if _local(node) == "extension")
    core = _data_file(cores[0], where, "id")
    if extensions and core.id_index is None:
        raise DatasetError(f"{where}: the core has extensions and no <id>")
    return Meta(core, extensions, root.get("metadata"))


def _parse_xml(content: bytes, where: str) -> ET.Element:
    def refuse(name: str, *_: object) -> None:
        raise DatasetError(
            f"{where}, line {checker.CurrentLineNumber}: declares a document type ({name}), which could define "
            "entities; the file of a Darwin Core archive has none"
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
    return node.tag.removeprefix(_NAMESPACE) if isinstance(node.tag, str) else ""


def _children(node: ET.Element, name: str) -> list[ET.Element]:
    return [child for child in node.iter() if _local(child) == name]


def _data_file(node: ET.Element, where: str, id_name: str) -> DataFile:
    kind = _local(node)
    locations = tuple((child.text or "").strip() for child in _children(node, "location"))
    if not locations or not all(locations):
        raise DatasetError(f"{where}: <{kind}> names no file: expected <files><location>...</location></files>")
    ids = _children(node, id_name)
    fields = []
    for child in _children(node, "field"):
        term = child.get("term", "").strip()
        if not term:
            raise DatasetError(f"{where}: a <field> of <{kind}> {locations[0]} has no term")
        index = _number(child, "index", where) if child.get("index") is not None else None
        if index is None and child.get("default") is None:
            raise DatasetError(f"{where}: the field {term} of {locations[0]} has neither an index nor a default")
        fields.append(Field(term, index, child.get("default")))
    encoding = node.get("encoding", "utf-8").strip() or "utf-8"
    try:
        "".encode(encoding)
    except LookupError:
        raise DatasetError(f"{where}: {locations[0]} has the unknown encoding {encoding!r}") from None
    return DataFile(
        locations=locations,
        row_type=node.get("rowType", "").strip(),
        fields=tuple(fields),
        id_index=_number(ids[0], "index", where) if ids else None,
        encoding=encoding,
        delimiter=_unescape(node.get("fieldsTerminatedBy", ",")) or ",",
        line_end=_unescape(node.get("linesTerminatedBy", "\n")) or "\n",
        quote=_unescape(node.get("fieldsEnclosedBy", '"')),
        header_lines=_number(node, "ignoreHeaderLines", where) if node.get("ignoreHeaderLines") else 0,
    )


def _number(node: ET.Element, name: str, where: str) -> int:
    text = node.get(name, "").strip()
    if not text.isascii() or not text.isdigit() or int(text) > 10_000:
        raise DatasetError(f"{where}: {name} of <{_local(node)}> is {text!r}: expected a number from 0 on")
    return int(text)


def _unescape(text: str) -> str:
    return re.sub(r"\\.", lambda match: _ESCAPES.get(match[0], match[0]), text)
