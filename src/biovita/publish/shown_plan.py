"""A plan as it goes out with its dataset: without secrets, whom servers may write to, and places of a machine."""

from __future__ import annotations

import tomllib
from typing import Any

import tomli_w

from biovita.named_files import is_absolute, last_name
from biovita.redact import HIDDEN, is_secret_name, redacted

__all__ = ["shown", "shown_plan"]


def shown_plan(text: str) -> str | None:
    """Return the text of a plan, as ``dataset.toml`` has it, as others may see it; None where it is not TOML.

    Of a path that begins at the root of a file system, its last name is left: ``.../recordings``.
    """
    try:
        return tomli_w.dumps(_without_places(shown(tomllib.loads(text))))
    except (tomllib.TOMLDecodeError, RecursionError):
        return None


def _without_places(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_places(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_without_places(each) for each in value]
    if isinstance(value, str) and is_absolute(value):
        return f".../{last_name(value)}"
    return value


def shown(value: Any) -> Any:
    """Return a value of a plan as others may see it."""
    if isinstance(value, dict):
        return {
            redacted(name): HIDDEN if is_secret_name(name) else shown(each)
            for name, each in value.items()
            if name != "contact"
        }
    if isinstance(value, list | tuple):
        return [shown(each) for each in value]
    return redacted(value) if isinstance(value, str) else value
