"""What several test modules need."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from biovita.modality import Modality
from biovita.towers import Encoder, load_towers


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real test data beside the repository, or skip."""
    root = Path(os.environ.get("BIOVITA_SHARED", Path(__file__).parents[1].parent / "shared")) / "data"
    if not root.is_dir():
        pytest.skip(f"the real test data are not here: {root} (set BIOVITA_SHARED to the folder that has them)")
    return root


@pytest.fixture(scope="session")
def starter_towers() -> dict[Modality, Encoder]:
    """Return the three towers that install from the registry, open on the CPU."""
    return load_towers("starter", "cpu")
