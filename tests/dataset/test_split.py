from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biovita.dataset import Dataset, Split, split_dataset, write_dataset
from biovita.dataset.schema import taxa_table
from biovita.errors import DatasetError
from biovita.modality import Modality
from biovita.taxonomy import Rank, Taxon
from support.split_by_hand import assigned, split_by_hand

AUDIO, IMAGE = Modality.AUDIO, Modality.IMAGE


def items(prefix: str):
    """Items of up to eight species; every group belongs to one species and one modality."""
    pair = st.tuples(st.integers(0, 7), st.integers(0, 5))
    return st.lists(pair.map(lambda p: (f"t{p[0]}", f"{prefix}{p[0]}-{p[1]}")), max_size=40)


shared_items = st.lists(
    st.tuples(st.integers(0, 5).map("t{}".format), st.integers(0, 9).map("g{}".format)), max_size=40
)


def sides(pairs, splits):
    """Return group -> the sides it is on: training, or evaluation."""
    found = defaultdict(set)
    for modality, rows in pairs.items():
        for (_, group), split in zip(rows, splits[modality], strict=True):
            found[group].add(split == Split.TRAIN)
    return found


def by_cell(pairs, splits):
    found = defaultdict(lambda: defaultdict(set))
    for modality, rows in pairs.items():
        for (taxon, group), split in zip(rows, splits[modality], strict=True):
            found[taxon, modality][split].add(group)
    return found


@pytest.mark.slow
@settings(deadline=None, max_examples=80)
@given(items("a"), items("i"), st.integers(0, 4), st.integers(0, 99), st.sampled_from([0.0, 0.2, 0.5, 0.9]))
def test_separate_groups_keep_every_rule(audio, images, unseen, seed, held_out):
    pairs = {AUDIO: audio, IMAGE: images}
    kinds = [{t for t, _ in rows} for rows in (audio, images) if rows]
    both = set.intersection(*kinds) if kinds else set()
    everyone = {t for t, _ in audio + images}
    most = len(both) - (both == everyone and bool(both))
    if unseen > most:
        with pytest.raises(
            DatasetError, match=f"the largest number that works is {most} " if most else "none can be"
        ):
            assigned(pairs, unseen=unseen, seed=seed, held_out=held_out)
        return
    drawn, splits = assigned(pairs, unseen=unseen, seed=seed, held_out=held_out)
    assert len(set(drawn)) == unseen
    assert set(drawn) <= both
    assert all(len(found) == 1 for found in sides(pairs, splits).values())
    for (taxon, _), groups in by_cell(pairs, splits).items():
        if taxon in drawn:
            assert set(groups) == {Split.UNSEEN}
            continue
        number = sum(len(g) for g in groups.values())
        expected = 0 if number < 2 or not held_out else min(number - 1, max(1, int(held_out * number + 0.5)))
        assert len(groups[Split.SEEN]) == expected
        assert len(groups[Split.TRAIN]) == number - expected
    assert assigned(pairs, unseen=unseen, seed=seed, held_out=held_out) == (drawn, splits)


@settings(deadline=None, max_examples=80)
@given(shared_items, shared_items, st.integers(0, 2), st.integers(0, 99))
def test_groups_across_species_and_modalities_are_never_on_two_sides(audio, images, unseen, seed):
    pairs = {AUDIO: audio, IMAGE: images}
    try:
        drawn, splits = assigned(pairs, unseen=unseen, seed=seed)
    except DatasetError:
        return
    assert all(len(found) == 1 for found in sides(pairs, splits).values())
    for (taxon, _), groups in by_cell(pairs, splits).items():
        assert set(groups) == {Split.UNSEEN} if taxon in drawn else groups[Split.TRAIN]


few_shared = st.lists(  # groups of one species each, and a few of several
    st.tuples(st.integers(0, 3), st.integers(0, 12)).map(
        lambda each: (f"t{each[0]}", f"g{each[1]}" if each[1] < 3 else f"{each[0]}-{each[1]}")
    ),
    max_size=60,
)


@settings(deadline=None, max_examples=80)
@given(few_shared, few_shared, st.integers(0, 99), st.sampled_from([0.0, 0.2, 0.5, 0.9]))
def test_groups_are_drawn_as_one_by_one(audio, images, seed, held_out):
    pairs = {AUDIO: audio, IMAGE: images}
    _, splits = assigned(pairs, unseen=0, named=[], seed=seed, held_out=held_out)
    assert splits == split_by_hand(pairs, (), held_out, np.random.default_rng(seed))


def test_the_seed_decides_which_species_are_unseen():
    pairs = {m: [(f"t{i}", f"{m}{i}") for i in range(50)] for m in (AUDIO, IMAGE)}
    drawn = {assigned(pairs, unseen=10, seed=seed)[0] for seed in range(5)}
    assert len(drawn) == 5


