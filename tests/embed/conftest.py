"""The small dataset and the plain model of `plainmodel`, as fixtures."""

from __future__ import annotations

from pathlib import Path

import pytest

from biovita.modality import Modality
from biovita.towers import MODELS, TOWERS, EncoderCard, ModelRow, TowerRow
from plainmodel import TAXA, Builder, Plain


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> dict[Modality, Plain]:
    """Register the model ``plain`` and return its towers."""
    towers = {
        modality: Plain(EncoderCard(f"plain-{modality}", modality, 3, "this file", "1", "Apache-2.0"))
        for modality in Modality
    }
    for tower in towers.values():
        monkeypatch.setitem(TOWERS, tower.card.name, TowerRow(tower.card, tower))
    monkeypatch.setitem(
        MODELS, "plain", ModelRow("plain", "", tuple(tower.card.name for tower in towers.values()))
    )
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
