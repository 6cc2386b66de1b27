"""What several test modules need."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from biovita.modality import Modality
from biovita.model import Model, load_model
from biovita.towers import Encoder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real test data beside the repository, or skip."""
    root = Path(os.environ.get("BIOVITA_SHARED", Path(__file__).parents[1].parent / "shared")) / "data"
    if not root.is_dir():
        pytest.skip(f"the real test data are not here: {root} (set BIOVITA_SHARED to the folder that has them)")
    return root


@pytest.fixture(scope="session")
def starter() -> Model:
    """Return the model of the three towers that install from the registry, open on the CPU."""
    return load_model("starter", "cpu")


@pytest.fixture(scope="session")
def starter_towers(starter: Model) -> Mapping[Modality, Encoder]:
    """Return its towers."""
    return starter.towers
