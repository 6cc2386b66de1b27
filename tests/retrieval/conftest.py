"""A model that costs nothing is known to all tests of the room."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.aligned_stub import stubs_known


@pytest.fixture(scope="package", autouse=True)
def model() -> Iterator[None]:
    with stubs_known():
        yield
