"""The scores of a run beside what people annotated: which of them are right, which wrong, and which cannot be told."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from biovita.archive.archive_tables import WINDOWS, Kind, Presence
from biovita.errors import BiovitaError
from biovita.taxonomy import Rank
from biovita.taxonomy.parse import fold

__all__ = ["LabelledScores", "labelled_scores"]

_MEANS = pa.schema(
    [
        pa.field("number", pa.int64(), nullable=False),  # of the annotation
        pa.field("candidate", pa.int32(), nullable=False),
        pa.field("same", pa.bool_(), nullable=False),  # false: the annotation may be of it, and may not
    ]
)
_FOREVER = "1e18"  # seconds: the end of what has no end


@dataclass(frozen=True, eq=False)
class LabelledScores:
    """Scores of which it is known whether they are right.

    Attributes
    ----------
    scores
        ``(n,)``, float64, from 0 to 1.
    right
        ``(n,)``, whether the candidate was there.
    groups
        ``(n,)``, the number of the recording; recordings of one ``group_id`` count as one.
    candidates
        ``(n,)``, the number of the candidate.
    doubtful
        How many scores are left out, because it cannot be told.
    unnamed
        Labels of annotations that are of no candidate.
    """

    scores: np.ndarray
    right: np.ndarray
    groups: np.ndarray
    candidates: np.ndarray
    doubtful: int
    unnamed: tuple[str, ...]


def labelled_scores(
    windows: pa.Table, candidates: pa.Table, annotations: pa.Table, media: pa.Table
) -> LabelledScores:
    """Return the scores of annotated recordings and photographs, told right from wrong.

    What has an annotation counts as annotated throughout, and for all taxa. The score of a candidate in a window is
    right where an annotation says that it is present and overlaps at least half of the window, or half of itself where
    it is the shorter one. It is doubtful where the overlap is smaller, the annotation is uncertain, or it names a group
    that the candidate is in. All others are wrong.

    Where no annotation of a recording has a span, a label says only that the taxon calls somewhere in it, as in a
    dataset of clips. The window where a candidate has its largest score then stands for the recording.

    Parameters
    ----------
    windows, candidates, annotations
        As `biovita.archive.archive_tables` has them: ``WINDOWS``, ``CANDIDATES`` and ``ANNOTATIONS``.
    media
        The recordings and photographs: at least ``id``, ``path`` and ``group_id``.

    Raises
    ------
    BiovitaError
        Where nothing that was scored is annotated.
    """
    import duckdb

    means, unnamed = _meanings(annotations, candidates)
    with duckdb.connect() as connection:
        connection.register("windows", windows.select(WINDOWS.names[:5]))
        connection.register(
            "given", annotations.select(_USED).append_column("number", pa.array(range(len(annotations))))
        )
        connection.register("means", means)
        connection.register("media", media.select(["id", "path", "group_id"]))
        found = connection.sql(_QUERY).to_arrow_table()
    if not found.num_rows:
        raise BiovitaError(
            f"none of the {media.num_rows:,} recordings and photographs that were scored is annotated: "
            f"{annotations.num_rows:,} annotations name others. Compare the paths in both tables"
        )
    verdict = found["verdict"].to_numpy()
    sure = verdict != _DOUBTFUL
    groups = np.unique(found["unit"].to_numpy(zero_copy_only=False)[sure], return_inverse=True)[1]
    return LabelledScores(
        scores=found["score"].to_numpy().astype(np.float64)[sure],
        right=(verdict == _RIGHT)[sure],
        groups=groups,
        candidates=found["candidate"].to_numpy()[sure],
        doubtful=int((~sure).sum()),
        unnamed=unnamed,
    )


_USED = ["media_id", "path", "start_s", "end_s", "presence"]
_RIGHT, _DOUBTFUL = 2, 1
_QUERY = f"""
with placed as (  -- annotations of what was scored
    select number, coalesce(media_id, (select min(id) from media m where m.path = g.path)) as media_id,
        start_s, end_s, presence from given g
), whole as (  -- media without a single span
    select media_id from placed where media_id is not null group by media_id having count(start_s) = 0
), said as (
    select media_id, candidate, coalesce(start_s, -{_FOREVER}) as a, coalesce(end_s, {_FOREVER}) as b,
        same and presence = '{Presence.PRESENT}' as sure, start_s is null as anywhere
    from placed join means using (number) where presence <> '{Presence.ABSENT}'
), scored as (
    select media_id, coalesce(start_s, 0) as a, coalesce(end_s, {_FOREVER}) as b, start_s is null as undivided,
        unnest(candidates) as candidate, unnest(scores) as score
    from windows where media_id in (select media_id from placed)
), best as (
    select * from scored where media_id not in (select media_id from whole)
    union all
    select media_id, min(a), max(b), true, candidate, max(score)
        from scored where media_id in (select media_id from whole) group by media_id, candidate
), judged as (
    select s.media_id, s.candidate, s.score, case
        when said.media_id is null or least(s.b, said.b) - greatest(s.a, said.a) < 0
            or (least(s.b, said.b) = greatest(s.a, said.a) and said.b > said.a) then 0
        when not said.sure or (said.anywhere and not s.undivided) then {_DOUBTFUL}
        when least(s.b, said.b) - greatest(s.a, said.a) >= 0.5 * least(s.b - s.a, said.b - said.a) then {_RIGHT}
        else {_DOUBTFUL} end as verdict, s.a
    from best s left join said on s.media_id = said.media_id and s.candidate = said.candidate
)
select coalesce(m.group_id, j.media_id) as unit, j.candidate, any_value(j.score)::float as score,
    max(j.verdict)::int as verdict
