"""How a table of Darwin Core is written: its first bytes decide, and what ``meta.xml`` states is where the look begins.

Archives state line ends, separators, quotes and encodings that their files do not have; a table without a meta file
states nothing.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from biovita.csv_records import BrokenRow, Dialect, Record, records
from biovita.sources.darwin_core_meta import DataFile, short_term

__all__ = ["LOOKED_AT", "as_written", "first_line", "shown_encoding"]

LOOKED_AT = 1 << 18  # bytes
_LINES = 400  # of them that are looked at
_FITS = 0.9  # share of lines that have to come out alike
_ENDS = ("\n", "\r\n", "\r")
_DELIMITERS = ("\t", ",", ";", "|")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CALLED = {"utf-8-sig": "UTF-8", "cp1252": "Windows-1252"}
_WIDE = ("utf-16", "utf-32")
_ONE_BYTE = ("iso8859", "cp4", "cp8", "cp125", "mac-", "koi8", "tis-620")
_OF_DATA = re.compile(r"\d|https?://", re.ASCII)  # how no name of a column begins


def shown_encoding(head: bytes, stated: str) -> str:
    """Return the encoding that the first bytes of a text are of: the stated one, unless they show another.

    Where UTF-8 is stated, and no letter beyond ASCII is one in UTF-8, it is Windows-1252, as R and Excel write it.
    """
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding
    name = codecs.lookup(stated).name
    zeros = [head[at:2000:2].count(0) for at in (0, 1)]
    if not name.startswith(_WIDE) and max(zeros) > 0.3 * len(head[:2000:2]) and min(zeros) == 0:
        return "utf-16-le" if zeros[1] else "utf-16-be"
    if name.startswith(_WIDE):
        return stated if max(zeros) else "utf-8-sig"
    if name in {"utf-8", "ascii"}:
        return "utf-8-sig" if _holds_utf8(head) or head.isascii() else "cp1252"
    if head.isascii() or not _is_utf8(head):
        return stated
    is_sound = not name.startswith(_ONE_BYTE) and "\ufffd" not in _decoded(head, stated)
    return stated if is_sound else "utf-8-sig"


def _is_utf8(head: bytes) -> bool:
    """Return whether bytes, which may end within a letter, are UTF-8."""
    return "\ufffd" not in _decoded(head, "utf-8")


def _holds_utf8(head: bytes) -> bool:
    """Return whether any letter beyond ASCII is one in UTF-8."""
    return not head.decode("utf-8", "ignore").isascii()


def _decoded(head: bytes, encoding: str, *, whole: bool = False) -> str:
    return codecs.getincrementaldecoder(encoding)("replace").decode(head, whole)


def first_line(head: bytes, encoding: str) -> str:
    """Return the first line of a text, whatever ends it."""
    text = _decoded(head[:LOOKED_AT], encoding)
    if not {"\n", "\r"} & set(text):
        text = _decoded(head, encoding, whole=True)
    return re.split(r"\r?\n|\r", text, maxsplit=1)[0]


@dataclass(frozen=True, slots=True)
class _Reading:
    """The lines of a table below its header under one layout, and how many cells most of them have.

    Attributes
    ----------
    share
        Of the lines, how many come out with so many cells; 0 where that is too few.
    """

    end: str
    delimiter: str
    lines: tuple[str, ...]
    width: int
    share: float


def as_written(file: DataFile, head: bytes, *, whole: bool) -> tuple[DataFile, tuple[str, ...]]:
    """Return a file's description as its first bytes show it, and a note for each difference.

    Parameters
    ----------
    head
        The first `LOOKED_AT` bytes, or more.
    whole
        Whether they are all of the file.
    """
    notes = []
    encoding = shown_encoding(head, file.encoding)
    if not _is_same_encoding(encoding, file.encoding):
        notes.append(f"{file.encoding} is stated, and the text is {_CALLED.get(encoding, encoding)}")
    text = _decoded(head, encoding, whole=whole)
    found = _best_reading(text, file, whole=whole)
    if found.end != file.line_end:
        notes.append(f"rows are said to end with {file.line_end!r}, and end with {found.end!r}")
    if found.delimiter != file.delimiter:
        notes.append(f"fields are said to be separated by {file.delimiter!r}, and are by {found.delimiter!r}")
    quote = _quote(found, file.quote)
    if quote != file.quote:
        said = f"enclosed by {file.quote!r}" if file.quote else "not enclosed"
        notes.append(f"fields are taken as {said}, and are {f'enclosed by {quote!r}' if quote else 'not'}")
    written = replace(file, encoding=encoding, line_end=found.end, delimiter=found.delimiter, quote=quote)
    header = _header_lines(written, text)
    if header != file.header_lines:
        what = "its first row names the columns" if header else "its first row is none of names"
        notes.append(f"{file.header_lines} header lines are stated, and {what}")
    return replace(written, header_lines=header, columns=_columns(found, written)), tuple(notes)


def _is_same_encoding(found: str, stated: str) -> bool:
    names = [codecs.lookup(each).name.removesuffix("-sig") for each in (found, stated)]
    return names[0] == names[1] or names == ["utf-8", "ascii"]


def _best_reading(text: str, file: DataFile, *, whole: bool) -> _Reading:
    """Return the reading with most rows among those whose rows are alike; the stated one where it is as good."""

    def read(end: str, delimiter: str) -> _Reading:
        return _reading(text, file, end, delimiter, whole=whole)

    stated = read(file.line_end, file.delimiter)
    if stated.share >= _FITS and file.line_end == "\n":
        return stated
    ends = [end for end in _ENDS if end != file.line_end and end in text and not (end == "\r" and "\r\n" in text)]
    found = [stated, *(read(end, file.delimiter) for end in ends)]
    if max(each.share for each in found) < _FITS:
        others = [each for each in _DELIMITERS if each != file.delimiter]
        found += sorted(
            (read(end, each) for end in (file.line_end, *ends) for each in others), key=lambda each: -each.width
        )
    return max(
        found, key=lambda each: (each.share >= _FITS, len(each.lines) if each.share >= _FITS else each.share)
    )


def _reading(text: str, file: DataFile, end: str, delimiter: str, *, whole: bool) -> _Reading:
    is_there = end in text or not ("\n" in text or "\r" in text)
    if not is_there or (end == "\r" and "\r\n" in text):
        return _Reading(end, delimiter, (), 0, 0.0)
    lines = text.split(end)
    if not whole or not lines[-1]:
        lines = lines[:-1]
    body = [line.rstrip("\r") for line in lines[file.header_lines :] if line.strip(" \r")][:_LINES]
    widths = [line.count(delimiter) + 1 for line in body]
    share, width = _alike(widths)
    if share < _FITS and len(delimiter) == 1 and (quote := file.quote or '"') in text and len(quote) == 1:
        share, width = max((share, width), _alike([cells for _, cells, _ in _quoted_rows(body, delimiter, quote)]))
    least = file.width if delimiter == file.delimiter else max(2, file.width)
    return _Reading(end, delimiter, tuple(body), width, share if width >= least else 0.0)


def _alike(widths: Sequence[int]) -> tuple[float, int]:
    """Return which share of rows has the number of cells that most have, and that number."""
    ((width, count),) = Counter(widths).most_common(1) or [(0, 0)]
    return count / max(1, len(widths)), width


def _quoted_rows(lines: Sequence[str], delimiter: str, quote: str) -> list[tuple[int, int, int]]:
    """Return of each row, with quotes understood: its first line, its cells (0 of a broken one), its lines."""
    return [
        (row.line, len(row.cells), row.lines) if isinstance(row, Record) else (row.line, 0, 1)
        for row in records(iter(enumerate(lines)), Dialect(delimiter, quote, strict=True))
    ]


def _quote(found: _Reading, stated: str) -> str:
    """Return what encloses fields, by what lines come out like with and without it; the stated one where both do.

    Lines speak for it where only with it they have as many cells as others, and where fields in all lines are
    enclosed; against it where it is not closed, or closed within a field, or makes one row of several whole ones.
    """
    quote = stated or '"'
    if len(quote) != 1 or len(found.delimiter) != 1 or not any(quote in line for line in found.lines):
        return stated
    lines, delimiter = found.lines, found.delimiter
    plain = [line.count(delimiter) + 1 for line in lines]
    rows = _quoted_rows(lines, delimiter, quote)
    usual = _alike(plain)[1]
    in_quotes = _alike([cells for _, cells, _ in rows if cells])[1]
    speaking, against = 0, 0
    for first, cells, count in rows:
        is_plain = all(width == usual for width in plain[first : first + count])
        if is_plain and (cells == 0 or count > 1):
            against += count
        elif not is_plain and cells == in_quotes:
            speaking += 1
    enclosed = [_enclosed(line, delimiter, quote) for line in lines]
    if (min(enclosed) and sum(enclosed) > 2 and against < len(lines) / 2) or speaking > against:
        return quote
    return "" if against > speaking else stated


def _enclosed(line: str, delimiter: str, quote: str) -> int:
    """Return how many fields of a line begin and end with a quote."""
    return sum(len(cell) > 1 and cell.startswith(quote) and cell.endswith(quote) for cell in line.split(delimiter))


def _header_lines(file: DataFile, text: str) -> int:
    """Return how many lines come before the first row: one more where the first row names the columns, or none."""
    if file.header_lines > 1 or (file.quote and not len(file.delimiter) == len(file.quote) == 1):
        return file.header_lines
    line = text.split(file.line_end, 1)[0].rstrip("\r")
    row = next(iter(records(iter([(1, line)]), Dialect(file.delimiter, file.quote, strict=False))), None)
    if row is None or isinstance(row, BrokenRow):
        return file.header_lines
    cells = [cell.strip().lower() for cell in row.cells]
    indexed = [(field.index, field.term.lower()) for field in file.fields if field.index is not None]
    names = {name for _, term in indexed for name in (term, short_term(term).lower())}
    if file.header_lines:
        is_data = not names & set(cells) and any(map(_OF_DATA.match, cells))
        return 0 if is_data else file.header_lines
    own = [index < len(cells) and cells[index] in {term, short_term(term).lower()} for index, term in indexed]
    return int(any(own) and sum(own) * 2 > len(own))


def _columns(found: _Reading, file: DataFile) -> int | None:
    """Return how many columns more than half of the rows have; None where no such number is known."""
    widths = [line.count(file.delimiter) + 1 for line in found.lines]
    if len(file.quote) == len(file.delimiter) == 1 and any(file.quote in line for line in found.lines):
        widths = [cells for _, cells, _ in _quoted_rows(found.lines, file.delimiter, file.quote)]
    share, width = _alike(widths)
    return width if share > 0.5 and width >= file.width else None
