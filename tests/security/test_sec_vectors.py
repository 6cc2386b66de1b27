"""Vectors, runs and benchmarks that were made elsewhere: odd files are plain errors, and nothing outside is read."""

from __future__ import annotations

import csv
import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from biovita.benchmark import benchmark_from_split
from biovita.benchmark.layout import write_benchmark
from biovita.benchmark.reader import read_benchmark, read_with_problems
from biovita.dataset import split_dataset
from biovita.errors import BiovitaError
from biovita.modality import Modality
from support.bench_cases import write_small
from support.hostile import biovita, run_many


def npy_header(text: str, version: int = 1) -> bytes:
    packed = text.encode()
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(packed)) + packed


def npy(shape: str, descr: str = "'<f4'", *, data: int = 64) -> bytes:
    return npy_header(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n") + bytes(data)


ODD_ARRAYS: dict[str, bytes] = {
    "shape of terabytes": npy("(1000000000000, 4)"),
    "more than a word": npy("(99999999999999999999999, 4)"),
    "negative": npy("(-3, 4)"),
    "objects": npy("(4, 4)", "'|O'"),
    "structured": npy("(2, 2)", "[('a', '<f4'), ('b', '<f8')]"),
    "complex": npy("(2, 2)", "'<c8'"),
    "text": npy("(2, 2)", "'<U4'"),
    "no type": npy("(2, 2)", "'nonsense'"),
    "parentheses": npy_header("(" * 5000),
    "megabytes": npy_header("{" + " " * 3_000_000 + "}", 2),
    "cut": b"\x93NUMPY\x01",
    "empty": b"",
    "zip": b"PK\x05\x06" + bytes(18),
    "pickle": b"\x80\x04}.",
    "zero wide": npy("(4, 0)"),
    "flat": npy("(16,)"),
    "version": b"\x93NUMPY\x09\x00" + bytes(60),
    "open bracket": npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (2,\n"),
}


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    dataset = write_small(tmp_path / "small")
    split_dataset(dataset, unseen=8, seed=3, held_out=0.4)
    return write_benchmark(benchmark_from_split(dataset), tmp_path / "bench", layout="published")


def folder(tmp_path: Path, name: str, files: dict[str, bytes | str | Callable[[Path], object]]) -> Path:
    made = tmp_path / name.replace(" ", "-")
    made.mkdir()
    for file, content in files.items():
        place = made / file
        place.parent.mkdir(exist_ok=True)
        if callable(content):
            content(place)
        else:
            place.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    return made


def parquet(columns: dict[str, Any]) -> Callable[[Path], object]:
    return lambda file: pq.write_table(pa.table(columns), file)


@pytest.mark.slow
def test_vectors_of_every_odd_kind_are_plain_errors_of_bench_run(bench: Path, tmp_path: Path) -> None:
    good = npy("(2, 2)", data=16)
    ids = ["a", "b"]
    cases: dict[str, dict[str, Any]] = {name: {"audio.npy": content} for name, content in ODD_ARRAYS.items()}
    cases |= {
        "ids an object": {"audio.npy": good, "audio.ids.json": '{"a": 1}'},
        "ids of lists": {"audio.npy": good, "audio.ids.json": "[[1], {}]"},
        "ids deep": {"audio.npy": good, "audio.ids.json": "[" * 100_000},
        "ids of digits": {"audio.npy": good, "audio.ids.json": f"[{'9' * 5000}]"},
        "ids latin": {"audio.npy": good, "audio.ids.txt": b"\xff\n\xfe\n"},
        "ids surrogate": {"audio.npy": good, "audio.ids.json": '["\\ud800", "b"]'},
        "pt of words": {"audio/1.pt": lambda file: torch.save({"a": torch.zeros(2)}, file)},
        "pt of a list": {"audio/1.pt": lambda file: torch.save([1, 2], file)},
        "pt expanded": {"audio/1.pt": lambda file: torch.save(torch.zeros(1).expand(40_000, 40_000), file)},
        "pt sparse": {"audio/1.pt": lambda file: torch.save(torch.eye(4).to_sparse(), file)},
        "npy of objects": {"audio/1.npy": ODD_ARRAYS["objects"]},
        "npy parentheses": {"audio/1.npy": ODD_ARRAYS["parentheses"]},
        "pipe": {"audio/1.npy": os.mkfifo},
        "parquet of texts": {"audio.parquet": parquet({"id": ids, "vector": ["x", "y"]})},
        "parquet of numbers": {"audio.parquet": parquet({"id": ids, "vector": [1.0, 2.0]})},
        "parquet of text lists": {"audio.parquet": parquet({"id": ids, "vector": [["x"], ["y"]]})},
        "parquet of odd ids": {"audio.parquet": parquet({"id": [[1], [2]], "vector": [[1.0], [2.0]]})},
        "parquet without": {"audio.parquet": parquet({"id": ids})},
        "parquet none": {"audio.parquet": b"PAR1nonsense"},
        "lance none": {"audio.lance/x": b"nonsense"},
    }
    commands = [
        [
            "bench",
            "run",
            str(bench),
            "--model",
            f"vectors:{folder(tmp_path, name, files)}",
            "--out",
            str(tmp_path / "o"),
        ]
        for name, files in cases.items()
    ]
    said = run_many(tmp_path, commands)
    for name, text in zip(cases, said, strict=False):
        assert name.replace(" ", "-") in text, text


@pytest.mark.slow
def test_a_parquet_file_that_unpacks_to_gigabytes_is_refused(bench: Path, tmp_path: Path) -> None:
    rows = 12_800
    vector = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(rows * 1024, np.float32)), 1024)
    table = pa.table({"id": pa.array([str(n) for n in range(rows)]), "vector": vector})
    place = folder(tmp_path, "bomb", {}) / "audio.parquet"
    with pq.ParquetWriter(place, table.schema, compression="zstd") as writer:
        for _ in range(20):
            writer.write_table(table)
    assert place.stat().st_size < 8 << 20
    run = ("bench", "run", bench, "--model", f"vectors:{place.parent}", "--out", tmp_path / "o")
    told = biovita(*run, mib=1000, env={"BIOVITA_MEMORY": "256"})
    assert "--memory" in told.failed_plainly().said


