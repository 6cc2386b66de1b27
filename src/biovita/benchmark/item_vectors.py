"""Where a model's vectors of items come from: the dataset that the items are of, or a store beside the run."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial, reduce
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.benchmark.object_encoder import ObjectEncoder, encoder_name, stated_revision
from biovita.benchmark.one_space import comparable
from biovita.benchmark.scored_models import Random
from biovita.benchmark.task import ITEMS as BENCHMARK_COLUMNS
from biovita.benchmark.task import Benchmark
from biovita.dataset.dataset import Dataset
from biovita.embedding import (
    Failure,
    Items,
    LanceStore,
    Settings,
    Vectors,
    dataset_items,
    embed_items,
    read_failures,
    stored,
    text_items,
    vectors,
)
from biovita.embedding.items import ITEMS as ITEM_COLUMNS
from biovita.embedding.items import loadable
from biovita.embedding.store import VectorTable, embeddings_directory
from biovita.errors import BiovitaError, MediaError
from biovita.files import make_directory, refuse_links
from biovita.modality import MEDIA, Modality
from biovita.model import Model, load_model
from biovita.model.card import ModelCard
from biovita.taxonomy import Rank, Taxon, Taxonomy
from biovita.taxonomy.known_taxa import KnownTaxa
from biovita.taxonomy.taxon import taxon_id_of
from biovita.towers.encoder import EncoderCard

__all__ = ["ItemVectors", "benchmark_items", "item_vectors", "say_unused", "source_of", "taxa_of_texts"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ItemVectors:
    """Vectors by modality.

    Attributes
    ----------
    towers
        The encoders of the model, where it is one of ours.
    failed
        Items without a vector, and why.
    """

    vectors: Mapping[Modality, Vectors]
    towers: tuple[EncoderCard, ...] = ()
    failed: tuple[Failure, ...] = ()


def benchmark_items(
    benchmark: Benchmark, able: Iterable[Modality], texts: Iterable[str] = ()
) -> dict[Modality, Items]:
    """Return the items of the tasks whose two modalities a model is ``able`` to encode, by modality.

    Each id comes once. The ``texts`` come beside the benchmark's own.
    """
    able = tuple(able)
    columns = [name for name in ITEM_COLUMNS.names if name in BENCHMARK_COLUMNS.names]
    found = {}
    for modality in able:
        table = benchmark.items[modality].select(columns).take(pa.array(benchmark.used(modality, able)))
        if modality in MEDIA:
            numbered = pa.table({"id": table["id"], "row": np.arange(len(table))})
            first = numbered.group_by("id").aggregate([("row", "min")])["row_min"].sort()
            found[modality] = Items.of(modality, table.take(first), benchmark.locate)
        else:
            found[modality] = text_items([*table["id"].to_pylist(), *texts])
    return found


def taxa_of_texts(benchmark: Benchmark) -> KnownTaxa:
    """Return the taxa of a benchmark's texts, with the lineage and the other names that it states; it has no traits."""
    columns = ("level", "species", "genus", "family", "class", "common_name")
    table = benchmark.items[Modality.TEXT].select(columns).group_by(columns, use_threads=False).aggregate([])
    taxa: dict[str, Taxon] = {}
    for level, *lineage, common in zip(*(table[name].to_pylist() for name in columns), strict=True):
        rank = Rank(level)
        named = dict(zip((Rank.SPECIES, Rank.GENUS, Rank.FAMILY, Rank.CLASS), lineage, strict=True))
        name = named.pop(rank)
        if not name or not name.strip():
            continue
        named.pop(Rank.SPECIES, None)
        above = {"class_" if at == Rank.CLASS else at.value: group for at, group in named.items()}
        taxa.setdefault(taxon_id_of(name), Taxon(taxon_id_of(name), name, common, rank, **above))
    others = {
        other: taxon_id_of(name)
        for name, names in benchmark.other_names.items()
        for other in names
        if taxon_id_of(name) in taxa
    }
    return KnownTaxa(Taxonomy.of(taxa.values(), others), {})


def source_of(benchmark: Benchmark, items: Mapping[Modality, Items]) -> Dataset | None:
    """Return the dataset that a benchmark is of: it has each of the items, with the same span of the same file.

    The same file is the one with the hash that the benchmark states, or where it states none at the same path.
    """
    dataset = benchmark.dataset
    if dataset is not None:
        for modality in MEDIA:
            if modality in items and not _are_of(items[modality].rows, dataset_items(dataset, modality).rows):
                return None
    return dataset


def _are_of(mine: pa.Table, theirs: pa.Table) -> bool:
    at = pc.index_in(mine["id"], value_set=theirs["id"].combine_chunks())
    found = theirs.select(["id", "sha256", "path", "start_s", "end_s"]).take(at)

    def same(name: str) -> pa.ChunkedArray:
        return pc.fill_null(pc.equal(mine[name], found[name]), fill_value=False)

    def unstated(name: str) -> pa.ChunkedArray:
        return pc.is_null(mine[name])

    files = pc.or_(same("sha256"), pc.and_(unstated("sha256"), same("path")))
    spans = [pc.or_(same(name), pc.and_(unstated(name), pc.is_null(found[name]))) for name in ("start_s", "end_s")]
    known = reduce(pc.and_, (same("id"), files, *spans))
    return bool(pc.all(known, min_count=0).as_py())


def say_unused(directory: Path) -> None:
    """Warn about vectors that an earlier biovita kept, and that are not read any more."""
    if any((directory / f"{modality}.npy").is_file() for modality in Modality):
        logger.warning("%s holds vectors of an earlier biovita (.npy). They are not used. Remove them", directory)


