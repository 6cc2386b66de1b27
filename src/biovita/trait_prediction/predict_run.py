"""Traits of what a run of ``biovita identify`` heard and saw: every way, all of them together, and the evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive import SCORES, Archive
from biovita.archive.archive_tables import LEFT_OUT
from biovita.dataset.dataset import Dataset
from biovita.errors import DatasetError, ModelError
from biovita.hours import Hours
from biovita.identification.identify_run import RECORD
from biovita.jsonfile import read_json
from biovita.modality import MEDIA
from biovita.model.card import ModelCard
from biovita.model.describe import describe, load_encoder
from biovita.suggestion import suggested
from biovita.trait_prediction.asked_media import AskedMedia, asked_media
from biovita.trait_prediction.asked_units import Units, units_of
from biovita.trait_prediction.detection_shares import count_detections, shares_of_detections
from biovita.trait_prediction.label_tellers import Teller
from biovita.trait_prediction.labelled_species import labelled_species
from biovita.trait_prediction.nearest_species import nearest_species
from biovita.trait_prediction.predicted import Predicted, predicted, untold
from biovita.trait_prediction.prediction_rows import DETECTION_SHARES, EVIDENCE, PREDICTED, UNTOLD, Way
from biovita.trait_prediction.species_labels import SpeciesLabels
from biovita.trait_prediction.suggested_taxa import SuggestedTaxa, shares_of_species
from biovita.trait_prediction.text_directions import text_directions

__all__ = ["Asking", "RunTraits", "predict_on", "record_of"]


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked of a run.

    Attributes
    ----------
    by_site
        Whether recordings and photographs of one site are told together.
    hours
        In which detections begin that count; None is all.
    """

    by_site: bool = False
    ways: tuple[Way, ...] = tuple(Way)
    hours: Hours | None = None
    device: str = "auto"
    progress: bool = False


@dataclass(frozen=True, eq=False)
class RunTraits:
    """What is said of a run; see `biovita.trait_prediction.prediction_rows`.

    Attributes
    ----------
    rows, by_way
        As `PREDICTED`: what all ways say together, and what each says by itself.
    left_out
        Recordings and photographs that are in no row, and why.
    """

    rows: pa.Table
    by_way: pa.Table
    evidence: pa.Table
    detections: pa.Table
    untold: pa.Table
    left_out: pa.Table
    notes: tuple[str, ...]


def record_of(archive: Archive) -> Mapping[str, Any]:
    """Return what ``run.json`` of a run states.

    Raises
    ------
    DatasetError
        Where the archive has no scores.
    """
    file = archive.path / RECORD
    record = read_json(file, DatasetError) if file.is_file() else None
    if not isinstance(record, dict) or not isinstance(record.get("model"), dict):
        raise DatasetError(
            f"{archive.path} has no scores: no {RECORD} says so. Run: {suggested('identify', archive.path)}"
        )
    return record


def predict_on(archive: Archive, datasets: Sequence[Dataset], known: SpeciesLabels, asking: Asking) -> RunTraits:
    """Return the traits of a run's recordings and photographs. Nothing is written, decoded or encoded of them.

    Parameters
    ----------
    datasets
        Whose items are labelled. What has no vectors in them yet is embedded.
    known
        What they say of species.

    Raises
    ------
    DatasetError
        Where the run has no scores.
    ModelError
        Where the run's model is not there any more.
    """
    record = record_of(archive)
    model = _model(record["model"])
    suggestion = SuggestedTaxa.of(archive, known)
    directions = text_directions(datasets[0], model, device=asking.device) if Way.TEXTS in asking.ways else {}
    parts: list[RunTraits] = []
    for modality in MEDIA:
        if not archive.file(SCORES[modality]).is_file():
            continue
        species = labelled_species(
            datasets, model, modality, known, device=asking.device, progress=asking.progress
        )
        teller = Teller(directions, species, asking.ways)
        if species is not None:
            scorer = suggestion.scorer(model, load_encoder(model, modality, asking.device))
            teller = teller.with_trial(shares_of_species(scorer, species, suggestion.labels))
        asked = asked_media(archive, record, model, modality, suggestion)
        parts.append(_of_modality(archive, asked, teller, asking, known))
    return _joined(parts, archive.table("left_out"), tuple(record.get("notes", ())))


def _model(stated: Mapping[str, Any]) -> ModelCard:
    card = describe(stated["place"])
    if card.revision != stated["revision"]:
        raise ModelError(f"{stated['place']} is another state of the model than the one that made this run")
    return card


def _of_modality(
    archive: Archive, asked: AskedMedia, teller: Teller, asking: Asking, known: SpeciesLabels
) -> RunTraits:
    units = units_of(asked, by_site=asking.by_site)
    said: Predicted = predicted(units, teller)
    evidence, first = EVIDENCE.empty_table(), None
    notes = [f"{asked.without:,} {asked.modality} items have no vector or no scores"] if asked.without else []
    if teller.species is not None:
        evidence, first = nearest_species(units.asked, units.of, units.about, teller.species)
        notes += teller.species.notes
    else:
        notes.append(f"no dataset has {asked.modality} items of species with traits: no probe, and no evidence")
    detections, more = _detections(archive, units, asking.hours, known)
    return RunTraits(
        said.together(evidence, first),
        said.each(evidence, first),
        evidence,
        detections,
        untold(units, said.values, teller),
        units.left_out,
        (*notes, *more),
    )


def _detections(
    archive: Archive, units: Units, hours: Hours | None, known: SpeciesLabels
) -> tuple[pa.Table, Iterator[str]]:
    annotations = archive.table("annotations")
    mine = annotations.filter(pc.equal(annotations["modality"], units.asked.modality.value))
    counted = count_detections(mine, hours)
    of = units.of_media(counted.rows["media_id"])
    there = counted.rows.filter(pa.array(of >= 0))
    not_counted = {**counted.not_counted, "of no recording, photograph or site here": int((of < 0).sum())}
    said = (
        f"{number:,} {units.asked.modality} detections do not count: {reason}"
        for reason, number in not_counted.items()
        if number
    )
    return shares_of_detections(there, of[of >= 0], units.about, known), said


def _joined(parts: Sequence[RunTraits], left_out: pa.Table, notes: tuple[str, ...]) -> RunTraits:
    empty = {
        "rows": PREDICTED,
        "by_way": PREDICTED,
        "evidence": EVIDENCE,
        "detections": DETECTION_SHARES,
        "untold": UNTOLD,
        "left_out": LEFT_OUT,
    }
    tables = {
        name: pa.concat_tables([schema.empty_table(), *(getattr(each, name) for each in parts)])
        for name, schema in empty.items()
    }
    tables["left_out"] = pa.concat_tables([left_out, tables["left_out"]])
    return RunTraits(**tables, notes=(*notes, *(note for each in parts for note in each.notes)))
