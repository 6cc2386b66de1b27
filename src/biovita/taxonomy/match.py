"""Names matched to a backbone: by rule, in order of sureness, each decision stated."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from biovita.errors import DatasetError
from biovita.taxonomy.backbone import Backbone
from biovita.taxonomy.backbone_names import BELOW_SPECIES, GIVEN, Name, NameReader, agreement, folded_lineage
from biovita.taxonomy.decisions import CONFIDENCE, DECISIONS, Found, Query, Reason, Refused, Rule
from biovita.taxonomy.overrides import Overrides
from biovita.taxonomy.parse import NameKind, ParsedName, fold, parse_name
from biovita.taxonomy.taxon import RANKS
from biovita.taxonomy.variants import find_variants

__all__ = ["RULES", "match_names"]

RULES: frozenset[Rule] = frozenset(Rule)

_REFUSED = {
    NameKind.SEVERAL: Reason.SEVERAL,
    NameKind.PAIR: Reason.PAIR,
    NameKind.HYBRID: Reason.HYBRID,
    NameKind.UNDETERMINED: Reason.UNDETERMINED,
    NameKind.QUALIFIED: Reason.QUALIFIED,
    NameKind.PLACEHOLDER: Reason.PLACEHOLDER,
    NameKind.OTHER: Reason.NOT_A_NAME,
}


def match_names(
    names: pa.Table, backbone: Backbone, overrides: Overrides | None = None, rules: Collection[Rule] = RULES
) -> pa.Table:
    """Return a decision for each name: the taxon it means, by which rule and how surely, or why it was refused.

    Rules are tried in the order of `Rule`; the first that finds the name decides. Whatever the rule, the kingdom,
    class and order given with a name must not contradict those of the taxon, a name that several taxa bear needs a
    lineage that settles which, and one word alone needs a lineage that confirms it.

    Parameters
    ----------
    names
        A column ``name`` and, where they are known, ``kingdom``, ``class``, ``order`` and ``family``, all strings.
    overrides
        A curator's decisions, which come first.
    rules
        The rules that may be used.

    Returns
    -------
    pa.Table
        One row a name, in the order given, in the `DECISIONS` schema. Its metadata name the backbone: ``backbone`` and
        ``backbone_sha256``.
    """
    columns = _given(names)
    distinct = dict.fromkeys(zip(*columns, strict=True))
    queries = [_query(*given) for given in distinct]
    reader = NameReader(backbone)
    outcomes = _decide(queries, reader, overrides or Overrides(), frozenset(rules))
    species = _species_of(outcomes, reader)
    rows = {
        given: _row(given, query, outcome, species)
        for given, query, outcome in zip(distinct, queries, outcomes, strict=True)
    }
    ordered = [rows[given] for given in zip(*columns, strict=True)]
    return pa.Table.from_arrays(
        [pa.array(column, field.type) for column, field in zip(zip(*ordered, strict=True), DECISIONS, strict=True)]
        if ordered
        else [pa.array([], field.type) for field in DECISIONS],
        schema=DECISIONS.with_metadata({"backbone": backbone.name, "backbone_sha256": backbone.sha256}),
    )


def _given(names: pa.Table) -> list[list[str | None]]:
    if "name" not in names.column_names:
        raise DatasetError(
            f"the table of names has no column 'name'. It has {', '.join(names.column_names)}. "
            f"Add the column name; it may also have {', '.join(GIVEN)}"
        )
    return [
        names[column].cast(pa.string()).to_pylist() if column in names.column_names else [None] * names.num_rows
        for column in ("name", *GIVEN)
    ]


def _query(name: str | None, *lineage: str | None) -> Query:
    parsed = parse_name(name or "")
    return Query(name or "", folded_lineage(lineage), parsed)


def _decide(
    queries: Sequence[Query], reader: NameReader, overrides: Overrides, rules: frozenset[Rule]
) -> list[Found | Refused]:
    ruled = _overruled(queries, reader, overrides) if Rule.OVERRIDE in rules else {}
    keys = [() if at in ruled else tuple(_keys(query.parsed, rules)) for at, query in enumerate(queries)]
    known = reader.by_key({key for tried in keys for _, key in tried})
    outcomes: dict[int, Found | Refused] = dict(ruled)
    open_: dict[int, Query] = {}
    for at, query in enumerate(queries):
        if at in ruled:
            continue
        outcome = _direct(query, keys[at], known, reader)
        if outcome is not None and (isinstance(outcome, Refused) or outcome.rule in rules):
            outcomes[at] = outcome
        elif query.parsed.kind == NameKind.SCIENTIFIC and query.parsed.epithet:
            open_[at] = query
    outcomes.update(find_variants(open_, reader, rules))
    return [
        _with_remark(query, outcomes.get(at) or _no_match(query, reader.backbone), rules)
        for at, query in enumerate(queries)
    ]


def _no_match(query: Query, backbone: Backbone) -> Refused:
    return Refused(Reason.NO_MATCH, f"{query.parsed.canonical or query.name} is not in {backbone.name}")


def _with_remark(query: Query, outcome: Found | Refused, rules: frozenset[Rule]) -> Found | Refused:
    """Return a match as one that is less sure where words follow the name that are no part of it."""
    remark = query.parsed.remark
    if remark is None or isinstance(outcome, Refused) or outcome.rule == Rule.OVERRIDE:
        return outcome
    if outcome.taxon.key == fold(query.name):  # the backbone has the name with these words
        return outcome
    said = f"{remark!r} follows the name {query.parsed.canonical}"
    if Rule.REMARK not in rules:
        return Refused(Reason.NO_MATCH, said)
    sureness = CONFIDENCE[Rule.REMARK] * (outcome.sureness or CONFIDENCE[outcome.rule])
    detail = f"{said}; {outcome.detail}" if outcome.detail else said
    return replace(outcome, rule=Rule.REMARK, detail=detail, sureness=sureness)


def _overruled(queries: Sequence[Query], reader: NameReader, overrides: Overrides) -> dict[int, Found | Refused]:
    said = {
        at: override
        for at, query in enumerate(queries)
        if (override := overrides.find(query.name, query.lineage[1])) is not None
    }
    wanted = {override.taxon_id for override in said.values() if override.taxon_id}
    taxa = reader.by_id(wanted)
    if wanted - set(taxa):
        raise DatasetError(
            f"the overrides name {min(wanted - set(taxa))}, which {reader.backbone.name} does not have"
        )
    return {
        at: Found(Rule.OVERRIDE, taxa[override.taxon_id], 0, override.note or None)
        if override.taxon_id
        else Refused(Reason.OVERRIDE, override.note or "refused by the curator")
        for at, override in said.items()
    }


def _keys(parsed: ParsedName, rules: frozenset[Rule]) -> Iterator[tuple[Rule, str]]:
    """Give the keys to look a name up by, the surest first, with the rule that a hit falls under."""
    if parsed.kind == NameKind.HYBRID:
        yield Rule.CANONICAL, fold(parsed.verbatim).replace(" x ", " ×")
    if parsed.kind != NameKind.SCIENTIFIC or parsed.canonical is None:
        return
    verbatim, canonical = fold(parsed.verbatim), fold(parsed.canonical)
    yield Rule.CANONICAL, verbatim
    words = verbatim.split()
    if parsed.epithet is None and parsed.authorship and len(words) > 1:  # "Parus Major": epithet or author?
        yield Rule.CANONICAL, " ".join(words[:2])
        if not any(char.isdigit() or char == "." for char in parsed.authorship):
            return
    if canonical != verbatim:
        yield Rule.CANONICAL, canonical
    if parsed.epithet is None or parsed.genus is None:
        return
    genus, epithet = fold(parsed.genus), fold(parsed.epithet)
    if parsed.named_hybrid and parsed.infraspecific is None:
        yield Rule.CANONICAL, f"{genus} {epithet}"
    if parsed.infraspecific is not None:
        below = fold(parsed.infraspecific)
        if below != epithet and Rule.RERANKED in rules:
            yield Rule.RERANKED, f"{genus} {below}"
        if Rule.SPECIES in rules:
            yield Rule.SPECIES, f"{genus} {epithet}"


def _direct(
    query: Query, keys: Iterable[tuple[Rule, str]], known: Mapping[str, list[Name]], reader: NameReader
) -> Found | Refused | None:
    """Return what the look-ups say; None where none of them finds anything."""
    if query.parsed.kind in _REFUSED and query.parsed.kind != NameKind.HYBRID:
        detail = " | ".join(query.parsed.parts) or query.parsed.qualifier
        return Refused(_REFUSED[query.parsed.kind], detail)
    for rule, key in keys:
        names = known.get(key, [])
        if rule == Rule.RERANKED:  # an epithet stands once in a genus: a rule of the zoological code only
            names = [
                n for n in names if n.rank == "species" and n.row == n.accepted and n.lineage[0] == "animalia"
            ]
        if names:
            return _settle(query, rule, names, reader)
    if query.parsed.kind == NameKind.HYBRID:
        return Refused(Reason.HYBRID, " | ".join(query.parsed.parts))
    return None


def _settle(query: Query, rule: Rule, names: Sequence[Name], reader: NameReader) -> Found | Refused:
    """Return which of the taxa that bear a name is meant."""
    placed = [(reader[name.accepted], name) for name in names if name.accepted >= 0]
    if not placed:
        return Refused(Reason.NO_ACCEPTED, f"{names[0].name} ({names[0].id}) is a synonym without accepted name")
    depths = [agreement(query.lineage, taxon.lineage) for taxon, _ in placed]
    best = max(depths)
    if best < 0:
        return Refused(Reason.CONTRADICTION, _described(taxon for taxon, _ in placed))
    one_word = query.parsed.epithet is None and " " not in placed[0][1].key
    if one_word and best == 0:
        return Refused(Reason.UNSUPPORTED, _described(taxon for taxon, _ in placed))
    fits = [pair for pair, depth in zip(placed, depths, strict=True) if depth == best]
    for preferred in (_at_main_rank, _accepted_in_one_class):
        fits = preferred(fits) or fits
    taxa = {taxon.row: (taxon, name) for taxon, name in fits}
    if len(taxa) > 1:
        return Refused(Reason.HOMONYM, _described(taxon for taxon, _ in taxa.values()))
    taxon, name = next(iter(taxa.values()))
    if rule == Rule.CANONICAL and name.row == taxon.row and name.name == query.name:
        rule = Rule.EXACT
    elif rule == Rule.CANONICAL and name.row != taxon.row:
        return Found(Rule.SYNONYM, taxon, best, f"{name.name} ({name.id})")
    return Found(rule, taxon, best, None)


def _at_main_rank(fits: Sequence[tuple[Name, Name]]) -> list[tuple[Name, Name]]:
    return [pair for pair in fits if pair[0].rank in RANKS or pair[0].rank in BELOW_SPECIES]


def _accepted_in_one_class(fits: Sequence[tuple[Name, Name]]) -> list[tuple[Name, Name]]:
    """Return the accepted names among namesakes of one class; across classes none goes before the other."""
    if len({taxon.lineage[:2] for taxon, _ in fits}) > 1:
        return []
    return [pair for pair in fits if pair[0].row == pair[1].row]


def _described(taxa: Iterable[Name]) -> str:
    """Return the taxa as a message shows them, with where they are placed."""
    return "; ".join(
        f"{taxon.name} ({', '.join([taxon.id, *(name.capitalize() for name in taxon.lineage if name)])})"
        for taxon in list(dict.fromkeys(taxa))[:5]
    )


def _species_of(outcomes: Sequence[Found | Refused], reader: NameReader) -> dict[int, Name]:
    """Return the species of each matched taxon that is one or lies below one, by the taxon's row."""
    taxa = {outcome.taxon.row: outcome.taxon for outcome in outcomes if isinstance(outcome, Found)}
    species = {row: taxon for row, taxon in taxa.items() if taxon.rank == "species"}
    below = {row: taxon for row, taxon in taxa.items() if taxon.rank in BELOW_SPECIES}
    known = reader.by_key({" ".join(taxon.key.split()[:2]) for taxon in below.values()})
    for row, taxon in below.items():
        for name in known.get(" ".join(taxon.key.split()[:2]), ()):
            if name.rank == "species" and name.row == name.accepted and name.lineage == taxon.lineage:
                species.setdefault(row, name)
    return species


def _row(
    given: tuple[str | None, ...], query: Query, outcome: Found | Refused, species: Mapping[int, Name]
) -> tuple[object, ...]:
    parsed = query.parsed
    head = (*given, parsed.canonical or " | ".join(parsed.parts) or None, parsed.kind.value)
    if isinstance(outcome, Refused):
        return (*head, *[None] * 7, outcome.reason.value, outcome.detail)
    taxon = outcome.taxon
    above = species.get(taxon.row)
    return (
        *head,
        outcome.rule.value,
        outcome.confidence,
        taxon.id,
        taxon.name,
        taxon.rank,
        above.id if above else None,
        above.name if above else None,
        None,
        outcome.detail,
    )
