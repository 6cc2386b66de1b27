"""The code that README and docs/ show, with what the comment before it says of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = [
    *(
        path for path in sorted(ROOT.glob("*.md")) if path.name != "CHANGELOG.md"
    ),  # it names what earlier versions had
    *sorted((ROOT / "docs").rglob("*.md")),
]
_COMMENT = re.compile(r"<!--\s*(.*?)\s*-->", re.DOTALL)
_COMMAND = re.compile(r"(?:\$ )?(?:torchrun .*? -- )?(?:\S*/)?biovita(?: (?P<arguments>.*))?")


@dataclass(frozen=True)
class Code:
    """Code on a page: a block with the language it states, or a piece within a sentence.

    ``mark`` is the comment right before a block, which readers of a page do not see.
    """

    page: str
    line: int
    language: str
    text: str
    mark: str = ""

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
    line, mark = 0, ""
    for token in MarkdownIt("commonmark").enable("table").parse(path.read_text(encoding="utf-8")):
        line = token.map[0] + 1 if token.map else line
        if token.type in {"fence", "code_block"}:
            yield Code(page, line, token.info.strip(), token.content, mark)
        comment = _COMMENT.fullmatch(token.content.strip()) if token.type == "html_block" else None
        mark = comment[1] if comment else ""
        for child in token.children or ():
            if child.type == "code_inline":
                yield Code(page, line, "inline", child.content)


CODE = [code for path in PAGES for code in code_of(path)]
INLINE = [code for code in CODE if code.language == "inline"]
PYTHON = [code for code in CODE if code.language == "python"]
