"""The templates, with the filters that they use and the policy that their pages carry."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from biovita.modality import Modality, modalities_of
from biovita.report.settings import setting_rows
from biovita.terminal import visible

if TYPE_CHECKING:
    import jinja2

__all__ = ["environment", "spoken"]

_SPOKEN = {Modality.AUDIO: "sound", Modality.IMAGE: "photo", Modality.TEXT: "name"}


@cache
def environment(**filters: Callable[..., str]) -> jinja2.Environment:
    """Return the templates of the report, with more filters for a page of its own; each is compiled once."""
    import jinja2
    from markupsafe import Markup

    found = jinja2.Environment(
        loader=jinja2.PackageLoader("biovita.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
    )
    found.filters.update(percent=_percent, spoken=spoken, number=_number, settings=setting_rows, **filters)
    script = found.get_template("report.js").render()
    found.globals.update(script=Markup(script), policy=_policy(script))  # noqa: S704 - our own file
    return found


def spoken(direction: str) -> str:
    """Return a direction in words.

    Examples
    --------
    >>> spoken("A2T")
    'sound → name'
    """
    asked, answered = modalities_of(direction)
    return f"{_SPOKEN[asked]} → {_SPOKEN[answered]}"


def _policy(script: str) -> str:
    """Return what a browser lets the page do: its own script, styles, pictures and sounds; nothing from elsewhere."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; media-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _shown(value: Any) -> Any:
    """Return what a template puts out: text with control characters, and those that turn its direction, visible."""
    return visible(value) if type(value) is str else value


def _percent(value: float, digits: int = 1) -> str:
    return f"{100 * value:.{digits}f}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
