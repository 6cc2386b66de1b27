"""Every page in a browser: nothing is wider than its page, no text is cut off, all of it can be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.browser import Browser, find_browser, open_browser
from support.page_faults import SETTINGS, page_faults, unfold
from support.small_pages import KINDS, write_pages

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def program() -> str:
    found = find_browser()
    if found is None:
        pytest.skip("no Chromium is on this machine: apt-get install chromium")
    return found


@pytest.fixture(scope="module")
def pages(program: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_pages(tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="module")
def browser(program: str, pages: dict[str, Path]) -> Iterator[Browser]:
    with open_browser(program) as found:
        yield found


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_keeps_to_its_width_and_cuts_nothing_off(
    browser: Browser, pages: dict[str, Path], kind: str
) -> None:
    tab = browser.open(pages[kind])
    unfold(tab)
    found = {setting: page_faults(tab, *setting) for setting in SETTINGS}
    tab.close()
    assert not any(found.values()), found


WELL = "<p>This is well.</p>"
WRONG = {
    "<div style='width: 2000px'>wide</div>": "div lies from 8 to 2008",
    "<p style='width: 40px'>Coccothraustes</p>": "is wider than p",
    "<p style='width: 60px; overflow: hidden; white-space: nowrap'>Coccothraustes</p>": "is cut off at a side of p",
    "<p style='height: 20px; overflow: hidden'>one<br>two<br>three</p>": "is cut off in the height of p",
    "<svg viewBox='0 0 100 20' width='100'><text x='60' y='15'>Coccothraustes</text></svg>": "at a side of svg",
    "<svg viewBox='0 0 90 20'><text x='3' y='15'>one</text><text x='9' y='15'>two</text></svg>": "lie on each other",
    "<p style='color: #ccc; background: #fff'>pale</p>": "is hard to tell from its background",
}


@pytest.mark.parametrize("body", [WELL, *WRONG])
def test_the_measuring_finds_what_is_wrong(browser: Browser, tmp_path: Path, body: str) -> None:
    page = tmp_path / "page.html"
    head = "<!DOCTYPE html><meta charset=utf-8><meta name=color-scheme content='light dark'>"
    page.write_text(f"{head}<body>{body}", encoding="utf-8")
    tab = browser.open(page)
    found = page_faults(tab, 390, "light")
    tab.close()
    assert [fault for fault in found if WRONG[body] in fault] if body in WRONG else not found, found


def test_a_wide_table_may_scroll_within_its_own_box(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    table = "<table style='width: 2000px'><td>a cell<td style='text-align: right'>another</table>"
    page.write_text(f"<!DOCTYPE html><body><div style='overflow-x: auto'>{table}</div>", encoding="utf-8")
    tab = browser.open(page)
    found = page_faults(tab, 390, "light")
    tab.close()
    assert not found


def test_the_first_stop_of_the_keyboard_leads_past_the_head(browser: Browser, pages: dict[str, Path]) -> None:
    tab = browser.open(pages["report"])
    tab.show(1200, "light")
    tab.press("Tab")
    left = tab.evaluate(
        "document.activeElement.matches('.skip') && getComputedStyle(document.activeElement).clipPath"
    )
    assert left == "none"
    tab.close()