@pytest.mark.parametrize("name", ODD_ARRAYS)
def test_odd_arrays_are_plain_errors(tmp_path: Path, name: str) -> None:
    from biovita.benchmark.vector_files import load_npy

    (tmp_path / "x.npy").write_bytes(ODD_ARRAYS[name])
    if name in {"flat", "zero wide"}:
        assert load_npy(tmp_path / "x.npy").ndim
        return
    with pytest.raises(BiovitaError, match=r"x\.npy"):
        load_npy(tmp_path / "x.npy")


def test_bytes_gone_wrong_in_a_header_are_told_or_do_no_harm(tmp_path: Path) -> None:
    from biovita.benchmark.vector_files import load_npy

    rng, whole = np.random.default_rng(0), npy("(2, 2)", data=16)
    refused = 0
    for _ in range(400):
        worn = bytearray(whole)
        for place in rng.integers(6, len(whole) - 16, size=3):
            worn[place] = rng.integers(256)
        (tmp_path / "x.npy").write_bytes(worn)
        try:
            load_npy(tmp_path / "x.npy")
        except BiovitaError:
            refused += 1
    assert refused > 200


def edit_manifest(bench: Path, **changes: Any) -> None:
    content = json.loads((bench / "manifest.json").read_text())
    (bench / "manifest.json").write_text(json.dumps({**content, **changes}))


def edit_csv(file: Path, column: str, value: str) -> None:
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    rows[0][column] = value
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.slow
def test_manifests_and_cells_of_every_odd_kind_are_plain_errors(bench: Path, tmp_path: Path) -> None:
    kept = (bench / "manifest.json").read_text()
    hostile: dict[str, str | dict[str, Any]] = {
        "deep": "[" * 100_000,
        "digits": '{"format": ' + "9" * 5000 + "}",
        "list": "[1]",
        "made": {"made": [1]},
        "text": {"made": {"text": ["x"]}},
        "candidates": {"made": {"candidates": "many"}},
        "root": {"media_root": 5},
        "far root": {"media_root": "../../.."},
        "absolute root": {"media_root": "/"},
        "odd root": {"media_root": "x\0y"},
        "hashes": {"sha256": [1]},
        "hash": {"sha256": {"a": 1}},
    }
    commands = []
    for name, content in hostile.items():
        place = tmp_path / name.replace(" ", "-")
        place.mkdir()
        for entry in bench.iterdir():
            if entry.is_dir():
                (place / entry.name).symlink_to(entry)
        text = content if isinstance(content, str) else json.dumps({**json.loads(kept), **content})
        (place / "manifest.json").write_text(text)
        commands.append(["bench", "verify", str(place)])
    ranks = tmp_path / "ranks.parquet"
    parquet({"part": [1], "rank": ["x"]})(ranks)
    commands.append(["bench", "compare", str(ranks), str(ranks)])
    run_many(tmp_path, commands)


