"""The six trait tables, and a dataset of forty well-known species."""

from __future__ import annotations

from pathlib import Path

import pytest

from biovita.taxonomy import Taxon
from support.spot_checks import TAXA
from support.trait_cases import animal

FILES = {
    "avonet": "AVONET1_BirdLife.csv",
    "eltontraits-birds": "BirdFuncDat.txt",
    "eltontraits-mammals": "MamFuncDat.txt",
    "amphibio": "AmphiBIO_v1.csv",
    "pantheria": "PanTHERIA_1-0_WR05_Aug2008.txt",
    "anage": "anage_data.txt",
}


@pytest.fixture(scope="session")
def trait_files(shared_data: Path) -> dict[str, Path]:
    return {table: shared_data / "traits" / file for table, file in FILES.items()}


@pytest.fixture(scope="session")
def well_known() -> list[Taxon]:
    return [animal(name, *lineage) for name, lineage in TAXA.items()]
