"""An archive is brought up to date: its media are embedded by each of its models, and what is searched follows."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive import MEDIA_TABLES, Archive
from biovita.archive.embed_media import EmbeddedMedia, embed_media, failed_rows, media_made, media_table
from biovita.archive.from_archive import copy_vectors
from biovita.archive.pieces import Pieces
from biovita.embedding.engine import Settings
from biovita.identification.asked import Perceiving
from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.model.model import Model
from biovita.retrieval.archive_models import place_of_model
from biovita.retrieval.background import keep_background
from biovita.retrieval.encode_query import opened_model
from biovita.retrieval.fill_space import MediaSource, TableChange, fill_media
from biovita.retrieval.media_facts import media_facts
from biovita.retrieval.search_space import SearchSpace, SpaceRecord, space_of
from biovita.retrieval.taxa_entries import keep_taxa
from biovita.retrieval.vector_index import keep_index

__all__ = ["ModelUpdate", "Updating", "update_archive"]


@dataclass(frozen=True, eq=False)
class ModelUpdate:
    """What was done with one model.

    Attributes
    ----------
    embedded
        By modality.
    copied
        By modality, vectors that were taken over from runs.
    filled
        What was done to the tables that are searched, by modality.
    notes
        Sentences on what the model cannot do.
    """

    model: str
    embedded: dict[Modality, EmbeddedMedia] = field(default_factory=dict)
    copied: dict[Modality, int] = field(default_factory=dict)
    filled: dict[Modality, TableChange] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def stopped(self) -> bool:
        """Whether Ctrl-C ended the embedding early."""
        return any(each.stopped for each in self.embedded.values())


@dataclass(frozen=True)
class Updating:
    """How an archive is brought up to date.

    Attributes
    ----------
    perceiving
        How media become vectors.
    runs
        Archives whose vectors are taken over where they were made in the same way.
    """

    perceiving: Perceiving
    settings: Settings
    device: str = "auto"
    runs: tuple[Archive, ...] = ()


def update_archive(archive: Archive, cards: Sequence[ModelCard], how: Updating) -> tuple[ModelUpdate, ...]:
    """Embed what has no vector, and bring the tables that are searched up to date.

    What cannot be embedded is written to the archive's table of what is left out. After Ctrl-C, what has a vector can
    be searched all the same, and no further model is begun.
    """
    done: list[ModelUpdate] = []
    failed: list[pa.Table] = []
    for card in cards:
        update, left_out = _with_model(archive, card, how)
        done.append(update)
        failed += left_out
        if update.stopped:
            break
    _write_failed(archive, failed)
    return tuple(done)


def _with_model(archive: Archive, card: ModelCard, how: Updating) -> tuple[ModelUpdate, list[pa.Table]]:
    has = card.towers.encoders
    there = [modality for modality, name in MEDIA_TABLES.items() if len(archive.table(name))]
    able = [modality for modality in there if modality in has]
    notes = tuple(
        f"the model {card.name} has no {each} tower: {each.plural} are not searched"
        for each in there
        if each not in has
    )
    taxa = archive.table("taxa")
    texts = [Modality.TEXT] if len(taxa) and Modality.TEXT in has else []
    if not able and not texts:
        return ModelUpdate(card.name, notes=notes), []
    model = opened_model(card, [*able, *texts], how.perceiving, taxa, how.device)
    space = _space(archive, card)
    update, left_out = ModelUpdate(card.name, {}, {}, {}, notes), list[pa.Table]()
    for modality in able:
        left_out.append(_with_media(archive, model, modality, how, update))
        if update.stopped:
            break
    if texts and (entries := keep_taxa(space, archive, model, how.settings)) is not None:
        update.filled[Modality.TEXT] = entries
    for modality in Modality:
        if space.has(modality):
            keep_background(space, modality)
    for modality in update.filled:
        if space.has(modality):
            keep_index(space, modality, progress=how.settings.progress)
    return update, left_out


def _with_media(
    archive: Archive, model: Model, modality: Modality, how: Updating, update: ModelUpdate
) -> pa.Table:
    """Embed the media of a modality and fill its table; return what failed, as rows of `LEFT_OUT`."""
    source = _source(archive, model, modality, how.perceiving)
    tower, towers = model.tower(modality), model.card.towers.name
    items = source.items(archive.table(MEDIA_TABLES[modality]))
    plain = items.items if isinstance(items, Pieces) else items
    made = media_made(tower, how.perceiving.hearing)
    tables = [media_table(run, towers, modality) for run in how.runs]
    update.copied[modality] = sum(copy_vectors(table, source.table, plain.ids, made) for table in tables)
    update.embedded[modality] = embed_media(plain, tower, made, source.table, how.settings)
    update.filled[modality] = fill_media(
        space_of(archive, model.card), modality, media_facts(archive, modality), source
    )
    return failed_rows(update.embedded[modality].failed, plain)


def _space(archive: Archive, card: ModelCard) -> SearchSpace:
    """Return a model's tables; those of another state of the model are removed."""
    space = space_of(archive, card)
    if space.exists and space.record.revision != card.revision:
        shutil.rmtree(space.directory)
    if not space.exists:
        place = place_of_model(card)
        made = SpaceRecord(model=card.name, place=place, revision=card.revision, towers=card.towers.name)
        space.write_record(made)
    return space


def _source(archive: Archive, model: Model, modality: Modality, perceiving: Perceiving) -> MediaSource:
    def project(vectors: np.ndarray) -> np.ndarray:
        return model.project(modality, vectors)

    return MediaSource(
        media_table(archive, model.card.towers.name, modality),
        model.tower(modality).windows if modality == Modality.AUDIO else None,
        perceiving.hearing,
        project,
        model.dim(modality),
    )


def _write_failed(archive: Archive, failed: Sequence[pa.Table]) -> None:
    """List what could not be embedded now, in place of what could not be earlier: all of it was tried again."""
    listed = archive.table("left_out")
    media = pa.concat_arrays(
        [chunk for name in MEDIA_TABLES.values() for chunk in archive.table(name)["path"].chunks]
        or [pa.array([], pa.string())]
    )
    of_media = pc.and_(pc.is_in(listed["path"], value_set=media), pc.not_equal(listed["reason"], "duplicate"))
    kept = listed.filter(pc.invert(of_media))
    archive.write("left_out", pa.concat_tables([kept, *failed]))
