"""The card of a dataset as the sites that hold datasets show it."""

from __future__ import annotations

import re
from pathlib import Path

from markdown_it import MarkdownIt

__all__ = ["card_as_page"]

_STYLE = """
:root { color-scheme: light dark; }
body { max-width: 860px; margin: 0 auto; padding: 16px; font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
svg { max-width: 100%; height: auto; }
table { display: block; overflow-x: auto; border-collapse: collapse; }
th, td { border: 1px solid #8888; padding: 6px 13px; overflow-wrap: normal; }
pre { overflow-x: auto; padding: 16px; background: #8882; }
"""


def card_as_page(dataset: Path) -> Path:
    """Write README.md of a dataset as ``card.html`` beside it, with its plots in it, and return the page."""
    text = (dataset / "README.md").read_text(encoding="utf-8").split("---\n", 2)[2]
    body = MarkdownIt().enable("table").render(text)
    for plot in (dataset / "card").glob("*.svg"):
        body = re.sub(rf'<img src="card/{plot.name}"[^>]*>', plot.read_text(encoding="utf-8"), body)
    page = dataset / "card.html"
    head = f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><style>{_STYLE}</style></head>'
    page.write_text(f"{head}<body>{body}</body></html>", encoding="utf-8")
    return page
