from __future__ import annotations

import pyarrow as pa
import pytest

from biovita.errors import DatasetError
from biovita.taxonomy.backbone import Backbone
from biovita.taxonomy.backbone_names import GIVEN, agreement, folded_lineage
from biovita.taxonomy.decisions import DECISIONS, Rule, decisions_summary
from biovita.taxonomy.match import match_names
from biovita.taxonomy.overrides import Override, Overrides

BIRD = ("Animalia", "Aves", "Passeriformes")
ROWS = [
    # id, name, rank, kingdom, class, order, family, id of the accepted
    ("pm", "Parus major", "species", *BIRD, "Paridae", None),
    ("pmm", "Parus major major", "subspecies", *BIRD, "Paridae", None),
    ("pn", "Parus minor", "species", *BIRD, "Paridae", None),
    ("pa", "Parus", "genus", *BIRD, "Paridae", None),
    ("cc", "Cyanistes caeruleus", "species", *BIRD, "Paridae", None),
    ("pc", "Parus caeruleus", "species", *BIRD, "Paridae", "cc"),
    ("cm", "Coloeus monedula", "species", *BIRD, "Corvidae", None),
    ("co", "Corvus corax", "species", *BIRD, "Corvidae", None),
    ("cv", "Corvus varius", "species", *BIRD, "Corvidae", None),
    ("tm", "Turdus merula", "species", *BIRD, "Turdidae", None),
    ("tp", "Turdus pilaris", "species", *BIRD, "Turdidae", None),
    ("th", "Turdus hortulorum", "species", *BIRD, "Turdidae", None),
    ("tq", "Turdus monticula", "species", *BIRD, "Turdidae", None),
    ("zm", "Zoothera monticola", "species", *BIRD, "Turdidae", None),
    ("zi", "Ixoreus naevius", "species", *BIRD, "Turdidae", None),
    ("t1", "Turdus albiceps", "species", *BIRD, "Turdidae", None),
    ("t2", "Turdus albicens", "species", *BIRD, "Turdidae", None),
    ("pb", "Prunella", "genus", *BIRD, "Prunellidae", None),
    ("pp", "Prunella", "genus", "Plantae", "Magnoliopsida", "Lamiales", "Lamiaceae", None),
    ("ip", "Iris orientalis", "species", "Plantae", "Liliopsida", "Asparagales", "Iridaceae", None),
    ("im", "Iris orientalis", "species", "Animalia", "Insecta", "Mantodea", "Eremiaphilidae", None),
    ("r1", "Russula atropurpurea", "species", "Fungi", "Agaricomycetes", "Russulales", "Russulaceae", None),
    ("r2", "Russula atropurpurea", "species", "Fungi", "Agaricomycetes", "Russulales", "Russulaceae", None),
    ("rg", "Rubus", "genus", "Plantae", "Magnoliopsida", "Rosales", "Rosaceae", None),
    ("rs", "Rubus", "subgenus", "Plantae", "Magnoliopsida", "Rosales", "Rosaceae", None),
    ("hy", "Anas platyrhynchos × Mareca strepera", "hybrid", "Animalia", "Aves", "Anseriformes", "Anatidae", None),
    ("un", "Hirundo ignota", "species", *BIRD, "Hirundinidae", ""),
    ("nm", "Natrix natrix", "species", "Animalia", "Squamata", "Serpentes", "Colubridae", None),
    ("av", "Aves", "class", "Animalia", "Aves", None, None, None),
    ("rc", "Rosa canina", "species", "Plantae", "Magnoliopsida", "Rosales", "Rosaceae", None),
    ("rl", "Rosa lutea", "species", "Plantae", "Magnoliopsida", "Rosales", "Rosaceae", None),
]


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    ids = [row[0] for row in ROWS]
    accepted = [ids.index(row[7]) if row[7] else (-1 if row[7] == "" else place) for place, row in enumerate(ROWS)]
    columns = {
        name: pa.array([row[place] for row in ROWS], pa.string())
        for place, name in enumerate(["id", "name", "rank", *GIVEN])
    }
    return Backbone.of("made", {**columns, "accepted": pa.array(accepted, pa.int32())})


