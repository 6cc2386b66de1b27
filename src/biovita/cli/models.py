"""``biovita models``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from biovita.model.card import ModelCard

__all__ = ["app"]

app = App(name="models", help="The models that are known, their towers, sources and licences.")

AsJson = Annotated[bool, Parameter(name="--json", negative=())]


@app.default
def models(*, json_: AsJson = False) -> None:
    """List the models that are known, their towers, sources and licences.

    Parameters
    ----------
    json_
        Print them as JSON.
    """
    from biovita.model.lookup import KNOWN

    if json_:
        rows = [
            {"name": card.name, "about": card.about, "towers": [asdict(info) for info in card.encoders.values()]}
            for card in KNOWN.values()
        ]
        sys.stdout.write(json.dumps(rows, ensure_ascii=False, indent=2) + "\n")
        return
    for card in KNOWN.values():
        sys.stdout.write("\n".join([f"{card.name}: {card.about}", *_towers(card)]) + "\n")


@app.command
def show(name: str, /, *, json_: AsJson = False) -> None:
    """Print what is known of any model, without opening its weights: its layout, place, identity and towers.

    Parameters
    ----------
    name
        A name that `biovita models` lists, a directory, a training checkpoint, or hf-hub:owner/repository.
    json_
        Print it as JSON.
    """
    from biovita.model import describe

    card = describe(name)
    text = json.dumps(_content(card), ensure_ascii=False, indent=2) if json_ else "\n".join(_lines(card))
    sys.stdout.write(text + "\n")


@app.command
def fetch(name: str, /) -> None:
    """Download a model ahead of time, and check what is known of its files.

    Parameters
    ----------
    name
        A name that `biovita models` lists, or hf-hub:owner/repository.
    """
    from biovita.model import describe
    from biovita.model.describe import format_named
    from biovita.model.repository import place_of
    from biovita.weights.hub_models import HUB_MODELS

    if name in HUB_MODELS:
        sys.stdout.write(f"{name}: {HUB_MODELS[name].fetch(verify=True)}\n")
        return
    card = describe(name)
    if card.format == "installed":
        sys.stdout.write(f"{card.name}: its weights were installed with biovita\n")
        return
    sys.stdout.write(f"{name}: {place_of(card.place, format_named(card.format))}\n")


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
    from biovita.model import load_model, save_model

    given = {"resampling": resampling, "window": window, "overlap": overlap}
    changes = {name: value for name, value in given.items() if value is not None}
    if changes and layout == "published":
        raise ModelError(
            f"the published layout does not say how sound is read, so --{', --'.join(changes)} would be lost: "
            "take --layout own"
        )
    opened = load_model(model, device="cpu")
    heard = opened.listening(**changes) if changes else opened
    sys.stdout.write(f"{save_model(heard, out, layout=layout, overwrite=overwrite)}\n")


def _content(card: ModelCard) -> dict[str, Any]:
    return {
        "name": card.name,
        "about": card.about,
        "format": card.format,
        "place": card.place,
        "revision": card.revision,
        "dim": card.dim,
        "towers": [asdict(info) for info in card.encoders.values()],
        "base": None if card.base is None else _content(card.base),
    }


def _lines(card: ModelCard) -> list[str]:
    space = "none: each tower has its own" if card.dim is None else f"{card.dim} numbers"
    lines = [
        f"{card.name}: {card.about}",
        f"  layout   {card.format}",
        f"  place    {card.place}",
        f"  revision {card.revision}",
        f"  space    {space}",
    ]
    if card.base is not None:
        at = "" if card.base.place == card.base.name else f", at {card.base.place}"
        lines.append(f"  towers   of {card.base.name}{at}")
    return [*lines, *_towers(card)]


def _towers(card: ModelCard) -> list[str]:
    lines = []
    for info in card.encoders.values():
        size = "size not known" if info.size_bytes is None else f"{info.size_bytes / 1e6:.1f} MB"
        lines.append(f"  {info.modality:<6} {info.name}, {info.dim} numbers, {size}, {info.license}")
        notes = (info.source, info.revision, info.notice)
        lines += [f"         {note}" for note in notes if note]
    return lines
