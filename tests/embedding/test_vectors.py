from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from biovita.embedding import Vectors, texts_of
from biovita.errors import DatasetError
from biovita.taxonomy import Taxonomy
from support.plain_model import TAXA


@pytest.fixture
def vectors() -> Vectors:
    columns = {"taxon_id": pa.array(["x", "y", "x"])}
    return Vectors(("a", "b", "c"), np.arange(6, dtype=np.float32).reshape(3, 2), columns)


def test_look_up_by_id(vectors: Vectors) -> None:
    assert len(vectors) == 3
    assert vectors.dim == 2
    assert "b" in vectors
    assert "d" not in vectors
    np.testing.assert_array_equal(vectors["b"], [2, 3])
    np.testing.assert_array_equal(vectors.places(["c", "a", "c"]), [2, 0, 2])


def test_subset_is_in_the_order_asked_for(vectors: Vectors) -> None:
    chosen = vectors.subset(["c", "a", "c"])
    assert chosen.ids == ("c", "a", "c")
    assert chosen.taxon_ids == ("x", "x", "x")
    np.testing.assert_array_equal(chosen.vectors, [[4, 5], [0, 1], [4, 5]])
    assert vectors.subset([]).vectors.shape == (0, 2)


def test_missing_ids_are_named(vectors: Vectors) -> None:
    with pytest.raises(DatasetError, match=r"4 of 5 items have no vector: 'p', 'q', 'r', \.\.\.$"):
        vectors.subset(["p", "a", "q", "r", "s"])
    with pytest.raises(DatasetError, match="'d'"):
        vectors["d"]


def test_lengths_have_to_agree() -> None:
    with pytest.raises(ValueError, match="ids 2, vectors 1, taxon_id 2"):
        Vectors(("a", "b"), np.zeros((1, 2), np.float32), {"taxon_id": pa.array(["x", "y"])})


def test_texts_are_the_prompts_and_the_bare_names_once_each() -> None:
    texts = texts_of(Taxonomy.of(TAXA))
    assert texts == (
        "Eurasian Magpie",
        "Pica pica",
        "Aves Passeriformes Corvidae Pica Pica pica",
        "Pica pica with common name Eurasian Magpie",
        "Aves Passeriformes Corvidae Pica Pica pica with common name Eurasian Magpie",
        "Pica",
        "Corvidae",
        "Passeriformes",
        "Aves",
        "Common Raven",
        "Corvus corax",
        "Corvus corax with common name Common Raven",
        "Corvus",
        "Hyla arborea",
    )