def decide(backbone: Backbone, name: str, overrides: Overrides | None = None, **lineage: str) -> dict[str, object]:
    given = {"name": [name], **{rank.rstrip("_"): [value] for rank, value in lineage.items()}}
    return match_names(pa.table(given), backbone, overrides).to_pylist()[0]


AVES = {"class_": "Aves"}
MATCHED = [
    ("Parus major", AVES, "exact", "pm", "pm"),
    ("PARUS MAJOR", AVES, "canonical", "pm", "pm"),
    ("Parus Major", AVES, "canonical", "pm", "pm"),
    ("Parus Major Linnaeus, 1758", AVES, "canonical", "pm", "pm"),
    ("Parus major Linnaeus, 1758", AVES, "canonical", "pm", "pm"),
    (" Parus_major", AVES, "canonical", "pm", "pm"),
    ("Parus major", {}, "exact", "pm", "pm"),
    ("Parus major major", AVES, "exact", "pmm", "pm"),
    ("Parus major ssp. major", AVES, "canonical", "pmm", "pm"),
    ("Parus caeruleus", AVES, "synonym", "cc", "cc"),
    ("Parus caeruleus L.", AVES, "synonym", "cc", "cc"),
    ("Parus major minor", AVES, "reranked", "pn", "pn"),  # raised to a species
    ("Parus major kapustini", AVES, "species", "pm", "pm"),
    ("Turdus merulus", AVES, "spelling", "tm", "tm"),  # gender
    ("Turdus merulla", AVES, "spelling", "tm", "tm"),  # variant
    ("Turdus pilatis", AVES, "spelling", "tp", "tp"),  # one error
    ("Turdsu merula", {**AVES, "family": "Turdidae"}, "spelling", "tm", "tm"),  # an error in the genus
    ("Corvus monedula", AVES, "recombined", "cm", "cm"),
    ("Prunella", AVES, "exact", "pb", None),
    ("Rubus", {"kingdom": "Plantae"}, "exact", "rg", None),  # the genus before the subgenus
    ("Iris orientalis", {"class_": "Insecta"}, "exact", "im", "im"),
    ("Iris orientalis", {"family": "Iridaceae"}, "exact", "ip", "ip"),
    ("Anas platyrhynchos x Mareca strepera", AVES, "canonical", "hy", None),
    ("Natrix natrix", {"class_": "Reptilia"}, "exact", "nm", "nm"),  # a class for another checklist's
    ("Coloeus monedula", {**AVES, "order": "Corviformes", "family": "Corvidae"}, "exact", "cm", "cm"),
    ("Aves", {"kingdom": "Animalia"}, "exact", "av", None),
    ("\ufeffParus\u00a0ma\u00adjor", AVES, "canonical", "pm", "pm"),
    ("Parus major_Great Tit", AVES, "canonical", "pm", "pm"),
    ("Parus major flight call", AVES, "remark", "pm", "pm"),
    ("Parus caeruleus (3 ind.)", AVES, "remark", "cc", "cc"),
    ("Turdus merulus juv.", AVES, "remark", "tm", "tm"),
]
REFUSED = [
    ("Parus major", {"class_": "Mammalia"}, "contradiction"),
    ("Parus major", {"class_": "Aves", "order": "Strigiformes"}, "contradiction"),
    ("Parus major", {"kingdom": "Plantae"}, "contradiction"),
    ("Prunella", {}, "unsupported"),
    ("Aves", {}, "unsupported"),
    ("Iris orientalis", {}, "homonym"),
    ("Russula atropurpurea", {"family": "Russulaceae"}, "homonym"),
    ("Turdus albicers", AVES, "ambiguous"),  # as near to albiceps as to albicens
    ("Hirundo ignota", AVES, "no-accepted"),
    ("Turdus nonexistens", AVES, "no-match"),
    ("Rosa merula", {"kingdom": "Plantae"}, "no-match"),
    ("Turdsu merula", AVES, "no-match"),  # no family to look in
    ("Corvus monedula", {"class_": "Mammalia"}, "no-match"),
    ("Rosa lutea canina", {"kingdom": "Plantae"}, None),
    ("Turdus merula/pilaris", AVES, "pair"),
    ("Turdus merula, Turdus pilaris", AVES, "several"),
    ("Turdus merula & pilaris", AVES, "several"),
    ("Turdus merula x pilaris", AVES, "hybrid"),
    ("Turdus sp.", AVES, "undetermined"),
    ("Turdus cf. merula", AVES, "qualified"),
    ("unknown", AVES, "placeholder"),
    ("Tobacco mosaic virus", {}, "not-a-name"),
    ("Corvus Corone", AVES, "no-match"),
]


