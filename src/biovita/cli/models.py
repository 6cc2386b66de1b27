"""``biovita models``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

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


@app.command
def fetch(name: str, /) -> None:
    """Download a model ahead of time, and check what is known of its files.

    Parameters
    ----------
    name
        A name that `biovita models` lists, or hf-hub:owner/repository.
    """
    from biovita.towers.hub_models import HUB_MODELS
    from biovita.towers.registry import model_row
    from biovita.towers.sources import find_source, is_source

    if name in HUB_MODELS:
        place = HUB_MODELS[name].fetch(verify=True)
    elif is_source(name):
        place = find_source(name).place()
    else:
        sys.stdout.write(f"{model_row(name).name}: its weights were installed with biovita\n")
        return
    sys.stdout.write(f"{name}: {place}\n")


@app.command
def export(
    model: str,
    /,
    *,
    out: Path,
    layout: Literal["published", "own"] = "published",
    resampling: Literal["sinc", "soxr"] | None = None,
    window: Literal["onset", "start", "all"] | None = None,
    overlap: float | None = None,
    overwrite: bool = False,
) -> None:
    """Write a model with all its weights, for other people's code or for this one.

    Parameters
    ----------
    model
        A name that `biovita models` lists, a directory, or a training checkpoint.
    out
        Directory to write.
    layout
        published: the files of the published repository. own: config.json and model.safetensors.
    resampling
        sinc: the published filter. soxr: faster at odd rates. Only the layout own has a place for this and the next.
    window
        What is heard of a long recording. onset: 10 s from the first call on. start: the first 10 s. all: all of it,
        the mean over its windows.
    overlap
        Share of a window that the next one repeats, where all are heard; from 0 up to 1.
    overwrite
        Replace what is there.
    """
    from biovita.errors import ModelError
    from biovita.model import load_model
    from biovita.model.published import listening, save_published, save_whole

    given = {"resampling": resampling, "window": window, "overlap": overlap}
    changes = {name: value for name, value in given.items() if value is not None}
    if changes and layout == "published":
        raise ModelError(
            f"the published layout does not say how sound is read, so --{', --'.join(changes)} would be lost: "
            "take --layout own"
        )
    write = save_published if layout == "published" else save_whole
    opened = load_model(model, device="cpu")
    sys.stdout.write(f"{write(listening(opened, **changes) if changes else opened, out, overwrite=overwrite)}\n")


def _as_json() -> str:
    from biovita.towers import MODELS, TOWERS

    rows = [
        {"name": row.name, "about": row.about, "towers": [asdict(TOWERS[name].card) for name in row.towers]}
        for row in MODELS.values()
    ]
    return json.dumps(rows, ensure_ascii=False, indent=2)


def _as_text() -> str:
    from biovita.towers import MODELS, TOWERS

    lines = []
    for row in MODELS.values():
        lines.append(f"{row.name}: {row.about}")
        for info in (TOWERS[name].card for name in row.towers):
            size = "size not known" if info.size_bytes is None else f"{info.size_bytes / 1e6:.1f} MB"
            lines.append(f"  {info.modality:<6} {info.name}, {info.dim} numbers, {size}, {info.license}")
            notes = (info.source, info.revision, info.notice)
            lines += [f"         {note}" for note in notes if note]
    return "\n".join(lines)
