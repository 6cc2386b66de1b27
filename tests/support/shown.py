"""Whether what a command prints has the shape of what a page shows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["difference", "shape"]

NUMBER = r"[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?"
REASON = (
    r"(?:[a-z]+(?:-[a-z]+)+|ambiguous|budget|contradiction|duplicate|gone|license|missing|quality|shared|silent|taken"
    r"|truncated|undetermined)"
)
KINDS = {
    **dict.fromkeys(("aiff", "flac", "m4a", "mp3", "ogg", "wav"), "sound"),
    **dict.fromkeys(("gif", "jpeg", "jpg", "png", "tif", "tiff", "webp"), "picture"),
}
SUFFIX = "|".join(["csv", "html", "jsonl?", "lance", "parquet", "toml", "txt", "xlsx", *KINDS])
_FILE = re.compile(rf"(?<![\w./])(?:[^\s:,;()/]*/)*[^\s:,;()/]+\.(?P<suffix>{SUFFIX})(?![\w/])")
_STANDS_FOR = [  # in this order: the later ones read what the earlier ones wrote
    (re.compile(r"\b(?:sha256:)?(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,}\b"), "<hash>"),
    (re.compile(r"\b\d\d?:\d\d(?::\d\d)?(?:\.\d+)?\b"), "<time>"),
    (re.compile(rf"(?<![\w.-]){NUMBER}(?!\w)"), "<n>"),
    (re.compile(r"(?:<n> h )?(?:<n> min )?<n> m?s\b(?!-)"), "<span of time>"),
    (re.compile(r"<n> (?:bytes|kB|[KMGT]i?B)(?!\w)"), "<size>"),
    (re.compile(rf"(?:(?<=: )|(?<=\())<n> {REASON}(?:, <n> {REASON})*"), "<n> <reason>"),
    (re.compile(r"(?<=<n> )([A-Za-z]{3,})s\b"), r"\1"),  # one recording, two recordings
    (re.compile(r"(?<=: )[a-z]+ <n>(?:, [a-z]+ <n>)*"), "<group> <n>"),
    (re.compile(r"(?<=\()[A-Z][a-z]+ [a-z]{3,}\b"), "<name>"),
    (re.compile(r"\s+"), " "),
]
_OF_NUMBERS = re.compile(
    rf"{NUMBER}%?(?: to {NUMBER}| [a-zA-Z]+(?: \d+ [a-z]+)?| \([\d,]+\))?"
)  # 4 min 02 s; 12 (3)
_SHOWN_WIDTH = 72  # a shown line that is longer may go on in the next, as pages break what a terminal does not
_LINES = 6  # of a page, that show one line which is printed


def shape(line: str) -> str:
    """Return a line with its numbers, hashes, files, times and sizes as wildcards.

    Two lines have the same shape if they have the same words in the same order. A number stands for any number, a file
    for any file with that suffix (of sounds and of pictures any will do), a time for any time, a length of time for any
    (``4 min 02 s`` for ``1.8 s``), a size for any size, and a hash for any. What is counted may be one or several.
    Behind a colon or bracket, counts by reason stand for any such counts (``5 near-duplicate`` for ``2 not-audio, 1
    gone``), and behind a bracket a scientific name for any. How many spaces stand between words does not matter.
    """
    line = _FILE.sub(lambda file: f"<file {KINDS.get(file['suffix'], file['suffix'])}>", line.strip())
    for pattern, stand_in in _STANDS_FOR:
        line = pattern.sub(stand_in, line)
    return line


def difference(shown: Sequence[str], printed: Sequence[str]) -> str | None:
    """Return how what is printed differs in shape from what a page shows, or None.

    All lines that are shown are printed in their order, and no others. A line ``...`` stands for any lines, and ``...``
    within a line for any text. A shown line of more than 72 characters may go on in the next. A table is a line of
    column heads, with two spaces or more between them, above rows with a number in some column: it has the same heads,
    at least one row, and rows with the kinds of cells that are shown; how many rows there are does not matter. Empty
    lines do not matter.
    """
    wanted, found = (tuple(line.rstrip() for line in lines if line.strip()) for lines in (shown, printed))
    at, skipping = 0, False
    place = 0
    while place < len(wanted):
        if wanted[place].strip() == "...":
            skipping, place = True, place + 1
            continue
        read = _first(wanted[place:], found, at, skipping=skipping)
        if isinstance(read, str):
            return read
        place, at, skipping = place + read.shown, read.end, False
    if not skipping and at < len(found):
        return f"a line is printed that is not shown: {found[at]}"
    return None


@dataclass(frozen=True)
class _Read:
    """How many shown lines are met, and the printed line behind them."""

    shown: int
    end: int


def _first(wanted: Sequence[str], found: Sequence[str], at: int, *, skipping: bool) -> _Read | str:
    """Return where the next shown lines are printed, or how they are not."""
    trouble = f"a line is shown that is not printed: {wanted[0]}"
    for start in range(at, len(found) if skipping else min(at + 1, len(found))):
        read = _table(wanted, found[start:]) if _is_head(wanted) else _line(wanted, found[start])
        if isinstance(read, _Read):
            return _Read(read.shown, start + read.end)
        trouble = read
    return trouble


def _line(wanted: Sequence[str], printed: str) -> _Read | str:
    for number in range(1, min(_LINES, len(wanted)) + 1):
        if _matches(" ".join(wanted[:number]), printed):
            return _Read(number, 1)
        if len(wanted[number - 1]) <= _SHOWN_WIDTH:
            break
    return f"shown:   {wanted[0]}\nprinted: {printed}"


def _matches(shown: str, printed: str) -> bool:
    parts = [re.escape(shape(part)) for part in shown.split("...")]
    return re.fullmatch(r"\s*.*?\s*".join(parts), shape(printed)) is not None


def _cells(line: str) -> list[str]:
    return re.split(r"\s{2,}", line.strip())


def _kinds(line: str) -> tuple[bool, ...]:
    """Return for each cell of a row whether it is a number, or a span of numbers."""
    return tuple(_OF_NUMBERS.fullmatch(cell) is not None for cell in _cells(line))


def _is_head(lines: Sequence[str]) -> bool:
    below = next((line for line in lines[1:] if line.strip() != "..."), "")
    if len(_cells(lines[0])) < 2 or len(_cells(below)) < 2:
        return False
    return any(_kinds(below)[1:]) and not any(re.fullmatch(NUMBER, cell) for cell in _cells(lines[0]))


def _is_row(line: str) -> bool:
    return len(_cells(line)) > 1 and any(_kinds(line))


def _rows(lines: Sequence[str]) -> int:
    """Return how many lines below a head are rows, or stand for rows that are left out between or above them."""
    count = 0
    for number, line in enumerate(lines[1:], start=1):
        if _is_row(line):
            count = number
        elif line.strip() != "...":
            break
    return count


def _table(wanted: Sequence[str], found: Sequence[str]) -> _Read | str:
    if _cells(wanted[0]) != _cells(found[0]):
        return f"shown:   {' | '.join(_cells(wanted[0]))}\nprinted: {' | '.join(_cells(found[0]))}"
    shown, printed = _rows(wanted), _rows(found)
    if not printed:
        return f"no row is printed below: {found[0].strip()}"
    kinds = {_kinds(line) for line in found[1 : 1 + printed]}
    for line in filter(_is_row, wanted[1 : 1 + shown]):
        if _kinds(line) not in kinds:
            return f"no row that is printed has the kinds of cells of: {line.strip()}"
    return _Read(1 + shown, 1 + printed)
