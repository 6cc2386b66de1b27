from __future__ import annotations

import pytest

from biovita.taxonomy.parse import NameKind, fold, parse_name

KINDS = [
    ("Larus argentatus", "scientific"),
    ("Larus argentatus/michahellis", "pair"),
    ("Larus fuscus/argentatus/marinus", "pair"),
    ("Larus argentatus Pontoppidan, 1763 / Larus michahellis", "pair"),
    ("Myotis daubentonii/ M. mystacinus", "pair"),
    ("Buteo/Accipiter", "pair"),
    ("Buteo/eagle sp.", "undetermined"),
    ("Pica pica (Linnaeus, 1758/1766)", "scientific"),
    ("Parus major Müller/Schmidt", "scientific"),
    ("Vireo gilvus gilvus/swainsonii", "scientific"),
    ("Anas platyrhynchos x Mareca strepera", "hybrid"),
    ("Anas platyrhynchos × A. rubripes", "hybrid"),
    ("Anas platyrhynchos x rubripes (hybrid)", "hybrid"),
    ("Prunus × yedoensis", "scientific"),
    ("Pica sp.", "undetermined"),
    ("Turdus sp1", "undetermined"),
    ("Larus sp. nov.", "undetermined"),
    ("Corvidae gen. sp.", "undetermined"),
    ("Amphibia indet.", "undetermined"),
    ("Pica cf. pica", "qualified"),
    ("Pica c.f. pica", "qualified"),
    ("Pica aff. pica", "qualified"),
    ("Parus ?major", "qualified"),
    ("Parus major agg.", "qualified"),
    ("Parus major sensu lato", "qualified"),
    ("Parus major auct. non L.", "qualified"),
    ("Parus major s. str.", "scientific"),
    ("", "placeholder"),
    ("n/a", "placeholder"),
    ("unknown", "placeholder"),
    ("incertae sedis", "placeholder"),
    ("Unidentified bird", "placeholder"),
    ("BOLD:AAA1234", "other"),
    ("Tobacco mosaic virus", "other"),
]


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_what_a_name_is(name, kind):
    parsed = parse_name(name)
    assert parsed.kind == NameKind(kind)
    assert parsed.verbatim == name


CANONICAL = [
    ("Parus major Linnaeus, 1758", "Parus major"),
    ("Hirundo rustica (Linnaeus, 1758)", "Hirundo rustica"),
    ("Parus major subsp. minor", "Parus major minor"),
    ("Parus (Parus) major", "Parus major"),
    ("PARUS MAJOR", "Parus major"),
    ("parus_major", "Parus major"),
    ("  Parus   major ", "Parus major"),
    ("†Raphus cucullatus", "Raphus cucullatus"),
    ("Pelophylax kl. esculentus", "Pelophylax esculentus"),
    ("Geothlypis trichas [trichas Group]", "Geothlypis trichas"),
    ("Columba livia (Domestic type)", "Columba livia"),
    ("Quercus x hispanica", "Quercus × hispanica"),
    ("Vireo gilvus gilvus/swainsonii", "Vireo gilvus"),
    ("Pica cf. pica", "Pica pica"),
    ("Accipiter sp. (former Astur)", "Accipiter"),
    ("Larus argentatus/michahellis", None),
]


@pytest.mark.parametrize(("name", "canonical"), CANONICAL)
def test_the_canonical_form(name, canonical):
    assert parse_name(name).canonical == canonical


def test_the_parts_of_a_name():
    parsed = parse_name("Parus major subsp. minor Temminck & Schlegel, 1848")
    assert (parsed.genus, parsed.epithet, parsed.infraspecific) == ("Parus", "major", "minor")
    assert parsed.authorship == "Temminck & Schlegel, 1848"
    assert parse_name("Corvidae").genus is None


def test_the_members_of_pairs_and_hybrids_are_written_out():
    assert parse_name("Larus fuscus/argentatus").parts == ("Larus fuscus", "Larus argentatus")
    assert parse_name("Myotis daubentonii/ M. mystacinus").parts == ("Myotis daubentonii", "Myotis mystacinus")
    assert parse_name("Passer domesticus x montanus").parts == ("Passer domesticus", "Passer montanus")
    assert parse_name("Anas platyrhynchos × A. rubripes").parts == ("Anas platyrhynchos", "Anas rubripes")


def test_a_qualifier_is_kept():
    assert parse_name("Pica cf. pica").qualifier == "cf."
    assert parse_name("Pica sp.").qualifier == "sp."
    assert parse_name("Pica pica").qualifier is None


def test_fold():
    assert fold("Sæmundssonia  LARI") == "saemundssonia lari"
    assert fold("Prunus × yedoensis") == "prunus ×yedoensis"
    assert fold("Müller_é") == "muller e"
