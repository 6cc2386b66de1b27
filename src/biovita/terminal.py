"""What is printed: names, answers and errors are text, and no instruction to a terminal."""

from __future__ import annotations

import io
import os
import re
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO, cast

__all__ = ["SafeStream", "guard_output", "raw_stream", "safe_stream", "visible"]

# Control characters of both kinds, line and paragraph separators, what turns the direction of writing, lone halves
# of surrogate pairs, and what is no character.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def visible(text: str, encoding: str | None = None) -> str:
    r"""Return a text with what a terminal would obey, and what the encoding has no character for, as ``\uXXXX``.

    Newlines and tabs stay. JSON stays JSON of the same meaning: within its strings ``\uXXXX`` is the character.

    Examples
    --------
    >>> print(visible("Pica\x1b[2J pica"))
    Pica\u001b[2J pica
    >>> print(visible("Pīca pica", "latin-1"))
    P\u012bca pica
    """
    text = _UNSEEN.sub(lambda found: _escaped(found[0]), text)
    if encoding is None or text.isascii():
        return text
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(each if _has(encoding, each) else _escaped(each) for each in text)
    return text


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _has(encoding: str, character: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


class SafeStream(io.TextIOBase):
    """A text stream that writes what is `visible` to another.

    Carriage returns at the beginning of a write are left alone where ``bars`` says so: with them bars of other
    libraries go back to the beginning of their line.
    """

    def __init__(self, inner: TextIO, *, bars: bool = False) -> None:
        self.inner = inner
        self._bars = bars

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the other stream."""
        return getattr(self.inner, "encoding", None) or "utf-8"

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """That of the other stream."""
        return getattr(self.inner, "errors", None)

    @property
    def buffer(self) -> object:
        """The bytes below the other stream."""
        return self.inner.buffer

    def write(self, text: str) -> int:
        """Write a text, and return how many of its characters were taken: all."""
        shown = text.lstrip("\r") if self._bars else text
        self.inner.write("\r" * (len(text) - len(shown)) + visible(shown, self.encoding))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:  # type: ignore[override]
        """Write texts one after another."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush the other stream."""
        self.inner.flush()

    def fileno(self) -> int:
        """Return the descriptor of the other stream."""
        return self.inner.fileno()

    def isatty(self) -> bool:
        """Return whether the other stream is a terminal."""
        return self.inner.isatty()

    def writable(self) -> bool:
        """Return True."""
        return True


def raw_stream(stream: Any) -> Any:
    """Return the stream below all that `SafeStream` and rich have put around it."""
    while True:
        below = stream.inner if isinstance(stream, SafeStream) else getattr(stream, "rich_proxied_file", None)
        if below is None:
            return stream
        stream = below


def safe_stream(stream: object, *, bars: bool = False) -> TextIO:
    """Return a stream as a `SafeStream`, itself where it is one; None, where there is none, writes nothing."""
    if stream is None:
        stream = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - as long as the process
    return cast(TextIO, stream if isinstance(stream, SafeStream) else SafeStream(cast(TextIO, stream), bars=bars))


def guard_output() -> None:
    """Make standard output and standard error show what they are given, for the rest of the process.

    Tracebacks come without colours, which would be shown as well.
    """
    sys.stdout = safe_stream(sys.stdout)
    sys.stderr = safe_stream(sys.stderr, bars=True)
    sys.excepthook = _plain_traceback


def _plain_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.stderr.write("".join(traceback.format_exception(kind, error, trace)))
