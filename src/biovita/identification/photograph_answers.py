"""What photographs show, from the scores that a run keeps: one answer each, at the deepest rank that is sure enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from biovita.archive.archive import SCORES, Archive
from biovita.archive.archive_tables import ANNOTATIONS, By, Kind, Presence
from biovita.identification.asked import Answering
from biovita.identification.back_off import BackOff, Posterior, back_off_of, backed_off, best_of, posterior_of_kept
from biovita.identification.events import MadeBy
from biovita.identification.evidence import Candidate, Evidence
from biovita.modality import Modality

__all__ = ["UNKNOWN", "photograph_answers"]

UNKNOWN = "unknown"
_FROM_PHOTOGRAPH = ("path", "box", "begin_local", "utc_offset_min", "latitude", "longitude")


def photograph_answers(
    archive: Archive, candidates: Sequence[Candidate], wanted: np.ndarray, answering: Answering, made: MadeBy
) -> pa.Table:
    """Return an annotation for each photograph, or box of one, that has scores.

    Where no rank is sure enough, it is uncertain and of no taxon, with the label ``unknown``. The score is the share of
    the answer in all that the photograph may show.

    Parameters
    ----------
    wanted
        ``(candidates,)``, bool: those that may be answers.
    """
    photographs, sites = archive.table("photographs"), archive.table("deployments")
    site_of = dict(zip(sites["id"].to_pylist(), sites["site"].to_pylist(), strict=True))
    rows_of = {media: row for row, media in enumerate(photographs["id"].to_pylist())}
    settings = back_off_of(Modality.IMAGE)
    tables = [ANNOTATIONS.empty_table()]
    for batch in archive.batches(SCORES[Modality.IMAGE]):
        told = list(_told(batch, candidates, wanted, answering, settings))
        media = batch.column("media_id").to_pylist()
        about = photographs.take(pa.array([rows_of[each] for each in media], pa.int64())).to_pylist()
        rows = [
            {
                **{name: photograph[name] for name in _FROM_PHOTOGRAPH},
                **answer,
                "id": made.annotation_id(photograph["id"], answer["label"]),
                "media_id": photograph["id"],
                "modality": Modality.IMAGE.value,
                "site": site_of.get(photograph["deployment_id"]),
                "by": made.name,
                "by_kind": By.MACHINE.value,
                "revision": made.revision,
                "made_at": made.made_at,
                "note": photograph["box_of"],
            }
            for photograph, answer in zip(about, told, strict=True)
        ]
        tables.append(pa.Table.from_pylist(rows, schema=ANNOTATIONS))
    return pa.concat_tables(tables)


def _told(
    batch: pa.RecordBatch,
    candidates: Sequence[Candidate],
    wanted: np.ndarray,
    answering: Answering,
    settings: BackOff,
) -> Iterator[dict[str, Any]]:
    """Yield what is said of each photograph of a batch."""
    numbers, scores, evidence = [], [], []
    for those, their, kinds in zip(
        *(batch.column(name) for name in ("candidates", "scores", "evidence")), strict=True
    ):
        mine = np.asarray(those.values)
        kept = wanted[mine]
        numbers.append(mine[kept])
        scores.append(np.asarray(their.values)[kept])
        evidence.append(dict(zip(mine.tolist(), np.asarray(kinds.values).tolist(), strict=True)))
    found = posterior_of_kept(numbers, scores, candidates, settings)
    if answering.rank is None:
        answers = backed_off(found, candidates, settings)
    else:
        answers = best_of(found, candidates, answering.rank)
    for row, (answer, share) in enumerate(zip(answers.of_rows, answers.probabilities.tolist(), strict=True)):
        yield {**_said(found, row, answer, candidates, evidence[row]), "score": share}


def _said(
    found: Posterior,
    row: int,
    answer: Candidate | None,
    candidates: Sequence[Candidate],
    evidence: dict[int, int],
) -> dict[str, Any]:
    if answer is None:
        return {"label": UNKNOWN, "kind": Kind.TAXON.value, "presence": Presence.UNCERTAIN.value}
    taxon = answer.taxon
    best = found.numbers[row]
    within = [_is_within(candidates[number], answer) for number in best.tolist() if number >= 0]
    deciding = next((int(best[place]) for place, inside in enumerate(within) if inside), -1)
    second = next((place for place, inside in enumerate(within) if not inside), None)
    said: dict[str, Any] = {
        "label": taxon.scientific_name,
        "kind": answer.kind.value,
        "common_name": taxon.common_name,
        "presence": Presence.PRESENT.value,
    }
    if answer.kind == Kind.TAXON:
        said |= {"taxon_id": taxon.id, "scientific_name": taxon.scientific_name, "rank": taxon.rank.value}
    decided = evidence.get(deciding, 0)
    if decided > 0:
        said["evidence"] = Evidence(decided).name.lower()
    if second is not None and found.probabilities[row, second] > 0:
        said["runner_up"] = candidates[int(best[second])].taxon.scientific_name
        said["runner_up_score"] = float(found.probabilities[row, second])
    return said


def _is_within(candidate: Candidate, answer: Candidate) -> bool:
    taxon = answer.taxon
    if candidate.taxon.id == taxon.id and candidate.kind == answer.kind:
        return True
    return (
        candidate.kind == answer.kind == Kind.TAXON
        and candidate.taxon.name_at(taxon.rank) == taxon.scientific_name
    )
