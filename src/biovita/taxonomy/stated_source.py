"""What a checklist says of itself: title, version, date and licence, from its documents or its name."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from biovita.taxonomy.checklist_files import ListFile, opened

__all__ = ["StatedSource", "stated_source"]

_MOST = 4 << 20  # bytes of such a document; a contributors' list of the Catalogue of Life takes one
_READ, _LONGEST = 5000, 300  # characters of a statement that are read, and kept
_YEAR = re.compile(r"v?((?:19|20)\d\d[a-z]?)(?!\d)")
_PACKAGE = re.compile(r"\bpackageId=\"([^\"]{0,300})\"")
_TAGS = {"title": "title", "issued": "pubDate", "license": "intellectualRights"}


@dataclass(frozen=True, slots=True)
class StatedSource:
    """What a list says of itself; None where it does not say so. It is repeated, not verified."""

    title: str | None = None
    version: str | None = None
    issued: str | None = None
    license: str | None = None


def stated_source(files: Sequence[ListFile], named: str, header: Sequence[str] = ()) -> StatedSource:
    """Return what the documents of a checklist state.

    Parameters
    ----------
    named
        The name of what was given: where no document is there, a year in it is the version.
    header
        The names of the columns, which hold a year in Clements' lists (``sort v2024``).
    """
    for file in files:
        if file.name == "eml.xml":
            return _of_eml(_text(file))
        if file.name in {"metadata.yaml", "metadata.yml"}:
            lines = {field: re.search(rf"(?m)^{field}:(.*)$", _text(file)) for field in ("version", *_TAGS)}
            return StatedSource(**{field: _plain(line[1]) for field, line in lines.items() if line})
    years = [found[1] for text in (named, *header) if (found := _YEAR.search(text))]
    return StatedSource(version=years[0] if years else None)


def _text(file: ListFile) -> str:
    with opened(file) as raw:
        return raw.read(_MOST).decode("utf-8", "replace")


def _of_eml(text: str) -> StatedSource:
    root = text.find("<eml:eml")
    package = _PACKAGE.search(text[root : root + _READ]) if root >= 0 else None
    said = {field: _plain(_within(text, tag)) for field, tag in _TAGS.items()}
    return StatedSource(version=_plain(package[1]) if package else None, **said)


def _within(text: str, tag: str) -> str:
    """Return what the first element of a name holds, or the beginning of it where that is long."""
    opening = re.search(rf"<{tag}[\s>]", text)
    start = text.find(">", opening.end() - 1) + 1 if opening is not None else 0
    end = text.find(f"</{tag}>", start) if start else -1
    return text[start:end][:_READ] if end >= 0 else ""


def _plain(value: str) -> str | None:
    text = html.unescape(re.sub(r"<[^<>]*>", " ", value))
    return " ".join(text.split()).strip("\"'")[:_LONGEST] or None
