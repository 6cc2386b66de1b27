"""What a run validates on, and where the vectors come from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from biovita.dataset import Dataset, Split, write_dataset
from biovita.dataset.schema import AUDIO, IMAGES, taxa_table
from biovita.embedding import dataset_items
from biovita.errors import DatasetError
from biovita.modality import MEDIA, Modality
from biovita.model import load_model
from biovita.taxonomy import Taxon
from biovita.towers.clap import ClapAudio
from biovita.towers.open_clip import OpenClipImage, OpenClipText
from biovita.training import TowersRecipe, recipe
from biovita.training.towers.networks import Networks, starting_model
from biovita.training.towers.stopping import StopRequest
from biovita.training.towers.validation import Validator, embedded, scores_of, validation_items
from support.tiny_training import write_tiny


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Return 40 species of both held-out parts, with up to twelve rows of each modality; there are no files."""
    path = tmp_path_factory.mktemp("held") / "data"
    path.mkdir()
    rng = np.random.default_rng(0)
    span = {"start_s": 0.0, "end_s": 1.0, "duration_s": 1.0, "sample_rate": 8000}
    sizes = {Modality.AUDIO: span, Modality.IMAGE: {"width": 1, "height": 1}}
    taxa = [
        Taxon(f"t{n}", f"Genus species{n}", class_="Aves", order="O", family="F", genus="Genus") for n in range(40)
    ]
    rows: dict[Modality, list[dict[str, Any]]] = {modality: [] for modality in MEDIA}
    for modality in MEDIA:
        for taxon in taxa:
            for number in range(int(rng.integers(0, 12))):
                split = str(rng.choice(["train", "seen", "unseen"], p=[0.2, 0.4, 0.4]))
                name = f"{modality}-{taxon.id}-{number}"
                row = {"id": name, "taxon_id": taxon.id, "path": f"media/{name}", "sha256": name, "group_id": name}
                rows[modality].append({**row, **sizes[modality], "split": split})
        rng.shuffle(rows[modality])
    tables = {
        "taxa": taxa_table(taxa),
        "audio": pa.Table.from_pylist(rows[Modality.AUDIO], schema=AUDIO),
        "images": pa.Table.from_pylist(rows[Modality.IMAGE], schema=IMAGES),
    }
    write_dataset(path, tables, {"name": "held", "version": "1", "made": "by a test"})
    return Dataset.open(path)


def _plainly(dataset: Dataset, species: int, seed: int) -> dict[Modality, list[str]]:
    """Return what `validation_items` is to return, row by row."""
    rows = {m: [row for row in dataset.media(m).to_pylist() if row["split"] in {"seen", "unseen"}] for m in MEDIA}
    has: dict[tuple[str, str], set[Modality]] = defaultdict(set)
    for modality, table in rows.items():
        for row in table:
            has[row["split"], row["taxon_id"]].add(modality)
    rng = np.random.default_rng(seed)
    order = [list(has)[place] for place in rng.permutation(len(has))]
    order.sort(key=lambda key: -len(has[key]))
    chosen = {key for part in Split for key in [each for each in order if each[0] == part.value][:species]}
    kept = {}
    for modality, table in rows.items():
        count: dict[tuple[str, str], int] = defaultdict(int)
        drawn = []
        for place in rng.permutation(len(table)):
            key = table[place]["split"], table[place]["taxon_id"]
            count[key] += 1
            if key in chosen and count[key] <= 5:
                drawn.append(place)
        kept[modality] = [table[place]["id"] for place in sorted(drawn)]
    return kept


@pytest.mark.parametrize(("species", "seed"), [(1, 0), (5, 0), (5, 3), (30, 1), (1000, 2)])
def test_the_held_out_rows_are_those_of_a_plain_draw(held: Dataset, species: int, seed: int) -> None:
    assert validation_items(held, species=species, seed=seed) == _plainly(held, species, seed)


def test_without_a_limit_all_held_out_rows_are_asked(held: Dataset, tmp_path: Path) -> None:
    found = validation_items(held, species=None, seed=0)
    for modality, ids in found.items():
        splits = zip(*(held.media(modality)[name].to_pylist() for name in ("id", "split")), strict=True)
        assert ids == [item for item, split in splits if split != "train"]
    with pytest.raises(DatasetError, match="no held-out items to validate on"):
        validation_items(write_tiny(tmp_path / "data"), species=5, seed=0)


Encoded = dict[str, int]


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> Encoded:
    """Return how many items each kind of tower has encoded by now."""
    count: Encoded = dict.fromkeys(("audio", "image", "text"), 0)

    def counting(name: str, encode: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
        def counted(self: Any, batch: Any) -> np.ndarray:
            count[name] += len(batch)
            return encode(self, batch)

        return counted

    for name, tower in (("audio", ClapAudio), ("image", OpenClipImage), ("text", OpenClipText)):
        monkeypatch.setattr(tower, "encode", counting(name, tower.encode))
    return count


@pytest.mark.slow
def test_vectors_of_frozen_towers_are_made_once_and_those_of_trained_ones_each_time(
    towers: Path, tmp_path: Path, encoded: Encoded
) -> None:
    dataset = write_tiny(tmp_path / "data", unseen=2)
    settings = {"model": str(towers), "audio_model": "none"}
    chosen = recipe("paper/stage1", settings, TowersRecipe)
    networks = Networks(starting_model(chosen, None, "cpu"))
    ids = validation_items(dataset, species=None, seed=0)
    trained = {Modality.AUDIO}
    memory = Validator(chosen, dataset, {}, ids, StopRequest(), cached=set(), trained=trained)
    assert not any(encoded.values()), "made without a vector"
    first = memory(networks)
    once = dict(encoded)
    assert (once["audio"], once["image"]) == (6, 6)
    assert memory(networks) == first
    assert encoded == {**once, "audio": 12}
    assert not (dataset.path / "embeddings").exists()
    tables = Validator(chosen, dataset, {}, ids, StopRequest(), cached={Modality.IMAGE}, trained=trained)
    assert tables(networks) == first
    assert encoded["image"] == 12
    again = replace(tables, _tables={})
    assert again(networks) == first
    assert encoded["image"] == 12, "read from the dataset"


def test_a_signal_cuts_scoring_off(towers: Path, tmp_path: Path) -> None:
    dataset = write_tiny(tmp_path / "data", unseen=2)
    chosen = recipe("paper/stage1", {"model": str(towers), "audio_model": "none"}, TowersRecipe)
    stop = StopRequest()
    ids = validation_items(dataset, species=None, seed=0)
    validator = Validator(chosen, dataset, {}, ids, stop, cached=set(), trained={Modality.AUDIO})
    stop.signal = 15
    assert validator(Networks(starting_model(chosen, None, "cpu"))) is None


def test_what_does_not_decode_is_said_and_counts_as_missed(
    towers: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = write_tiny(tmp_path / "data", unseen=2)
    (dataset.path / "media" / "t5-0.wav").write_text("<html>not found</html>")
    model = load_model(towers, "cpu")
    scores = scores_of(dataset, partial(embedded, model), seed=0)
    assert {score.absent_queries for score in scores.tasks if score.task.direction == "A2T"} == {1}
    assert "1 of 6 held-out audio items cannot be decoded. They count as missed" in caplog.text
    for number in range(3):
        for name in ("t4", "t5"):
            (dataset.path / "media" / f"{name}-{number}.wav").write_text("<html>not found</html>")
    nothing = embedded(model, dataset_items(dataset, Modality.AUDIO, pc.field("split") == "unseen"))
    assert (len(nothing), nothing.dim) == (0, model.dim(Modality.AUDIO))
