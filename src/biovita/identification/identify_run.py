"""A run of ``biovita identify``: from what was named to annotations, kept in an archive."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive import ARCHIVE, LOCK, MEDIA_TABLES, Archive
from biovita.archive.detector_boxes import FoundBoxes, read_boxes
from biovita.archive.find_media import FoundMedia, find_media
from biovita.archive.register import Registration
from biovita.archive.take_in import take_in
from biovita.embedding.engine import Settings
from biovita.errors import DatasetError, ModelError
from biovita.files import locked, make_directory, refuse_links, write_whole
from biovita.hashing import sha256_of
from biovita.identification.asked import Answering, AskedFor, Perceiving
from biovita.identification.choose_model import choose_model
from biovita.identification.events import MadeBy
from biovita.identification.kept_exemplars import KEPT_EXEMPLARS, kept_exemplars
from biovita.identification.nearest_exemplars import NEAREST, NearestTo, with_nearest
from biovita.identification.options import IdentifyOptions, answering_of, asked_of, channels_of, perceiving_of
from biovita.identification.question import Question, candidates_hash
from biovita.identification.run_answers import Answered, answer, candidates_in
from biovita.identification.scorer import opened_projection
from biovita.identification.scoring import Scoring, open_towers_of, score_media
from biovita.jsonfile import read_json
from biovita.modality import Modality
from biovita.model.describe import describe
from biovita.progress import progress_bar
from biovita.suggestion import suggested
from biovita.towers.encoder import Windowing
from biovita.version import __version__

__all__ = ["RECORD", "Means", "Run", "answer_run", "question_of", "run_on"]

RECORD = "run.json"
_PIECES = 4  # of recordings that are encoded together; more would only lie in memory
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Means:
    """With what a run works.

    Attributes
    ----------
    galleries
        Datasets, or folders of labelled files.
    """

    model: str = "auto"
    galleries: tuple[Path, ...] = ()
    device: str = "auto"
    workers: int | None = None
    overwrite: bool = False
    progress: bool = True


@dataclass(frozen=True, eq=False)
class Run:
    """A run that was done.

    Attributes
    ----------
    record
        What ``run.json`` states: all that made the scores.
    asked, answering
        What was asked of them.
    notes
        Sentences that a reader of the answers has to know.
    exemplars
        Rows of `KEPT_EXEMPLARS`: those that answers name as the nearest.
    scoring
        None where answers are from scores that were there.
    """

    archive: Archive
    answered: Answered
    record: Mapping[str, Any]
    asked: AskedFor
    answering: Answering
    notes: tuple[str, ...]
    exemplars: pa.Table
    scoring: Scoring | None = None

    @property
    def stopped(self) -> bool:
        """Whether Ctrl-C ended it early: what was done until then is answered."""
        return self.scoring is not None and self.scoring.stopped


def run_on(archive: Archive, places: Sequence[str | Path], means: Means, options: IdentifyOptions) -> Run:
    """Take media into an archive, embed what is new, and answer.

    Parameters
    ----------
    places
        What is named; where nothing is, the media that the archive has are scored anew.

    Raises
    ------
    BiovitaError
        Where something that was named cannot be used, or another process writes to the archive.
    """
    asked, answering = asked_of(options), answering_of(options)
    found = find_media(places) if places else None
    if found is not None and not (found.files or found.datasets):
        said = ". ".join([f"no recording and no photograph is in {', '.join(map(str, places))}", *_others(found)])
        raise DatasetError(said)
    _refuse_others(archive)
    make_directory(archive.path)
    with locked(archive.path / LOCK, f"{archive.path}: another process is writing there"):
        if found is not None:
            _make_room(archive, overwrite=means.overwrite)
        stated = Perceiving.from_json(archive.info.get("perceiving", {})) if archive.exists else None
        perceiving = perceiving_of(options, stated)
        notes = () if found is None else _enter(archive, found, perceiving, means, options)
        scoring, record = _scored(archive, asked, answering, perceiving, means)
        record |= {"named": [str(place) for place in places], "notes": [*notes, *scoring.gallery.notes]}
        return _answered(archive, asked, answering, record, scoring)


def answer_run(archive: Archive, options: IdentifyOptions) -> Run:
    """Answer from the scores of a run; no model is opened.

    Raises
    ------
    BiovitaError
        Where the run has no scores, or not those that are asked for.
    """
    file = archive.path / RECORD
    if not file.is_file():
        raise DatasetError(
            f"{archive.path} has no scores: it has no {RECORD}. Run: {suggested('identify', archive.path)}"
        )
    record = read_json(file, DatasetError)
    if not isinstance(record, dict) or "model" not in record:
        raise DatasetError(f"{file} is no record of a run. Run: {suggested('identify', archive.path)}")
    perceiving_of(options, Perceiving.from_json(record.get("perceiving", {})))
    return _answered(archive, asked_of(options), answering_of(options), record, None)


def _make_room(archive: Archive, *, overwrite: bool) -> None:
    """Remove an earlier run where it is to be replaced, and refuse a directory that holds something else."""
    refuse_links(archive.path)
    if archive.exists and "models" in archive.info:
        add, then = suggested("archive add", archive.path, "PATHS"), suggested("identify", archive.path)
        raise DatasetError(
            f"{archive.path} is an archive that is kept, and a run would take its place. Run: {add}. Then: {then}"
        )
    if archive.exists and overwrite:
        for place in archive.path.iterdir():
            if place.name == LOCK:
                continue
            (shutil.rmtree if place.is_dir() else Path.unlink)(place)
    else:
        _refuse_others(archive)


def _refuse_others(archive: Archive) -> None:
    """Refuse a directory that holds something else than a run; nothing is put into it."""
    if archive.exists or not archive.path.is_dir():
        return
    if any(place.name != LOCK for place in archive.path.iterdir()):
        raise DatasetError(
            f"{archive.path} is not empty and no run of biovita: it has no {ARCHIVE}. Choose another --out"
        )


def _enter(
    archive: Archive, found: FoundMedia, perceiving: Perceiving, means: Means, options: IdentifyOptions
) -> tuple[str, ...]:
    """Write the tables of media, and return what has to be said of them."""
    pictures = [file.path for file in found.files if file.modality == Modality.IMAGE]
    stated = options.get("boxes")
    boxes = FoundBoxes({}, ()) if stated is None else read_boxes(Path(stated), pictures)
    how = Registration(options.get("timezone"), channels_of(options), boxes.boxes)
    archive.describe({"biovita": __version__, "perceiving": perceiving.as_json()})
    with progress_bar("looking into files", len(found.files), shown=means.progress) as advance:
        take_in(archive, found, how, advance)
    return (*boxes.notes, *_others(found))


def _others(found: FoundMedia) -> tuple[str, ...]:
    """Return what is said of files that are passed over, if there are any."""
    if not found.others:
        return ()
    listed = ", ".join(f"{count:,} {ending}" for ending, count in found.others.most_common(_SHOWN))
    return (f"{found.others.total():,} files in folders are neither sound nor pictures by their names: {listed}",)


def _scored(
    archive: Archive, asked: AskedFor, answering: Answering, perceiving: Perceiving, means: Means
) -> tuple[Scoring, dict[str, Any]]:
    """Write the scores of an archive's media, and return them with what made them."""
    there = [modality for modality, name in MEDIA_TABLES.items() if len(archive.table(name))]
    if not there:
        reasons = Counter(archive.table("left_out")["reason"].to_pylist())
        counted = ", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common(_SHOWN))
        raise DatasetError(
            f"none of the files that were named can be used: {counted}. See {archive.file('left_out')}"
        )
    card, why = choose_model(means.model, there)
    towers = open_towers_of(card, there, perceiving, means.device)
    settings = Settings(_PIECES if Modality.AUDIO in there else None, means.workers, means.progress)
    began = time.perf_counter()
    scoring = score_media(
        archive,
        card,
        towers,
        perceiving=perceiving,
        asked=asked,
        least=answering.threshold,
        galleries=means.galleries,
        settings=settings,
    )
    archive.write("left_out", pa.concat_tables([archive.table("left_out"), scoring.left_out]))
    windows = towers[Modality.AUDIO].windows if Modality.AUDIO in towers else None
    slow = perceiving.hearing.expand
    return scoring, {
        "biovita": __version__,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": {
            "name": card.name,
            "revision": card.revision,
            "place": card.place or card.name,
            "towers": card.towers.name,
            "why": why,
        },
        "gallery": {"version": scoring.gallery.version, "places": [str(place) for place in means.galleries]},
        "perceiving": perceiving.as_json(),
        "preprocessing": {modality.value: tower.card.preprocessing for modality, tower in towers.items()},
        "windowing": None if windows is None else asdict(windows),
        "window_s": None if windows is None else windows.size_s / slow,
        "hop_s": None if windows is None else windows.hop_s / slow,
        "windows": {modality.value: count for modality, count in scoring.windows.items()},
        "embedded": {
            modality.value: {"new": each.new, "kept": each.kept, "failed": len(each.failed)}
            for modality, each in scoring.embedded.items()
        },
        "seconds": round(time.perf_counter() - began, 3),
        "stopped": scoring.stopped,
    }


