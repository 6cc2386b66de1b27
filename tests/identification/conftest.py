"""Candidates that several test modules choose from."""

from __future__ import annotations

import pytest

from biovita.archive.archive_tables import Kind
from biovita.identification.evidence import Candidate
from biovita.taxonomy import Taxon
from biovita.taxonomy.known_taxa import known_taxa


@pytest.fixture(scope="session")
def of_birdnet() -> tuple[Candidate, ...]:
    """All that BirdNET can name: its taxa, and a human voice."""
    known = known_taxa()
    taxa = [known.taxonomy[taxon_id] for ids in known.classes["birdnet-2.4"].values() for taxon_id in ids]
    return (*map(Candidate, taxa), Candidate(Taxon("human_vocal", "Human vocal"), Kind.SOUND))
