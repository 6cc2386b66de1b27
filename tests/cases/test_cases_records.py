"""Ill-formed records cost themselves alone: case F04."""

from __future__ import annotations

from pathlib import Path

import pytest

from biovita.collect.accounts import accounts_of
from biovita.collect.plan import read_plan
from biovita.collect.select import select
from support.cases import inputs_of


@pytest.mark.parametrize(
    ("plan", "taken", "rejected"),
    [
        ("dwc", 2, {"no-address": 1}),
        ("xc", 1, {"no-address": 1}),
        ("photo_none", 1, {"not-as-described": 1}),
        ("taxon_text", 1, {"not-as-described": 1}),
        ("ancestor_none", 2, {}),
    ],
)
def test_f04_ill_formed_records(tmp_path: Path, plan: str, taken: int, rejected: dict[str, int]) -> None:
    folder = inputs_of("F04", tmp_path)
    with select(read_plan(folder / f"{plan}.toml")) as selection:
        assert sum(part.items for part in selection.summary()) == taken
        (account,) = accounts_of(selection)
        assert (account.reasons, list(selection.left_out())) == (rejected, [])
