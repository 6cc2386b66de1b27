"""The media of an archive against a gallery: vectors where they are missing, and the scores that are kept of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from biovita.archive.archive import MEDIA_TABLES, SCORES, Archive
from biovita.archive.embed_media import EmbeddedMedia, embed_media, failed_rows, media_made, media_table
from biovita.archive.pieces import Pieces, photograph_items, pieces
from biovita.archive.stored_windows import SomeVectors, media_vectors
from biovita.dataset.dataset import Dataset
from biovita.embedding.engine import Settings
from biovita.embedding.items import Items
from biovita.embedding.lance_table import LanceStore, LanceTable
from biovita.errors import DatasetError
from biovita.filenames import file_name, own_place
from biovita.identification.asked import AskedFor, Perceiving
from biovita.identification.asked_candidates import asked_candidates
from biovita.identification.candidates import choose
from biovita.identification.event_runs import LEAVE
from biovita.identification.evidence import Candidate
from biovita.identification.exemplars import Labelled, labelled_dataset
from biovita.identification.gallery import Gallery, gallery_of, nameable
from biovita.identification.kept_exemplars import keep_exemplars
from biovita.identification.kept_scores import SMALL, candidate_rows, kept_rows
from biovita.identification.labelled_folder import labelled_folder
from biovita.identification.scorer import Scorer
from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.model.describe import load_encoder
from biovita.towers.encoder import Encoder
from biovita.towers.views import Views

__all__ = ["Scoring", "open_towers_of", "score_media"]


@dataclass(frozen=True)
class Scoring:
    """What became of the media of an archive.

    Attributes
    ----------
    embedded
        By modality.
    scorers
        What scored each modality.
    windows
        How many windows, or photographs, have scores, by modality.
    left_out
        What could not be embedded, as rows of `LEFT_OUT`.
    """

    gallery: Gallery
    scorers: Mapping[Modality, Scorer]
    embedded: Mapping[Modality, EmbeddedMedia]
    windows: Mapping[Modality, int]
    left_out: pa.Table

    @cached_property
    def stopped(self) -> bool:
        """Whether Ctrl-C ended it early."""
        return any(each.stopped for each in self.embedded.values())


def open_towers_of(
    card: ModelCard, modalities: Collection[Modality], perceiving: Perceiving, device: str = "auto"
) -> dict[Modality, Encoder]:
    """Return the towers that a question needs, as they listen and look.

    Raises
    ------
    ModelError
        Where the model has no tower for a modality, or it cannot be opened.
    """
    found: dict[Modality, Encoder] = {}
    for modality in modalities:
        tower = load_encoder(card, modality, device)
        if modality == Modality.AUDIO:
            found[modality] = tower.cutting(perceiving.overlap)
        else:
            found[modality] = Views(tower, perceiving.views)
    return found


def score_media(
    archive: Archive,
    card: ModelCard,
    towers: Mapping[Modality, Encoder],
    *,
    perceiving: Perceiving,
    asked: AskedFor,
    least: float,
    galleries: Sequence[Path] = (),
    settings: Settings,
) -> Scoring:
    """Embed the media of an archive where they have no vectors, and write their scores and the candidates.

    After Ctrl-C, what has a vector is scored all the same.

    Parameters
    ----------
    towers
        As `open_towers_of` gives them, of the modalities that the archive has media of.
    least
        The threshold that will be asked about: all scores are kept that an event with it may go on with.
    galleries
        Datasets, or folders of labelled files, whose items are exemplars.

    Raises
    ------
    BiovitaError
        Where a list of taxa or a gallery cannot be used.
    """
    labelled = [each for place in galleries for each in _labelled(place, archive, card, towers, settings)]
    candidates, listed = _candidates(towers, labelled, asked)
    gallery = gallery_of(card, towers, labelled, candidates)
    rows = candidate_rows(gallery.candidates, listed, [sorted(kinds) for kinds in gallery.evidence()])
    archive.write("candidates", rows)
    keep_exemplars(archive.path, gallery.exemplars, rows)
    embedded, windows, left_out, scorers = {}, {}, [], {}
    small = min(SMALL, LEAVE * least)
    for gone in SCORES.keys() - towers.keys():  # an earlier run was of other media
        archive.file(SCORES[gone]).unlink(missing_ok=True)
    for modality, tower in towers.items():
        media = archive.table(MEDIA_TABLES[modality])
        items = _items(modality, media, tower, perceiving)
        plain = items.items if isinstance(items, Pieces) else items
        table = media_table(archive, card.towers.name, modality)
        embedded[modality] = embed_media(plain, tower, media_made(tower, perceiving.hearing), table, settings)
        left_out.append(failed_rows(embedded[modality].failed, plain))
        scorers[modality] = scorer = Scorer.of(card, gallery, tower)
        found = _vectors(table, items, media)
        windows[modality] = archive.write_batches(
            SCORES[modality], kept_rows(found, media, scorer.score, rows, small)
        )
    return Scoring(gallery, scorers, embedded, windows, pa.concat_tables(left_out))


def _vectors(table: LanceTable, items: Pieces | Items, media: pa.Table) -> Iterator[SomeVectors]:
    if not table.exists:
        return iter(())
    return media_vectors(items, media, table.snapshot())


def _items(modality: Modality, media: pa.Table, tower: Encoder, perceiving: Perceiving) -> Pieces | Items:
    if modality == Modality.IMAGE:
        return photograph_items(media)
    assert tower.windows is not None, "it cuts recordings"
    return pieces(media, tower.windows, perceiving.hearing)


def _labelled(
    place: Path, archive: Archive, card: ModelCard, towers: Mapping[Modality, Encoder], settings: Settings
) -> list[Labelled]:
    """Return the exemplars of a dataset or a folder, of the modalities that it has."""
    if (place / "dataset.toml").is_file():
        dataset = Dataset.open(place)
        there = [modality for modality in towers if len(dataset.media(modality))]
        if not there:
            raise DatasetError(f"{place} has no {' or '.join(towers)} items, so nothing can be compared with it")
        return [labelled_dataset(dataset, card, modality, progress=settings.progress) for modality in there]
    found, refused = [], []
    for modality, tower in towers.items():
        directory = own_place(archive.path, "gallery", file_name(f"{place.name}-{card.towers.name}"))
        table = LanceStore(directory).table(modality)
        try:
            found.append(labelled_folder(place, tower, table, progress=settings.progress))
        except DatasetError as error:
            refused.append(error)
    if not found:
        raise refused[0]
    return found


def _candidates(
    towers: Mapping[Modality, Encoder], labelled: Sequence[Labelled], asked: AskedFor
) -> tuple[tuple[Candidate, ...], list[bool]]:
    """Return all that can be named, with what a list adds, and which of them the list has.

    The whole question is looked at, so that what is wrong with it shows before anything is listened to.
    """
    known = nameable(tuple(towers.values()), labelled)
    found = asked_candidates(known, asked)
    if found.taxa is None:
        return known, [False] * len(known)
    chosen = choose(known, taxa=found.taxa)
    added = chosen.candidates[len(chosen.numbers) :]
    mine = {number for number, is_listed in zip(chosen.numbers, chosen.listed, strict=False) if is_listed}
    listed = [number in mine for number in range(len(known))] + [True] * len(added)
    return (*known, *added), listed