@pytest.mark.parametrize(("name", "lineage", "rule", "taxon_id", "species_id"), MATCHED)
def test_a_name_is_matched_by_its_rule(backbone, name, lineage, rule, taxon_id, species_id):
    row = decide(backbone, name, **lineage)
    assert (row["rule"], row["taxon_id"], row["species_id"]) == (rule, taxon_id, species_id), row
    assert row["reason"] is None
    assert 0.8 <= row["confidence"] <= 1


@pytest.mark.parametrize(("name", "lineage", "reason"), [case for case in REFUSED if case[2]])
def test_a_name_is_refused_for_its_reason(backbone, name, lineage, reason):
    row = decide(backbone, name, **lineage)
    assert row["reason"] == reason, row
    assert row["rule"] is row["taxon_id"] is row["confidence"] is None


def test_an_epithet_is_followed_to_another_rank_in_animals_only(backbone):
    assert decide(backbone, "Parus major minor", kingdom="Animalia")["rule"] == "reranked"
    row = decide(backbone, "Rosa lutea canina", kingdom="Plantae")
    assert (row["rule"], row["taxon_id"]) == ("species", "rl")


def test_an_error_and_a_move_that_lead_to_different_species_are_ambiguous(backbone):
    assert decide(backbone, "Turdus naevius", class_="Aves")["rule"] == "recombined"
    assert decide(backbone, "Turdus monticulo", class_="Aves")["rule"] == "spelling"
    row = decide(backbone, "Turdus monticola", class_="Aves")  # Turdus monticula or Zoothera monticola
    assert (row["rule"], row["reason"]) == (None, "ambiguous")
    assert {part.split(" (")[0] for part in row["detail"].split(" | ")} == {
        "Turdus monticula",
        "Zoothera monticola",
    }


def test_confirmed_names_are_surer(backbone):
    alone = decide(backbone, "Parus major")["confidence"]
    assert alone < decide(backbone, "Parus major", class_="Aves")["confidence"] == 1
    by_rule = [decide(backbone, name, class_="Aves")["confidence"] for name in ("Parus major", "Corvus monedula")]
    assert by_rule == sorted(by_rule, reverse=True)


def test_words_behind_a_name_make_it_less_sure_and_are_shown(backbone):
    row = decide(backbone, "Parus caeruleus L., singing male", class_="Aves")
    assert (row["parsed"], row["taxon_id"]) == ("Parus caeruleus", "cc")
    assert row["detail"] == "'singing male' follows the name Parus caeruleus; Parus caeruleus (pc)"
    bare = decide(backbone, "Parus caeruleus", class_="Aves")
    assert row["confidence"] < 0.85 < bare["confidence"]
    names = pa.table({"name": ["Parus major song"], "class": ["Aves"]})
    (refused,) = match_names(names, backbone, rules=frozenset(Rule) - {Rule.REMARK}).to_pylist()
    assert (refused["rule"], refused["reason"]) == (None, "no-match")
    assert decide(backbone, "Turdus merula, Turdus pilaris")["detail"] == "Turdus merula | Turdus pilaris"


