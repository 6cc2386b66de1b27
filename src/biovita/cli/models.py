"""``biovita models``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

from cyclopts import App, Parameter

__all__ = ["app"]

app = App(name="models", help="The models that are known, their towers, sources and licences.")


@app.default
def models(*, json_: Annotated[bool, Parameter(name="--json", negative=())] = False) -> None:
    """List the models that are known, their towers, sources and licences.

    Parameters
    ----------
    json_
        Print them as JSON.
    """
    sys.stdout.write((_as_json() if json_ else _as_text()) + "\n")


def _as_json() -> str:
    from biovita.towers import MODELS, TOWERS

    rows = [
        {"name": row.name, "about": row.about, "towers": [asdict(TOWERS[name].info) for name in row.towers]}
        for row in MODELS.values()
    ]
    return json.dumps(rows, ensure_ascii=False, indent=2)


def _as_text() -> str:
    from biovita.towers import MODELS, TOWERS

    lines = []
    for row in MODELS.values():
        lines.append(f"{row.name}: {row.about}")
        for info in (TOWERS[name].info for name in row.towers):
            size = "size not known" if info.size_bytes is None else f"{info.size_bytes / 1e6:.1f} MB"
            lines.append(f"  {info.modality:<6} {info.name}, {info.dim} numbers, {size}, {info.license}")
            notes = (info.source, info.revision, info.notice)
            lines += [f"         {note}" for note in notes if note]
    return "\n".join(lines)
