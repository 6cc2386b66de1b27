"""No score that deceives: each way in which a model may be asked for what it has trained on is refused, or marked."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import tomli_w

import biovita
from biovita.benchmark import benchmark_from_split
from biovita.benchmark.leak import Asked, asked_of, asked_of_split, check_benchmark, check_met
from biovita.benchmark.reader import read_benchmark
from biovita.benchmark.trait_run import score_traits
from biovita.cli.app import main
from biovita.dataset import Dataset, split_dataset
from biovita.dataset.dataset import replace_tables
from biovita.dataset.held_out import split_hash
from biovita.dataset.schema import TRAITS, taxa_table
from biovita.errors import ModelError
from biovita.modality import MEDIA, Modality
from biovita.model.met import MET, Met, read_met
from biovita.taxonomy import Taxon
from support.plain_model import know, plain_towers
from support.tiny_training import write_tiny

SPECIES, UNSEEN = 8, 3
REFUSED = r"has trained on .*--allow-leak"


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Know a model of plain arithmetic, without a classifier, to train projections of."""
    know("plain", plain_towers(), monkeypatch.setitem)


@pytest.fixture
def birds(tmp_path: Path) -> Dataset:
    dataset = write_tiny(tmp_path / "birds", species=SPECIES, each=4)
    split_dataset(dataset, unseen=UNSEEN, seed=0)
    return dataset


def train(data: Dataset, out: Path, start: Path | None = None, stage: int = 1, **options: Any) -> Path:
    """Return a model of three steps on a dataset."""
    return biovita.train(
        f"starter/stage{stage}",
        data=data,
        out=out,
        start=start,
        settings={"model": "plain", "steps": 3, "dim": 4, "weights.names": 0},
        device="cpu",
        progress=False,
        **options,
    ).model


@pytest.fixture
def model(birds: Dataset, tmp_path: Path) -> Path:
    return train(birds, tmp_path / "model")


def score(bench: Dataset | Path, model: Any, out: Path, **options: Any) -> biovita.BenchmarkRun:
    return biovita.run_benchmark(bench, model=model, out=out, device="cpu", progress=False, **options)


def copied(dataset: Dataset, place: Path, name: str, renamed: Callable[[str], str] = str) -> Dataset:
    """Return a copy of a dataset under another name, with other ids, paths and where asked names of species."""
    shutil.copytree(dataset.path, place, ignore=shutil.ignore_patterns("embeddings", "bench"))
    (place / "media").rename(place / "files")
    copy = Dataset.open(place)
    tables = {}
    for table in ("audio", "images"):
        rows = [
            {
                **row,
                "id": f"x{row['id']}",
                "path": row["path"].replace("media/", "files/"),
                "group_id": f"x{row['id']}",
            }
            for row in copy.table(table).to_pylist()
        ]
        tables[table] = pa.Table.from_pylist(rows, schema=copy.table(table).schema)
    taxa = [
        Taxon(t.id, renamed(t.scientific_name), t.common_name, class_=t.class_, family=t.family, genus=t.genus)
        for t in copy.taxonomy.values()
    ]
    replace_tables(copy, {**tables, "taxa": taxa_table(taxa)}, {"name": name})
    return copy


def of_split(dataset: Dataset, split: str) -> set[str]:
    """Return the scientific names of the species with items of a split."""
    rows = pa.concat_tables([dataset.media(m).select(["taxon_id", "split"]) for m in MEDIA])
    ids = rows.filter(pc.field("split") == split)["taxon_id"].unique().to_pylist()
    return {dataset.taxonomy[taxon_id].scientific_name for taxon_id in ids}


