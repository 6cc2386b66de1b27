"""What ways say as rows of tables, and what they do not say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from biovita.trait_labels import LABELS, group_of
from biovita.trait_prediction.asked_units import Units
from biovita.trait_prediction.from_candidates import LEAST_KNOWN
from biovita.trait_prediction.label_tellers import Teller, bit_of
from biovita.trait_prediction.prediction_rows import PREDICTED, UNTOLD, Way
from biovita.traits.known_labels import FEWEST

__all__ = ["Predicted", "predicted", "untold"]


@dataclass(frozen=True, eq=False)
class Predicted:
    """What is said of recordings, photographs or sites.

    Attributes
    ----------
    values
        By way, ``(units, 34)``; NaN where it says nothing.
    known
        ``(units, 34)``: how much probability lies on candidates of which a label is known.
    """

    units: Units
    teller: Teller
    values: Mapping[Way, np.ndarray]
    known: np.ndarray

    def together(self, evidence: pa.Table, first: np.ndarray | None) -> pa.Table:
        """Return what all ways say together, as `PREDICTED`.

        Parameters
        ----------
        evidence, first
            As `nearest_species` gives them; None where there is no evidence.
        """
        said = self.teller.together(self.values)
        auc = np.array([self.teller.together_auc.get(label, np.nan) for label in LABELS])
        return self._table(_Said(said.scores, said.probabilities, said.ways, auc), evidence, first)

    def each(self, evidence: pa.Table, first: np.ndarray | None) -> pa.Table:
        """Return what each way says by itself, as `together`."""
        tables = [PREDICTED.empty_table()]
        for way, values in self.values.items():
            tried = [self.teller.tried.get((way, label)) for label in LABELS]
            auc = np.array([np.nan if each is None else each.auc for each in tried])
            probabilities = self.teller.probabilities(way, values)
            ways = np.full(values.shape, bit_of(way))
            tables.append(self._table(_Said(values, probabilities, ways, auc), evidence, first))
        return pa.concat_tables(tables)

    def _table(self, said: _Said, evidence: pa.Table, first: np.ndarray | None) -> pa.Table:
        unit, column = np.nonzero(~np.isnan(said.scores))
        ways, names = said.ways[unit, column], _names_of_ways()
        by_candidates = (ways & bit_of(Way.CANDIDATES)) > 0
        columns = {name: self.units.about[name].take(pa.array(unit)) for name in self.units.about.column_names}
        columns |= {
            "media": pa.array(self.units.media[unit]),
            "group": pa.array([group_of(label) for label in LABELS]).take(pa.array(column)),
            "label": pa.array(LABELS).take(pa.array(column)),
            "way": pa.array(names).take(pa.array(ways)),
            "score": pa.array(said.scores[unit, column]),
            "probability": _with_nulls(said.probabilities[unit, column]),
            "auc": _with_nulls(said.auc[column]),
            "known": _with_nulls(np.where(by_candidates, self.known[unit, column], np.nan)),
        }
        at = np.full(len(unit), -1) if first is None else first[unit, column]
        rows = pa.array(at, mask=at < 0)
        columns |= {
            "nearest_taxon": evidence["scientific_name"].take(rows),
            "nearest_media": evidence["nearest_media"].take(rows),
        }
        return pa.table([columns[field.name] for field in PREDICTED], names=PREDICTED.names).cast(PREDICTED)


@dataclass(frozen=True, eq=False)
class _Said:
    """Scores, probabilities and ways, ``(units, 34)`` each, and the area under the curve of each label."""

    scores: np.ndarray
    probabilities: np.ndarray
    ways: np.ndarray
    auc: np.ndarray


def predicted(units: Units, teller: Teller) -> Predicted:
    """Return what each way says of recordings, photographs or sites: the mean of what it says of their media."""
    of_media = teller.values(units.asked.vectors, units.asked.shared, units.asked.shares)
    shares = units.shares
    values = {way: shares.values if way == Way.CANDIDATES else units.means(said) for way, said in of_media.items()}
    return Predicted(units, teller, values, shares.known)


def untold(units: Units, values: Mapping[Way, np.ndarray], teller: Teller) -> pa.Table:
    """Return which labels each way does not tell, of how many, and why, as `UNTOLD`."""
    rows = []
    for way, said in values.items():
        for column, label in enumerate(LABELS):
            silent = np.isnan(said[:, column])
            if silent.any():
                reason, detail = _why(way, column, teller, str(units.asked.modality))
                rows.append(
                    {
                        "modality": units.asked.modality.value,
                        "group": group_of(label),
                        "label": label,
                        "way": way.value,
                        "media": int(units.media[silent].sum()),
                        "reason": reason,
                        "detail": detail,
                    }
                )
    return pa.Table.from_pylist(rows, schema=UNTOLD)


def _why(way: Way, column: int, teller: Teller, modality: str) -> tuple[str, str]:
    if way == Way.TEXTS:
        return "no-space", "the model has no texts, or they are in another space"
    if way == Way.CANDIDATES:
        detail = f"less than {LEAST_KNOWN:g} of the probability lies on taxa of which it is known"
        return "little-known", detail
    labels = np.empty(0) if teller.species is None else teller.species.labels[:, column]
    having, lacking = int((labels == 1).sum()), int((labels == 0).sum())
    return (
        "few-species",
        f"of the species with {modality} items {having} have it and {lacking} have not. A probe takes {FEWEST} of each",
    )


def _names_of_ways() -> list[str]:
    """Return by sum of `bit_of` the ways in it, with + between them."""
    return ["+".join(way.value for way in Way if number & bit_of(way)) for number in range(1 << len(Way))]


def _with_nulls(values: np.ndarray) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))
