"""What is published of a dataset from elsewhere: only its own media, checked, and only below the place asked for."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from biovita.benchmark import benchmark_from_split
from biovita.benchmark.layout import write_benchmark
from biovita.dataset import Dataset, split_dataset
from biovita.sources.folder import import_folder
from support.folders import make_folder
from support.hostile_data import commands, dataset, digest, files_below, media

_KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n"


def test_names_and_ids_that_would_lead_elsewhere_are_one_name_each_within_the_export(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    root = tmp_path / "deep/below/foreign"
    species = [
        "../../../../outside/x",
        f"{outside}/y",
        "CON",
        "Pica pica",
        "pica Pica",
        "a\u202egpj",
        "x" * 400,
        "..",
    ]
    taxa = {f"t{number}": name for number, name in enumerate(species)}
    sounds, pictures = media(root / "media", len(species) + 2)
    (root / "media/link.wav").symlink_to("0.wav")  # within the dataset: as good as a file
    ids = ["../../../../../outside/id", f"{outside}/id2", "xc-123", "XC-123", "NUL", "", "..", "a/b", "a", "A"]
    audio = [
        {
            "path": "media/link.wav" if n == 0 else f"media/{sound.name}",
            "id": ids[n],
            "taxon_id": f"t{n % len(species)}",
        }
        for n, sound in enumerate(sounds)
    ]
    images = [
        {"path": f"media/{picture.name}", "id": ids[n], "taxon_id": "t3"} for n, picture in enumerate(pictures)
    ]
    dataset(root, audio, images, taxa)
    out = tmp_path / "out/of/the/way/release"
    before = files_below(tmp_path) - {"out"}
    checked, exported = commands(
        tmp_path, ["data", "check", root], ["data", "export", "release", root, "--out", out]
    )
    exported.succeeded()
    new = {name for name in files_below(tmp_path) - before if not name.startswith(("out/", "asked", "answered"))}
    assert new == {"out"}
    listed = []
    for table, base in (("metadata.csv", out / "train"), ("image_urls.csv", out)):
        with (out / "train" / table).open(newline="", encoding="utf-8") as stream:
            listed += [base / row["file_name"] for row in csv.DictReader(stream)]
    assert len({str(file.relative_to(out)).casefold() for file in listed}) == len(audio) + len(images)
    assert sorted(map(digest, listed)) == sorted(map(digest, [*sounds, *pictures]))
    assert all(file.resolve().is_relative_to(out) for file in listed)
    assert (out / "images/pica_pica/xc.png").is_file()  # a real name is as it was
    assert checked.code == 1
    for said in ("../../../../outside/x", f"{outside}/y", "a\\u202egpj", "../../../../../outside/id"):
        assert any(said in line and "[unsafe-name]" in line for line in checked.text.splitlines()), said
    assert "audio.parquet a/b: this id" not in checked.text  # leads nowhere else


@pytest.mark.slow
def test_files_of_the_reader_are_not_published(tmp_path: Path) -> None:
    key = tmp_path / "home/id_rsa"
    key.parent.mkdir()
    key.write_text(_KEY)
    (sound,), (picture,) = media(tmp_path / "home/private", 1)
    found = {}
    for name, path in (("absolute", str(key)), ("dots", "../home/id_rsa"), ("link", "media/0.png")):
        root = tmp_path / name
        media(root / "media", 1)
        if name == "link":
            (root / "media/0.png").unlink()
            (root / "media/0.png").symlink_to(key)
        images = [{"path": path, "sha256": digest(key), "split": split} for split in (None, "seen")]
        found[name] = dataset(
            root,
            [{"path": "media/0.wav"}],
            images,
        )
    own = dataset(tmp_path / "own", [{"path": str(sound)}], [{"path": str(picture)}])
    (own / "README.md").symlink_to(key)
    (own / "ATTRIBUTION.csv").symlink_to(key)
    given, kinds = [], ("release", "hub", "pack", "bench")
    for name, root in found.items():
        for kind in kinds:
            out = tmp_path / "out" / f"{name}-{kind}"
            how = {"pack": ["data", "pack"], "bench": ["bench", "build"]}.get(kind, ["data", "export", kind])
            more = ["--media", "copy"] if kind == "bench" else []
            given.append([*how, root, "--out", out, *more])
            given.append([*how, root, "--out", out, *more, "--allow-outside"])
    hub = ["data", "export", "hub", own, "--out", tmp_path / "out/own", "--allow-outside"]
    *refused, linked = commands(tmp_path, *given, hub)
    for without, with_flag in zip(refused[::2], refused[1::2], strict=True):
        without.refused("1 of the", "lie outside", "--allow-outside")
        with_flag.refused("the tables say that this is a photograph, and it is plain text")
    linked.refused("README.md", "link")
    content = _KEY.encode()
    for parent, _, files in os.walk(tmp_path / "out"):
        assert not [name for name in files if content in Path(parent, name).read_bytes()]
    assert key.stat().st_nlink == 1


@pytest.mark.slow
def test_ones_own_media_beside_the_dataset_go_out_when_that_is_asked_for(tmp_path: Path) -> None:
    import_folder(make_folder(tmp_path / "src"), out=tmp_path / "own", progress=False)
    own, out, shown = tmp_path / "own", tmp_path / "out", tmp_path / "shown"
    shutil.copytree(own, shown)
    first, release, hub, packed, _, part = commands(
        tmp_path,
        ["data", "export", "release", own, "--out", out / "no"],
        ["data", "export", "release", own, "--out", out / "release", "--allow-outside"],
        ["data", "export", "hub", own, "--out", out / "hub", "--allow-outside"],
        ["data", "pack", own, "--out", out / "m.lance", "--allow-outside"],
        ["data", "split", shown, "--unseen", "1"],
        ["data", "export", "release", shown, "--out", out / "part", "--allow-outside"],
    )
    first.refused("12 of the 12 files lie outside", "--allow-outside")
    for each in (release, hub, packed):
        each.succeeded("12 files of the dataset lie outside it")
    assert "data unpack does not write files outside the dataset" in packed.text
    sent = sum(file.suffix in {".wav", ".png"} for file in (out / "part").rglob("*"))
    assert 0 < sent < 12  # what is held out stays here, and is not counted
    part.succeeded(f"{sent} files of the dataset lie outside it")
    copies = [file for file in (out / "release").rglob("*") if file.suffix in {".wav", ".png"}]
    assert len(copies) == 12
    assert {file.stat().st_nlink for file in copies} == {1}  # none of them is the reader's own file
    held = [row["audio"]["bytes"] for row in pq.read_table(out / "hub/audio").to_pylist()]
    there = Dataset.open(own)
    assert sorted(map(len, held)) == sorted(
        len(there.locate(path).read_bytes()) for path in there.audio["path"].to_pylist()
    )


@pytest.mark.slow
def test_what_is_no_file_or_not_what_the_tables_state_is_not_published(tmp_path: Path) -> None:
    cases = {}
    for name in ("pipe", "zero", "changed", "swapped"):
        root = tmp_path / name
        media(root / "media", 2)
        sound = root / "media/0.wav"
        cases[name] = dataset(root, [{"path": "media/0.wav"}, {"path": "media/1.wav"}], [{"path": "media/0.png"}])
        if name == "changed":
            sound.write_bytes(sound.read_bytes() + b"more")
            continue
        sound.unlink()
        if name == "pipe":
            os.mkfifo(sound)
        elif name == "zero":
            sound.symlink_to("/dev/zero")
        else:
            sound.write_bytes((root / "media/0.png").read_bytes())
            dataset(root, [{"path": "media/0.wav"}, {"path": "media/1.wav"}], [{"path": "media/0.png"}])
    given = []
    for name, root in cases.items():
        flag = ["--allow-outside"] if name == "zero" else []
        given += [
            ["data", "export", "release", root, "--out", tmp_path / "out" / f"{name}-release", *flag],
            ["data", "export", "hub", root, "--out", tmp_path / "out" / f"{name}-hub", *flag],
            ["data", "pack", root, "--out", tmp_path / "out" / f"{name}.lance", *flag],
            ["data", "check", root, "--hashes"],
        ]
    said = commands(tmp_path, *given)
    why = {
        "pipe": ("is not a regular file", "[missing-file]"),
        "zero": ("is not a regular file", "[missing-file]"),
        "changed": ("its bytes changed", "[changed-file]"),
        "swapped": ("it is a PNG picture", "[not-media]"),
    }
    for number, name in enumerate(cases):
        *published, checked = said[4 * number : 4 * number + 4]
        for each in published:
            each.refused(why[name][0])
        assert (checked.code, "1 problem" in checked.text, why[name][1] in checked.text) == (1, True, True)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_page_shows_no_pictures_that_a_foreign_benchmark_points_to(tmp_path: Path) -> None:
    import_folder(make_folder(tmp_path / "src"), out=tmp_path / "own", progress=False)
    own, bench = tmp_path / "own", tmp_path / "foreign"
    private = own / "private"
    split_dataset(Dataset.open(own), unseen=2, seed=1)
    write_benchmark(benchmark_from_split(Dataset.open(own)), bench, layout="published")
    # a stranger's: no hashes, and the media are said to lie in the reader's folder
    private.mkdir()
    for part in ("seen", "unseen"):
        index = bench / part / "image_index.csv"
        if not index.is_file():
            continue
        with index.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        for row in rows:
            name = Path(row["file_path"]).name
            (private / name).write_bytes((tmp_path / "src/images" / name).read_bytes())
            row["file_path"], row["sha256"] = f"private/{name}", ""
        with index.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    manifest = json.loads((bench / "manifest.json").read_text())
    (bench / "manifest.json").write_text(json.dumps({**manifest, "media_root": "../own"}))
    shutil.copytree(bench, tmp_path / "bolder")
    (tmp_path / "bolder/manifest.json").write_text(json.dumps({**manifest, "media_root": "../own/private"}))
    shown = ["--media-root", own]
    refused, stolen, chosen = commands(
        tmp_path,
        ["bench", "run", tmp_path / "bolder", "--model", "random", "--out", tmp_path / "run-bolder"],
        ["bench", "run", bench, "--model", "random", "--out", tmp_path / "run-foreign"],
        ["bench", "run", bench, "--model", "random", "--out", tmp_path / "run-chosen", *shown],
    )
    refused.refused("leads out of the benchmark and to no dataset", "--media-root")
    stolen.succeeded()
    page = (tmp_path / "run-foreign/report.html").read_text()
    assert "data:image/jpeg" not in page
    assert "outside the benchmark" in page
    chosen.succeeded()
    assert "data:image/jpeg" in (tmp_path / "run-chosen/report.html").read_text()