def test_a_backbone_s_own_name_with_a_number_is_no_remark():
    numbered = Backbone.of(
        "n", {"id": pa.array(["a", "b"]), "name": pa.array(["Siphateles bicolor", "Siphateles bicolor 9"])}
    )
    assert decide(numbered, "Siphateles bicolor 9")["taxon_id"] == "b"
    assert decide(numbered, "Siphateles bicolor 9")["rule"] == "exact"
    assert decide(numbered, "Siphateles bicolor 7")["rule"] == "remark"


def test_the_rules_that_may_be_used_can_be_narrowed(backbone):
    names = pa.table({"name": ["Parus caeruleus", "Turdus merulla", "Corvus monedula"], "class": ["Aves"] * 3})
    sure = frozenset({Rule.EXACT, Rule.CANONICAL, Rule.SYNONYM})
    assert match_names(names, backbone, rules=sure)["rule"].to_pylist() == ["synonym", None, None]
    spelled = sure | {Rule.SPELLING}
    assert match_names(names, backbone, rules=spelled)["rule"].to_pylist() == ["synonym", "spelling", None]


def test_an_override_goes_before_everything(backbone):
    overrides = Overrides(
        {
            ("turdus merula", None): Override("tp", "we mean fieldfares"),
            ("parus major", "aves"): Override(None, "not these"),
            ("unknown", None): Override("co", ""),
        }
    )
    row = decide(backbone, "Turdus Merula", overrides, class_="Aves")
    assert (row["rule"], row["taxon_id"], row["detail"]) == ("override", "tp", "we mean fieldfares")
    row = decide(backbone, "Parus major", overrides, class_="Aves")
    assert (row["rule"], row["reason"], row["detail"]) == (None, "override", "not these")
    assert decide(backbone, "Parus major", overrides)["rule"] == "exact"  # the override is for birds
    assert decide(backbone, "unknown", overrides)["taxon_id"] == "co"


def test_every_row_gets_its_decision_in_order_and_repeats_are_decided_alike(backbone):
    names = ["Turdus merula", None, "Parus major", "Turdus merula"]
    table = match_names(pa.table({"name": pa.array(names, pa.string())}), backbone)
    assert table.schema == DECISIONS
    assert table["taxon_id"].to_pylist() == ["tm", None, "pm", "tm"]
    assert table["name"].to_pylist() == names
    assert match_names(pa.table({"name": pa.array([], pa.string())}), backbone).num_rows == 0
    summary = decisions_summary(table)
    assert (summary["names"], summary["matched"], summary["refused"]) == (4, 3, 1)
    assert summary["reasons"] == {"placeholder": 1}


def test_a_table_without_names_is_refused(backbone):
    with pytest.raises(DatasetError, match=r"has no column 'name'\. It has species"):
        match_names(pa.table({"species": ["Parus major"]}), backbone)


@pytest.mark.parametrize(
    ("given", "known", "depth"),
    [
        (("Animalia", "Aves", "Passeriformes", "Paridae"), ("Animalia", "Aves", "Passeriformes", "Paridae"), 4),
        ((None, None, None, None), ("Animalia", "Aves", None, None), 0),
        (("Animalia", None, None, None), ("Animalia", "Aves", None, None), 1),
        ((None, "Aves", None, "Paridae"), ("Animalia", "Aves", "Passeriformes", "Corvidae"), 2),
        ((None, None, "Caprimulgiformes", "Trochilidae"), ("Animalia", "Aves", "Apodiformes", "Trochilidae"), 4),
        ((None, None, "Caprimulgiformes", None), ("Animalia", "Aves", "Apodiformes", "Trochilidae"), -1),
        ((None, "Teleostei", None, None), ("Animalia", "Actinopterygii", None, None), 2),
        ((None, "Insecta", "Odonata", "Libellulidae"), ("Animalia", "Aves", "Odonata", "Libellulidae"), -1),
        (("Protozoa", "Euglenoidea", None, None), ("Chromista", "Euglenoidea", None, None), 2),
        (("Protozoa", None, None, None), ("Chromista", "Euglenoidea", None, None), -1),
    ],
)
def test_how_far_lineages_agree(given, known, depth):
    assert agreement(folded_lineage(given), folded_lineage(known)) == depth
