"""Texts from elsewhere in Markdown: they stay text, whatever they hold."""

from __future__ import annotations

import json
import re

from biovita.terminal import visible

__all__ = ["code", "fenced", "words", "yaml_text"]

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_SIGNS = re.compile(r"[\\`*_\[\]#|~$!@^]|:(?=/|//)|(?<=\bwww)\.", re.IGNORECASE)
_BACKTICKS = re.compile(r"`+")


def words(text: object) -> str:
    r"""Return a text on one line, for a heading, a paragraph or the cell of a table.

    Examples
    --------
    >>> print(words("<b>[a](http://b)\n| c"))
    &lt;b&gt;\[a\](http\://b) \| c
    """
    line = visible(" ".join(str(text).split()))
    escaped = _SIGNS.sub(lambda found: f"\\{found[0]}", line)
    return "".join(_ENTITIES.get(each, each) for each in escaped)


def code(text: object) -> str:
    """Return a text on one line as code."""
    line = visible(" ".join(str(text).split()))
    fence = "`" * (_longest(line) + 1)
    return f"{fence} {line} {fence}" if "`" in line or not line else f"{fence}{line}{fence}"


def fenced(text: str, kind: str) -> list[str]:
    """Return the lines of a block of code."""
    fence = "`" * max(3, _longest(text) + 1)
    return [f"{fence}{kind}", visible(text.replace("\r\n", "\n")), fence]


def yaml_text(text: object) -> str:
    r"""Return a text as a value of YAML, which reads it as it was given.

    Examples
    --------
    >>> print(yaml_text("a: b\n---"))
    "a: b\n---"
    """
    return visible(json.dumps(str(text), ensure_ascii=False))


def _longest(text: str) -> int:
    """Return the length of the longest run of backticks."""
    return max((len(run) for run in _BACKTICKS.findall(text)), default=0)
