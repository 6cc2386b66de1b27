from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from biovita.archive.archive_tables import Kind
from biovita.errors import BiovitaError
from biovita.identification.candidates import NotChosen, choose, with_common_names
from biovita.identification.evidence import Candidate
from biovita.identification.range_model import Plausibility, range_of
from biovita.identification.taxa_list import TaxaList
from biovita.taxonomy import Rank, Taxon

BIRD = {"phylum": "Chordata", "class_": "Aves"}
MERLE = Taxon("turdus_merula", "Turdus merula", "Eurasian Blackbird", family="Turdidae", genus="Turdus", **BIRD)
RING = Taxon("turdus_torquatus", "Turdus torquatus", "Ring Ouzel", family="Turdidae", genus="Turdus", **BIRD)
CROW = Taxon("corvus_corone", "Corvus corone", "Carrion Crow", family="Corvidae", genus="Corvus", **BIRD)
FROG = Taxon("rana_temporaria", "Rana temporaria", order="Anura", genus="Rana", class_="Amphibia")
JUNCOS = Taxon("junco", "Junco", rank=Rank.GENUS, family="Passerellidae", genus="Junco", **BIRD)
TURDUS = Taxon("turdus", "Turdus", rank=Rank.GENUS, family="Turdidae", genus="Turdus", **BIRD)
JUNCO = Taxon("junco_hyemalis", "Junco hyemalis", family="Passerellidae", genus="Junco", **BIRD)
VOICE = Candidate(Taxon("human_vocal", "Human vocal"), Kind.SOUND)
NOTHING = Candidate(Taxon("background", "background"), Kind.BACKGROUND)
KNOWN = (*map(Candidate, (MERLE, RING, CROW, FROG, JUNCOS)), VOICE, NOTHING)
HERE = Plausibility(52.5, 13.4, 18, {"turdus_merula": 0.9, "turdus_torquatus": 0.01, "corvus_corone": 0.03})


def listed(*taxa: Taxon) -> TaxaList:
    return TaxaList("list.txt", taxa, frozenset(), (), (), len(taxa))


def names(candidates: Sequence[Candidate]) -> list[str]:
    return [each.taxon.scientific_name for each in candidates if each.kind == Kind.TAXON]


def test_without_a_wish_all_that_is_known_is_chosen() -> None:
    found = choose(KNOWN)
    assert found.candidates == KNOWN
    assert found.numbers == tuple(range(len(KNOWN)))
    assert not any(found.listed)
    assert set(found.plausibility) == {None}
    assert not found.left_out


def test_a_list_keeps_its_taxa_and_says_what_it_leaves_out() -> None:
    found = choose(KNOWN, taxa=listed(CROW, MERLE))
    assert names(found.candidates) == ["Turdus merula", "Corvus corone"]
    assert found.numbers == (0, 2, 5, 6)
    assert found.listed == (True, True, False, False)
    assert found.left_out == {NotChosen.NOT_LISTED: (1, 3, 4)}


def test_what_is_no_taxon_stays_whatever_is_asked_for() -> None:
    for found in (
        choose(KNOWN, taxa=listed(CROW)),
        choose(KNOWN, within=["Amphibia"]),
        choose(KNOWN, plausible=HERE, range_only=True),
    ):
        assert found.candidates[-2:] == (VOICE, NOTHING)


def test_a_listed_group_has_all_below_it_and_none_is_a_candidate_itself() -> None:
    found = choose(KNOWN, taxa=listed(TURDUS, FROG))
    assert names(found.candidates) == ["Turdus merula", "Turdus torquatus", "Rana temporaria"]
    assert found.empty == ()


def test_a_class_of_a_genus_is_of_a_list_with_a_species_of_it() -> None:
    """The species itself becomes a candidate by its name."""
    found = choose(KNOWN, taxa=listed(JUNCO))
    assert names(found.candidates) == ["Junco", "Junco hyemalis"]
    assert found.numbers == (4, 5, 6)
    assert found.candidates[len(found.numbers) :] == (Candidate(JUNCO),)