from judged j left join media m on m.id = j.media_id
group by j.media_id, m.group_id, j.a, j.candidate
order by j.media_id, j.a, j.candidate"""  # noqa: S608 - of constants alone


def _meanings(annotations: pa.Table, candidates: pa.Table) -> tuple[pa.Table, tuple[str, ...]]:
    """Return which candidates each annotation is of, or may be of, and the labels that are of none."""
    by_id, by_name, within = _candidate_places(candidates)
    columns = (annotations[name].to_pylist() for name in ("taxon_id", "scientific_name", "rank", "kind", "label"))
    rows: list[tuple[int, int, bool]] = []
    unnamed: dict[str, None] = {}
    known: dict[tuple[str | None, ...], list[tuple[int, bool]]] = {}
    for number, key in enumerate(zip(*columns, strict=True)):
        if key not in known:
            taxon_id, name, rank, kind, label = key
            named = fold(name or label)
            same = {*by_id.get((kind, taxon_id or ""), ()), *by_name.get((kind, named), ())}
            if kind == Kind.TAXON:  # a class of its genus is right, too
                same.update(by_name.get((kind, named.split(" ")[0]), ()))
            may_be = within.get((rank or "", named), set()) - same
            known[key] = [(each, True) for each in sorted(same)] + [(each, False) for each in sorted(may_be)]
            if not known[key]:
                unnamed[label] = None
        rows.extend((number, candidate, is_same) for candidate, is_same in known[key])
    arrays = zip(*rows, strict=True) if rows else ((), (), ())
    table = pa.Table.from_arrays(
        [pa.array(values, field.type) for values, field in zip(arrays, _MEANS, strict=True)], schema=_MEANS
    )
    return table, tuple(unnamed)


_Numbers = dict[tuple[str, str], set[int]]


def _candidate_places(candidates: pa.Table) -> tuple[_Numbers, _Numbers, _Numbers]:
    """Return the numbers of candidates by kind and id, by kind and folded name, and by rank and folded group."""
    by_id: _Numbers = defaultdict(set)
    by_name: _Numbers = defaultdict(set)
    within: _Numbers = defaultdict(set)
    names = zip(*(candidates[name].to_pylist() for name in ("kind", "taxon_id", "scientific_name")), strict=True)
    for number, (kind, taxon_id, name) in enumerate(names):
        by_id[kind, taxon_id].add(number)
        by_name[kind, fold(name)].add(number)
    for rank in Rank:
        if rank != Rank.SPECIES:
            for number, group in enumerate(candidates[rank.value].to_pylist()):
                if group:
                    within[rank.value, fold(group)].add(number)
    return by_id, by_name, within
