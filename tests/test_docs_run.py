"""Each page can be followed: its commands and its Python run in order, and print what the page shows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from support.page_runs import Ended, run_step
from support.page_steps import MARKS, Step, Written, every_step, pages_with_steps, steps_of
from support.page_worlds import NEEDS, furnish, let_happen
from support.pages import CODE, ROOT
from support.shown import difference

CAUTION = re.compile(r"\s*(?:Only \d+ (?:candidates|queries)\b|This (?:cannot be told from|is below) chance\b).*")
NOT_RUN_AT_MOST = 0.25  # of all commands and pieces of Python


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page", pages_with_steps())
def test_a_page_can_be_followed(page: str, world: Path, tmp_path: Path) -> None:
    furnish(page, world, tmp_path / "page")
    wrong = "\n\n".join(_wrong_on(page, tmp_path / "page"))
    assert not wrong, wrong


def _wrong_on(page: str, folder: Path) -> Iterator[str]:
    for step in steps_of(page):
        if isinstance(step, Written):
            with (folder / step.name).open("a" if step.more else "w", encoding="utf-8") as file:
                file.write(step.text)
        elif step.reason:
            continue
        elif not step.is_known:
            yield f"{step.where}: {step.text}: no program that is known here, and no comment says what it is"
        else:
            let_happen(step.text, folder)
            ended = run_step(step, folder)
            if trouble := _trouble(step, ended):
                yield f"{step.where}: {step.text}\n{trouble}\nIt ended with {ended.status} and printed:"
                yield ended.printed


def _trouble(step: Step, ended: Ended) -> str | None:
    if step.shown is None:
        return "It failed." if ended.status else None
    if ended.status not in {0, 1} or "Traceback (most recent call last)" in ended.printed:
        return "It broke."
    printed = ended.printed.splitlines()
    trouble = difference(step.shown, printed)
    return trouble and difference(_without_cautions(step.shown), _without_cautions(printed))


def _without_cautions(lines: Sequence[str]) -> list[str]:
    """Return lines without those that say how little a score means: in the small world, it means less."""
    return [line for line in lines if not CAUTION.fullmatch(line)]


def test_little_is_marked_as_not_run() -> None:
    steps = every_step()
    assert len(steps) > 80
    assert len([step for step in steps if step.reason]) <= NOT_RUN_AT_MOST * len(steps)


def test_what_comments_say_of_blocks_is_understood() -> None:
    marks = [code for code in CODE if code.mark]
    assert marks
    assert not [f"{code}: {code.mark}" for code in marks if not any(mark.fullmatch(code.mark) for mark in MARKS)]


def test_pictures_hold_no_commands() -> None:
    pictures = [code for code in CODE if code.language == "text"]
    assert pictures
    assert not [str(code) for code in pictures if re.search(r"^(\$ |biovita )", code.text, re.MULTILINE)]


def test_targets_of_make_exist() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {step.text.split()[1] for step in every_step() if step.text.startswith("make ")}
    assert named
    assert named <= targets


def test_the_world_has_no_files_for_pages_that_are_gone() -> None:
    assert set(NEEDS) <= set(pages_with_steps())