def test_a_listed_group_of_which_there_is_none_is_said() -> None:
    owls = Taxon("strigiformes", "Strigiformes", rank=Rank.ORDER)
    assert choose(KNOWN, taxa=listed(owls, CROW)).empty == (owls,)
    with pytest.raises(BiovitaError, match="no taxon is left to choose from: 5 not-listed"):
        choose(KNOWN, taxa=listed(owls))


def test_groups_of_any_rank_whatever_their_case() -> None:
    found = choose(KNOWN, within=["turdidae", "Anura"])
    assert names(found.candidates) == ["Turdus merula", "Turdus torquatus", "Rana temporaria"]
    assert found.left_out == {NotChosen.NOT_WITHIN: (2, 4)}
    assert names(choose(KNOWN, within=["Corvus corone"]).candidates) == ["Corvus corone"]
    with pytest.raises(BiovitaError, match=r"--within Turdida: unknown group 'Turdida'\. Did you mean 'Turdidae'"):
        choose(KNOWN, within=["Turdida"])


def test_a_taxon_has_to_meet_all_that_is_asked_for() -> None:
    found = choose(KNOWN, taxa=listed(MERLE, RING, FROG), within=["Aves"], plausible=HERE)
    assert names(found.candidates) == ["Turdus merula"]
    assert found.left_out == {
        NotChosen.OUT_OF_RANGE: (1,),
        NotChosen.NOT_LISTED: (2, 4),
        NotChosen.NOT_WITHIN: (3,),
    }


def test_taxa_that_the_range_model_does_not_know_are_kept_and_marked() -> None:
    found = choose(KNOWN, plausible=HERE)
    assert names(found.candidates) == ["Turdus merula", "Corvus corone", "Rana temporaria", "Junco"]
    assert found.plausibility == (0.9, 0.03, None, None, None, None)
    assert names(found.range_unknown) == ["Rana temporaria", "Junco"]
    only = choose(KNOWN, plausible=HERE, range_only=True)
    assert names(only.candidates) == ["Turdus merula", "Corvus corone"]
    assert only.left_out[NotChosen.RANGE_UNKNOWN] == (3, 4)
    with pytest.raises(BiovitaError, match="--range-only needs a place"):
        choose(KNOWN, range_only=True)


def test_a_listed_taxon_without_a_class_is_kept_out_of_range_only_where_the_model_says_so() -> None:
    wren = Taxon("troglodytes_troglodytes", "Troglodytes troglodytes", class_="Aves")
    absent = replace(HERE, by_id={wren.id: 0.0})
    assert names(choose(KNOWN, taxa=listed(wren, MERLE), plausible=absent).candidates) == ["Turdus merula"]


def test_without_a_taxon_there_is_nothing_to_choose_from() -> None:
    with pytest.raises(BiovitaError, match="Give a model with a classifier, a gallery, or a list"):
        choose([VOICE])


def test_all_of_birdnets_taxa_at_a_place(of_birdnet: Sequence[Candidate]) -> None:
    found = choose(of_birdnet, within=["Aves"], plausible=range_of(52.5, 13.4, 18))
    assert 120 < len(found.candidates) < 250
    assert "Turdus merula" in names(found.candidates)
    assert sum(map(len, found.left_out.values())) + len(found.numbers) == len(of_birdnet)


def test_common_names_in_another_language() -> None:
    names_de = {"turdus merula": "Amsel", "rana temporaria": "Grasfrosch", "human vocal": "Stimme"}
    found = with_common_names(KNOWN, names_de)
    assert [each.taxon.common_name for each in found] == [
        "Amsel",
        "Ring Ouzel",
        "Carrion Crow",
        "Grasfrosch",
        None,
        None,
        None,
    ]


def test_a_common_name_is_found_by_a_synonym_and_its_own_name_comes_first() -> None:
    tit = (Candidate(Taxon("x", "Cyanistes caeruleus", "Eurasian Blue Tit")),)
    assert with_common_names(tit, {"parus caeruleus": "Blaumeise"})[0].taxon.common_name == "Blaumeise"
    both = {"cyanistes caeruleus": "Blaumeise", "parus caeruleus": "Meise"}
    assert with_common_names(tit, both)[0].taxon.common_name == "Blaumeise"
