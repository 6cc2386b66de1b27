"""A shell that a journey's commands run in, each in a process and a folder of its own."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

from support.forked import finish, start


class Shell:
    """Runs each command in a process and a folder of its own, with paths as they are and relative in turn."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.steps = 0

    def run(self, *command: str | Path) -> dict[str, Any]:
        """Return what a command prints as JSON."""
        self.steps += 1
        here = self.root / "elsewhere" / f"step {self.steps}"
        here.mkdir(parents=True)

        def written(part: str | Path) -> str:
            relative = isinstance(part, Path) and self.steps % 2
            return os.path.relpath(part, here) if relative else str(part)

        said, printed = (here.with_suffix(suffix) for suffix in (".said", ".json"))
        process = start([*map(written, command), "--json"], said, first=partial(os.chdir, here), printed=printed)
        assert finish(process, 400) == 0, said.read_text(encoding="utf-8")
        assert not list(here.iterdir()), f"{command} left something where it ran"
        found: dict[str, Any] = json.loads(printed.read_text(encoding="utf-8"))
        return found
