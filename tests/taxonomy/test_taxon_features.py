"""What is known of taxa as numbers: groups as bits, labels as signs, NaN where nothing is known."""

from __future__ import annotations

import hashlib

import numpy as np

from biovita.taxonomy import Rank, Taxon
from biovita.taxonomy.taxon_features import feature_blocks, feature_count, taxon_features
from biovita.trait_labels import LABELS

WREN = Taxon(
    "w", "Troglodytes hiemalis", class_="Aves", order="Passeriformes", family="Troglodytidae", genus="Troglodytes"
)
CREEPER = Taxon("c", "Certhia americana", class_="Aves", order="Passeriformes", family="Certhiidae")


def bits(rank: str, name: str) -> list[float]:
    """Restate a group: the first 8 bytes of BLAKE2b of its rank and name, the highest bit first."""
    digest = hashlib.blake2b(f"{rank} {name}".encode(), digest_size=8).digest()
    return [1.0 if byte >> (7 - place) & 1 else -1.0 for byte in digest for place in range(8)]


def test_a_lineage_is_the_bits_of_its_four_groups_and_unknown_where_it_has_none() -> None:
    found = taxon_features([(WREN, {}), (CREEPER, {}), None], ["lineage"])
    assert found.dtype == np.float32
    assert found.shape == (3, feature_count(["lineage"])) == (3, 256)
    groups = (("class", "aves"), ("order", "passeriformes"), ("family", "troglodytidae"), ("genus", "troglodytes"))
    assert found[0].tolist() == [bit for rank, name in groups for bit in bits(rank, name)]
    assert np.array_equal(found[1, :128], found[0, :128])
    assert abs(found[0, 128:192] @ found[1, 128:192]) < 40, "families that differ are nearly at right angles"
    assert np.isnan(found[1, 192:]).all()
    assert np.isnan(found[2]).all()


def test_a_group_is_told_by_rank_and_name_whatever_its_letters_case() -> None:
    capital = Taxon("x", "AVES", rank=Rank.CLASS)
    genus = Taxon("y", "Aves", rank=Rank.GENUS)
    found = taxon_features([(WREN, {}), (capital, {}), (genus, {})], ["lineage"])
    assert np.array_equal(found[1, :64], found[0, :64])
    assert np.isnan(found[1, 64:]).all()
    assert not np.array_equal(found[2, 192:], found[0, :64])
    assert np.isnan(found[2, :192]).all()


def test_labels_are_signs_in_the_order_of_the_labels() -> None:
    true, false = LABELS[0], LABELS[-1]
    found = taxon_features([(WREN, {true: True, false: False, "no such label": True})], ["traits"])[0]
    assert len(found) == len(LABELS)
    assert (found[0], found[-1]) == (1, -1)
    assert np.isnan(found[1:-1]).all()


def test_features_stand_in_one_order_however_they_are_asked_for() -> None:
    known = [(WREN, {LABELS[3]: True})]
    both = taxon_features(known, ["traits", "lineage"])
    parts = [taxon_features(known, [name]) for name in ("lineage", "traits")]
    np.testing.assert_array_equal(both, np.concatenate(parts, axis=1))
    assert feature_blocks(["traits", "lineage"]) == (64, 64, 64, 64, len(LABELS))
    assert sum(feature_blocks(["lineage", "traits"])) == both.shape[1]
    assert taxon_features(known, []).shape == (1, 0)
