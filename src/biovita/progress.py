"""A bar with the rate and the time left, on standard error; nothing where that is no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["counted_bar", "progress_bar"]


@contextmanager
def progress_bar(label: str, total: int, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """Give a function that takes how many items were done since it was last called."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft
    from rich.text import Text

    from biovita.console import Console, plainly

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:.1f}/s")

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeLeft(compact=True),
    )
    with Progress(*columns, console=console, disable=not (shown and console.is_terminal)) as bar, plainly():
        task = bar.add_task(label, total=total)
        yield lambda done: bar.advance(task, done)


@contextmanager
def counted_bar(first: str, then: str, *, shown: bool) -> Iterator[Callable[[int, int], None]]:
    """Give a function that takes how many items are done, of how many: with its first call the label changes."""
    from rich.progress import Progress

    from biovita.console import Console, plainly

    console = Console(stderr=True)
    hidden = not (shown and console.is_terminal)
    with Progress(console=console, transient=True, disable=hidden) as bar, plainly():
        task = bar.add_task(first, total=None)
        yield lambda done, total: bar.update(task, description=then, completed=done, total=total)
