from __future__ import annotations

import numpy as np
import pytest

from biovita.identification.back_off import Posterior
from biovita.trait_prediction.from_candidates import LEAST_KNOWN, CandidateShares, _shares

NAN = np.nan
LABELS = np.array([[1, 0, NAN], [0, NAN, NAN], [NAN, NAN, 1]])  # of three candidates


def test_a_value_is_the_share_of_the_known_that_has_the_label() -> None:
    found = Posterior(
        np.array([[0, 1, 2], [2, -1, -1]]), np.array([[0.5, 0.3, 0.1], [0.2, 0, 0]]), np.array([0.1, 0.8])
    )
    shares = _shares(found, LABELS)
    assert shares.known == pytest.approx(np.array([[0.8, 0.5, 0.1], [0, 0, 0.2]]))
    assert shares.having == pytest.approx(np.array([[0.5, 0, 0.1], [0, 0, 0.2]]))
    values = shares.values
    assert values[0] == pytest.approx([0.625, 0, 1])
    assert np.isnan(values[1, :2]).all()
    assert values[1, 2] == 1


def test_unknown_is_not_false_where_too_little_is_known() -> None:
    shares = CandidateShares(np.zeros((2, 1)), np.array([[LEAST_KNOWN], [LEAST_KNOWN - 1e-9]]))
    assert shares.values[0, 0] == 0
    assert np.isnan(shares.values[1, 0])


def test_groups_have_the_means_of_their_rows() -> None:
    shares = CandidateShares(np.array([[0.2], [0.4], [0.6]]), np.array([[0.4], [0.6], [0.6]]))
    found = shares.summed(np.array([1, 1, 0]), 3)
    assert found.values[:2, 0] == pytest.approx([1, 0.6])
    assert np.isnan(found.values[2, 0])
