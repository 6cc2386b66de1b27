"""The small dataset and the plain model of `plainmodel`, as fixtures."""

from __future__ import annotations

from pathlib import Path

import pytest

from biovita.modality import Modality
from support.plain_model import TAXA, Builder, Plain, know, plain_towers


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> dict[Modality, Plain]:
    """Register the model ``plain`` and return its towers."""
    towers = plain_towers()
    know("plain", towers, monkeypatch.setitem)
    return towers


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    """Nine recordings and five photographs of three species."""
    made = Builder(tmp_path / "birds")
    (made.path / "media").mkdir(parents=True)
    for number in range(9):
        made.add_sound(f"sound'{number}", number, TAXA[number % 3].id)
    for number in range(5):
        made.add_photograph(f"photo {number}", number, TAXA[number % 3].id)
    return made
