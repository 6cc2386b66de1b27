from __future__ import annotations

import json

import pytest
import soundfile
from PIL import Image

from biovita.cli import main
from biovita.dataset import split_dataset
from support.bench_cases import write_small


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return caught.value.code, captured.out, captured.err


@pytest.fixture
def dataset(tmp_path):
    import numpy as np

    made = write_small(tmp_path / "d", taxa=8, per_species=2)
    rng = np.random.default_rng(0)
    for row in made.audio.to_pylist():
        soundfile.write(tmp_path / "d" / row["path"], 0.1 * rng.normal(size=8000), 8000)
    for row in made.images.to_pylist():
        Image.new("RGB", (8, 8), tuple(rng.integers(0, 255, 3).tolist())).save(tmp_path / "d" / row["path"])
    split_dataset(made, unseen=4, seed=0)
    return made.path


@pytest.mark.slow
def test_from_a_dataset_to_a_comparison(dataset, capsys, tmp_path):
    code, out, _ = run(capsys, "bench", "build", dataset, "--candidates", "3")
    assert code == 0
    assert "unseen: 18 tasks" in out
    bench = dataset / "bench" / "standard"
    code, out, _ = run(capsys, "bench", "verify", bench)
    assert code == 0
    assert "no problem changes a score" in out
    for model in ("random:4", "random:9"):
        code, out, err = run(capsys, "bench", "run", bench, "--model", model)
        assert code == 0, err
        assert "chance" in out
        assert "report.html" in out
    runs = [bench / "runs" / name for name in ("random-4", "random-9")]
    code, out, _ = run(capsys, "bench", "compare", *runs, "--out", tmp_path / "cmp")
    assert code == 0
    assert "random-9 less random-4" in out
    page = (tmp_path / "cmp" / "compare.html").read_text()
    assert "http" not in page.replace("http-equiv", "", 1)
    assert (tmp_path / "cmp" / "compare.csv").read_text().startswith("run,part")
    code, out, _ = run(capsys, "bench", "compare", *runs, "--json")
    assert {row["direction"] for row in json.loads(out)["compared"]["random-9"]} >= {"A2I", "mean"}
    code, out, _ = run(capsys, "bench", "build", dataset, "--json", "--overwrite", "--draw", "hard")
    assert json.loads(out)["made"]["draw"] == "hard"


@pytest.mark.slow
def test_all_names_as_candidates_from_the_command_line(dataset, capsys, tmp_path):
    bench = tmp_path / "all"
    asked = ("--candidates", "all", "--groups", "members")
    code, out, _ = run(capsys, "bench", "build", dataset, "--out", bench, *asked, "--json")
    made = json.loads(out)["made"]
    assert (code, made["candidates"], made["groups"]) == (0, "all", "members")
    code, out, _ = run(capsys, "bench", "verify", bench)
    assert (code, "no problem changes a score" in out) == (0, True)
    code, out, err = run(capsys, "bench", "run", bench, "--model", "random:4", "--seen-penalty", "0.2")
    assert code == 0, err
    assert "seen and unseen among all taxa, and their harmonic mean, in percent" in out
    written = json.loads((bench / "runs" / "random-4" / "results.json").read_text())
    assert written["made"]["seen penalty"] == 0.2
    means = [row for row in written["generalised"] if row["direction"] == "mean" and row["k"] == 1]
    assert [row["level"] for row in means if f"{100 * row['harmonic']:.1f}" in out] == [
        "species",
        "genus",
        "family",
    ]
    code, _, err = run(capsys, "bench", "run", bench, "--model", "random:4", "--seen-penalty", "7")
    assert (code, "It has to be from 0 to 2" in err) == (1, True)


def test_verify_exits_1_and_names_the_file(dataset, capsys):
    run(capsys, "bench", "build", dataset)
    next(dataset.glob("*.png")).write_text("no picture")
    for path in list(dataset.glob("*.wav")):
        path.unlink()
    code, out, err = run(capsys, "bench", "verify", dataset / "bench" / "standard")
    assert code == 1
    assert "problems that change a score" in out
    assert "missing: audio.parquet" in out
    assert "Traceback" not in err
    code, out, _ = run(capsys, "bench", "verify", dataset / "bench" / "standard", "--json")
    assert code == 1
    assert json.loads(out)["sound"] is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build", "nowhere"], "does not exist"),
        (["verify", "nowhere"], "not a directory"),
        (["run", "nowhere", "--model", "random"], "not a directory"),
        (["compare", "a", "b"], "a does not exist"),
        (["traits", "nowhere", "--model", "random"], "does not exist"),
    ],
)
def test_mistakes_are_said_without_a_traceback(arguments, message, capsys):
    code, _, err = run(capsys, "bench", *arguments)
    assert code == 1
    assert message in err
    assert "Traceback" not in err


def test_a_place_for_media_is_refused_for_a_dataset(dataset, capsys, tmp_path):
    code, _, err = run(capsys, "bench", "run", dataset, "--model", "random:4", "--media-root", tmp_path)
    assert code == 1
    assert "Leave media_root (--media-root) out" in " ".join(err.split())
    assert not (dataset / "runs").exists()


def test_traits_from_the_command_line(tmp_path, capsys):
    import pyarrow as pa

    from biovita.dataset import write_table
    from biovita.dataset.schema import TRAITS

    dataset = write_small(tmp_path / "birds", taxa=24, per_species=2)
    split_dataset(dataset, unseen=8, seed=0)
    code, _, err = run(capsys, "bench", "traits", dataset.path, "--model", "random")
    assert code == 1
    assert "has no traits" in err
    rows = [
        {"taxon_id": taxon.id, "label": "nocturnal", "value": int(taxon.id[1:]) % 2 == 0, "source": "test"}
        for taxon in dataset.taxonomy.values()
        if taxon.id != "g"
    ]
    write_table(pa.Table.from_pylist(rows, schema=TRAITS), dataset.path / "traits.parquet")
    code, out, err = run(capsys, "bench", "traits", dataset.path, "--model", "random", "--json")
    assert code == 0, err
    assert {row["method"] for row in json.loads(out)} == {"zero-shot", "probe"}
    assert all(0 <= row["auc"] <= 1 for row in json.loads(out))
