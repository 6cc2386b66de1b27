"""What is wrong with how a page is laid out, measured in the browser that shows it."""

from __future__ import annotations

from pathlib import Path

from support.browser import Tab

__all__ = ["SETTINGS", "page_faults", "unfold"]

SETTINGS = tuple((width, scheme) for width in (390, 1200) for scheme in ("light", "dark"))
_MEASURED = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
_UNFOLDED = """(async () => {
  for (const image of document.images) image.loading = "eager";
  for (const details of document.querySelectorAll("details")) details.open = true;
  await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
})()"""


def page_faults(tab: Tab, width: int, scheme: str) -> list[str]:
    """Return what lies beyond the page's edges, is cut off, lies on other text or is hard to read, in sentences."""
    tab.show(width, scheme)
    return tab.evaluate(_MEASURED)


def unfold(tab: Tab) -> None:
    """Load all pictures of a page, and open what can be opened, so that it is measured, too."""
    tab.evaluate(_UNFOLDED)
