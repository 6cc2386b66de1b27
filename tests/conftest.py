"""What several test modules need."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from biovita.modality import Modality
from biovita.model import Model, load_model
from biovita.towers import Encoder
from biovita.towers.minilm import MiniLM


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


@pytest.fixture(scope="session")
def known_texts() -> dict[bytes, np.ndarray]:
    """Return where `each_text_once` keeps vectors, by the texts' word pieces."""
    return {}


@pytest.fixture(scope="module")
def each_text_once(known_texts: dict[bytes, np.ndarray]) -> Iterator[None]:
    """Let MiniLM encode each text once: all datasets learn the names of the classifiers, a minute's work."""
    encode = MiniLM.encode

    def encode_new(self: MiniLM, batch: Sequence[np.ndarray]) -> np.ndarray:
        new = {tokens.tobytes(): tokens for tokens in batch if tokens.tobytes() not in known_texts}
        known_texts.update(zip(new, encode(self, list(new.values())), strict=True))
        return np.stack([known_texts[tokens.tobytes()] for tokens in batch])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MiniLM, "encode", encode_new)
        yield
