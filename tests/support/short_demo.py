"""The demo in few steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

import biovita.training
from biovita.training import FrozenRecipe, recipe


def in_few_steps(patch: pytest.MonkeyPatch, steps: int) -> None:
    """Let the demo train each of its two stages in so many steps."""

    def short(name: str, settings: Mapping[str, Any], kind: type[FrozenRecipe]) -> FrozenRecipe:
        return recipe(name, {**settings, "steps": steps}, kind)

    patch.setattr(biovita.training, "recipe", short)
