"""Decisions about names: the rules, the reasons for refusing, and the table that states them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa

from biovita.taxonomy.backbone_names import GIVEN, Lineage, Name
from biovita.taxonomy.parse import ParsedName

__all__ = ["CONFIDENCE", "DECISIONS", "Found", "Query", "Reason", "Refused", "Rule", "decisions_summary"]

DECISIONS = pa.schema(
    [
        pa.field("name", pa.string()),  # as given
        *(pa.field(rank, pa.string()) for rank in GIVEN),  # as given with it
        pa.field("parsed", pa.string()),  # canonical form, or the parts of a pair or hybrid joined by " | "
        pa.field("kind", pa.string(), nullable=False),  # a `NameKind`
        pa.field("rule", pa.string()),  # a `Rule`; null: refused
        pa.field("confidence", pa.float64()),
        pa.field("taxon_id", pa.string()),
        pa.field("accepted_name", pa.string()),
        pa.field("rank", pa.string()),
        pa.field("species_id", pa.string()),  # of the species that the taxon is or belongs to; null above species
        pa.field("species_name", pa.string()),
        pa.field("reason", pa.string()),  # a `Reason`; null: matched
        pa.field("detail", pa.string()),
    ]
)


class Rule(StrEnum):
    """How a name was matched, from the surest to the least sure."""

    OVERRIDE = "override"  # the curator's file says so
    EXACT = "exact"  # an accepted name, letter for letter
    CANONICAL = "canonical"  # an accepted name but for authorship, case, rank markers, spaces
    SYNONYM = "synonym"  # a synonym in the backbone
    SPECIES = "species"  # a subspecies that the backbone lacks: its species
    RERANKED = "reranked"  # the same epithet in the same genus, now a species or now a subspecies; animals only
    SPELLING = "spelling"  # a variant or typing error within the genus or the family
    RECOMBINED = "recombined"  # the same epithet, once in the family, in another genus
    REMARK = "remark"  # by one of the rules above, and words follow the name that are no part of it


class Reason(StrEnum):
    """Why a name was refused."""

    NO_MATCH = "no-match"
    CONTRADICTION = "contradiction"  # the name exists, in another kingdom, class or order
    HOMONYM = "homonym"  # several taxa have the name, and the lineage given does not settle which
    AMBIGUOUS = "ambiguous"  # several names are as near
    UNSUPPORTED = "unsupported"  # one word and no lineage to confirm it: it may be a vernacular name
    NO_ACCEPTED = "no-accepted"  # a synonym whose accepted name the backbone does not hold
    SEVERAL = "several"  # the cell names more than one species
    PAIR = "pair"
    HYBRID = "hybrid"
    UNDETERMINED = "undetermined"
    QUALIFIED = "qualified"
    PLACEHOLDER = "placeholder"
    NOT_A_NAME = "not-a-name"
    OVERRIDE = "override"  # the curator's file says so


CONFIDENCE: Mapping[Rule, float] = {
    Rule.OVERRIDE: 1.0,
    Rule.EXACT: 1.0,
    Rule.CANONICAL: 0.99,
    Rule.SYNONYM: 0.98,
    Rule.SPECIES: 0.97,
    Rule.RERANKED: 0.95,
    Rule.SPELLING: 0.95,
    Rule.RECOMBINED: 0.9,
    Rule.REMARK: 0.85,
}
_UNCONFIRMED = 0.97


@dataclass(frozen=True, slots=True)
class Query:
    """A name to be matched, with the lineage given for it and its parts."""

    name: str
    lineage: Lineage
    parsed: ParsedName


@dataclass(frozen=True, slots=True)
class Found:
    """A taxon for a name; ``support`` is how far down the lineages agree, as `names.agreement` counts."""

    rule: Rule
    taxon: Name
    support: int
    detail: str | None = None
    sureness: float | None = None  # where it is not that of the rule

    @property
    def confidence(self) -> float:
        """How sure the match is, 0 to 1: less where no lineage was given to confirm it."""
        sure = CONFIDENCE[self.rule] if self.sureness is None else self.sureness
        return round(sure if self.support or self.rule == Rule.OVERRIDE else sure * _UNCONFIRMED, 4)


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a name got no taxon."""

    reason: Reason
    detail: str | None = None


def decisions_summary(decisions: pa.Table) -> dict[str, int | dict[str, int]]:
    """Return how many names there were, how many got a taxon by each rule, and how many were refused for what."""
    rules = Counter(decisions["rule"].drop_null().to_pylist())
    reasons = Counter(decisions["reason"].drop_null().to_pylist())
    return {
        "names": decisions.num_rows,
        "matched": sum(rules.values()),
        "rules": {rule.value: rules[rule.value] for rule in Rule if rules[rule.value]},
        "refused": sum(reasons.values()),
        "reasons": {reason.value: reasons[reason.value] for reason in Reason if reasons[reason.value]},
    }
