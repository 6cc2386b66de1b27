"""``biovita doctor``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from biovita.doctor import Check, Checkup

__all__ = ["app"]

app = App(name="doctor", help="What is installed, what the device is, what decodes, and what is missing for what.")


@app.default
def doctor(*, json_: Annotated[bool, Parameter(name="--json", negative=())] = False) -> int:
    """Say what is installed, what the device is, which formats decode, and what is missing for which feature.

    Exits with 1 where something is missing that biovita cannot do without.

    Parameters
    ----------
    json_
        Print it as JSON.
    """
    from biovita.doctor import examine

    checkup = examine()
    text = json.dumps({**asdict(checkup), "well": checkup.well}, indent=2) if json_ else _as_text(checkup)
    sys.stdout.write(text + "\n")
    return int(not checkup.well)


def _as_text(checkup: Checkup) -> str:
    lines = [checkup.system, f"device: {checkup.device}"]
    sections: dict[str, tuple[Check, ...]] = {
        "packages": checkup.packages,
        "formats": checkup.formats,
        "optional parts": checkup.extras,
        "models on the hub": checkup.models,
    }
    for title, checks in sections.items():
        width = max((len(check.name) for check in checks), default=0)
        lines.append(f"{title}:")
        lines += [f"  {'ok' if check.well else '--'} {check.name:<{width}}  {check.found}" for check in checks]
    lines.append(
        "all that is needed is here" if checkup.well else "something needed is missing: see the lines with --"
    )
    return "\n".join(lines)
