"""The one rich console: text that it is given is text, neither markup nor an instruction to the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any, TextIO, cast

from rich.console import Console as RichConsole
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from biovita.terminal import raw_stream, safe_stream, visible

__all__ = ["Console", "plainly", "status"]


class Console(RichConsole):
    """rich's console; markup, emoji codes and highlighting are off, and only rich itself speaks to the terminal."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **options})

    @property
    def file(self) -> IO[str]:
        """What is written to: the stream itself, for what is rendered is safe already."""
        return cast(TextIO, raw_stream(super().file))

    @file.setter
    def file(self, new_file: IO[str]) -> None:
        self._file = new_file

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text to render, with what a terminal would obey made visible: so that its width is right."""
        return super().render_str(visible(text, self.encoding), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield segments; those of text are made safe."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else self._safe(segment)

    def _safe(self, segment: Segment) -> Segment:
        style = segment.style
        if style is not None and style.link:
            style = style.update_link(None)
        return Segment(visible(segment.text, self.encoding), style)


@contextmanager
def plainly() -> Iterator[None]:
    """Keep what is written during the block from being read for colours and links by rich, which redirects it then."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(safe_stream, before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


class _Shown:
    """What a `status` shows."""

    def __init__(self, update: Any) -> None:
        self._update = update

    def update(self, text: str) -> None:
        """Show another text."""
        self._update(Text(visible(text)))


@contextmanager
def status(text: str, *, shown: bool = True) -> Iterator[_Shown]:
    """Show a text with a spinner on standard error while the block runs, where that is a terminal."""
    with Console(stderr=True, quiet=not shown).status(Text(visible(text))) as spinner, plainly():
        yield _Shown(spinner.update)
