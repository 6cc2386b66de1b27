"""A folder of labelled clips or photographs, a folder a class, as BirdNET's custom classifiers are trained from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from biovita.archive.archive_tables import Kind
from biovita.embedding import Items, MemoryTable, Settings, VectorTable, embed_items, stored
from biovita.embedding.items import file_state
from biovita.errors import DatasetError
from biovita.hashing import sha256_of
from biovita.identification.evidence import Candidate
from biovita.identification.exemplars import EXEMPLARS, Labelled
from biovita.media.name_patterns import xeno_canto_number
from biovita.media.sniff import kind_of, read_head
from biovita.modality import Modality
from biovita.taxonomy import Taxon
from biovita.taxonomy.written_names import folder_taxon
from biovita.towers.encoder import Encoder

__all__ = ["BACKGROUND_NAMES", "candidate_of", "labelled_folder"]

BACKGROUND_NAMES = frozenset({"background", "noise", "other", "silence"})
"""Folders of this name, in any case, hold what is nothing; those of BirdNET's trainer are among them."""

_TOLD = 5


def candidate_of(name: str) -> Candidate:
    """Return what the name of a folder means: a taxon, a class of the user's own, or the background.

    It is a taxon where `written_names.folder_taxon` reads one in it. All else is a class of its own, such as a call
    type.

    Examples
    --------
    >>> candidate_of("Parus major_Great Tit").taxon.family
    'Paridae'
    >>> str(candidate_of("Alarm call").kind), str(candidate_of("Noise").kind)
    ('class', 'background')
    """
    text = " ".join(name.split())
    if text.lower() in BACKGROUND_NAMES:
        return Candidate(Taxon(f"background:{text.lower()}", text), Kind.BACKGROUND)
    taxon = folder_taxon(text).taxon
    if taxon is not None:
        return Candidate(taxon)
    return Candidate(Taxon(f"class:{text.lower()}", text), Kind.CLASS)


def labelled_folder(
    folder: Path, tower: Encoder, table: VectorTable | None = None, *, progress: bool = False
) -> Labelled:
    """Return the recordings or photographs in the folders of a folder, with vectors of a tower.

    A file's label is the name of the folder that it lies in, directly or deeper. Files whose names have one xeno-canto
    number (``XC123456``) are of one group; of all others a file is a group. What is neither sound nor picture by its
    first bytes is passed over; what cannot be decoded is noted.

    Parameters
    ----------
    table
        Where vectors are kept, so that they are made once; None keeps them in memory alone.

    Raises
    ------
    DatasetError
        Where there is no such folder, or nothing in it can be used.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder. Give a folder that has a folder for each class")
    modality = tower.card.modality
    labels, files = _files(folder, modality)
    if not files:
        raise DatasetError(
            f"{folder}: no folder in it has {modality} files. Give a folder that has one for each class"
        )
    paths = [path for path, _ in files]
    hashes = [sha256_of(path) for path in paths]
    rows = pa.table(
        {
            "id": [path.relative_to(folder).as_posix() for path in paths],
            "group_id": [_group(path, sha256) for path, sha256 in zip(paths, hashes, strict=True)],
            "path": [str(path) for path in paths],
            **{name: pa.nulls(len(paths)) for name in EXEMPLARS.names[3:]},
        },
        schema=EXEMPLARS,
    )
    items = Items.of(modality, rows.append_column("sha256", pa.array(hashes, pa.string())))
    kept = MemoryTable(f"vectors of {folder}") if table is None else table
    done = embed_items(tower, items, kept, settings=Settings(progress=progress))
    found = stored(kept, items.ids, lambda vectors, _ids: vectors, tower.card.dim)
    if not len(found.ids):
        raise DatasetError(f"{folder}: no file can be used. The first failed: {done.failed[0].detail}")
    at = np.flatnonzero(np.isin(np.array(rows["id"].to_pylist(), object), np.array(found.ids, object)))
    places = np.array([place for _, place in files])[at]
    notes = [f"{folder}: {failure.id} cannot be used: {failure.detail}" for failure in done.failed[:_TOLD]]
    if len(done.failed) > _TOLD:
        notes.append(f"{folder}: {len(done.failed)} files cannot be used in all")
    notes += [
        f"{folder}: {label.taxon.scientific_name} is no known taxon. It is a class of its own"
        for label in labels
        if label.kind == Kind.CLASS
    ]
    vectors = np.asarray(found.vectors[np.arange(len(at))], np.float32)
    return Labelled(modality, labels, places, rows.take(pa.array(at)), vectors, tuple(notes))


def _files(folder: Path, modality: Modality) -> tuple[tuple[Candidate, ...], list[tuple[Path, int]]]:
    """Return the labels, and the files of a modality each with the place of its label."""
    places: dict[Candidate, int] = {}
    files = []
    for inner in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        label = candidate_of(inner.name)
        mine = [path for path in _within(inner) if kind_of(read_head(path)).family == modality.value]
        if mine:
            place = places.setdefault(label, len(places))
            files += [(path, place) for path in mine]
    return tuple(places), files


def _within(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if not path.name.startswith(".") and file_state(path)[0] > 0:
            yield path


def _group(path: Path, sha256: str) -> str:
    return xeno_canto_number(path.name) or sha256
