"""What nothing in an archive needs any more goes: vectors of media that left it, and all of a model."""

from __future__ import annotations

import shutil

import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive import MEDIA_TABLES, Archive
from biovita.embedding.lance_table import LanceStore
from biovita.errors import BiovitaError, unknown_name
from biovita.filenames import file_name, own_place
from biovita.modality import MEDIA
from biovita.retrieval.archive_models import models_of
from biovita.retrieval.fill_space import remove_gone
from biovita.retrieval.search_space import has_search_spaces, search_spaces

__all__ = ["forget_model", "remove_vectors"]


def remove_vectors(archive: Archive) -> None:
    """Remove the vectors of media that an archive does not have, from all tables; again and again changes nothing."""
    for modality in MEDIA:
        ids = archive.table(MEDIA_TABLES[modality])["id"].combine_chunks()
        for directory in sorted((archive.path / "embeddings").glob("*")):
            table = LanceStore(directory).table(modality)
            if not table.exists:
                continue
            stored = pc.unique(table.snapshot().state(["id"])["id"])
            of_media = pc.replace_substring_regex(stored, r"/\d+$", "")  # pieces of recordings
            table.remove(stored.filter(pc.invert(pc.is_in(of_media, value_set=ids))).to_pylist())
            table.tidy()
        for space in search_spaces(archive) if has_search_spaces(archive) else ():
            remove_gone(space, modality, pa.chunked_array([ids]))


def forget_model(archive: Archive, name: str) -> list[str]:
    """Remove what an archive has of a model, and return the models that it keeps, at least one.

    Raises
    ------
    BiovitaError
        Where it has no such model, or no other.
    """
    models = models_of(archive)
    spaces = {space.record.model: space for space in search_spaces(archive)}
    space = spaces.get(name) or next((each for each in spaces.values() if each.record.place == name), None)
    if space is None:
        raise BiovitaError(unknown_name(f"model of {archive.path}", name, spaces))
    record = space.record
    kept = [place for place in models if place not in {record.place, record.model}]
    if not kept:
        raise BiovitaError(f"{name} is the only model of {archive.path}. Add another one first")
    shutil.rmtree(space.directory)
    used = {each.record.towers for each in spaces.values() if each is not space}
    if record.towers not in used:
        shutil.rmtree(own_place(archive.path, "embeddings", file_name(record.towers)), ignore_errors=True)
    return kept
