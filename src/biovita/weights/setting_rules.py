"""Rules for the settings of foreign configurations: which are accepted, of what type and in what range."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from biovita.errors import ModelError, unknown_name

__all__ = [
    "FLAG",
    "NONE",
    "Section",
    "SettingRule",
    "checked",
    "choice",
    "either",
    "names",
    "number",
    "several",
    "text",
    "whole",
]

_SHOWN = 60  # characters of a value in an error


@dataclass(frozen=True, slots=True)
class SettingRule:
    """What a setting may be, as a test and in words."""

    accepts: Callable[[Any], bool]
    wanted: str


@dataclass(frozen=True, slots=True)
class Section:
    """The settings of a JSON object.

    Attributes
    ----------
    rules
        By name; no other setting is passed on.
    ignored
        Names that published files have and that nothing here is built from: they are dropped, whatever they hold.
    optional
        Whether null may stand in its place.
    """

    rules: Mapping[str, SettingRule | Section]
    ignored: frozenset[str] = frozenset()
    optional: bool = False


def checked(content: Any, section: Section, where: str, within: str = "") -> dict[str, Any]:
    """Return the settings of a JSON object that `section` knows, all of them as it wants them.

    Parameters
    ----------
    where
        The file, for an error.
    within
        Where in the file the object lies, such as ``text_cfg``.

    Raises
    ------
    ModelError
        Where a setting is unknown, of another type or out of range; the message names file and setting.
    """
    if not isinstance(content, dict):
        raise ModelError(f"{where}: {within or 'the file'} is {_shown(content)}; it has to be a JSON object")
    found = {}
    for name, value in content.items():
        path = f"{within}.{name[:_SHOWN]}".lstrip(".")
        rule = section.rules.get(name)
        if rule is None:
            if name in section.ignored:
                continue
            unknown = unknown_name("setting", name[:_SHOWN], section.rules)
            raise ModelError(f"{where}: {path} is refused, because only known settings are passed on: {unknown}")
        if isinstance(rule, Section):
            found[name] = None if value is None and rule.optional else checked(value, rule, where, path)
        elif rule.accepts(value):
            found[name] = value
        else:
            raise ModelError(f"{where}: {path} is {_shown(value)}; it has to be {rule.wanted}")
    return found


def whole(least: int, most: int) -> SettingRule:
    """Return the rule of a whole number in a range, its ends included."""
    return SettingRule(
        lambda value: type(value) is int and least <= value <= most, f"a whole number {least} to {most}"
    )


def number(least: float, most: float) -> SettingRule:
    """Return the rule of a finite number in a range, its ends included."""
    return SettingRule(
        lambda value: type(value) in {int, float} and math.isfinite(value) and least <= value <= most,
        f"a number {least:g} to {most:g}",
    )


def choice(*values: str | None) -> SettingRule:
    """Return the rule of one of these texts, or null where None is among them."""
    return SettingRule(
        lambda value: (value is None or isinstance(value, str)) and value in values,
        " or ".join("null" if value is None else repr(value) for value in values),
    )


def text(pattern: str, wanted: str) -> SettingRule:
    """Return the rule of a text that a pattern matches as a whole."""
    return SettingRule(lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None, wanted)


def several(rule: SettingRule, least: int, most: int) -> SettingRule:
    """Return the rule of a list of so many values, each under a rule."""
    many = str(least) if least == most else f"{least} to {most}"
    return SettingRule(
        lambda value: isinstance(value, list) and least <= len(value) <= most and all(map(rule.accepts, value)),
        f"a list of {many}, each {rule.wanted}",
    )


def either(*rules: SettingRule) -> SettingRule:
    """Return the rule that one of these holds."""
    return SettingRule(
        lambda value: any(rule.accepts(value) for rule in rules), " or ".join(rule.wanted for rule in rules)
    )


def names(listed: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(listed.split())


FLAG = SettingRule(lambda value: isinstance(value, bool), "true or false")
NONE = SettingRule(lambda value: value is None, "null")


def _shown(value: Any) -> str:
    """Return a value as an error shows it: cut, and of a list or an object only what it is."""
    if isinstance(value, dict | list):
        return f"a {'list' if isinstance(value, list) else 'JSON object'} of {len(value)}"
    try:
        said = repr(value)
    except ValueError:  # a number of thousands of digits
        return "a number of thousands of digits"
    return said if len(said) <= _SHOWN else f"{said[:_SHOWN]}..."
