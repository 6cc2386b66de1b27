"""Why a record is no candidate of a plan, as an expression of DuckDB."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from datetime import date

from biovita.collect.plan import Plan
from biovita.sources.licenses import licenses_within
from biovita.sources.source import UNTOLD
from biovita.sql import sql_text

__all__ = ["NEITHER", "among", "why_not"]

NEITHER = "neither"  # the modality of what is no sound and no photograph by its content
_UNCLEAR = {UNTOLD: "untold", NEITHER: "no-sound-or-photograph"}


def why_not(plan: Plan, kind: str) -> str:
    """Return the expression that says why a record is no candidate; null where it is one."""
    cases = [
        ("r.problem is not null", "problem"),
        (f"r.modality not in {among((*plan.modalities, UNTOLD, NEITHER))}", "other-modality"),
        ("w.taxon is null", "taxon"),
        (f"not ({_allowed(plan.licenses)})", "license"),
    ]
    if grades := plan.quality.of(kind):
        cases.append((f"coalesce(r.quality, '') not in {among(grades)}", "quality"))
    first, last = plan.dates.first, plan.dates.last
    if first is not None or last is not None:
        cases.append((f"coalesce({_outside(first, last)}, true)", "date"))
    if plan.places.boxes or plan.places.countries:
        cases.append((f"not coalesce({_places(plan)}, false)", "place"))
    if limited := [modality for modality in ("audio", "image") if plan.limits.of(modality) == 0]:
        cases.append((f"r.modality in {among(limited)}", "other-modality"))
    cases += [(f"r.modality = {sql_text(each)}", reason) for each, reason in _UNCLEAR.items()]
    said = {"problem": "r.problem", "taxon": "coalesce(w.reason, 'other-taxon')"}
    lines = " ".join(f"when {condition} then {said.get(reason, sql_text(reason))}" for condition, reason in cases)
    return f"case {lines} end"


def _outside(first: date | None, last: date | None) -> str:
    """Return the condition that a date is not within; one known to the month or year has to be within with all days."""
    earliest = "left(r.recorded_at || substr('0000-01-01', length(r.recorded_at) + 1), 10)"
    latest = "left(r.recorded_at || substr('0000-12-31', length(r.recorded_at) + 1), 10)"
    conditions = []
    if first is not None:
        conditions.append(f"{earliest} < {sql_text(first.isoformat())}")
    if last is not None:
        ends_month = last.day == monthrange(last.year, last.month)[1]
        conditions.append(
            f"{latest} > {sql_text(last.isoformat()[:8] + '31' if ends_month else last.isoformat())}"
        )
    return " or ".join(conditions)


def among(values: Sequence[str]) -> str:
    """Return values as SQL has them after ``in``."""
    return "(" + ", ".join(sql_text(value) for value in values) + ")"


def _allowed(licenses: tuple[str, ...]) -> str:
    """Return the condition that `biovita.sources.licenses.allowed` states."""
    return f"coalesce(r.license in {among(licenses_within(licenses))}, false)" if licenses else "false"


def _places(plan: Plan) -> str:
    conditions = []
    for south, west, north, east in plan.places.boxes:
        if west <= east:
            across = f"r.longitude between {west} and {east}"
        else:
            across = f"(r.longitude >= {west} or r.longitude <= {east})"
        conditions.append(f"(r.latitude between {south} and {north} and {across})")
    if plan.places.countries:
        countries = among([country.lower() for country in plan.places.countries])
        conditions.append(f"coalesce(lower(r.country) in {countries}, false)")
    return "(" + " or ".join(conditions) + ")"
