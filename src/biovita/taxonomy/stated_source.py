"""What a checklist says of itself: title, version, date and licence, from its documents or its name."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from biovita.taxonomy.checklist_files import ListFile, opened

__all__ = ["StatedSource", "stated_source"]

_MOST = 4 << 20  # bytes of such a document; a contributors' list of the Catalogue of Life takes one
_LONGEST = 300  # characters of what is kept of it
_YEAR = re.compile(r"v?((?:19|20)\d\d[a-z]?)(?!\d)")
_EML = {
    "title": r"(?s)<title[^>]*>(.*?)</title>",
    "version": r"<eml:eml[^>]*\bpackageId=\"([^\"]*)\"",
    "issued": r"(?s)<pubDate[^>]*>(.*?)</pubDate>",
    "license": r"(?s)<intellectualRights[^>]*>(.*?)</intellectualRights>",
}


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
            return _of(_text(file), _EML)
        if file.name in {"metadata.yaml", "metadata.yml"}:
            return _of(_text(file), {field: rf"(?m)^{field}:(.*)$" for field in _EML})
    years = [found[1] for text in (named, *header) if (found := _YEAR.search(text))]
    return StatedSource(version=years[0] if years else None)


def _text(file: ListFile) -> str:
    with opened(file) as raw:
        return raw.read(_MOST).decode("utf-8", "replace")


def _of(text: str, patterns: dict[str, str]) -> StatedSource:
    found = {field: re.search(pattern, text) for field, pattern in patterns.items()}
    return StatedSource(**{field: _plain(match[1]) for field, match in found.items() if match})


def _plain(value: str) -> str | None:
    text = html.unescape(re.sub(r"<[^>]*>", " ", value))
    return " ".join(text.split()).strip("\"'")[:_LONGEST] or None
