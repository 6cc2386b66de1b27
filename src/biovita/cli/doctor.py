"""``biovita doctor``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from biovita.cli.kit import Json, group, print_json, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biovita.doctor import Check, Checkup

__all__ = ["app"]

app = group("doctor")


@app.default
def doctor(*, as_json: Json = False) -> int:
    """Say what is installed, what the device is, which formats decode, and what is missing for which feature.

    Exits with 1 where something is missing that biovita cannot do without.
    """
    from biovita.doctor import examine

    checkup = examine()
    if as_json:
        print_json({**asdict(checkup), "well": checkup.well})
    else:
        say(*_lines(checkup))
    return int(not checkup.well)


def _lines(checkup: Checkup) -> Iterator[str]:
    yield from (checkup.system, f"device: {checkup.device}")
    sections: dict[str, tuple[Check, ...]] = {
        "packages": checkup.packages,
        "formats": checkup.formats,
        "optional parts": checkup.extras,
        "models on the hub": checkup.models,
    }
    for title, checks in sections.items():
        width = max((len(check.name) for check in checks), default=0)
        yield f"{title}:"
        yield from (f"  {'ok' if check.well else '--'} {check.name:<{width}}  {check.found}" for check in checks)
    yield (
        "Everything that biovita needs is here"
        if checkup.well
        else "Something that biovita needs is missing: see the lines with --"
    )
