from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import soundfile
from PIL import Image

from biovita.benchmark import benchmark_from_split
from biovita.benchmark.layout import write_benchmark
from biovita.benchmark.media_files import resolve_media
from biovita.benchmark.reader import read_benchmark
from biovita.benchmark.verify import verify_benchmark
from biovita.dataset import split_dataset
from biovita.errors import DatasetError
from biovita.modality import Modality
from support.bench_cases import restated, write_small


@pytest.fixture
def release(tmp_path):
    """A benchmark in the release's own layout, media beside the indices, one part."""
    dataset = write_small(tmp_path / "d", taxa=8, per_species=3)
    rng = np.random.default_rng(0)
    for row in dataset.audio.to_pylist():
        soundfile.write(tmp_path / "d" / row["path"], 0.3 * rng.normal(size=8000), 8000)
    for row in dataset.images.to_pylist():
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8)).save(tmp_path / "d" / row["path"])
    split_dataset(restated(dataset), unseen=5, seed=1)
    path = write_benchmark(benchmark_from_split(dataset), tmp_path / "bench", layout="published", media="copy")
    part = path / "unseen"
    (path / "media").rename(part / "media")
    (path / "manifest.json").rename(path / "kept.json")
    return part


def index(part, modality="audio"):
    with (part / f"{modality}_index.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_good_benchmark_is_sound(release):
    verdict = verify_benchmark(release)
    assert verdict.sound
    assert verdict.problems == ()
    benchmark = read_benchmark(release)
    assert verdict.tasks == len(benchmark.tasks)
    assert verdict.files == benchmark.items[Modality.AUDIO].num_rows + benchmark.items[Modality.IMAGE].num_rows


def test_missing_undecodable_and_odd_files_are_told_apart(release):
    files = [release / row["file_path"] for row in index(release)]
    files[0].unlink()
    files[1].write_text("<!DOCTYPE html><html><body>404</body></html>")
    files[2].write_bytes(files[2].read_bytes()[:-4000])
    image = release / index(release, "image")[0]["file_path"]
    image.write_bytes(image.read_bytes()[:100])
    verdict = verify_benchmark(release)
    found = sorted((p.code, p.file.split("/")[-1]) for p in verdict.problems if p.counts)
    assert found == [
        ("missing", "audio_index.csv"),
        ("not-audio", "audio_index.csv"),
        ("truncated", "audio_index.csv"),
        ("truncated", "image_index.csv"),
    ]
    assert not verdict.sound
    assert any("404" in p.detail or "HTML" in p.detail for p in verdict.problems)


def test_recordings_that_are_called_differently_on_disk_are_found(release):
    """The Animal Sound Archive's as asa_<id>, xeno-canto's by their upload name; by the k-th row of a species."""
    rows = index(release)
    metadata = []
    for number, row in enumerate(rows):
        old = release / row["file_path"]
        line = {"file_name": old.name, "scientific_name": row["species"], "recording_id": "", "download_url": ""}
        if number % 3 == 0:
            line["recording_id"] = f"9{number}"
            old.rename(old.with_name(f"asa_9{number}.wav"))
        elif number % 3 == 1:
            line["download_url"] = f"https://xeno-canto.org/sounds/uploaded/ABC/XC{number}-a%20wren.wav"
            old.rename(old.with_name(f"XC{number}-a wren.wav"))
        metadata.append(line)
    with (release / "metadata.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(metadata[0]))
        writer.writeheader()
        writer.writerows(metadata)
    benchmark, renamed = resolve_media(read_benchmark(release))
    assert len(renamed) == sum(number % 3 < 2 for number in range(len(rows)))
    for row, item in zip(rows, benchmark.items[Modality.AUDIO].to_pylist(), strict=True):
        assert (release / item["path"]).is_file()
        number = rows.index(row)
        name = [f"asa_9{number}.wav", f"XC{number}-a wren.wav"][number % 3] if number % 3 < 2 else None
        assert name is None or item["path"].endswith(name)
    verdict = verify_benchmark(release)
    assert verdict.sound
    assert {p.code for p in verdict.problems} == {"misnamed"}


def test_metadata_cannot_lead_out_of_the_folder(release, tmp_path):
    rows = index(release)
    (tmp_path / "secret.wav").write_bytes((release / rows[0]["file_path"]).read_bytes())
    (release / rows[0]["file_path"]).unlink()
    with (release / "metadata.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file_name", "scientific_name", "recording_id", "download_url"])
        writer.writerow(["../../secret.wav", rows[0]["species"], "../../secret", "http://x/..%2F..%2Fsecret.wav"])
    _, renamed = resolve_media(read_benchmark(release))
    assert renamed == []


@pytest.mark.parametrize("name", ["/etc/passwd", "media/../../secret.wav", "..\\\\secret.wav"])
def test_file_paths_cannot_lead_out_of_a_benchmark_that_is_not_ours(release, name):
    def point(rows):
        rows[0]["file_path"] = name

    change(release / "audio_index.csv", point)
    found = {(p.code, p.row) for p in verify_benchmark(release).problems}
    assert ("outside", 2) in found


def change(file, edit):
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    edit(rows)
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_wrong_labels_and_candidate_counts_change_a_score(release):
    def relabel(rows):
        rows[0]["species"] = "Nemo nemo"

    change(release / "audio_index.csv", relabel)

    def both(rows):
        taxa, targets = json.loads(rows[0]["candidates_taxa"]), json.loads(rows[0]["candidates_target_ids"])
        own = taxa.index(rows[0]["correct_taxon"])
        keep = sorted({own, (own + 1) % len(taxa)})
        rows[0]["candidates_taxa"] = json.dumps([taxa[k] for k in keep])
        rows[0]["candidates_target_ids"] = json.dumps([targets[k] for k in keep])

    change(release / "species/test_image_to_text.csv", both)
    found = {(p.code, p.file) for p in verify_benchmark(release).problems}
    assert ("candidate-count", "unseen/species/test_image_to_text.csv") in found
    assert ("label-mismatch", "unseen/species/test_audio_to_image.csv") in found
    assert ("label-mismatch", "unseen/species/test_image_to_audio.csv") in found


def test_files_that_differ_from_the_manifest_are_named(release):
    path = release.parent
    (release / "media").rename(path / "media")
    (path / "kept.json").rename(path / "manifest.json")
    assert verify_benchmark(path).sound
    file = release / "species/test_audio_to_image.csv"
    file.write_text("\n".join(file.read_text().splitlines()[:-1]) + "\n")
    (path / "seen/species/test_image_to_text.csv").unlink()
    found = {(p.code, p.file) for p in verify_benchmark(path).problems}
    assert ("changed", "unseen/species/test_audio_to_image.csv") in found
    assert ("missing-file", "seen/species/test_image_to_text.csv") in found


def _edit(file, change):
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        change(row)
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_a_candidate_that_every_query_lacks_is_missed(release):
    """Each query lost a wrong candidate, so that all have the same number: no query stands out."""

    def cut(row):
        taxa, ids = json.loads(row["candidates_taxa"]), json.loads(row["candidates_target_ids"])
        at = next(n for n, taxon in enumerate(taxa) if taxon != row["correct_taxon"])
        del taxa[at], ids[at]
        row["candidates_taxa"], row["candidates_target_ids"] = json.dumps(taxa), json.dumps(ids)

    _edit(release / "species" / "test_audio_to_image.csv", cut)
    found = [(p.code, p.file) for p in verify_benchmark(release).problems]
    assert found == [("candidate-count", "unseen/species/test_audio_to_image.csv")]


def test_a_part_alone_is_held_against_the_manifest_above_it(release):
    (release.parent / "kept.json").rename(release.parent / "manifest.json")
    (release / "media").rename(release.parent / "media")
    assert verify_benchmark(release).problems == ()
    file = release / "species" / "test_audio_to_image.csv"
    header, first, second, *others = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join([header, second, first, *others]), encoding="utf-8")
    assert [(p.code, p.file) for p in verify_benchmark(release).problems] == [
        ("changed", "unseen/species/test_audio_to_image.csv")
    ]


@pytest.mark.parametrize("start", ["abc", "-1", "2", "nan"])
def test_a_span_that_is_none_is_said(release, start):
    _edit(
        release / "audio_index.csv", lambda row: row.update(start_s=start, end_s="1") if row["id"] == "1" else None
    )
    found = {(p.code, p.row) for p in verify_benchmark(release).problems}
    assert ("bad-span", 3) in found


def test_a_file_that_is_not_utf_8_is_named(release):
    file = release / "species" / "test_audio_to_image.csv"
    file.write_bytes(file.read_bytes() + b"\xe9\n")
    with pytest.raises(DatasetError, match=r"test_audio_to_image.csv cannot be read as a CSV file in UTF-8"):
        verify_benchmark(release)
