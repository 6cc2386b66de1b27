"""Taxa, their places, and the prompts made of them."""

from __future__ import annotations

import pytest

from biovita.errors import DatasetError
from biovita.taxonomy import PROMPT_KINDS, Rank, Taxon, Taxonomy, prompts, taxon_id_of

PICA = Taxon(
    id="pica_pica",
    scientific_name="Pica pica",
    common_name="Eurasian Magpie",
    class_="Aves",
    order="Passeriformes",
    family="Corvidae",
    genus="Pica",
)
NO_FAMILY = Taxon(
    id="hyla_arborea", scientific_name="Hyla arborea", class_="Amphibia", order="Anura", genus="Hyla"
)


def test_a_missing_middle_rank_costs_no_place() -> None:
    taxonomy = Taxonomy.of([PICA, NO_FAMILY])
    assert NO_FAMILY.lineage == (
        (Rank.CLASS, "Amphibia"),
        (Rank.ORDER, "Anura"),
        (Rank.GENUS, "Hyla"),
        (Rank.SPECIES, "Hyla arborea"),
    )
    assert taxonomy.members(Rank.ORDER, "Anura") == (NO_FAMILY,)
    assert taxonomy.members(Rank.GENUS, "Hyla") == (NO_FAMILY,)
    assert taxonomy.names(Rank.FAMILY) == ("Corvidae",)


def test_find_by_id_name_and_synonym_ignores_case() -> None:
    taxonomy = Taxonomy.of([PICA, NO_FAMILY], synonyms={"Corvus pica": "pica_pica"})
    assert taxonomy.find("pica_pica") is PICA
    assert taxonomy.find("pica PICA") is PICA
    assert taxonomy.find("corvus pica") is PICA
    with pytest.raises(DatasetError, match="Did you mean 'Pica pica'"):
        taxonomy.find("Pica pika")


def test_ids_are_unique_and_synonyms_lead_somewhere() -> None:
    with pytest.raises(DatasetError, match="two taxa have the id 'pica_pica'"):
        Taxonomy.of([PICA, PICA])
    with pytest.raises(DatasetError, match="points to 'nowhere'"):
        Taxonomy.of([PICA], synonyms={"Corvus pica": "nowhere"})


def test_prompts_are_the_five_published_ones() -> None:
    assert prompts(PICA) == {
        "com": "Eurasian Magpie",
        "sci": "Pica pica",
        "tax": "Aves Passeriformes Corvidae Pica Pica pica",
        "sci_com": "Pica pica with common name Eurasian Magpie",
        "tax_com": "Aves Passeriformes Corvidae Pica Pica pica with common name Eurasian Magpie",
    }
    assert tuple(prompts(PICA)) == PROMPT_KINDS


def test_a_missing_part_drops_the_prompts_that_need_it() -> None:
    assert prompts(NO_FAMILY) == {"sci": "Hyla arborea"}


def test_taxon_id_is_the_published_folder_name() -> None:
    assert taxon_id_of("Canis  lupus familiaris") == "canis_lupus_familiaris"