def _answered(
    archive: Archive, asked: AskedFor, answering: Answering, record: Mapping[str, Any], scoring: Scoring | None
) -> Run:
    model = record["model"]
    made = MadeBy(model["name"], model["revision"], datetime.fromisoformat(record["made_at"]))
    notes = list(record.get("notes", []))
    if answering.calibration is not None:
        question = question_of(archive, record, answering.calibration.question.modality)
        if (other := answering.calibration.fits(question)) is not None:
            raise DatasetError(f"the calibration does not fit this run: {other}. Leave it out, or calibrate anew")
    answered = answer(archive, asked, answering, made, record["hop_s"])
    if answered.taxa is not None:
        notes += [f"{asked.taxa}: {name}" for name in answered.taxa.unknown]
    if answered.not_scored:
        some = ", ".join(taxon.scientific_name for taxon in answered.not_scored[:_SHOWN])
        notes.append(
            f"{len(answered.not_scored):,} taxa of {asked.taxa} have no scores in this run: {some}. Identify "
            "with this list to get them"
        )
    if asked.place is not None and (unknown := answered.chosen.range_unknown):
        notes.append(f"the range model does not know {len(unknown):,} of the taxa that were kept")
    if answered.speech:
        pieces = sum(map(len, answered.speech.values()))
        notes.append(f"a person is heard in {pieces:,} pieces of {len(answered.speech):,} recordings")
    answered, exemplars, said = _compared(archive, answered, record, scoring)
    archive.write("annotations", answered.annotations)
    record = {**record, "answered": _as_json(asked, answering, answered)}
    write_whole(archive.path / RECORD, json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    notes += [*answered.notes, *said]
    return Run(archive, answered, record, asked, answering, tuple(notes), exemplars, scoring)


def _as_json(asked: AskedFor, answering: Answering, answered: Answered) -> dict[str, Any]:
    """Return what made the annotations of the scores: the question, as it was asked last."""
    return {
        "taxa": None if asked.taxa is None else {"file": str(asked.taxa), "sha256": sha256_of(asked.taxa)},
        "within": asked.within,
        "place": asked.place,
        "week": asked.week,
        "range_only": asked.range_only,
        "candidates": int(answered.wanted.sum()),
        "left_out": {reason: len(numbers) for reason, numbers in answered.chosen.left_out.items()},
        "threshold": answering.threshold,
        "rank": answering.rank,
        "calibration": None if answering.calibration is None else answering.calibration.version,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _compared(
    archive: Archive, answered: Answered, record: Mapping[str, Any], scoring: Scoring | None
) -> tuple[Answered, pa.Table, tuple[str, ...]]:
    """Return answers with the exemplars that are nearest to them, these exemplars, and what has to be said."""
    kept = kept_exemplars(archive.path)
    if not kept:
        return answered, KEPT_EXEMPLARS.empty_table(), ()
    cut = record["windowing"]
    compared = NearestTo(
        archive,
        record["model"]["towers"],
        None if cut is None else Windowing(**cut),
        Perceiving.from_json(record["perceiving"]).hearing,
        kept,
        partial(_projection, record["model"], scoring),
    )
    said: tuple[str, ...] = ()
    try:
        found = with_nearest(answered.annotations, compared, answered.candidates, answered.wanted)
    except ModelError as error:
        said = (f"sounds and photographs are not compared with each other: {error}",)
        alone = replace(compared, projection=None)
        found = with_nearest(answered.annotations, alone, answered.candidates, answered.wanted)
    named = pa.chunked_array([chunk for name in NEAREST.values() for chunk in found[name].chunks], pa.string())
    rows = pa.concat_tables([each.rows for each in kept.values()])
    shown = rows.filter(pc.is_in(rows["id"], value_set=named.drop_null().combine_chunks()))
    return replace(answered, annotations=found), shown, said


def _projection(
    model: Mapping[str, Any], scoring: Scoring | None, modality: Modality
) -> Callable[[np.ndarray], np.ndarray]:
    """Return what takes vectors to the shared space, by the scorers that are open, or from the model's own place."""
    if scoring is not None:
        scorers = scoring.scorers
        return (scorers.get(modality) or next(iter(scorers.values()))).projection(modality)
    card = describe(model["place"])
    if card.revision != model["revision"]:
        raise ModelError(f"{model['place']} is another state of the model than the one that made this run")
    return opened_projection(card, modality)


def question_of(archive: Archive, record: Mapping[str, Any], modality: Modality) -> Question:
    """Return what the scores of a run are answers to."""
    is_sound = modality == Modality.AUDIO
    return Question(
        model=record["model"]["name"],
        revision=record["model"]["revision"],
        modality=modality,
        gallery=record["gallery"]["version"],
        candidates=candidates_hash(candidates_in(archive.table("candidates"))),
        preprocessing=json.dumps(
            [record["perceiving"], record["preprocessing"].get(modality.value)], sort_keys=True
        ),
        window_s=record["window_s"] if is_sound else None,
        hop_s=record["hop_s"] if is_sound else None,
    )
