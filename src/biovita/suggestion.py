"""Command lines of our own as a user can paste them, for errors and notes that say what to run."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

__all__ = ["quoted", "suggested"]


def suggested(command: str, *words: str | Path) -> str:
    """Return a command line; paths are quoted where the shell needs it, text is given as it is.

    Examples
    --------
    >>> suggested("data split", Path("my birds"), "--unseen N")
    "biovita data split 'my birds' --unseen N"
    """
    return " ".join(
        ["biovita", command, *(quoted(str(each)) if isinstance(each, Path) else each for each in words)]
    )


def quoted(word: str) -> str:
    """Return a word as the shell of this system takes it."""
    return subprocess.list2cmdline([word]) if os.name == "nt" else shlex.quote(word)