@pytest.mark.slow
def test_a_model_is_scored_on_its_own_split_and_nothing_is_marked(
    birds: Dataset, model: Path, tmp_path: Path
) -> None:
    built = biovita.build_benchmark(birds, out=tmp_path / "bench").path
    for bench in (birds, built):
        run = score(bench, model, tmp_path / "out")
        assert run.notes == ()
        results = json.loads(run.paths.results.read_text(encoding="utf-8"))
        assert not any(row["leak"] for row in results["scores"] + results["mrr"])
        assert (results["met"]["known"], results["met"]["leak"], results["met"]["notes"]) == (True, [], [])
        assert [stage["recipe"] for stage in results["met"]["stages"]] == ["starter/stage1"]
        page = run.paths.report.read_text(encoding="utf-8")
        assert "among species that the alignment never met" in page
        assert "has trained on" not in page
    second = train(birds, tmp_path / "second", start=model, stage=2)
    assert score(birds, second, tmp_path / "out2").notes == ()
    record = json.loads((second / "config.json").read_text(encoding="utf-8"))["record"]
    assert not {"leak", "notes"} & record.keys()


def test_where_all_names_are_candidates_those_that_were_trained_on_are_not_asked_as_new(
    birds: Dataset, model: Path, tmp_path: Path
) -> None:
    written = biovita.build_benchmark(birds, out=tmp_path / "bench", candidates="all").path
    for benchmark in (benchmark_from_split(birds, candidates="all"), read_benchmark(written)):
        assert asked_of(benchmark).names["species"].unique().to_pylist() == sorted(of_split(birds, "unseen"))
        assert check_benchmark(read_met(model), benchmark, name="m", allow_leak=False).vouched


def test_a_split_that_is_made_again_with_its_seed_is_no_leak(birds: Dataset, model: Path) -> None:
    before = split_hash(birds)
    split_dataset(birds, unseen=UNSEEN, seed=5)
    other = split_hash(birds)
    split_dataset(birds, unseen=UNSEEN, seed=0)
    assert before == split_hash(birds) != other
    assert check_met(read_met(model), asked_of_split(birds), name="m", allow_leak=False).vouched


