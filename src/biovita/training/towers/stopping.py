"""Ending a run early without loss: SIGTERM and Ctrl-C are noted, and acted on where the run can be taken up later."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch

from biovita.training.towers.distributed import largest, processes

__all__ = ["Interrupted", "StopRequest"]

# Windows has no SIGTERM that a process is told of; Ctrl-Break comes as SIGBREAK there.
_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGBREAK") if hasattr(signal, name)]


class Interrupted(BaseException):
    """A signal that came where work may be left at once; like `KeyboardInterrupt`, it is not an error."""


class StopRequest:
    """Which signal asked a run to stop, if any.

    A second Ctrl-C ends the process at once, where it trains alone. Under a launcher it does not: the terminal and the
    launcher both pass the first one on.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._at_once = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Note signals in the block; outside it they do what they did before.

        Only the main thread of a process is told of signals: in another one this does nothing.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before: dict[int, Any] = {number: signal.signal(number, self._note) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is not None and number == signal.SIGINT and processes() == 1:
            raise KeyboardInterrupt
        self.signal = self.signal or number
        if self._at_once:
            self._at_once = False
            raise Interrupted

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Raise `Interrupted` in the block as soon as a signal comes, or where one has come already."""
        if self.signal is not None:
            raise Interrupted
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def agreed(self, device: torch.device) -> int | None:
        """Return the signal that any of the processes got, the same in all; each has to call this at the same place."""
        return largest(self.signal or 0, device) or None