def test_a_species_that_shares_a_group_is_not_drawn():
    pairs = {AUDIO: [("a", "g"), ("b", "g"), ("c", "h")], IMAGE: [("a", "1"), ("b", "2"), ("c", "3")]}
    assert assigned(pairs, unseen=1, seed=3)[0] == ("c",)
    with pytest.raises(DatasetError, match=r"works is 1 \(3 of 3 have both.*; 2 of them share"):
        assigned(pairs, unseen=2, seed=3)


@pytest.mark.parametrize(
    ("options", "message"), [({"unseen": -1}, "negative"), ({"held_out": 1.0}, "less than 1")]
)
def test_parameters_out_of_range_are_refused(options, message):
    with pytest.raises(DatasetError, match=message):
        assigned({AUDIO: [("a", "g")], IMAGE: [("a", "h")]}, **{"unseen": 0, "seed": 0, **options})


def make_dataset(path: Path) -> Dataset:
    import pyarrow as pa

    from biovita.dataset.schema import AUDIO as AUDIO_SCHEMA
    from biovita.dataset.schema import IMAGES

    taxa = [Taxon(f"t{i}", f"Genus species{i}", genus="Genus") for i in range(6)]
    taxa.append(Taxon("genus", "Genus", rank=Rank.GENUS))
    common = {"path": "x", "sha256": "0"}
    sound = {"start_s": 0.0, "end_s": 1.0, "duration_s": 1.0, "sample_rate": 8000}
    audio = [
        {"id": f"a{t.id}{n}", "taxon_id": t.id, "group_id": f"r{t.id}{n // 2}", **common, **sound}
        for t in taxa
        for n in range(4)
    ]
    images = [
        {"id": f"i{t.id}", "taxon_id": t.id, "group_id": f"p{t.id}", "width": 1, "height": 1, **common}
        for t in taxa
    ]
    path.mkdir()
    tables = {
        "taxa": taxa_table(taxa),
        "audio": pa.Table.from_pylist(audio, schema=AUDIO_SCHEMA),
        "images": pa.Table.from_pylist(images, schema=IMAGES),
    }
    write_dataset(path, tables, {"name": "x", "version": "1", "made": "by a test"})
    return Dataset.open(path)


def test_split_is_written_and_recorded(tmp_path):
    dataset = make_dataset(tmp_path / "d")
    assert dataset.audio["split"].to_pylist() == [None] * 28
    report = split_dataset(dataset, unseen=2, seed=1)
    again = Dataset.open(tmp_path / "d")
    assert dataset.audio.equals(again.audio), "the open dataset shows the new split"
    unseen = {row["taxon_id"] for row in again.audio.to_pylist() if row["split"] == "unseen"}
    assert unseen == set(report.unseen)
    assert "genus" not in unseen, "only species are drawn"
    assert again.info["split"]["by"] == "species"
    assert again.info["split"]["audio"] == {"train": 10, "seen": 10, "unseen": 8}
    assert again.info["split"]["images"] == {"train": 5, "seen": 0, "unseen": 2}
    assert again.info["name"] == "x"
    assert again.info["counts"]["audio"] == 28
    assert not list((tmp_path / "d").glob(".*"))
    split_dataset(again, unseen=0, seed=1)
    assert "unseen" not in Dataset.open(tmp_path / "d").audio["split"].to_pylist()


def test_nothing_changes_when_the_split_is_refused(tmp_path):
    dataset = make_dataset(tmp_path / "d")
    before = {f.name: f.read_bytes() for f in (tmp_path / "d").iterdir() if f.is_file()}
    with pytest.raises(DatasetError, match=r"works is 6 \(6 of 7 have both"):
        split_dataset(dataset, unseen=7, seed=0)
    assert before == {f.name: f.read_bytes() for f in (tmp_path / "d").iterdir() if f.is_file()}


@settings(deadline=None, max_examples=60)
@given(shared_items, shared_items, st.integers(1, 3), st.integers(0, 99))
def test_whole_clans_are_held_out(audio, images, unseen, seed):
    pairs = {AUDIO: audio, IMAGE: images}
    clans = {"t0": "x", "t1": "x", "t2": "y", "t3": "y"}
    try:
        drawn, splits = assigned(pairs, unseen=unseen, seed=seed, clans=clans)
    except DatasetError:
        return
    present = {taxon for rows in pairs.values() for taxon, _ in rows}
    for clan in ("x", "y"):
        members = {taxon for taxon in present if clans.get(taxon) == clan}
        assert members <= set(drawn) or not members & set(drawn)
    there = [{taxon for taxon, _ in rows} for rows in pairs.values() if rows]
    assert len(set(drawn).intersection(*there)) >= unseen
    assert all(len(found) == 1 for found in sides(pairs, splits).values())


def test_whole_genera_are_held_out_of_a_dataset(tmp_path):
    from support.bench_cases import write_small

    dataset = write_small(tmp_path / "d")
    report = split_dataset(dataset, unseen=4, seed=0, by=Rank.GENUS)
    genera = {dataset.taxonomy[t].genus or t for t in report.unseen}
    for taxon in dataset.taxonomy.values():
        if taxon.genus in genera:
            assert taxon.id in report.unseen
    assert dataset.info["split"]["by"] == "genus"
