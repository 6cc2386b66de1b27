"""The code that README and docs/ show, and a small world that it can run in."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from markdown_it import MarkdownIt
from PIL import Image

import biovita

ROOT = Path(__file__).parents[2]
PAGES = [
    *(
        path for path in sorted(ROOT.glob("*.md")) if path.name != "CHANGELOG.md"
    ),  # it names what earlier versions had
    *sorted((ROOT / "docs").rglob("*.md")),
]
_COMMAND = re.compile(r"(?:\$ )?(?:torchrun .*? -- )?(?:\S*/)?biovita(?: (?P<arguments>.*))?")


@dataclass(frozen=True)
class Code:
    """Code on a page: a block with the language it states, or a piece within a sentence."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> Iterator[str]:
        """The arguments of each ``biovita`` command, without prompt and comment."""
        for line in self.text.replace("\\\n", " ").splitlines():
            found = _COMMAND.fullmatch(line.split(" #")[0].strip())
            if found:
                yield found["arguments"] or ""


def code_of(path: Path) -> Iterator[Code]:
    """Yield the code of a page, in its order; a piece within a sentence has the language ``inline``."""
    page = path.relative_to(ROOT).as_posix()
    line = 0
    for token in MarkdownIt("commonmark").enable("table").parse(path.read_text(encoding="utf-8")):
        line = token.map[0] + 1 if token.map else line
        if token.type in {"fence", "code_block"}:
            yield Code(page, line, token.info.strip(), token.content)
        for child in token.children or ():
            if child.type == "code_inline":
                yield Code(page, line, "inline", child.content)


CODE = [code for path in PAGES for code in code_of(path)]
INLINE = [code for code in CODE if code.language == "inline"]
PYTHON = [code for code in CODE if code.language.split(" ")[0] == "python"]


def write_world(folder: Path) -> None:
    """Write what the examples name: datasets, models and recordings, all small."""
    data = biovita.simulate(
        out=folder / "birds", species=4, recordings=2, photographs=2, workers=1, progress=False
    )
    biovita.split_dataset(data, unseen=2)
    biovita.embed(folder / "birds", progress=False)
    few = {"steps": 2, "weights.names": 0.0}
    for recipe, start, out in (("starter/stage1", None, "run1"), ("starter/stage2", "run1", "run2")):
        biovita.train(
            recipe,
            data=folder / "birds",
            out=folder / out,
            start=start and folder / start,
            settings=few,
            progress=False,
        )
    shutil.copytree(folder / "run2", folder / "demo-run/model")
    (folder / "demo-run/source.json").write_text("{}", encoding="utf-8")
    biovita.build_benchmark(folder / "birds", out=folder / "birds-bench")
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 4 * 48_000).astype(np.float32)
    soundfile.write(folder / "dawn.wav", sound, 48_000)
    (folder / "field").mkdir()
    soundfile.write(folder / "field/a.wav", sound, 48_000)
    Image.fromarray(np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3)).save(folder / "field/a.png")
    for table, file in (("audio", "a.wav"), ("images", "a.png")):
        (folder / f"field/{table}.csv").write_text(f"file,species\n{file},Pica pica\n", encoding="utf-8")
