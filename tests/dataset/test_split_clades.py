"""Genera and families held out whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from biovita.dataset import Dataset, Split, new_directory, write_dataset
from biovita.dataset.schema import AUDIO, IMAGES, taxa_table
from biovita.dataset.split import split_dataset
from biovita.errors import DatasetError
from biovita.taxonomy import Rank, Taxon


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Return 24 species of 12 genera of 6 families, three recordings and photographs each."""
    import pyarrow as pa

    taxa = [
        Taxon(id=f"s{n}", scientific_name=f"Genus{n // 2} s{n}", genus=f"Genus{n // 2}", family=f"Family{n // 4}")
        for n in range(24)
    ]
    fixed = {"path": "x", "sha256": "0", "source": None}
    span = {"start_s": 0.0, "end_s": 1.0, "duration_s": 1.0, "sample_rate": 48000}
    ids = [(taxon.id, f"{taxon.id}-{k}") for taxon in taxa for k in range(3)]
    audio = [{**fixed, **span, "id": f"a{i}", "taxon_id": t, "group_id": f"a{i}"} for t, i in ids]
    images = [
        {**fixed, "width": 9, "height": 9, "id": f"i{i}", "taxon_id": t, "group_id": f"i{i}"} for t, i in ids
    ]
    tables = {
        "taxa": taxa_table(taxa),
        "audio": pa.Table.from_pylist(audio, schema=AUDIO),
        "images": pa.Table.from_pylist(images, schema=IMAGES),
    }
    with new_directory(tmp_path / "d") as scratch:
        write_dataset(scratch, tables, {"name": "d"})
    return Dataset.open(tmp_path / "d")


def test_a_clade_goes_whole_and_the_sets_do_not_overlap(dataset: Dataset) -> None:
    report = split_dataset(dataset, unseen=3, seed=1, unseen_clades={Rank.GENUS: 2, Rank.FAMILY: 1})
    assert len(report.clades[Rank.FAMILY]) == 1
    assert len(report.clades[Rank.GENUS]) == 2
    assert len(report.unseen) == 4 + 2 * 2 + 3
    trained = {
        dataset.taxonomy[row["taxon_id"]]
        for table in (dataset.audio, dataset.images)
        for row in table.to_pylist()
        if row["split"] != Split.UNSEEN
    }
    assert not {taxon.family for taxon in trained} & set(report.clades[Rank.FAMILY])
    assert not {taxon.genus for taxon in trained} & set(report.clades[Rank.GENUS])
    assert not {taxon.id for taxon in trained} & set(report.unseen)
    stated = Dataset.open(dataset.path).info["split"]
    assert stated["unseen_genus"] == list(report.clades[Rank.GENUS])
    assert stated["unseen_family"] == list(report.clades[Rank.FAMILY])
    assert stated["unseen_species"] == 11


def test_what_cannot_be_held_out_is_said(dataset: Dataset) -> None:
    with pytest.raises(DatasetError, match="7 of rank family cannot be held out whole: only 6 can be"):
        split_dataset(dataset, unseen=0, seed=0, unseen_clades={Rank.FAMILY: 7})
    with pytest.raises(DatasetError, match="leaves none to train on"):
        split_dataset(dataset, unseen=0, seed=0, unseen_clades={Rank.FAMILY: 6})
