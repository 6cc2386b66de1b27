"""What a plan leaves out, record by record: the reason, and what of the record gave it."""
# ruff: noqa: S608 - what is put into SQL are names and numbers of ours

from __future__ import annotations

from collections.abc import Sequence

from biovita.sources.source import SourceViews

__all__ = ["DETAIL", "omitted_query", "rank_detail"]

# Of a record and the reason why it is no candidate.
DETAIL = """case reason when 'license' then coalesce(license_given, 'no licence is stated')
    when 'quality' then coalesce(quality, 'no quality is stated')
    when 'date' then coalesce(recorded_at, 'no date is stated')
    when 'place' then coalesce(nullif(concat_ws(', ', latitude, longitude, country), ''), 'no place is stated')
    when 'untold' then 'neither type, format nor address tells what it is'
    when 'no-sound-or-photograph' then 'its first bytes are of neither a sound nor a photograph'
    when 'name-homonym' then 'sources place the name in different kingdoms or classes'
    else case when reason is not null then 'the name does not stand for one species' end end"""


def omitted_query(views: Sequence[SourceViews], limit: str) -> str:
    """Return the query for all records that are left out and not kept as spares; it has the columns of `OMITTED`.

    It asks the tables that `biovita.collect.select` makes. A candidate that was not even ranked is one of a species
    with so many that variety was looked for among a part of them, drawn by the seed.

    Parameters
    ----------
    limit
        The expression of the plan's limit for a modality.
    """
    names = " union all ".join(
        f"select {number}::tinyint as source, name_key, name from {each.names}"
        for number, each in enumerate(views)
    )
    return f"""
        select l.label as source, o.modality, o.source_id, n.name, t.taxon_id, o.reason, o.detail from (
            select source, modality, source_id, taxon, name_key, reason, detail
            from candidates where reason is not null and source_id is not null
            union all
            select c.source, c.modality, c.source_id, c.taxon, c.name_key,
                case when r.number is null or r.number > ({limit}) then 'over-limit' else 'over-budget' end,
                case when r.number is null then 'too many candidates of its species to compare, and not drawn'
                    else '{rank_detail("' || r.number || '", "' || s.places || '")}' end
            from (from candidates anti join kept using (source, modality, source_id) where reason is null) c
                left join ranked r using (source, modality, source_id)
                left join shares s on s.taxon = r.taxon and s.modality = r.modality
        ) o join labels l using (source) join ({names}) n using (source, name_key) left join plan_taxa t using (taxon)
        order by o.source, o.modality, o.source_id, o.reason"""


def rank_detail(number: int | str, places: int | str) -> str:
    """Return what is said of a candidate that comes after those that are taken."""
    return f"number {number} in the order of choice; the plan takes the first {places}"
