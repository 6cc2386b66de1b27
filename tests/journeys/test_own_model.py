"""A researcher's own PyTorch module is scored and compared with chance and a trained model, each step a new process."""

from __future__ import annotations

import json
import os
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from support import own_model
from support.forked import finish, start, start_call
from support.tiny_training import write_tiny

VOID = {"meta", "link", "br", "img", "input", "hr", "path", "rect", "line", "circle"}


class Walk:
    """Runs each step in a process and a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root, self.steps = root, 0

    def place(self) -> Path:
        self.steps += 1
        here = self.root / "elsewhere" / str(self.steps)
        here.mkdir(parents=True)
        return here

    def shell(self, *command: str | Path) -> Any:
        """Return what a command prints as JSON; paths are relative to where it runs."""
        here = self.place()
        said, printed = here.with_suffix(".said"), here.with_suffix(".json")
        words = [os.path.relpath(word, here) if isinstance(word, Path) else word for word in command]
        process = start([*words, "--json"], said, first=partial(os.chdir, here), printed=printed)
        assert finish(process, 300) == 0, said.read_text(encoding="utf-8")
        assert not list(here.iterdir()), f"{command} left something where it ran"
        return json.loads(printed.read_text(encoding="utf-8"))

    def python(self, function: Any, *arguments: object) -> None:
        """Call a function of the researcher's; its first argument is where it runs."""
        here = self.place()
        said = here.with_suffix(".said")
        process = start_call(function, here, *arguments, said=said)
        assert finish(process, 300) == 0, said.read_text(encoding="utf-8")
        assert not list(here.iterdir())


class Page(HTMLParser):
    """The words of a page, the rows of its tables, and what it loads; elements that are not closed are an error."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.rows = 0
        self.words = ""
        self.feed(page.read_text(encoding="utf-8"))
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.rows += tag == "tr"
        self.loads += [
            value or "" for name, value in attrs if name in {"src", "srcset"} or (tag, name) == ("link", "href")
        ]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_module_of_ones_own_is_scored_and_compared(tmp_path: Path) -> None:
    walk = Walk(tmp_path)
    data, bench, weights = write_tiny(tmp_path / "data").path, tmp_path / "bench", tmp_path / "own.pt"
    walk.shell("data", "split", data, "--unseen", "3", "--seed", "1")
    walk.shell("bench", "build", data, "--out", bench)
    walk.python(own_model.train, data, weights, 60)
    walk.python(own_model.score, bench, weights, "own")
    walk.shell("bench", "run", bench, "--model", "random")
    quick = ("--device", "cpu", "--set", "steps=20", "weights.names=0")
    walk.shell("train", "starter/stage1", "--data", data, "--out", tmp_path / "stage1", *quick)
    walk.shell("bench", "run", bench, "--model", tmp_path / "stage1", "--name", "stage1", "--device", "cpu")
    names = ("random", "own", "stage1")
    runs = {name: bench / "runs" / name for name in names}
    found = walk.shell("bench", "compare", *runs.values(), "--out", tmp_path / "compared")
    assert walk.steps == 8

    assert (found["first"], *found["compared"]) == names
    assert {row["direction"] for row in found["compared"]["own"]} == {"A2I", "I2A", "mean"}
    assert {row["direction"] for row in found["compared"]["stage1"]} > {"A2I", "A2T", "T2I", "mean"}
    found = heard_and_seen(runs["own"])
    assert found["accuracy"] == 1 > found["chance"], "what it has learned is what is scored"
    page = Page(tmp_path / "compared" / "compare.html")
    assert not [place for place in page.loads if not place.startswith("data:")]
    assert page.rows > 30
    for name, run in runs.items():
        assert name in page.words
        assert name in Page(run / "report.html").words


def heard_and_seen(run: Path) -> dict[str, Any]:
    """Return how often recordings of seen species find the photograph first."""
    rows = json.loads((run / "results.json").read_text(encoding="utf-8"))["scores"]
    asked = {"part": "seen", "direction": "A2I", "level": "species", "k": 1}
    found: dict[str, Any] = next(row for row in rows if asked.items() <= row.items())
    return found
