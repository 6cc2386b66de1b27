from __future__ import annotations

import numpy as np
import pytest

from biovita.directions import lengths, unit
from biovita.errors import ModelError


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1.0, 1e12, 1e30])
def test_vectors_of_any_size_have_length_one(scale: float) -> None:
    vectors = (scale * np.random.default_rng(0).standard_normal((5, 768))).astype(np.float32)
    expected = np.linalg.norm(vectors.astype(np.float64), axis=1)
    np.testing.assert_allclose(lengths(vectors), expected, rtol=1e-6)
    found = unit(vectors)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, vectors / expected[:, None], rtol=1e-6)


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_what_has_no_direction_is_an_error(bad: float) -> None:
    vectors = np.ones((4, 3), np.float32)
    vectors[2:] = bad
    with pytest.raises(ModelError, match="2 sounds are zero or not finite, the first in row 2"):
        unit(vectors, "sounds")
