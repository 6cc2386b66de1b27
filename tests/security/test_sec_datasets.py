"""Datasets of others, damaged or made to do harm: each is a plain error of every command, or costs a row."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lance
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from biovita.compute.pipeline import load_ahead
from biovita.dataset.schema import AUDIO, OMITTED, REJECTED, TAXA
from biovita.embedding.made import Made
from biovita.media import LongSound, read_mono
from biovita.media.inputs import Clip
from biovita.model import describe
from biovita.towers.audio_windows import AudioInput
from biovita.towers.long_recordings import LongWindows
from support.hostile import biovita
from support.hostile_data import commands, dataset, digest, media

Change = Callable[[Path], object]


def _foreign(root: Path, change: Change) -> Path:
    media(root / "media")
    made = dataset(root, [{"path": "media/0.wav"}, {"path": "media/1.wav"}], [{"path": "media/0.png"}])
    change(made)
    return made


def _repeated(value: object, count: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([value]))


def _table(name: str, schema: pa.Schema, rows: int, **columns: pa.Array) -> Change:
    """Write a table in the place of that of a dataset: the columns given, all else a constant or nothing."""
    texts = _repeated("x", rows)
    arrays = [
        columns.get(field.name, texts if field.type == pa.string() else pa.nulls(rows, field.type))
        for field in schema
    ]
    made = pa.table(dict(zip(schema.names, arrays, strict=True)))
    return lambda root: pq.write_table(made, root / f"{name}.parquet", compression="zstd")


def _nothing(root: Path) -> None:
    schema = pa.schema([field.with_nullable(True) for field in TAXA])
    rows = 4_000_000
    pq.write_table(
        pa.Table.from_arrays([pa.nulls(rows, f.type) for f in schema], schema=schema), root / "taxa.parquet"
    )


def _omitted(root: Path) -> None:
    columns = [pa.array(["x" * 500_000 if f.name == "reason" else "x"] * 400) for f in OMITTED]
    pq.write_table(pa.Table.from_arrays(columns, schema=OMITTED), root / "omitted.parquet", compression="zstd")


def _delta(root: Path) -> None:
    names = pa.array(["x" * 900_000] * 300)
    columns = {field.name: names if field.name == "scientific_name" else pa.array(["x"] * 300) for field in TAXA}
    pq.write_table(
        pa.table(columns),
        root / "taxa.parquet",
        compression="zstd",
        use_dictionary=False,
        column_encoding={"scientific_name": "DELTA_BYTE_ARRAY"},
    )


@pytest.mark.slow
def test_tables_of_a_dataset_that_grow_are_refused(tmp_path: Path) -> None:
    empty, large, growing = "with null values to non-nullable", "more than 64 MiB", "DELTA_BYTE_ARRAY"
    many, long = _repeated("x" * 900_000, 20_000), _repeated("x" * 1_100_000, 1)
    cases: dict[str, tuple[Change, str, str]] = {  # what show says, and what check says
        "nothing": (_nothing, empty, "taxon_id is empty in 4000000 rows"),
        "cells": (_table("audio", AUDIO, 20_000, license=many), empty, large),
        "cell": (_table("audio", AUDIO, 1, license=long), empty, "--limit cell"),
        "omitted": (_omitted, large, large),
        "growing": (_delta, growing, growing),
    }
    made = {name: _foreign(tmp_path / name, change) for name, (change, *_) in cases.items()}
    assert all(file.stat().st_size < 1_200_000 for root in made.values() for file in root.glob("*.parquet"))
    asked = [["data", command, root, "--memory", 64] for root in made.values() for command in ("show", "check")]
    said = commands(tmp_path, *asked, mib=600)
    for (_, *words), shown, checked in zip(cases.values(), said[::2], said[1::2], strict=True):
        shown.refused(words[0], ".parquet")
        assert checked.code == 1, checked.text
        assert words[1] in checked.text, checked.text


def test_many_rows_are_read_some_at_a_time(tmp_path: Path) -> None:
    root = _foreign(tmp_path / "rows", _table("rejected", REJECTED, 900_000, detail=_repeated("x" * 500, 900_000)))
    shown, checked = commands(
        tmp_path, *(["data", each, root, "--memory", 64] for each in ("show", "check")), mib=600
    )
    assert shown.code == 0, shown.text
    assert (checked.code, "row is empty in 900000 rows" in checked.text) == (1, True), checked.text


def _column(table: str, column: str, values: pa.Array) -> Change:
    def change(root: Path) -> None:
        file = root / f"{table}.parquet"
        before = pq.read_table(file)
        at = before.schema.get_field_index(column)
        pq.write_table(before.set_column(at, pa.field(column, values.type), values), file)

    return change


def _not_utf8(count: int) -> pa.Array:
    return pa.Array.from_buffers(pa.string(), count, pa.array([b"\xff\xfe"] * count, pa.binary()).buffers())


def _file(name: str, content: str) -> Change:
    return lambda root: (root / name).write_text(content)


def _parquet(name: str, /, **columns: Sequence[Any]) -> Change:
    return lambda root: pq.write_table(pa.table(columns), root / name)


def _pipe(name: str) -> Change:
    def change(root: Path) -> None:
        (root / name).unlink(missing_ok=True)
        os.mkfifo(root / name)

    return change


@pytest.mark.slow
def test_odd_tables_and_files_of_a_dataset_are_plain_errors(tmp_path: Path) -> None:
    traits = tmp_path / "traits.csv"
    traits.write_text("name,label,value\nPica pica,carnivore,true\n")
    label = {"taxon_id": ["pica_pica"], "label": ["nonsense"], "value": [True], "source": ["x"]}
    lists = {"name": [["a"]], "species_id": ["b"], "parsed": ["c"]}
    show, card = ["data", "show"], ["data", "card"]
    cases: list[tuple[Change, list[object], str]] = [
        (_column("audio", "license", _not_utf8(2)), show, "license"),
        (_column("taxa", "scientific_name", _not_utf8(1)), ["data", "export", "hub"], "scientific_name"),
        (_column("audio", "id", pa.array([["a"], ["b"]])), ["data", "split"], "the column id is of list"),
        (_file("dataset.toml", "format = 1\n" + ".".join("a" * 20_000) + " = 1\n"), show, "too deep"),
        (_parquet("traits.parquet", **label), ["traits", "coverage"], "unknown trait label"),
        (_parquet("taxonomy_decisions.parquet", **lists), ["traits", "import", "--csv", traits], "column name is"),
        (_pipe("README.md"), card, "neither a file nor a folder"),
        (_pipe("ATTRIBUTION.csv"), card, "neither a file nor a folder"),
        (_pipe("croissant.json"), card, "neither a file nor a folder"),
        (
            _column("audio", "start_s", pa.array([np.nan] * 2)),
            ["data", "export", "hub"],
            "is not within this file",
        ),
        (_column("audio", "end_s", pa.array([np.nan] * 2)), ["data", "export", "hub"], "is not within this file"),
    ]
    asked = []
    for number, (change, command, _) in enumerate(cases):
        root = _foreign(tmp_path / f"d{number}", change)
        out = ["--out", tmp_path / f"out{number}"] if "hub" in command else []
        unseen = ["--unseen", 0] if "split" in command else []
        places = 3 if "hub" in command else 2
        asked.append([*command[:places], root, *command[places:], *out, *unseen])
    for number, column in enumerate(("start_s", "end_s", "start_s")):
        values = pa.array([(np.inf, np.nan, -1e308)[number]] * 2)
        asked.append(
            ["data", "show", _foreign(tmp_path / f"s{number}", _column("audio", column, values)), "--json"]
        )
    said = commands(tmp_path, *asked)
    for (_, _, words), answer in zip(cases, said, strict=False):
        answer.refused(words)
    for answer in said[len(cases) :]:
        answer.succeeded('"seconds": 0')
        json.loads(answer.text)


def _packed(root: Path, **columns: pa.Array) -> Path:
    """Say that the media of a dataset are packed, in a table whose columns are as given or as they have to be."""
    files = sorted((root / "media").glob("*.wav"))
    good = {
        "path": pa.array([f"media/{file.name}" for file in files]),
        "modality": pa.array(["audio"] * len(files)),
        "sha256": pa.array([digest(file) for file in files]),
        "bytes": pa.array([file.stat().st_size for file in files]),
        "content": pa.array([file.read_bytes() for file in files], pa.large_binary()),
    }
    lance.write_dataset(pa.table({**good, **columns}), str(root / "media.lance"))
    text = (root / "dataset.toml").read_text()
    (root / "dataset.toml").write_text(f'packed = "media.lance"\n{text}')
    return root


@pytest.mark.slow
def test_packed_media_of_odd_columns_and_sizes_are_plain_errors(tmp_path: Path) -> None:
    none = pa.nulls(2, pa.int64())
    cases: dict[str, tuple[dict[str, pa.Array], str]] = {
        "numbers": ({"path": pa.array([1, 2])}, "its column path is of int64"),
        "words": ({"content": pa.array(["a", "b"])}, "does not have the"),
        "nothing": ({"content": pa.nulls(2, pa.large_binary())}, "does not have the"),
        "sizes": ({"bytes": none}, "does not state path, hash and size"),
        "paths": ({"path": pa.nulls(2, pa.string())}, "does not state path, hash and size"),
        "large": ({"bytes": pa.array([1 << 50] * 2)}, "--memory is"),
        "negative": ({"bytes": pa.array([-1] * 2)}, "does not have the"),
        "more": ({"content": pa.array([bytes(1 << 20)] * 2, pa.large_binary())}, "does not have the"),
    }
    roots = {
        name: _packed(_foreign(tmp_path / name, lambda root: None), **columns)
        for name, (columns, _) in cases.items()
    }
    damaged = _packed(_foreign(tmp_path / "damaged", lambda root: None))
    for file in (damaged / "media.lance/_versions").iterdir():
        file.write_bytes(b"\xff" * 300)
    asked = [
        command
        for name, root in roots.items()
        for command in (
            ["data", "export", "release", root, "--out", tmp_path / f"{name}-out"],
            ["data", "unpack", root / "media.lance", "--out", tmp_path / f"{name}-files"],
            ["data", "check", root, "--hashes"],
        )
    ]
    said = commands(tmp_path, *asked, ["data", "check", damaged])
    for number, (name, (_, words)) in enumerate(cases.items()):
        exported, unpacked, checked = said[3 * number : 3 * number + 3]
        exported.refused(words)
        unpacked.refused(words)
        assert not list((tmp_path / f"{name}-files").rglob("*.wav"))
        assert checked.code == 1, checked.text
    assert said[-1].code == 1
    assert "is not packed media" in said[-1].text
    assert all("Traceback (most" not in each.text for each in said)


def _vectors(root: Path, table: pa.Table, made: object) -> None:
    described = table.replace_schema_metadata({b"biovita": json.dumps(made).encode()})
    lance.write_dataset(described, str(root / "embeddings/starter/text.lance"))


@pytest.mark.slow
def test_embeddings_of_others_are_plain_errors(tmp_path: Path) -> None:
    made = asdict(Made.by(describe("starter").encoders["text"]))
    deep: list[Any] = []
    for _ in range(200):
        deep = [deep]
    failed = {"modality": ["nonsense"], "id": ["a"], "reason": ["b"], "detail": ["c"]}
    ids = pa.table({"id": pa.array([1, 2])})
    changes: dict[str, Change] = {
        "columns": lambda root: _vectors(root, pa.table({"x": [1]}), made),
        "types": lambda root: _vectors(root, ids, made),
        "deep": lambda root: _vectors(root, ids, deep),
        "list": lambda root: _vectors(root, ids, [1]),
        "modality": lambda root: pq.write_table(pa.table(failed), root / "embeddings/starter/failed.parquet"),
        "junk": lambda root: (root / "embeddings/starter/failed.parquet").write_bytes(b"PAR1junk"),
    }
    asked = []
    for name, change in changes.items():
        root = _foreign(tmp_path / name, lambda root: None)
        (root / "embeddings/starter").mkdir(parents=True)
        change(root)
        asked.append(["embed", root, "--modality", "text"])
    for name, said in zip(changes, commands(tmp_path, *asked, mib=2500), strict=True):
        said.refused("emove it" if name != "junk" else "cannot be read as Parquet")


@pytest.mark.slow
def test_media_are_published_some_at_a_time_and_in_a_format_that_takes_them(tmp_path: Path) -> None:
    folder = tmp_path / "wide/media"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    soundfile.write(folder / "0.wav", 0.1 * rng.standard_normal((4000, 16)), 8000)
    soundfile.write(folder / "1.wav", 0.1 * rng.standard_normal((400_000, 1)), 999_983)
    rows = [{"path": f"media/{n}.wav", "start_s": 0.1, "end_s": 0.2} for n in range(2)]
    wide = dataset(tmp_path / "wide", rows)
    large = tmp_path / "large/media/0.wav"
    large.parent.mkdir(parents=True)
    soundfile.write(large, np.zeros((40_000_000, 1), np.int16), 48000)
    whole = {"path": "media/0.wav", "start_s": 0.0, "end_s": 900.0, "duration_s": 833.0}
    held = dataset(tmp_path / "large", [whole])
    written, refused = commands(
        tmp_path,
        ["data", "export", "hub", wide, "--out", tmp_path / "hub"],
        ["data", "export", "hub", held, "--out", tmp_path / "hub2", "--memory", 64],
        mib=600,
    )
    written.succeeded()
    refused.refused("--memory")
    sounds = pq.read_table(tmp_path / "hub/audio").to_pylist()
    assert [each["audio"]["bytes"][:4] for each in sounds] == [b"RIFF", b"RIFF"]


def test_a_recording_is_long_by_what_it_takes_at_the_rate_of_the_tower(tmp_path: Path) -> None:
    file = tmp_path / "slow.flac"
    soundfile.write(file, np.random.default_rng(0).normal(0, 0.1, 500_000), 1000)
    assert isinstance(read_mono(file), tuple)
    assert isinstance(read_mono(file, for_rate=48_000), LongSound)
    assert isinstance(AudioInput(window="all")(file), LongWindows)
    assert isinstance(AudioInput(window="start")(file), np.ndarray)


def test_workers_share_the_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    at_work, most = 0, 0

    def load(_: Clip) -> np.ndarray:
        nonlocal at_work, most
        at_work += 1
        time.sleep(0.02)
        most = max(most, at_work)
        at_work -= 1
        return np.zeros(1)

    for memory, seconds, expected in ((1024, 345.0, 2), (64, 345.0, 1), (1024, 3.0, 12)):
        monkeypatch.setenv("BIOVITA_MEMORY", str(memory))
        most = 0
        clips = ((n, Clip(tmp_path / "x", 0.0, seconds)) for n in range(24))
        rows = [row for row, _ in load_ahead(clips, load, workers=12, ahead=12)]
        assert rows == list(range(24))
        assert most <= expected
        assert most > expected // 2


@pytest.mark.slow
def test_the_name_of_a_folder_is_no_address_and_no_home(tmp_path: Path) -> None:
    for name in ("file:", "s3:b", "~", os.fsdecode(b"\xff")):
        root = _foreign(tmp_path / "plain", lambda root: None)
        (root / "README.md").write_text("# Own words\n\n---\n\nmore\n")
        root.rename(tmp_path / name)
        biovita("data", "split", f"./{name}", "--unseen", 0, cwd=tmp_path).succeeded()
        assert set(pq.read_table((tmp_path / name / "audio.parquet").open("rb"))["split"].to_pylist()) > {"seen"}
    biovita("data", "export", "hub", "./s3:b", "--out", "hub", cwd=tmp_path).succeeded()
    assert "# Own words" in (tmp_path / "hub/README.md").read_text()
