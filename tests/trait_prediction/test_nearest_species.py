from __future__ import annotations

import numpy as np
import pyarrow as pa

from biovita.directions import unit
from biovita.identification.exemplars import EXEMPLARS
from biovita.modality import Modality
from biovita.trait_labels import LABELS
from biovita.trait_prediction.asked_media import AskedMedia
from biovita.trait_prediction.asked_units import units_of
from biovita.trait_prediction.from_candidates import CandidateShares
from biovita.trait_prediction.labelled_species import LabelledSpecies
from biovita.trait_prediction.nearest_species import NEAREST_TAXA, nearest_species
from biovita.trait_prediction.prediction_rows import EVIDENCE
from support.trait_cases import animal

POLAR = LABELS.index("polar")
RNG = np.random.default_rng(0)


def species() -> LabelledSpecies:
    """Five species of two items; all but the last are polar."""
    labels = np.full((5, len(LABELS)), np.nan)
    labels[:, POLAR] = [1, 1, 1, 1, 0]
    rows = [
        {"id": f"i{n}", "group_id": f"g{n}", "path": f"/d/{n}.wav", "license": "CC0-1.0", "start_s": n / 2}
        for n in range(10)
    ]
    vectors = unit(RNG.normal(size=(10, 4)).astype(np.float32))
    taxa = tuple(animal(f"Genus species{number}", "Aves") for number in range(5))
    of, table = np.repeat(np.arange(5), 2), pa.Table.from_pylist(rows, schema=EXEMPLARS)
    return LabelledSpecies(Modality.AUDIO, taxa, labels, of, table, vectors, vectors)


def asked(vectors: np.ndarray, **columns: list[str | None]) -> AskedMedia:
    count = len(vectors)
    names = ("id", "path", "group_id", "sha256", "site")
    made = {name: columns.get(name, [f"{name}{n}" for n in range(count)]) for name in names}
    rows = pa.table({name: pa.array(values, pa.string()) for name, values in made.items()})
    nothing = np.zeros((count, len(LABELS)))
    return AskedMedia(Modality.AUDIO, rows, vectors, None, CandidateShares(nothing, nothing), 0)


def test_the_nearest_species_that_have_a_label_come_first_each_by_its_nearest_item() -> None:
    there, vectors = species(), unit(RNG.normal(size=(6, 4)).astype(np.float32))
    units = units_of(asked(vectors), by_site=False)
    found, first = nearest_species(units.asked, units.of, units.about, there)
    assert found.schema == EVIDENCE
    assert set(found["label"].to_pylist()) == {"polar"}
    cosines = vectors @ there.vectors.T
    for number in range(6):
        rows = [row for row in found.to_pylist() if row["media_id"] == f"id{number}"]
        best = sorted(range(4), key=lambda taxon: -cosines[number, 2 * taxon : 2 * taxon + 2].max())[:NEAREST_TAXA]
        assert [row["scientific_name"] for row in rows] == [f"Genus species{taxon}" for taxon in best]
        assert [row["place"] for row in rows] == [1, 2, 3]
        item = 2 * best[0] + int(cosines[number, 2 * best[0] : 2 * best[0] + 2].argmax())
        assert (rows[0]["nearest_media"], rows[0]["start_s"]) == (f"i{item}", item / 2)
        assert found["nearest_media"][first[number, POLAR]].as_py() == f"i{item}"
    assert (first[:, LABELS.index("tropical")] == -1).all()


def test_items_of_the_same_group_or_file_are_passed_over() -> None:
    there = species()
    units = units_of(asked(there.vectors[:1], group_id=["g0"]), by_site=False)
    found, first = nearest_species(units.asked, units.of, units.about, there)
    assert "i0" not in found["nearest_media"].to_pylist()
    units = units_of(asked(there.vectors[:1], path=["/d/0.wav"], group_id=[None]), by_site=False)
    found, first = nearest_species(units.asked, units.of, units.about, there)
    assert "i0" not in found["nearest_media"].to_pylist()
    assert first[0, POLAR] >= 0


def test_a_site_has_the_nearest_to_any_of_its_media_and_what_has_no_site_is_listed() -> None:
    there = species()
    media = asked(there.vectors[[0, 2, 4]], site=["pond", "pond", None])
    units = units_of(media, by_site=True)
    assert units.about.to_pylist() == [{"media_id": None, "path": None, "site": "pond", "modality": "audio"}]
    assert units.left_out.to_pylist()[0]["reason"] == "no-site"
    assert units.left_out["path"].to_pylist() == ["path2"]
    assert units.media.tolist() == [2]
    found, _ = nearest_species(units.asked, units.of, units.about, there)
    assert set(found["nearest_media"].to_pylist()[:2]) == {"i0", "i2"}
    values = np.array([[0.2, np.nan], [0.6, np.nan]])
    assert np.allclose(units.means(values), [[0.4, np.nan]], equal_nan=True)
    assert units.of_media(pa.chunked_array([["id1", "id2", "id0"]])).tolist() == [0, -1, 0]
