"""What foreign configurations of CLIP, CLAP and text networks have in common: sizes within bounds."""

from __future__ import annotations

from typing import Any

from biovita.weights.setting_rules import SettingRule, either, number, several, whole

__all__ = ["HEADS", "LAYERS", "SHARE", "TOKEN", "WIDTH", "a_side", "sides"]

LAYERS, HEADS, WIDTH, SHARE = whole(1, 256), whole(1, 256), whole(1, 16_384), number(0, 1)
TOKEN = whole(0, 4_000_000)  # the number of a token, or how many there are


def a_side(rule: SettingRule) -> SettingRule:
    """Return the rule of one number for both sides of a picture, or of a list with one for each."""
    return either(rule, several(rule, 2, 2))


def sides(value: Any) -> tuple[Any, Any]:
    """Return the two numbers of a setting under the rule `a_side`."""
    first, second = value if isinstance(value, list) else (value, value)
    return first, second
