"""The code that README and docs/ show, block by block."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = [
    *(path for path in sorted(ROOT.glob("*.md")) if path.name != "CHANGELOG.md"),  # it names what earlier versions had
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