def item_vectors(
    model: Any,
    items: Mapping[Modality, Items],
    dataset: Dataset | None,
    directory: Path,
    *,
    name: str,
    book: KnownTaxa | None = None,
    compared: bool = False,
    device: str = "auto",
    progress: bool = True,
) -> ItemVectors:
    """Return the vectors of items in the space of a model, L2-normalised.

    Parameters
    ----------
    model
        As `biovita.benchmark.scored_models.open_model` gives it.
    dataset
        The dataset of the items. Vectors of our own models are read from it, and computed into it where they are
        missing.
    directory
        Where all other vectors are kept, as the tower or the object gives them. Those of the same model and the same
        content are used again; of an object if it states a ``revision``, as nothing else tells whether it has changed.
    name
        What an object's vectors are known by, and for errors.
    book
        Where the taxa of texts are looked up first, if there is no dataset, which has its own.
    compared
        Whether they are to be compared between modalities: then only those of one length are made.

    Raises
    ------
    BiovitaError
        Where a modality has items and none of them can be embedded, or vectors are to be compared and no two
        modalities have vectors of one length.
    """
    wanted = {modality: mine for modality, mine in items.items() if len(mine)}
    if isinstance(model, Random):
        return ItemVectors({modality: model.vectors(modality, mine.ids) for modality, mine in wanted.items()})
    card = _card_of(model)
    if card is None:
        return _of_object(model, wanted, directory, name, compared=compared, progress=progress)
    if compared:
        widths = (
            {modality: model.dim(modality) for modality in wanted} if isinstance(model, Model) else card.widths
        )
        able = comparable({modality: widths[modality] for modality in wanted}, name)
        wanted = {modality: wanted[modality] for modality in able}
    if dataset is not None:
        return _of_dataset(model, card, wanted, dataset, device, progress=progress)
    found: dict[Modality, Vectors] = {}
    failed: list[Failure] = []
    for modality, mine in wanted.items():
        table = _table(directory, modality)
        opened = model if isinstance(model, Model) else load_model(card, device, [modality])
        opened = opened if book is None else opened.knowing(book)
        done = embed_items(opened.tower(modality), mine, table, settings=Settings(progress=progress))
        found[modality] = stored(table, mine.ids, partial(opened.project, modality), opened.dim(modality))
        failed += _some(done.failed, found[modality], name, mine)
    return ItemVectors(found, tuple(card.encoders.values()), tuple(failed))


def _of_object(
    model: Any, wanted: Mapping[Modality, Items], directory: Path, name: str, *, compared: bool, progress: bool
) -> ItemVectors:
    encoders = {
        modality: _object_encoder(model, name, mine, _table(directory, modality))
        for modality, mine in wanted.items()
    }
    widths = {modality: encoder.card.dim for modality, encoder in encoders.items()}
    found: dict[Modality, Vectors] = {}
    failed: list[Failure] = []
    for modality in comparable(widths, name) if compared else widths:
        mine, table = wanted[modality], _table(directory, modality)
        done = embed_items(encoders[modality], mine, table, settings=Settings(progress=progress))
        found[modality] = stored(table, mine.ids)
        failed += _some(done.failed, found[modality], name, mine)
    return ItemVectors(found, failed=tuple(failed))


def _table(directory: Path, modality: Modality) -> VectorTable:
    """Return a table in a directory that is made where there is none."""
    make_directory(directory)
    refuse_links(directory)
    return LanceStore(directory).table(modality)


def _some(failed: tuple[Failure, ...], found: Vectors, name: str, items: Items) -> tuple[Failure, ...]:
    """Return the failures; raise an error where no item has a vector."""
    if not len(found):
        raise BiovitaError(_none_of(name, items, failed[0].detail))
    return failed


def _card_of(model: Any) -> ModelCard | None:
    """Return the card of a model of ours."""
    if isinstance(model, Model):
        return model.card
    return model if isinstance(model, ModelCard) else None


def _of_dataset(
    model: Model | ModelCard,
    card: ModelCard,
    wanted: Mapping[Modality, Items],
    dataset: Dataset,
    device: str,
    *,
    progress: bool,
) -> ItemVectors:
    found = {
        modality: vectors(dataset, model, modality, ids=mine.ids.to_pylist(), device=device, progress=progress)
        for modality, mine in wanted.items()
    }
    listed = read_failures(embeddings_directory(dataset, card.towers.name))
    ids = {each.modality: set(wanted[each.modality].ids.to_pylist()) for each in listed if each.modality in wanted}
    failed = tuple(each for each in listed if each.id in ids.get(each.modality, ()))
    return ItemVectors(found, tuple(card.encoders.values()), failed)


def _object_encoder(model: Any, name: str, items: Items, table: VectorTable) -> ObjectEncoder:
    """Return an encoder that knows how long its vectors are: as those made before, or as the first that can be made."""
    if table.exists:
        made = table.made()
        if (made.tower, made.revision) == (encoder_name(name, items.modality), stated_revision(model)):
            return ObjectEncoder(model, items.modality, name, made.dim)
    encoder = ObjectEncoder(model, items.modality, name)
    why = ""
    for row in (row for some in items.rows.to_batches(max_chunksize=16) for row in some.to_pylist()):
        try:
            encoder.learn_dim(loadable(items.modality, row, items.locate))
        except MediaError as error:
            why = why or str(error)
        else:
            return encoder
    raise BiovitaError(_none_of(name, items, why))


def _none_of(name: str, items: Items, why: str) -> str:
    return f"{name} cannot embed any of the {len(items):,} {items.modality} items. The first failed: {why}"
