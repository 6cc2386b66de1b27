from __future__ import annotations

import csv
import hashlib
import json
import os
import random
import shutil
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import mlcroissant as mlc
import numpy as np
import pytest
import soundfile

from biovita.cli.app import main
from biovita.collect import fill
from biovita.collect.build import WORK, report_lines
from biovita.collect.file_check import verify
from biovita.dataset import Dataset
from biovita.dataset.check import check
from biovita.dataset.omitted import count_omitted
from biovita.errors import DatasetError
from biovita.publish.pack import pack, state_packed, unpack
from biovita.version import __version__
from support.collected_media import HTML, build_soon, observation, picture, sound, write_plan
from support.forked import finish, start_call
from support.media_servers import MediaServer, Resource, media_server


@pytest.fixture
def server() -> Iterator[MediaServer]:
    with media_server() as running:
        yield running


def tree(folder: Path) -> dict[str, str]:
    """Return the hash of every file of a dataset, but for the working files."""
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.relative_to(folder).parts[0] != WORK
    }


@pytest.mark.slow
def test_every_bad_file_is_rejected_with_its_reason(server: MediaServer, tmp_path: Path) -> None:
    long = sound(3, seconds=4.0)
    contents = {
        "/ok.wav": sound(1),
        "/html.mp3": HTML,
        "/empty.wav": b"",
        "/silent.wav": _silence(),
        "/cut.wav": long[: len(long) // 2],
        "/short.wav": sound(4, seconds=0.5),
        "/same.wav": sound(1),
        "/two-species.wav": sound(5),
        "/copy.wav": sound(5),
        "/ok.jpg": picture(1),
        "/near.jpg": picture(1, quality=60),
        "/other.jpg": picture(2),
        "/sound.jpg": sound(6),
        "/cut.jpg": picture(7, size=256)[:2000],
        "/near-of-another.jpg": picture(1, quality=50),
    }
    for path, content in contents.items():
        server.resources[path] = Resource(content)
    observations = [
        observation(number, server.url(path), "image" if path.endswith("jpg") else "audio")
        for number, path in enumerate([*contents, "/none.wav"], start=10)
        if path not in {"/near-of-another.jpg", "/copy.wav"}
    ]
    observations.append(observation(90, server.url("/copy.wav"), "audio", "Parus major"))
    observations.append(observation(91, server.url("/near-of-another.jpg"), "image", "Parus major"))
    out = tmp_path / "data"
    report = build_soon(write_plan(tmp_path, observations), out)
    dataset = Dataset.open(out)
    reasons = {Path(row["path"]).name: row["reason"] for row in dataset.rejected.to_pylist()}
    assert reasons == {
        "html.mp3": "not-audio", "empty.wav": "empty", "silent.wav": "silent", "cut.wav": "truncated",
        "same.wav": "duplicate", "two-species.wav": "ambiguous", "copy.wav": "ambiguous", "near.jpg": "near-duplicate",
        "sound.jpg": "not-image", "cut.jpg": "truncated", "none.wav": "gone",
    }  # fmt: skip
    assert (report.audio, report.images, report.species) == (2, 3, 2)
    assert report.rejected == dict(sorted(Counter(dataset.rejected["reason"].to_pylist()).items()))
    assert check(dataset, hashes=True) == []
    assert all(str(tmp_path) not in detail for detail in dataset.rejected["detail"].to_pylist())
    on_disk = {file.relative_to(out).as_posix() for file in (out / "media").rglob("*") if file.is_file()}
    assert on_disk == {*dataset.audio["path"].to_pylist(), *dataset.images["path"].to_pylist()}
    assert not list((out / WORK / "parts").iterdir())


def _silence() -> bytes:
    import io

    stream = io.BytesIO()
    soundfile.write(stream, np.zeros(4000), 8000, format="WAV")
    return stream.getvalue()


def test_a_recording_shorter_than_its_source_states_is_truncated(server: MediaServer, tmp_path: Path) -> None:
    server.resources["/1"] = Resource(sound(1, seconds=3.0))
    recordings = [
        {"id": str(n), "gen": "Pica", "sp": "pica", "file": server.url("/1") + f"?{n}", "length": length,
         "lic": "//creativecommons.org/licenses/by/4.0/", "rec": "Ann"}
        for n, length in ((1, "0:04"), (2, "0:20"))
    ]  # fmt: skip
    plan = write_plan(tmp_path, [], '[[sources]]\nkind = "xeno_canto"\npath = "xc.json"\n')
    (tmp_path / "xc.json").write_text(json.dumps({"recordings": recordings}))
    build_soon(plan, tmp_path / "data")
    dataset = Dataset.open(tmp_path / "data")
    assert dataset.audio["source_id"].to_pylist() == ["XC1"]
    (rejected,) = dataset.rejected.to_pylist()
    assert (rejected["reason"], rejected["detail"]) == (
        "truncated",
        "the file lasts 3.0 s, and its source states 20.0 s",
    )


@pytest.mark.slow
def test_running_again_fetches_nothing_and_changes_nothing(server: MediaServer, tmp_path: Path) -> None:
    observations = []
    for number in range(1, 9):
        server.resources[f"/{number}"] = Resource(sound(number) if number % 2 else picture(number))
        observations.append(observation(number, server.url(f"/{number}"), "audio" if number % 2 else "image"))
    server.resources["/9"] = Resource(sound(1))  # a duplicate: its file is not kept
    observations.append(observation(99, server.url("/9"), "audio"))
    plan, out = write_plan(tmp_path, observations), tmp_path / "data"
    assert build_soon(plan, out).fetched == 9
    first = tree(out)
    assert build_soon(plan, out).fetched == 0
    assert tree(out) == first
    assert set(server.asked.values()) == {1}
    # New records come in, and what the plan no longer wants goes.
    server.resources["/20"] = Resource(sound(20))
    write_plan(tmp_path, [*observations[1:], observation(200, server.url("/20"), "audio")])
    assert build_soon(plan, out).fetched == 2  # the new one, and the duplicate, whose first is no longer there
    dataset = Dataset.open(out)
    assert sorted(dataset.audio["source_id"].to_pylist()) == ["200", "3", "5", "7", "99"]
    assert check(dataset, hashes=True) == []
    build_soon(plan, tmp_path / "anew")
    assert tree(tmp_path / "anew") == tree(out)


def test_packed_media_are_unpacked_before_an_update(server: MediaServer, tmp_path: Path) -> None:
    server.resources["/1.wav"] = Resource(sound(1))
    server.resources["/2.jpg"] = Resource(picture(2))
    plan = write_plan(
        tmp_path,
        [observation(1, server.url("/1.wav"), "audio"), observation(2, server.url("/2.jpg"), "image")],
    )
    assert build_soon(plan, tmp_path / "out").fetched == 2
    before = tree(tmp_path / "out")
    packed = str(tmp_path / "media.lance")
    pack(Dataset.open(tmp_path / "out"), packed)
    state_packed(Dataset.open(tmp_path / "out"), packed)
    shutil.rmtree(tmp_path / "out/media")
    with pytest.raises(DatasetError, match=r"its media are packed.*biovita data unpack .*media\.lance --out"):
        build_soon(plan, tmp_path / "out")
    assert unpack(packed, tmp_path / "out") == 2
    assert build_soon(plan, tmp_path / "out").fetched == 0
    assert tree(tmp_path / "out") == before


def test_items_that_were_not_reached_are_tried_again(server: MediaServer, tmp_path: Path) -> None:
    server.resources["/1"] = Resource(sound(1), fails=(500,) * 6)
    plan, out = write_plan(tmp_path, [observation(1, server.url("/1"), "audio")]), tmp_path / "data"
    report = build_soon(plan, out)
    assert (report.unfinished, report.rejected) == (1, {"unreachable": 1})
    report = build_soon(plan, out)
    assert (report.unfinished, report.rejected, report.audio) == (0, {}, 1)


@pytest.mark.slow
def test_long_recordings_become_clips_as_spans_or_files(server: MediaServer, tmp_path: Path) -> None:
    rate = 8000
    samples = np.random.default_rng(0).normal(0, 0.001, 60 * rate)
    for start in (12, 41):
        samples[start * rate : (start + 2) * rate] += 0.5 * np.sin(np.arange(2 * rate))
    import io

    stream = io.BytesIO()
    soundfile.write(stream, samples, rate, format="WAV")
    server.resources["/1"] = Resource(stream.getvalue())
    observations = [observation(1, server.url("/1"), "audio")]
    plan, out = write_plan(tmp_path, observations, "[clips]\nper_recording = 3\n"), tmp_path / "data"
    build_soon(plan, out)
    rows = Dataset.open(out).audio.to_pylist()
    assert len({row["path"] for row in rows}) == 1
    assert len({row["group_id"] for row in rows}) == 1
    spans = [(row["start_s"], row["end_s"]) for row in rows]
    assert all(end - start == pytest.approx(10.0) for start, end in spans)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    for call in (12, 41):
        assert sum(start <= call and call + 2 <= end for start, end in spans) == 1
    # Fewer windows: chosen again from the file that is there. Cut: each clip a file.
    write_plan(tmp_path, observations, "[clips]\nper_recording = 1\n")
    assert build_soon(plan, out).fetched == 0
    assert Dataset.open(out).audio.num_rows == 1
    write_plan(tmp_path, observations, "[clips]\nper_recording = 2\ncut = true\n")
    build_soon(plan, tmp_path / "cut")
    dataset = Dataset.open(tmp_path / "cut")
    assert len({row["path"] for row in dataset.audio.to_pylist()}) == 2
    for row in dataset.audio.to_pylist():
        assert (row["start_s"], row["end_s"]) == (0.0, 10.0)
        assert soundfile.info(dataset.locate(row["path"])).frames == 10 * rate
    assert check(dataset, hashes=True) == []


def test_splits_keep_an_observer_on_one_side(server: MediaServer, tmp_path: Path) -> None:
    observations = []
    for number in range(1, 41):
        server.resources[f"/{number}"] = Resource(sound(number) if number % 2 else picture(number))
        species = f"Pica {'abcd'[number % 4]}ica"
        observations.append(
            observation(number, server.url(f"/{number}"), "audio" if number % 2 else "image", species)
        )
    plan = write_plan(tmp_path, observations, '[split]\ngroup_by = "observer"\nunseen = 0\n')
    build_soon(plan, tmp_path / "data")
    dataset = Dataset.open(tmp_path / "data")
    assert {*dataset.audio["group_id"].to_pylist()} <= {f"iNaturalist:observer:ann{n}" for n in range(7)}
    assert set(dataset.audio["split"].to_pylist()) == {"train", "seen"}
    assert check(dataset) == []


@pytest.mark.slow
def test_an_update_keeps_the_split(server: MediaServer, tmp_path: Path) -> None:
    observations = []
    for number in range(1, 61):
        server.resources[f"/{number}"] = Resource(sound(number) if number % 2 else picture(number))
        species = f"Pica {'abcd'[number // 2 % 4]}ica"
        modality = "audio" if number % 2 else "image"
        observations.append(observation(number, server.url(f"/{number}"), modality, species))
    plan, out = write_plan(tmp_path, observations[:40]), tmp_path / "data"
    build_soon(plan, out)
    with pytest.raises(SystemExit):
        main(["data", "split", str(out), "--unseen", "1"])
    before = {row["id"]: row["split"] for row in Dataset.open(out).audio.to_pylist()}
    assert set(before.values()) == {"train", "seen", "unseen"}
    write_plan(tmp_path, observations)
    assert build_soon(plan, out).fetched == 20
    dataset = Dataset.open(out)
    after = {row["id"]: row["split"] for row in dataset.audio.to_pylist()}
    assert {key: after[key] for key in before} == before
    assert dataset.info["split"]["unseen_species"] == 1
    assert check(dataset) == []


def test_what_goes_out_with_it(server: MediaServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    observations = []
    for number in range(1, 7):
        server.resources[f"/{number}"] = Resource(sound(number) if number % 2 else picture(number))
        observations.append(observation(number, server.url(f"/{number}"), "audio" if number % 2 else "image"))
    observations[0]["sounds"][0]["license_code"] = "cc-by-nc-sa"
    observations[2]["sounds"][0]["license_code"] = "cc-by-nc-nd"  # the plan does not take it
    plan, out = write_plan(tmp_path, observations), tmp_path / "data"
    text = plan.read_text()
    plan.write_text('contact = "private@x.org"\n' + text)
    with pytest.raises(SystemExit) as code:
        main(["data", "build", str(plan), "--out", str(out)])
    assert code.value.code == 0
    assert "1 species, 2 clips, 3 photographs (5 files fetched)" in capsys.readouterr().out
    dataset = Dataset.open(out)
    with (out / "ATTRIBUTION.csv").open() as file:
        credited = {row["path"]: row for row in csv.DictReader(file)}
    for table in (dataset.audio, dataset.images):
        for row in table.to_pylist():
            assert credited[row["path"]]["attribution"] == row["attribution"] == f"(c) Ann {row['source_id']}"
            assert credited[row["path"]]["license"] == row["license"]
            assert credited[row["path"]]["scientific_name"] == "Pica pica"
    card = (out / "README.md").read_text()
    assert "| Aves | 1 | 2 | 3 |" in card
    assert "| CC-BY | 1 | 3 |" in card
    assert "| CC-BY-NC-SA | 1 | 0 |" in card
    assert "no commercial use; what is made from it goes out under the same licence" in card
    assert "1 license" in card
    for name in ("species.svg", "places.svg"):
        assert f"(card/{name})" in card
        assert ET.parse(out / "card" / name).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    described = mlc.Dataset(jsonld=str(out / "croissant.json"))
    assert not described.metadata.ctx.issues.errors
    rows = list(described.records("images"))
    assert sorted(row["images/source_id"].decode() for row in rows) == ["2", "4", "6"]
    import datasets

    loaded = datasets.load_dataset("parquet", data_files=str(out / "audio.parquet"), split="train")
    assert sorted(loaded["source_id"]) == ["1", "5"]
    made = dataset.info["made"]
    assert tomllib.loads(made["plan"]) == tomllib.loads(text)
    assert made["plan_sha256"] == hashlib.sha256(made["plan"].encode()).hexdigest()
    assert server.agents == {f"biovita/{__version__} (contact: private@x.org)"}
    assert all(b"private@x.org" not in file.read_bytes() for file in out.rglob("*") if file.is_file())
    assert made["left_out"] == {"license": 1}


def test_another_directory_is_not_touched(tmp_path: Path) -> None:
    out = tmp_path / "data"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(DatasetError, match="was not made by a build"):
        build_soon(write_plan(tmp_path, []), out)
    assert [file.name for file in out.iterdir()] == ["thesis.txt"]


def test_files_at_hand_stay_where_they_are(tmp_path: Path) -> None:
    train = tmp_path / "release" / "train"
    (train / "audio").mkdir(parents=True)
    (train / "audio/a.wav").write_bytes(sound(1))
    (train / "audio/b.mp3").write_bytes(HTML)
    (train / "metadata.csv").write_text(
        "file_name,scientific_name,download_url,license\naudio/a.wav,Pica pica,,CC0-1.0\n"
        "audio/b.mp3,Pica pica,,CC0-1.0\n"
    )
    plan = tmp_path / "plan.toml"
    plan.write_text('name = "x"\n[[sources]]\nkind = "release"\npath = "release"\n')
    report = build_soon(plan, tmp_path / "data")
    dataset = Dataset.open(tmp_path / "data")
    assert dataset.audio["path"].to_pylist() == ["../release/train/audio/a.wav"]
    assert dataset.locate("../release/train/audio/a.wav") == train / "audio/a.wav"
    assert (report.fetched, report.rejected) == (0, {"not-audio": 1})
    build_soon(plan, tmp_path / "data")
    assert (train / "audio/a.wav").read_bytes() == sound(1)


def test_files_at_hand_are_looked_into_again_where_they_have_changed_or_were_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, looked = tmp_path / "release" / "train", []
    (train / "audio").mkdir(parents=True)
    for name, content in (("a.wav", sound(1)), ("b.wav", HTML), ("c.wav", sound(3))):
        (train / "audio" / name).write_bytes(content)
    rows = "".join(f"audio/{name}.wav,Pica pica,,CC0-1.0\n" for name in "abc")
    (train / "metadata.csv").write_text("file_name,scientific_name,download_url,license\n" + rows)
    plan = tmp_path / "plan.toml"
    plan.write_text('name = "x"\n[[sources]]\nkind = "release"\npath = "release"\n')
    monkeypatch.setattr(fill, "verify", lambda path, *rest: looked.append(path.name) or verify(path, *rest))
    assert build_soon(plan, tmp_path / "data").rejected == {"not-audio": 1}
    looked.clear()
    (train / "audio/a.wav").write_bytes(sound(4))
    os.utime(train / "audio/a.wav", ns=(1, 1))
    (train / "audio/b.wav").write_bytes(sound(5))
    report = build_soon(plan, tmp_path / "data")
    assert (sorted(looked), report.rejected, report.audio) == (["a.wav", "b.wav"], {}, 3)
    assert report.changes is not None
    assert (report.changes.new, report.changes.changed, report.changes.kept) == (1, 1, 1)
    hashes = Dataset.open(tmp_path / "data").audio["sha256"].to_pylist()
    assert sorted(hashes) == sorted(hashlib.sha256(sound(number)).hexdigest() for number in (3, 4, 5))


def test_what_is_unusual_about_recordings_that_are_used_is_said_and_kept(tmp_path: Path) -> None:
    train = tmp_path / "release" / "train"
    (train / "audio").mkdir(parents=True)
    for number in (1, 2, 3):
        content = bytearray(sound(number))
        at = content.find(b"data") + 4
        if number != 2:
            content[4:8] = content[at : at + 4] = b"\xff\xff\xff\xff"  # as pipes leave them
        (train / f"audio/{number}.wav").write_bytes(content)
    rows = "".join(f"audio/{number}.wav,Pica pica,,CC0-1.0\n" for number in (1, 2, 3))
    (train / "metadata.csv").write_text("file_name,scientific_name,download_url,license\n" + rows)
    plan = tmp_path / "plan.toml"
    plan.write_text('name = "x"\n[[sources]]\nkind = "release"\npath = "release"\n')
    for _ in range(2):  # the second run looks at no file
        report = build_soon(plan, tmp_path / "data")
        assert report.audio == 3
        assert [note for note in report.notes if "and 1 more: " in note and "header" in note]
        assert tomllib.loads((tmp_path / "data/dataset.toml").read_text())["made"]["notes"] == list(report.notes)
        assert f"note: {report.notes[0]}" in report_lines(report)


@pytest.mark.slow
def test_a_build_killed_again_and_again_gives_the_very_same_dataset(tmp_path: Path) -> None:
    """200 files, a server that fails in every way, and places that go to the next candidates, or stay empty."""
    count, most_kills = 200, 2
    random_ = random.Random(7)
    fails: list[tuple[int | str, ...]] = [(), (), (), (), (429,), (500, 503), ("cut",), ("hang-up",), (429, "cut")]
    with media_server() as server:

        def serve() -> list[dict[str, object]]:
            draw = random.Random(1)
            observations = []
            for number in range(1, count + 1):
                modality = "audio" if number % 2 else "image"
                content = sound(number, seconds=0.2) if number % 2 else picture(number, size=48)
                resource = Resource(content, fails=draw.choice(fails))
                kind = draw.random()
                if kind < 0.03:
                    resource.content = HTML
                elif kind < 0.05:
                    resource.content = content[: len(content) // 2]
                elif kind < 0.07:
                    resource = Resource(status=404)
                elif kind < 0.085:
                    resource.content = sound(1, seconds=0.2) if number % 2 else picture(2, size=48)
                elif kind < 0.10:
                    same = 3000 + number % 8  # as others of the species
                    resource.content = sound(same, seconds=0.2) if number % 2 else picture(same, size=48)
                elif kind < 0.12:
                    resource.ranges = False
                server.resources[f"/{number}"] = resource
                species = f"Pica {'abcdefgh'[number % 8]}ica"
                observations.append(observation(number, server.url(f"/{number}"), modality, species))
            return observations

        plan = write_plan(tmp_path, serve(), "[limits]\naudio_per_species = 23\nimages_per_species = 21\n")
        undisturbed = tmp_path / "undisturbed"
        report = build_soon(plan, undisturbed)
        assert report.refilled > 10
        assert report.empty.get("no-candidate", 0) > 0
        fetched = len(server.whole)
        server.asked.clear()
        server.whole.clear()
        out, said = tmp_path / "killed", tmp_path / "said"
        kills = 0
        while True:
            process = start_call(build_soon, plan, out, said=said)
            if kills == most_kills:
                assert finish(process) == 0, said.read_text()
                break
            target = (kills + random_.random()) / (most_kills + 1) * fetched
            while process.is_alive() and len(server.whole) < target:
                time.sleep(0.002)
            assert process.is_alive(), said.read_text()
            process.kill()
            process.join()
            kills += 1
        assert tree(out) == tree(undisturbed)
        dataset = Dataset.open(out)
        omitted = sum(count_omitted(dataset).values())
        assert dataset.audio.num_rows + dataset.images.num_rows + dataset.rejected.num_rows + omitted == count
        assert set(dataset.rejected["reason"].to_pylist()) >= {
            "not-audio", "not-image", "truncated", "gone", "duplicate", "ambiguous",
        }  # fmt: skip
        # Nothing came whole twice but what was in the air at a kill: at most 16 at once.
        assert sum(server.whole.values()) - len(server.whole) <= 16 * most_kills
        assert check(dataset, hashes=True) == []
