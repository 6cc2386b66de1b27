"""A simulated fauna as a dataset on disk."""

from __future__ import annotations

from collections import Counter, defaultdict
from hashlib import sha256
from pathlib import Path

import pytest
import soundfile as sf
from PIL import Image

from biovita.dataset import Dataset
from biovita.dataset.check import check
from biovita.errors import DatasetError
from biovita.simulation import Fauna, simulate_media
from biovita.traits import LABELS

SPECIES = 5
FEW = {"recordings": 2, "photographs": 2}


def _bytes(directory: Path) -> dict[str, str]:
    files = sorted(file for file in directory.rglob("*") if file.is_file())
    return {file.relative_to(directory).as_posix(): sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    """Five species, made by two processes."""
    out = tmp_path_factory.mktemp("simulated") / "fauna"
    return simulate_media(out, SPECIES, 7, **FEW, workers=2, progress=False)


@pytest.mark.slow
def test_nothing_is_wrong_with_it(dataset):
    assert check(dataset, hashes=True) == []
    assert dataset.info["made"]["simulated"] is True
    assert dataset.rejected.num_rows == 0


def test_tables_hold_what_the_fauna_is(dataset):
    fauna = Fauna.grow(SPECIES, 7)
    assert dataset.taxonomy.taxa == fauna.taxonomy.taxa
    rows = dataset.traits.to_pylist()
    assert len(rows) == SPECIES * len(LABELS)
    for truth in fauna.species:
        own = {row["label"]: row["value"] for row in rows if row["taxon_id"] == truth.taxon.id}
        assert own == truth.traits
    for table in (dataset.audio, dataset.images):
        assert set(table["source"].to_pylist()) == {"simulated"}
        assert set(table["license"].to_pylist()) == {"CC0-1.0"}
        assert set(table["attribution"].to_pylist()) == {"simulated by biovita"}


def test_species_have_uneven_numbers_of_items(dataset):
    for table in (dataset.audio, dataset.images):
        counts = Counter(table["taxon_id"].to_pylist())
        assert len(counts) == SPECIES
        assert min(counts.values()) >= 2
        assert len(set(counts.values())) > 1


def test_clips_of_a_recording_are_spans_of_one_file(dataset):
    files = defaultdict(list)
    for row in dataset.audio.to_pylist():
        files[row["path"]].append(row)
    assert max(map(len, files.values())) > 1
    for path, rows in files.items():
        info = sf.info(dataset.locate(path))
        assert info.samplerate == rows[0]["sample_rate"] == 48_000
        assert info.duration == rows[0]["duration_s"] == rows[-1]["end_s"]
        assert [row["start_s"] for row in rows] == [5.0 * number for number in range(len(rows))]
        assert len({row["group_id"] for row in rows}) == 1


def test_pictures_are_as_the_table_says(dataset):
    for row in dataset.images.to_pylist():
        with Image.open(dataset.locate(row["path"])) as image:
            assert (image.width, image.height, image.format) == (row["width"], row["height"], "JPEG")


@pytest.mark.slow
def test_the_same_bytes_from_one_process(dataset, tmp_path):
    again = simulate_media(tmp_path / "fauna", SPECIES, 7, **FEW, workers=1, progress=False)
    assert _bytes(again.path) == _bytes(dataset.path)


@pytest.mark.slow
def test_more_species_leave_the_others_as_they_were(dataset, tmp_path):
    few = simulate_media(tmp_path / "few", SPECIES - 2, 7, **FEW, workers=1, progress=False)
    mine, all_of_it = _bytes(few.path / "media"), _bytes(dataset.path / "media")
    assert mine.items() < all_of_it.items()
    for name in ("taxa", "audio", "images", "traits"):
        small, large = few.table(name), dataset.table(name)
        assert large.slice(0, small.num_rows).equals(small)


@pytest.mark.slow
def test_another_seed_is_other_bytes(dataset, tmp_path):
    other = simulate_media(tmp_path / "other", 2, 8, **FEW, workers=1, progress=False)
    assert not set(_bytes(other.path / "media").values()) & set(_bytes(dataset.path / "media").values())


@pytest.mark.slow
def test_permuted_calls_are_the_same_files_under_other_names(dataset, tmp_path):
    permuted = simulate_media(tmp_path / "p", SPECIES, 7, **FEW, workers=1, permute_calls=True, progress=False)

    def owners(table):
        return {row["sha256"]: row["taxon_id"] for row in table.to_pylist()}

    before, after = owners(dataset.audio), owners(permuted.audio)
    assert before.keys() == after.keys()
    assert all(before[digest] != after[digest] for digest in before)
    assert owners(dataset.images) == owners(permuted.images)


@pytest.mark.parametrize("numbers", [{"recordings": -1}, {"photographs": -1}, {"workers": 0}, {"species": 0}])
def test_numbers_out_of_range(numbers, tmp_path):
    with pytest.raises(DatasetError):
        simulate_media(tmp_path / "out", **numbers)
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_not_replaced_unasked(dataset, tmp_path):
    out = tmp_path / "fauna"
    simulate_media(out, 1, 0, recordings=1, photographs=1, workers=1, progress=False)
    before = _bytes(out)
    with pytest.raises(DatasetError, match="already exists"):
        simulate_media(out, 2, 0, recordings=1, photographs=1, workers=1, progress=False)
    assert _bytes(out) == before
    simulate_media(out, 2, 0, recordings=1, photographs=1, workers=1, overwrite=True, progress=False)
    assert len(Dataset.open(out).taxonomy) == 2


def test_without_media(tmp_path):
    dataset = simulate_media(tmp_path / "names", 30, recordings=0, photographs=0, workers=1, progress=False)
    assert (dataset.audio.num_rows, dataset.images.num_rows) == (0, 0)
    assert dataset.info["counts"]["taxa"] == 30