@pytest.mark.slow
def test_a_manifest_reads_no_media_outside_the_benchmark_but_those_of_its_dataset(
    bench: Path, tmp_path: Path
) -> None:
    """What `bench build` writes leads to the dataset; a file that the dataset does not list is not read."""
    assert read_benchmark(bench).root is not None
    part = next(path for path in bench.iterdir() if path.is_dir())
    secret = tmp_path / "secret.wav"
    secret.write_bytes(b"mine")
    edit_csv(part / "audio_index.csv", "file_path", "../secret.wav")
    edit_manifest(bench, sha256={"../secret.wav": "0", "x" * 5000: "0"})
    told = biovita("bench", "verify", bench, "--json")
    assert told.code == 1, told.said
    assert "Traceback" not in told.said, told.said
    assert "leads out of the directory" in told.said
    assert "leads out of the benchmark" in told.said
    _, problems = read_with_problems(bench)
    assert "outside" in {problem.code for problem in problems}


def test_media_that_a_dataset_lists_outside_itself_are_read_as_before(tmp_path: Path) -> None:
    dataset = write_small(tmp_path / "small")
    split_dataset(dataset, unseen=8, seed=3, held_out=0.4)
    made = benchmark_from_split(dataset)
    table = dataset.media(Modality.AUDIO)
    column = table.schema.get_field_index("path")
    moved = [f"../elsewhere/{Path(path).name}" for path in table["path"].to_pylist()]
    pq.write_table(
        table.set_column(column, table.schema.field(column), pa.array(moved)), dataset.path / "audio.parquet"
    )
    items = made.items[Modality.AUDIO]
    at = items.schema.get_field_index("path")
    there = [f"../elsewhere/{Path(path).name}" for path in items["path"].to_pylist()]
    changed = {**made.items, Modality.AUDIO: items.set_column(at, items.schema.field(at), pa.array(there))}
    out = write_benchmark(
        type(made)(changed, made.tasks, (), made.made, made.root), tmp_path / "bench", layout="published"
    )
    assert not [problem for problem in read_with_problems(out)[1] if problem.code == "outside"]


@pytest.mark.slow
def test_tables_of_a_benchmark_that_multiply_are_refused(bench: Path, tmp_path: Path) -> None:
    long, wide, odd, empty = (tmp_path / name for name in ("long", "wide", "odd", "empty"))
    for place in (long, wide, odd, empty):
        shutil.copytree(bench, place)
    file = long / "seen" / "species" / "test_audio_to_image.csv"
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))[:2]
    sample = json.loads(rows[0]["candidates_target_ids"])[0]
    many = [rows[0]["correct_taxon"], *(f"t{number}" for number in range(20_000))]
    rows[0] |= {"candidates_taxa": json.dumps(many), "candidates_target_ids": json.dumps([sample] * len(many))}
    one = {
        "candidates_taxa": json.dumps([rows[1]["correct_taxon"]]),
        "candidates_target_ids": json.dumps([sample]),
    }
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerow(rows[0])
        writer.writerows({**rows[1], **one, "query_id": f"q{number}"} for number in range(20_000))
    index = wide / "seen" / "audio_index.csv"
    header, *rest = index.read_text().splitlines()
    index.write_text("\n".join([f"{header},{','.join(f'c{n}' for n in range(20_000))}", *rest, *["x"] * 5000]))
    (odd / "unseen").rename(odd / "un\udcffseen")
    for each in empty.rglob("*image*.csv"):
        each.write_text(each.read_text().splitlines()[0] + "\n")
    np.save(empty / "image.npy", np.ones((1, 4), np.float32))
    (empty / "image.ids.json").write_text('["a"]')
    said = run_many(
        tmp_path,
        [
            ["bench", "verify", str(long)],
            ["bench", "verify", str(wide)],
            ["bench", "verify", str(odd)],
            ["bench", "run", str(empty), "--model", f"vectors:{empty}", "--out", str(tmp_path / "out")],
        ],
    )
    for each, why in zip(
        said, ("MiB of memory", "20,0", "Rename the folder", "no image items at all"), strict=False
    ):
        assert why in each


@pytest.mark.slow
def test_verify_reads_media_where_it_is_told_to(bench: Path, tmp_path: Path) -> None:
    edit_manifest(bench, media_root="../elsewhere")
    assert "media_root" in biovita("bench", "verify", bench).failed_plainly().err
    said = biovita("bench", "verify", bench, "--media-root", tmp_path / "small")
    assert "media files read" in said.out
