"""By which models an archive is embedded, and what it remembers of what was added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from biovita.archive.archive import Archive
from biovita.errors import DatasetError
from biovita.identification.choose_model import choose_model
from biovita.identification.identify_run import RECORD
from biovita.jsonfile import read_json
from biovita.modality import MEDIA, Modality
from biovita.model.card import ModelCard
from biovita.retrieval.search_space import SearchSpace, has_search_spaces, search_spaces
from biovita.suggestion import suggested
from biovita.version import __version__

__all__ = ["cards_of", "describe_archive", "models_of", "place_of_model", "remember", "searched_rows_of"]


def place_of_model(card: ModelCard) -> str:
    """Return how an archive names a model: so that it is found again from any folder."""
    return card.place or card.name


def describe_archive(archive: Archive, info: Mapping[str, Any]) -> None:
    """Write what an archive says of itself."""
    said = {name: value for name, value in info.items() if name != "format"}
    archive.describe({**said, "biovita": __version__})


def remember(archive: Archive, places: Sequence[str | Path], cards: Sequence[ModelCard]) -> None:
    """Record what was named, so that it is looked at again, and the models."""
    info = archive.info
    named = [*info.get("places", ()), *(str(Path(place).expanduser().absolute()) for place in places)]
    models = [place_of_model(card) for card in cards]
    describe_archive(
        archive, {**info, "places": list(dict.fromkeys(named)), "models": list(dict.fromkeys(models))}
    )


def models_of(archive: Archive) -> list[str]:
    """Return the models of an archive; of a run that by which it was scored.

    Raises
    ------
    DatasetError
        Where it says of none.
    """
    found = archive.info.get("models")
    if isinstance(found, list) and all(isinstance(each, str) for each in found):
        return found
    if found is not None:
        raise DatasetError(f"{archive.path}: archive.json names no models: {found!r:.60}. Add one: --model NAME")
    record = archive.path / RECORD
    said = read_json(record, DatasetError) if record.is_file() else None
    if not isinstance(said, dict) or "model" not in said:
        run = suggested("archive add", archive.path, "--model NAME")
        raise DatasetError(f"{archive.path} does not say by which model it is embedded. Run: {run}")
    return [str(said["model"]["place"])]


def cards_of(names: Sequence[str]) -> list[ModelCard]:
    """Return the cards of models, each once; ``auto`` is the best on this machine.

    Raises
    ------
    ModelError
        Where there is no such model.
    """
    places = [str(Path(name).absolute()) if name != "auto" and Path(name).is_dir() else name for name in names]
    found = [choose_model(name, MEDIA)[0] for name in dict.fromkeys(places)]
    return list({place_of_model(card): card for card in found}.values())


def searched_rows_of(archive: Archive) -> Mapping[str, Mapping[str, Any]]:
    """Return by model how many rows of each modality are searched, and what its indexes say of themselves."""
    spaces = search_spaces(archive) if has_search_spaces(archive) else ()
    return {space.record.model: _searched(space) for space in spaces}


def _searched(space: SearchSpace) -> Mapping[str, Any]:
    rows = {each.value: space.table(each).count_rows() for each in Modality if space.has(each)}
    indexes = {each: space.said_of(Modality(each)).index for each in rows}
    return {"rows": rows, "index": {each: said.model_dump(mode="json") for each, said in indexes.items() if said}}
