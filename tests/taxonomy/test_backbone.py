from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from biovita.errors import DatasetError
from biovita.taxonomy import Rank, Taxon, Taxonomy
from biovita.taxonomy.backbone import BACKBONE, Backbone, keys_of
from biovita.taxonomy.backbone_files import open_backbone
from biovita.taxonomy.parse import fold


def backbone(*rows: tuple[str, str, str, str | None, int]) -> Backbone:
    """Rows of id, name, rank, kingdom, accepted row."""
    columns = list(zip(*rows, strict=True))
    return Backbone.of(
        "made",
        {
            "id": pa.array(columns[0]),
            "name": pa.array(columns[1]),
            "rank": pa.array(columns[2]),
            "kingdom": pa.array(columns[3], pa.string()),
            "accepted": pa.array(columns[4], pa.int32()),
        },
    )


def test_keys_are_folded_names():
    names = ["Parus major", "Prunus × yedoensis", "Sæmundssonia lari", "Müllerella é"]
    assert keys_of(pa.array(names)).to_pylist() == [fold(name) for name in names]


def test_a_dataset_s_taxa_with_their_synonyms():
    taxa = [Taxon("a", "Parus major", None, class_="Aves", family="Paridae"), Taxon("b", "Pica pica", None)]
    made = Backbone.of_taxonomy(
        Taxonomy.of(taxa, {"Parus maior": "a"}), "mine", {"Pica ater": "b", "Pica pica": "a"}
    )
    assert made.table.schema == BACKBONE
    assert made.table["name"].to_pylist() == ["Parus major", "Pica pica", "Parus maior", "Pica ater"]
    assert made.table["accepted"].to_pylist() == [0, 1, 0, 1]
    assert made.table["family"].to_pylist() == ["Paridae", None, "Paridae", None]


def test_synonyms_of_a_checklist_point_to_the_taxa_here():
    here = backbone(
        ("1", "Astur gentilis", "species", "Animalia", 0),
        ("2", "Coloeus monedula", "species", "Animalia", 1),
        ("3", "Parus major", "species", "Animalia", 2),
        ("4", "Parus minor", "species", "Animalia", 3),
        ("5", "Rosa alba", "species", "Plantae", 4),
        ("6", "Accipiter fuscus", "species", "Animalia", 5),
    )
    checklist = backbone(
        ("a", "Accipiter gentilis", "species", "Animalia", 0),
        ("b", "Astur gentilis", "species", "Animalia", 0),  # a synonym there, accepted here
        ("c", "Coloeus monedula", "species", "Animalia", 2),
        ("d", "Corvus monedula", "species", "Animalia", 2),
        ("e", "Parus cinereus", "species", "Animalia", 4),
        ("f", "Parus major", "species", "Animalia", 4),  # two of ours are one there, under a third name
        ("g", "Parus minor", "species", "Animalia", 4),
        ("h", "Rosa alba", "species", "Animalia", 7),  # a namesake in another kingdom
        ("i", "Rosa nivea", "species", "Animalia", 7),
        ("j", "Accipiter fuscus", "species", "Animalia", 2),  # ours already
    )
    made = here.with_synonyms(checklist)
    added = made.table.slice(len(here)).select(["id", "name", "accepted"]).to_pylist()
    assert added == [
        {"id": "made:a", "name": "Accipiter gentilis", "accepted": 0},
        {"id": "made:d", "name": "Corvus monedula", "accepted": 1},
    ]
    assert made.table.slice(0, len(here)).equals(here.table)


@pytest.mark.slow
def test_the_real_backbone(shared_data: Path):
    path = shared_data / "taxonomy" / "inaturalist-taxa.parquet"
    real = open_backbone(path)
    assert len(real) == pq.read_metadata(path).num_rows == 1413785
    assert real.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert real.table.nbytes < 200e6
    owls = real.species_within(Rank.ORDER, "Strigiformes")
    truth = pq.read_table(path, filters=[("order", "=", "Strigiformes"), ("taxonRank", "=", "species")])
    assert {owl.id for owl in owls} == {str(id_) for id_ in truth["id"].to_pylist()}
    assert all(owl.order == "Strigiformes" and owl.class_ == "Aves" for owl in owls)
    assert real.species_within(Rank.ORDER, "Nonesuch") == ()
    assert real.taxa(["7"])["7"].scientific_name == "Aramus guarauna"
    with pytest.raises(DatasetError, match=r"has the rank subspecies\. A dataset holds only kingdom"):
        real.taxa(["26050"])


def test_what_is_no_backbone_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="does not exist"):
        open_backbone(tmp_path / "none.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"no parquet")
    with pytest.raises(DatasetError, match="cannot be read as Parquet"):
        open_backbone(tmp_path / "bad.parquet")
    pq.write_table(pa.table({"id": [1]}), tmp_path / "other.parquet")
    with pytest.raises(DatasetError, match=r"lacks the column\(s\) scientificName"):
        open_backbone(tmp_path / "other.parquet")
