from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from biovita.dataset import Dataset, write_table
from biovita.dataset.schema import TRAITS
from biovita.taxonomy import Rank, Taxon
from biovita.trait_labels import LABELS
from biovita.trait_prediction.species_labels import SpeciesLabels, name_key
from support.trait_cases import animal, dataset_of


def stating(path: Path, name: str, **labels: bool) -> Dataset:
    """Return a dataset of one species with these labels."""
    dataset = dataset_of(path, [animal(name, "Aves")])
    (taxon,) = dataset.taxonomy.values()
    rows = [
        {"taxon_id": taxon.id, "label": label, "value": value, "source": "t"} for label, value in labels.items()
    ]
    write_table(pa.Table.from_pylist(rows, schema=TRAITS), path / "traits.parquet")
    return Dataset.open(path)


def test_the_first_dataset_decides_and_the_package_adds_what_none_says(tmp_path: Path) -> None:
    one = stating(tmp_path / "one", "Parus major", nocturnal=True)
    other = stating(tmp_path / "other", "Parus major", nocturnal=False, polar=True)
    found = SpeciesLabels.of([one, other]).labels_of(animal("Parus major", "Aves"))
    assert (found["nocturnal"], found["polar"], found["flying"]) == (True, True, True)
    assert SpeciesLabels.of([one], with_package=False).labels_of(animal("Parus major", "Aves")) == {
        "nocturnal": True
    }


def test_a_taxon_is_known_under_its_other_names(tmp_path: Path) -> None:
    """Accipiter cooperii is a synonym of Astur cooperii, of which the package has a class."""
    old, new = animal("Accipiter cooperii", "Aves"), animal("Astur cooperii", "Aves")
    assert name_key(old) == name_key(new)
    known = SpeciesLabels.of([stating(tmp_path / "d", "Accipiter cooperii", polar=True)])
    assert known.labels_of(new)["polar"] is True


def test_nothing_is_borrowed_from_relatives(tmp_path: Path) -> None:
    known = SpeciesLabels.of([stating(tmp_path / "d", "Novus primus", nocturnal=True)])
    assert known.labels_of(animal("Novus secundus", "Aves")) == {}
    assert known.labels_of(Taxon("novus", "Novus", rank=Rank.GENUS, genus="Novus")) == {}
    matrix = known.matrix([animal("Novus primus", "Aves"), animal("Novus secundus", "Aves")])
    assert matrix.shape == (2, len(LABELS))
    assert matrix[0, LABELS.index("nocturnal")] == 1
    assert np.isnan(matrix[1]).all()
