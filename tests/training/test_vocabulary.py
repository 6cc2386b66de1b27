"""Names without media: which classes the towers' classifiers bring, and which are held out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from biovita.dataset import Dataset
from biovita.errors import DatasetError
from biovita.modality import Modality
from biovita.taxonomy import Taxon, Taxonomy
from biovita.taxonomy.backbone import Backbone
from biovita.taxonomy.match import match_names
from biovita.towers import Encoder
from biovita.training.projections.names_without_media import NamedClasses, kept_classes, named_classes
from biovita.training.projections.training_set import other_names
from support.tiny_training import write_tiny

AUDIO, IMAGE, TEXT = Modality.AUDIO, Modality.IMAGE, Modality.TEXT


def test_birdnet_names_6522_classes_and_efficientnet_its_animals(
    starter_towers: dict[Modality, Encoder],
) -> None:
    sounds, pictures = (named_classes(starter_towers[modality]) for modality in (AUDIO, IMAGE))
    assert sounds is not None
    assert pictures is not None
    assert sounds.weights.shape == (6522, 1024)
    assert pictures.weights.shape == (398, 1280)
    assert len(sounds.texts) == len(sounds.names) == 6522
    assert pictures.names[0][0] == "tench"
    magpie = [names[0] for names in sounds.names].index("Pica pica")
    assert sounds.texts[magpie] == (
        "Eurasian Magpie",
        "Pica pica",
        "Pica pica with common name Eurasian Magpie",
    )
    assert named_classes(starter_towers[TEXT]) is None


def test_an_unseen_species_is_held_out_of_the_classes_too(starter_towers: dict[Modality, Encoder]) -> None:
    unseen = [
        Taxon("1", "Turdus merula", "Eurasian Blackbird", genus="Turdus"),
        Taxon("2", "Junco hyemalis", "Dark-eyed Junco", genus="Junco"),
        Taxon("3", "Pseudacris crucifer", genus="Pseudacris"),
    ]
    sounds, pictures = (named_classes(starter_towers[modality]) for modality in (AUDIO, IMAGE))
    assert sounds is not None
    assert pictures is not None
    kept = {names[0] for names in np.array(sounds.names, object)[kept_classes(sounds, unseen)]}
    gone = {names[0] for names in sounds.names} - kept
    assert gone == {"Turdus merula", "Junco hyemalis", "Pseudacris crucifer"}
    kept_pictures = {names for place in kept_classes(pictures, unseen) for names in pictures.names[place]}
    gone_pictures = {name for names in pictures.names for name in names} - kept_pictures
    assert "junco" in gone_pictures
    assert kept_classes(sounds, []) == list(range(6522))


def _classes(*names: str) -> NamedClasses:
    return NamedClasses(
        AUDIO, tuple((name,) for name in names), tuple((name,) for name in names), np.eye(len(names))
    )


def test_a_class_under_a_synonym_of_an_unseen_species_is_held_out() -> None:
    classes = _classes("Poecile montanus", "Parus montanus", "Parus palustris", "Parus")
    unseen = [Taxon("1", "Poecile montanus", "Willow Tit", genus="Poecile")]
    assert kept_classes(classes, unseen) == [1, 2, 3]
    assert kept_classes(classes, unseen, {"1": ["PARUS  montanus"]}) == [2, 3]


def _decided(dataset: Dataset, *names: str) -> None:
    """Leave the decisions of a build from a backbone that knows species 5 by two other names."""
    synonyms = {"Altus quintus": "t5", "Altus primus": "t1"}
    backbone = Backbone.of_taxonomy(dataset.taxonomy, "test", synonyms)
    table = match_names(pa.table({"name": pa.array(names, pa.string())}), backbone)
    pq.write_table(table, dataset.path / "taxonomy_decisions.parquet")


def test_names_that_a_dataset_was_made_from_are_names_of_its_taxa(tmp_path: Path) -> None:
    dataset = write_tiny(tmp_path / "tiny", each=1)
    held_out = [dataset.taxonomy["t5"]]
    assert other_names(dataset, held_out) == {"t5": set()}
    _decided(dataset, "Altus quintus Brehm, 1831", "Altus primus", "Nullus nullus")
    assert other_names(dataset, held_out) == {"t5": {"Altus quintus Brehm, 1831", "Altus quintus"}}
    assert other_names(dataset, []) == {}


def test_synonyms_of_the_taxonomy_are_names_of_its_taxa(tmp_path: Path) -> None:
    dataset = write_tiny(tmp_path / "tiny", each=1)
    dataset.__dict__["taxonomy"] = Taxonomy.of(
        dataset.taxonomy.taxa, {"Altus quintus": "t5", "Altus primus": "t1"}
    )
    assert other_names(dataset, [dataset.taxonomy["t5"]]) == {"t5": {"Altus quintus"}}


def test_decisions_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    dataset = write_tiny(tmp_path / "tiny", each=1)
    file = dataset.path / "taxonomy_decisions.parquet"
    pq.write_table(pa.table({"name": ["Altus quintus"], "species_id": ["t5"]}), file)
    with pytest.raises(DatasetError, match=r"taxonomy_decisions\.parquet lacks the column\(s\) parsed"):
        other_names(dataset, [dataset.taxonomy["t5"]])
    file.write_bytes(b"no parquet")
    with pytest.raises(DatasetError, match=r"taxonomy_decisions\.parquet cannot be read"):
        other_names(dataset, [dataset.taxonomy["t5"]])
