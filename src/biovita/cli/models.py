"""``biovita models``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from biovita.cli.kit import Json, Overwrite, group, print_json, say

if TYPE_CHECKING:
    from biovita.model.card import ModelCard

__all__ = ["app"]

app = group("models", "List, describe, fetch and export models; without a command, list those that are known.")


@app.default
def models(*, as_json: Json = False) -> None:
    """List the models that are known, their towers, sources and licences."""
    from biovita.model.describe import describe
    from biovita.model.lookup import KNOWN

    cards = [describe(name) for name in KNOWN]
    if as_json:
        print_json(
            [{"name": card.name, "about": card.about, "towers": list(card.encoders.values())} for card in cards]
        )
        return
    for card in cards:
        say(f"{card.name}: {card.about}", *_towers(card))


@app.command
def describe(name: str, /, *, as_json: Json = False) -> None:
    """Print what is known of any model, without opening its weights: its layout, place, identity and towers.

    Parameters
    ----------
    name
        A name that `biovita models` lists, a directory, a training checkpoint, or hf-hub:owner/repository.
    """
    import biovita

    card = biovita.describe(name)
    if as_json:
        print_json(_content(card))
    else:
        say(*_lines(card))


@app.command
def fetch(name: str, /, *, as_json: Json = False) -> None:
    """Download a model ahead of time, and check what is known of its files.

    Parameters
    ----------
    name
        A name that `biovita models` lists, or hf-hub:owner/repository.
    """
    from biovita.model import describe
    from biovita.model.describe import format_named
    from biovita.model.lookup import KNOWN
    from biovita.model.repository import place_of
    from biovita.weights.hub_models import HUB_MODELS

    place: Path | None
    if name in HUB_MODELS:
        place = HUB_MODELS[name].fetch(verify=True)
    else:
        card = describe(name)
        place = None if name in KNOWN else place_of(card.place, format_named(card.format))
    if as_json:
        print_json({"name": name, "place": place, "installed": place is None})
    else:
        say(f"{name}: {'its weights were installed with biovita' if place is None else place}")


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
    overwrite: Overwrite = False,
    as_json: Json = False,
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
        sinc: the published filter. soxr: faster at odd rates. Only the layout own has a place for this and the next
        two.
    window
        What is heard of a long recording. onset: 10 s from the first call on. start: the first 10 s. all: all of it,
        the mean over its windows.
    overlap
        Share of a window that the next one repeats, where all are heard; from 0 up to 1.
    """
    import biovita

    path = biovita.save_model(
        model,
        out=out,
        layout=layout,
        resampling=resampling,
        window=window,
        overlap=overlap,
        overwrite=overwrite,
    )
    if as_json:
        print_json({"model": path, "layout": layout})
    else:
        say(path)


def _content(card: ModelCard) -> dict[str, Any]:
    return {
        "name": card.name,
        "about": card.about,
        "format": card.format,
        "place": card.place,
        "revision": card.revision,
        "dim": card.dim,
        "knows": list(card.knows),
        "towers": list(card.encoders.values()),
        "base": None if card.base is None else _content(card.base),
    }


def _lines(card: ModelCard) -> Iterator[str]:
    space = "none: each tower has its own" if card.dim is None else f"{card.dim} numbers"
    yield from (
        f"{card.name}: {card.about}",
        f"  layout   {card.format}",
        f"  place    {card.place}",
        f"  revision {card.revision}",
        f"  space    {space}",
    )
    if card.base is not None:
        at = "" if card.base.place == card.base.name else f", at {card.base.place}"
        yield f"  towers   of {card.base.name}{at}"
    yield from (f"  knows    {sentence}" for sentence in card.knows)
    yield from _towers(card)


def _towers(card: ModelCard) -> Iterator[str]:
    for info in card.encoders.values():
        size = "size not known" if info.size_bytes is None else f"{info.size_bytes / 1e6:.1f} MB"
        yield f"  {info.modality:<6} {info.name}, {info.dim} numbers, {size}, {info.license}"
        yield from (f"         {each}" for each in (info.source, info.revision, info.notice) if each)
