"""Repositories on the hub by their names: what is in one, and its files on this machine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from biovita.errors import ModelError
from biovita.model.formats.format import Format, Origin
from biovita.model.formats.published_files import CLAP_FILE
from biovita.towers.clip_config import CONFIG_FILE
from biovita.weights.hub import hub_file, hub_has, is_offline
from biovita.weights.hub_models import HUB_MODELS
from biovita.weights.state_dicts import read_json

__all__ = ["HUB_PREFIX", "file_of", "find_on_hub", "place_of"]

HUB_PREFIX = "hf-hub:"
_NAME = re.compile(r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@([\w./-]+))?", re.ASCII)


def find_on_hub(name: str, *, local: bool = False) -> tuple[str, Path, Origin]:
    """Return the layout of a repository, where its configuration lies on this machine, and its origin.

    Configurations are fetched, weights are not: which they are, the repository's commit says.

    Parameters
    ----------
    name
        ``hf-hub:owner/repository``, with ``@revision`` or without.
    local
        Look at the local copy alone.

    Raises
    ------
    ModelError
        Where the name is none, the repository is not to be had, or holds no model that can be opened.
    """
    repository, revision = _parts(name)
    how = _how(name, repository)
    config = hub_file(repository, CONFIG_FILE, revision, how=how, optional=True, local=local)
    if config is not None:
        has_audio = hub_has(repository, CLAP_FILE, config.parent.name, local=local)
        form = "published" if has_audio else "open_clip"
    else:
        config = hub_file(repository, "config.json", revision, how=how, local=local)
        assert config is not None
        if read_json(config).get("model_type") != "clap":
            raise ModelError(f"{repository} is neither an open_clip nor a CLAP model")
        form = "clap"
    commit = config.parent.name
    return form, config.parent, Origin(repository, f"{HUB_PREFIX}{repository}@{commit}", commit)


def place_of(place: str, form: Format, *, local: bool = False) -> Path:
    """Return where the files of a model lie, fetching those of a hub that are missing.

    Where all weights are here already, the network is not asked.

    Parameters
    ----------
    place
        As in `ModelCard`.
    local
        Look at the local copy alone.

    Raises
    ------
    ModelError
        Where a file is not to be had.
    """
    if place in HUB_MODELS:
        return HUB_MODELS[place].fetch()
    if not place.startswith(HUB_PREFIX):
        return Path(place)
    repository, revision = _parts(place)
    how = _how(place, repository)
    here = [_first(repository, names, revision, how, local=True) for names in form.weights]
    if None in here and not local:
        for file in form.extras:
            hub_file(repository, file, revision, optional=True)
        here = [_first(repository, names, revision, how) for names in form.weights]
    for names, found in zip(form.weights, here, strict=True):
        if found is None:
            where = "on this machine" if local or is_offline() else "in the repository"
            raise ModelError(f"{' or '.join(names)} of {repository}@{revision} is not {where}. {how}")
    assert here[0] is not None
    return here[0].parent


def file_of(place: str, file: str) -> Path | None:
    """Return where a small file of a model on the hub lies on this machine, fetched if need be; None if it has none.

    Parameters
    ----------
    place
        ``hf-hub:owner/repository``, with ``@revision`` or without.

    Raises
    ------
    ModelError
        Where the name is none, or the hub cannot be asked.
    """
    repository, revision = _parts(place)
    return hub_file(repository, file, revision, how=_how(place, repository), optional=True)


def _first(
    repository: str, names: Sequence[str], revision: str | None, how: str, *, local: bool = False
) -> Path | None:
    for name in names:
        file = hub_file(repository, name, revision, how=how, optional=True, local=local)
        if file is not None:
            return file
    return None


def _parts(name: str) -> tuple[str, str | None]:
    found = _NAME.fullmatch(name.removeprefix(HUB_PREFIX))
    if found is None:
        raise ModelError(
            f"{name} is not a repository. Write {HUB_PREFIX}owner/repository, with @revision or without"
        )
    return found[1], found[2]


def _how(name: str, repository: str) -> str:
    return (
        f"Get it on a machine with network: biovita models fetch {name}. Or copy the repository {repository} into a "
        "directory, and give its path as the model"
    )
