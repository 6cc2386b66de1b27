"""Variants of names that a backbone does not hold as given: within the genus, then within the family."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property

import numpy as np

from biovita.taxonomy.backbone_names import BELOW_SPECIES, Lineage, Name, NameReader, agreement
from biovita.taxonomy.decisions import Found, Query, Reason, Refused, Rule
from biovita.taxonomy.parse import fold
from biovita.taxonomy.spelling import gender_key, nearest, variant_key

__all__ = ["find_variants"]

_FAMILY = 3  # place in a `Lineage`
_SHORTEST_MOVED = 5  # letters of an epithet that is followed into another genus

# How sure a variant is; benchmarks/name_matching.py measures each.
_OTHER_GENDER, _OTHER_SPELLING, _EPITHET_ERROR, _GENUS_ERROR = 0.98, 0.97, 0.95, 0.95
_EPITHET_ERRORS, _GENUS_ERRORS = 1, 2  # two errors in an epithet lead to another species more often than not


class _Block:
    """The names of one genus, or one family, that share a lineage."""

    def __init__(self) -> None:
        self.species: list[Name] = []
        self.below: list[Name] = []

    @cached_property
    def by_epithet(self) -> dict[str, list[Name]]:
        return _grouped(self.species, lambda epithet: epithet)

    @cached_property
    def by_gender(self) -> dict[str, list[Name]]:
        return _grouped(self.species, gender_key)

    @cached_property
    def by_variant(self) -> dict[str, list[Name]]:
        return _grouped(self.species, variant_key)

    @cached_property
    def below_by_gender(self) -> dict[str, list[Name]]:
        return _grouped(self.below, gender_key)


def _grouped(names: Iterable[Name], key: Callable[[str], str]) -> dict[str, list[Name]]:
    grouped: dict[str, list[Name]] = defaultdict(list)
    for name in names:
        grouped[key(name.key.rsplit(" ", 1)[-1])].append(name)
    return dict(grouped)


_Blocks = dict[str, dict[Lineage, _Block]]  # by genus or family, then by lineage


def find_variants(
    queries: Mapping[int, Query], reader: NameReader, rules: frozenset[Rule]
) -> dict[int, Found | Refused]:
    """Return what variants of binomials were found, or why none could be chosen; the rest is absent.

    Parameters
    ----------
    queries
        Parsed names that have an epithet and that no look-up found.
    """
    if not rules & {Rule.SPELLING, Rule.RERANKED, Rule.RECOMBINED}:
        return {}
    outcomes: dict[int, Found | Refused] = {}
    genera = _blocks(reader, reader.backbone.rows_with_first_word(_genus(query) for query in queries.values()), 0)
    open_: dict[int, list[_Block]] = {}
    for at, query in queries.items():
        fitting = _fitting(query, genera.get(_genus(query), {}))
        outcome = _within_genus(query, fitting, reader, rules)
        if outcome is None:
            open_[at] = fitting
        else:
            outcomes[at] = outcome
    wanted = {family for at, fitting in open_.items() for family in _families(queries[at], fitting)}
    rows = reader.backbone.rows_within("family", (family.capitalize() for family in wanted))
    families = _blocks(reader, rows, None)
    for at, fitting in open_.items():
        query = queries[at]
        blocks = [b for family in _families(query, fitting) for b in _fitting(query, families.get(family, {}))]
        found = [
            _mistyped(query, fitting, reader) if Rule.SPELLING in rules else None,
            _within_family(query, blocks, reader, rules, genus_known=bool(genera.get(_genus(query)))),
        ]
        outcome = _agreed([each for each in found if each is not None])
        if outcome is not None:
            outcomes[at] = outcome
    return outcomes


def _agreed(found: Sequence[Found | Refused]) -> Found | Refused | None:
    """Return what was found, unless a typing error and a move to another genus lead to different taxa."""
    taxa = {each.taxon.row: each.taxon for each in found if isinstance(each, Found)}
    if len(found) == 2 and len(taxa) != 1:
        return Refused(
            Reason.AMBIGUOUS, " | ".join(f"{taxon.name} ({taxon.id})" for taxon in taxa.values()) or None
        )
    return found[0] if found else None


def _genus(query: Query) -> str:
    return fold(query.parsed.genus or "")


def _blocks(reader: NameReader, rows: np.ndarray, word: int | None) -> _Blocks:
    """Return names grouped by a word of theirs, or by family where ``word`` is None, and lineage."""
    blocks: _Blocks = defaultdict(lambda: defaultdict(_Block))
    for name in reader.read(rows):
        if name.accepted < 0:
            continue
        taxon = reader[name.accepted]
        words = name.key.split()
        group = taxon.lineage[_FAMILY] if word is None else words[word]
        if group is None:
            continue
        if name.rank == "species" and len(words) == 2:
            blocks[group][taxon.lineage].species.append(name)
        elif name.rank in BELOW_SPECIES and len(words) == 3 and word is not None:
            blocks[group][taxon.lineage].below.append(name)
    return blocks


def _fitting(query: Query, blocks: Mapping[Lineage, _Block]) -> list[_Block]:
    return [block for lineage, block in blocks.items() if agreement(query.lineage, lineage) >= 0]


def _families(query: Query, fitting: Iterable[_Block]) -> set[str]:
    """Return the families to look in: the one given with the name, and the one that its genus stands in."""
    own = {name.lineage[_FAMILY] for block in fitting for name in block.species[:1]}
    given = query.lineage[_FAMILY]
    return {family for family in ({given} | own if len(own) == 1 else {given}) if family}


def _within_genus(
    query: Query, blocks: Sequence[_Block], reader: NameReader, rules: frozenset[Rule]
) -> Found | Refused | None:
    epithet = fold(query.parsed.epithet or "")
    if Rule.SPELLING in rules:
        hits = [name for block in blocks for name in block.by_gender.get(gender_key(epithet), ())]
        if hits:
            return _resolved(query, Rule.SPELLING, hits, reader, _OTHER_GENDER)
    if Rule.RERANKED in rules and query.parsed.infraspecific is None:
        hits = [name for block in blocks for name in block.below_by_gender.get(gender_key(epithet), ())]
        hits = [name for name in hits if name.lineage[0] == "animalia" and name.row == name.accepted]
        if hits:
            return _resolved(query, Rule.RERANKED, hits, reader)
    if Rule.SPELLING not in rules:
        return None
    hits = [name for block in blocks for name in block.by_variant.get(variant_key(epithet), ())]
    return _resolved(query, Rule.SPELLING, hits, reader, _OTHER_SPELLING)


def _mistyped(query: Query, blocks: Sequence[_Block], reader: NameReader) -> Found | Refused | None:
    epithets = [other for block in blocks for other in block.by_epithet]
    near = nearest(fold(query.parsed.epithet or ""), epithets, _EPITHET_ERRORS)
    hits = [name for block in blocks for other in near for name in block.by_epithet.get(other, ())]
    return _resolved(query, Rule.SPELLING, hits, reader, _EPITHET_ERROR)


def _within_family(
    query: Query, blocks: Sequence[_Block], reader: NameReader, rules: frozenset[Rule], *, genus_known: bool
) -> Found | Refused | None:
    epithet = fold(query.parsed.epithet or "")
    hits = [name for block in blocks for name in block.by_gender.get(gender_key(epithet), ())]
    if Rule.SPELLING in rules and not genus_known:
        near = nearest(_genus(query), sorted({name.key.split()[0] for name in hits}), _GENUS_ERRORS)
        same = [name for name in hits if name.key.split()[0] in near]
        if same:
            return _resolved(query, Rule.SPELLING, same, reader, _GENUS_ERROR)
    if Rule.RECOMBINED in rules and len(epithet) >= _SHORTEST_MOVED:
        return _resolved(query, Rule.RECOMBINED, hits, reader)
    return None


def _resolved(
    query: Query, rule: Rule, hits: Iterable[Name], reader: NameReader, sureness: float | None = None
) -> Found | Refused | None:
    taxa = {name.accepted: reader[name.accepted] for name in hits}
    if not taxa:
        return None
    if len(taxa) > 1:
        return Refused(Reason.AMBIGUOUS, " | ".join(f"{taxon.name} ({taxon.id})" for taxon in taxa.values()))
    taxon = next(iter(taxa.values()))
    return Found(rule, taxon, agreement(query.lineage, taxon.lineage), None, sureness)