@pytest.mark.slow
def test_after_another_split_a_model_is_refused_or_all_that_comes_of_it_is_marked(
    birds: Dataset, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = of_split(birds, "train")
    split_dataset(birds, unseen=UNSEEN, seed=1)
    met = trained & of_split(birds, "unseen")
    assert met
    with pytest.raises(ModelError, match=REFUSED) as refused:
        score(birds, model, tmp_path / "out")
    assert f"{len(met)} of {UNSEEN} unseen species ({', '.join(sorted(met))})" in str(refused.value)
    assert "held-out recordings (" in str(refused.value)
    assert not (tmp_path / "out").exists()
    run = score(birds, model, tmp_path / "out", allow_leak=True)
    assert all(row.leak for row in run.rows)
    assert f"{len(met)} of {UNSEEN} unseen species" in run.notes[0]
    results = json.loads(run.paths.results.read_text(encoding="utf-8"))
    assert all(row["leak"] for row in results["scores"] + results["mrr"])
    assert [part["count"] for part in results["met"]["leak"] if part["what"] == "unseen species"] == [len(met)]
    with run.paths.scores.open(encoding="utf-8", newline="") as table:
        assert {row["leak"] for row in csv.DictReader(table)} == {"True"}
    page = run.paths.report.read_text(encoding="utf-8")
    assert "the alignment never met" not in page
    assert page.index("These scores are not of what is new to the model") < page.index('id="answer"')
    for sign in ("of which the model has trained on some", "some of it trained on", ">leak</th>"):
        assert sign in page
    call = [
        "bench",
        "run",
        str(birds.path),
        "--model",
        str(model),
        "--out",
        str(tmp_path / "shell"),
        "--device",
        "cpu",
    ]
    with pytest.raises(SystemExit) as stop:
        main(call)
    assert stop.value.code == 1
    assert "--allow-leak" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main([*call, "--allow-leak"])
    assert stop.value.code == 0
    said = capsys.readouterr()
    first, *lines, _ = said.out.splitlines()
    assert first.split()[-1] == "leak"
    rows = [line.split() for line in lines if re.match(r"(un)?seen +(species|genus|family) ", line)]
    assert len(rows) > 6
    assert {row[-1] for row in rows} == {"yes"}
    assert "The model has trained on some of what it was asked as new." in lines
    assert "has trained on" in said.err


@pytest.mark.slow
def test_a_comparison_says_which_run_is_marked(birds: Dataset, model: Path, tmp_path: Path) -> None:
    split_dataset(birds, unseen=UNSEEN, seed=1)
    score(birds, model, tmp_path / "leaky", allow_leak=True)
    score(birds, "random:4", tmp_path / "chance")
    done = biovita.compare_runs(tmp_path / "chance", tmp_path / "leaky", out=tmp_path / "compared")
    assert done.leaky == ("leaky",)
    assert done.page is not None
    assert done.table is not None
    assert "leaky has trained on what it was asked as new" in done.page.read_text(encoding="utf-8")
    with done.table.open(encoding="utf-8", newline="") as table:
        assert {row["leak"] for row in csv.DictReader(table)} == {"True"}
    ranks = tmp_path / "chance" / "ranks.parquet"
    assert biovita.compare_runs(ranks, tmp_path / "chance").leaky == ()
    pq.write_table(pq.read_table(ranks).drop_columns(["leak"]), ranks)
    assert biovita.compare_runs(ranks, tmp_path / "chance").leaky == ()


def test_traits_are_refused_or_marked_as_well(
    birds: Dataset, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("biovita.traits.known_labels.FEWEST", 1)
    rows = [
        {"taxon_id": f"t{number}", "label": label, "value": number % 2 == 0, "source": "test"}
        for number in range(SPECIES)
        for label in ("nocturnal", "diurnal")
    ]
    replace_tables(birds, {"traits": pa.Table.from_pylist(rows, schema=TRAITS)}, {})
    split_dataset(birds, unseen=UNSEEN, seed=1)
    with pytest.raises(ModelError, match=REFUSED):
        score_traits(birds, model, device="cpu", progress=False)
    marked = score_traits(birds, model, device="cpu", allow_leak=True, progress=False)
    assert marked
    assert all(row.leak for row in marked)


def test_training_does_not_go_on_from_a_model_that_met_what_is_held_out(
    birds: Dataset, model: Path, tmp_path: Path
) -> None:
    split_dataset(birds, unseen=UNSEEN, seed=1)
    with pytest.raises(ModelError, match=REFUSED):
        train(birds, tmp_path / "second", start=model, stage=2)
    assert not (tmp_path / "second").exists()
    second = train(birds, tmp_path / "second", start=model, stage=2, allow_leak=True)
    record = json.loads((second / "config.json").read_text(encoding="utf-8"))["record"]
    assert {part["what"] for part in record["leak"]} >= {"unseen species", "held-out recordings"}
    page = (second / "report.html").read_text(encoding="utf-8")
    assert "What is held out here is not new to this model" in page
    with pytest.raises(ModelError, match=REFUSED):
        score(birds, second, tmp_path / "out")


def test_a_copy_of_the_dataset_under_another_name_is_the_same_to_a_model(
    birds: Dataset, model: Path, tmp_path: Path
) -> None:
    copy = copied(birds, tmp_path / "copy", "other")
    assert check_met(read_met(model), asked_of_split(copy), name="m", allow_leak=False).vouched
    split_dataset(copy, unseen=UNSEEN, seed=1)
    with pytest.raises(ModelError, match=r"unseen species .* held-out recordings .* held-out photographs"):
        score(copy, model, tmp_path / "out")
    with pytest.raises(ModelError, match=REFUSED):
        train(copy, tmp_path / "second", start=model, stage=2)


def test_recordings_are_known_by_their_content_where_species_have_other_names(
    birds: Dataset, model: Path, tmp_path: Path
) -> None:
    copy = copied(birds, tmp_path / "copy", "other", renamed=lambda name: f"Alius {name.split()[1]}")
    split_dataset(copy, unseen=UNSEEN, seed=1)
    with pytest.raises(ModelError, match=REFUSED) as refused:
        score(copy, model, tmp_path / "out")
    assert "unseen species" not in str(refused.value)
    trained = {row["sha256"] for row in birds.audio.to_pylist() if row["split"] == "train"}
    held = [row for row in copy.audio.to_pylist() if row["split"] in {"seen", "unseen"}]
    met = [row for row in held if row["sha256"] in trained]
    assert f"{len(met)} of {len(held)} held-out recordings" in str(refused.value)


def decide(dataset: Dataset, name: str, taxon_id: str) -> None:
    """State that a dataset has a taxon from a record of this name."""
    rows = {"name": [f"{name} Linnaeus, 1758"], "parsed": [name], "species_id": [taxon_id]}
    pq.write_table(pa.table(rows), dataset.path / "taxonomy_decisions.parquet")


def other_birds(path: Path, names: dict[str, str]) -> Dataset:
    """Return a dataset of other files, with these names for some of its species; all are unseen but the first two."""
    dataset = write_tiny(path, species=6, each=5, unseen=4)
    taxa = [
        Taxon(t.id, names.get(t.id, f"Novus {t.id}"), t.common_name, class_="Aves", family="F", genus="Novus")
        for t in dataset.taxonomy.values()
    ]
    tables = {name: dataset.table(name) for name in ("audio", "images")}
    for name, table in tables.items():  # other bytes than those of the files of the same names
        hashes = pa.array([f"{row:064x}" for row in range(len(table))])
        tables[name] = table.set_column(table.schema.get_field_index("sha256"), "sha256", hashes)
    replace_tables(dataset, {**tables, "taxa": taxa_table(taxa)}, {"name": "others"})
    return dataset


def test_species_of_another_dataset_are_known_by_name_and_synonyms_of_both(birds: Dataset, tmp_path: Path) -> None:
    trained = sorted(of_split(birds, "train"))
    decide(birds, "Vetus nomen", birds.taxonomy.find(trained[1]).id)
    model = train(birds, tmp_path / "model")
    strangers = other_birds(tmp_path / "strangers", {})
    assert check_met(read_met(model), asked_of_split(strangers), name="m", allow_leak=False).leak == ()
    for number, names in enumerate(({"t4": trained[0].upper()}, {"t4": "Vetus nomen"})):
        dataset = other_birds(tmp_path / f"others{number}", names)
        with pytest.raises(ModelError, match=rf"1 of 4 unseen species \({names['t4']}\)"):
            check_met(read_met(model), asked_of_split(dataset), name="m", allow_leak=False)
    decide(strangers, trained[0], "t5")
    with pytest.raises(ModelError, match=r"1 of 4 unseen species \(Novus t5\)"):
        check_met(read_met(model), asked_of_split(strangers), name="m", allow_leak=False)
    built = biovita.build_benchmark(strangers, out=tmp_path / "bench").path
    with pytest.raises(ModelError, match=r"1 of 4 unseen species \(Novus t5\)"):
        score(built, model, tmp_path / "out")
    decide(strangers, trained[0], "t0")  # one that is not unseen there
    assert check_met(read_met(model), asked_of_split(strangers), name="m", allow_leak=False).leak == ()


@pytest.mark.slow
def test_a_benchmark_of_an_old_split_is_said_to_be_one(birds: Dataset, model: Path, tmp_path: Path) -> None:
    built = biovita.build_benchmark(birds, out=tmp_path / "bench").path
    split_dataset(birds, unseen=UNSEEN, seed=1)
    run = score(built, model, tmp_path / "out")
    assert len(run.notes) == 1
    assert "of an old split" in run.notes[0]
    results = json.loads(run.paths.results.read_text(encoding="utf-8"))
    assert (results["met"]["old_split"], results["met"]["leak"]) == (True, [])
    assert "of an old split" in run.paths.report.read_text(encoding="utf-8")
    with pytest.raises(ModelError, match=REFUSED):
        score(built, train(birds, tmp_path / "new model"), tmp_path / "new")


def test_a_benchmark_with_copied_media_knows_the_recordings_that_were_cut(birds: Dataset, tmp_path: Path) -> None:
    built = biovita.build_benchmark(birds, out=tmp_path / "bench", layout="published", media="copy").path
    shutil.rmtree(built / "unseen")  # what is left asks held-out media of species that may be met
    split_dataset(birds, unseen=UNSEEN, seed=1)
    model = train(birds, tmp_path / "model")
    with pytest.raises(ModelError, match=REFUSED) as refused:
        score(built, model, tmp_path / "out")
    assert "held-out recordings" in str(refused.value)
    assert "unseen species" not in str(refused.value)


def test_a_renamed_part_is_one_of_unseen_species(birds: Dataset, tmp_path: Path) -> None:
    built = biovita.build_benchmark(birds, out=tmp_path / "bench", layout="published").path
    split_dataset(birds, unseen=UNSEEN, seed=1)
    model = train(birds, tmp_path / "model")
    (built / "unseen").rename(built / "test")
    with pytest.raises(ModelError, match="unseen species"):
        score(built, model, tmp_path / "out")


def test_what_a_model_has_met_travels_through_stages_and_copies(
    birds: Dataset, model: Path, tmp_path: Path
) -> None:
    others = other_birds(tmp_path / "others", {})
    split_dataset(others, unseen=2, seed=0)
    second = train(others, tmp_path / "second", start=model, stage=2)
    moved = shutil.copytree(second, tmp_path / "moved")
    saved = biovita.load_model(moved, device="cpu")
    written = biovita.model.write_model(saved, tmp_path / "written")  # type: ignore[attr-defined]
    first, last = read_met(model), read_met(written)
    assert first is not None
    assert last is not None
    assert [(stage.recipe, stage.dataset) for stage in last.stages] == [
        ("starter/stage1", "tiny"),
        ("starter/stage2", "others"),
    ]
    assert set(last.taxa.to_pylist()) > set(first.taxa.to_pylist())
    for modality in MEDIA:
        assert set(last.media[modality].to_pylist()) > set(first.media[modality].to_pylist())
    split_dataset(birds, unseen=UNSEEN, seed=1)
    for place in (second, moved, written, saved):
        with pytest.raises(ModelError, match=REFUSED):
            score(birds, place, tmp_path / "out")


def forget(model: Path, *, record: bool) -> None:
    """Take from a model what it has met, as older ones are, or its file alone."""
    (model / MET).unlink()
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    if record:
        del config["record"]["met"]
        (model / "config.json").write_text(json.dumps(config), encoding="utf-8")


@pytest.mark.slow
def test_of_a_model_without_the_file_it_is_said_that_nothing_is_known(
    birds: Dataset, model: Path, tmp_path: Path
) -> None:
    forget(model, record=True)
    run = score(birds, model, tmp_path / "out", name="old")
    assert run.notes == (
        "It is not known what old has met in training. It may have trained on what it is asked here.",
    )
    results = json.loads(run.paths.results.read_text(encoding="utf-8"))
    assert (results["met"]["known"], results["met"]["stages"]) == (False, None)
    page = run.paths.report.read_text(encoding="utf-8")
    assert page.count(run.notes[0]) == 1
    assert "the alignment never met" not in page
    second = train(birds, tmp_path / "second", start=model, stage=2)
    assert "It is not known what" in (second / "report.html").read_text(encoding="utf-8")
    notes = score(birds, second, tmp_path / "out2").notes
    assert notes == ("Its training went on from model, and it is not known what that had met.",)
    assert score(birds, "random:4", tmp_path / "random").notes == ()


@pytest.mark.parametrize("harm", ["missing", "changed", "kind"])
def test_a_model_whose_file_is_not_the_stated_one_is_refused(model: Path, harm: str) -> None:
    if harm == "missing":
        forget(model, record=False)
    elif harm == "changed":
        pq.write_table(Met().table(), model / MET)
    else:
        rows = pa.table({"kind": ["a\x1b[2Jplant"], "key": ["x"]})
        pq.write_table(rows, model / MET)
        config = json.loads((model / "config.json").read_text(encoding="utf-8"))
        del config["record"]["met"]
        (model / "config.json").write_text(json.dumps(config), encoding="utf-8")
    wanted = {
        "missing": "is missing, and is stated",
        "changed": "is another than stated",
        "kind": "there is no kind",
    }[harm]
    with pytest.raises(ModelError, match=wanted):
        biovita.load_model(model, device="cpu")


def test_items_without_a_hash_are_told_by_their_paths_and_that_is_said(birds: Dataset, tmp_path: Path) -> None:
    table = birds.audio
    replace_tables(
        birds,
        {
            "audio": table.set_column(
                table.schema.get_field_index("sha256"), "sha256", pa.array(["0"] * len(table))
            )
        },
        {},
    )
    model = train(birds, tmp_path / "model")
    asked = len(asked_of(benchmark_from_split(birds)).media[Modality.AUDIO])
    (note,) = check_met(read_met(model), asked_of(benchmark_from_split(birds)), name="m", allow_leak=False).notes
    assert note.startswith(f"{asked} recordings and photographs state no hash")
    split_dataset(birds, unseen=0, seed=1)
    with pytest.raises(ModelError, match=r"held-out recordings .* held-out photographs"):
        score(birds, model, tmp_path / "again")
    toml = {**birds.info, "name": "another"}
    (birds.path / "dataset.toml").write_text(tomli_w.dumps(toml), encoding="utf-8")
    with pytest.raises(ModelError, match="held-out photographs") as refused:
        score(birds.path, model, tmp_path / "renamed")
    assert "recordings" not in str(refused.value)


def test_classes_of_classifiers_count_as_met_and_are_named_apart() -> None:
    names = pa.table({"species": ["Aa b", "Cc d", "Cc d"], "name": ["aa b", "cc d", "dd d"]})
    groups = pa.table({"species": ["Aa b", "Cc d", "Ee f"], "name": ["aa", "cc", "effidae"]})
    names = pa.concat_tables([names, pa.table({"species": ["Ee f"], "name": ["ee f"]})])
    asked = Asked(names, groups, {}, 0)
    met = Met(taxa=pa.array(["aa b", "effidae"]), classes=pa.array(["aa b", "dd d", "effidae"]))
    check = check_met(met, asked, name="m", allow_leak=True)
    assert [(part.what, part.count, part.of, part.first) for part in check.leak] == [
        ("unseen species", 1, 3, ("Aa b",)),
        ("unseen species as classes of its encoders' classifiers", 2, 3, ("Cc d", "Ee f")),
    ]


def test_many_items_are_compared_as_columns() -> None:
    keys = pc.binary_join_element_wise("k", pa.array(range(200_000)).cast(pa.string()), "")
    media = {Modality.IMAGE: pa.table({"id": keys, "key": keys})}
    met = Met(media={Modality.IMAGE: keys.slice(199_000)})
    nothing = pa.table({name: pa.array([], pa.string()) for name in ("species", "name")})
    asked = Asked(nothing, nothing, media, 0)
    (part,) = check_met(met, asked, name="m", allow_leak=True).leak
    assert str(part) == "1,000 of 200,000 held-out photographs (k199000, k199001, k199002, k199003, k199004, ...)"
