from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from biovita.benchmark import benchmark_from_split, score_benchmark
from biovita.benchmark.layout import write_benchmark
from biovita.benchmark.precomputed import Unit, read_precomputed
from biovita.benchmark.reader import read_benchmark
from biovita.embedding import Vectors
from biovita.errors import BiovitaError
from biovita.modality import Modality
from support.bench_cases import class_vectors, write_vectors


@pytest.fixture
def made(small, tmp_path):
    benchmark = read_benchmark(
        write_benchmark(benchmark_from_split(small), tmp_path / "bench", layout="published")
    )
    return benchmark, class_vectors(benchmark, small, noise=1.3)


def ranks(benchmark, vectors):
    return {s.task.name: s.ranks.tolist() for s in score_benchmark(benchmark, vectors).tasks}


def columns(table):
    return pa.table({"id": list(table.ids), "vector": list(table.vectors)})


def as_npy(path, modality, table):
    write_vectors(path, modality, table.ids, 3 * table.vectors)  # read as cosine


def as_lines(path, modality, table):
    np.save(path / f"{modality}.npy", table.vectors)
    (path / f"{modality}.ids.txt").write_text("\n".join(table.ids))


def as_order(path, modality, table):
    np.save(path / f"{modality}.npy", table.vectors)


def as_parquet(path, modality, table):
    pq.write_table(columns(table), path / f"{modality}.parquet")


def as_lance(path, modality, table):
    import lance

    lance.write_dataset(columns(table), path / f"{modality}.lance")


def as_files(path, modality, table):
    (path / modality).mkdir()
    for key, vector in zip(table.ids, table.vectors, strict=True):
        np.save(path / modality / f"{key}.npy", vector)


def as_torch(path, modality, table):
    import torch

    (path / modality).mkdir()
    for key, vector in zip(table.ids, table.vectors, strict=True):
        torch.save(torch.from_numpy(vector.copy())[None], path / modality / f"{key}.pt")


@pytest.mark.slow
@pytest.mark.parametrize("write", [as_npy, as_lines, as_order, as_parquet, as_lance, as_files, as_torch])
def test_every_form_gives_the_same_scores(made, tmp_path, write):
    benchmark, vectors = made
    path = tmp_path / "vectors"
    path.mkdir()
    for modality, table in vectors.items():
        write(path, modality, table)
    found, zeros = read_precomputed(path, benchmark)
    assert set(zeros.values()) == {0}
    assert ranks(benchmark, found) == ranks(benchmark, vectors)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_large_lance_tables_are_read_as_they_are_used(made, tmp_path, monkeypatch, dtype):
    import lance

    benchmark, vectors = made
    monkeypatch.setattr("biovita.benchmark.precomputed._IN_MEMORY", 100)
    kind = pa.list_(pa.float32() if dtype == "float32" else pa.float16(), 32)
    for modality, table in vectors.items():
        table.vectors[:] = table.vectors.astype(dtype)
        if modality == Modality.AUDIO:
            table.vectors[4] = 0
        column = pa.array([row.astype(dtype) for row in table.vectors], kind)
        lance.write_dataset(pa.table({"id": list(table.ids), "vector": column}), tmp_path / f"{modality}.lance")
    found, zeros = read_precomputed(tmp_path, benchmark)
    assert type(found[Modality.AUDIO].vectors.vectors).__name__ == "LanceVectors"
    assert zeros[Modality.AUDIO] == 1
    rows = np.array([7, 2, 2, 30])
    expected = vectors[Modality.IMAGE].vectors[rows]
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert found[Modality.IMAGE].vectors[rows] == pytest.approx(expected, abs=1e-6)
    table = vectors[Modality.AUDIO]
    unit = {
        m: type(t)(t.ids, t.vectors / np.maximum(np.linalg.norm(t.vectors, axis=1, keepdims=True), 1e-9))
        for m, t in vectors.items()
    }
    keep = [i for i in range(len(table.ids)) if i != 4]
    unit[Modality.AUDIO] = type(table)(tuple(table.ids[i] for i in keep), unit[Modality.AUDIO].vectors[keep])
    assert ranks(benchmark, found) == ranks(benchmark, unit)


def test_ids_of_the_published_index_are_known(made, tmp_path):
    benchmark, vectors = made
    for naming in ("{part}/{index_id}", "{path}"):
        path = tmp_path / str(len(naming))
        path.mkdir()
        for modality in (Modality.AUDIO, Modality.IMAGE):
            table = vectors[modality]
            ids = [naming.format(**row) for row in benchmark.items[modality].to_pylist()]
            write_vectors(path, modality, ids, table.vectors)
        found, _ = read_precomputed(path, benchmark)
        expected = ranks(benchmark, {m: t for m, t in vectors.items() if m != Modality.TEXT})
        assert ranks(benchmark, found) == expected
    (tmp_path / "double").mkdir()
    table = vectors[Modality.AUDIO]
    ids = [row["index_id"] for row in benchmark.items[Modality.AUDIO].to_pylist()]
    write_vectors(tmp_path / "double", Modality.AUDIO, ids, table.vectors)
    with pytest.raises(BiovitaError, match=r"means more than one.*unseen/0"):
        read_precomputed(tmp_path / "double", benchmark)


def test_zero_vectors_are_missing_features(made, tmp_path):
    benchmark, vectors = made
    table = vectors[Modality.AUDIO]
    table.vectors[3] = 0
    write_vectors(tmp_path, Modality.AUDIO, table.ids, table.vectors)
    write_vectors(tmp_path, Modality.TEXT, vectors[Modality.TEXT].ids, vectors[Modality.TEXT].vectors)
    found, zeros = read_precomputed(tmp_path, benchmark)
    assert zeros == {Modality.AUDIO: 1, Modality.TEXT: 0}
    scores = score_benchmark(benchmark, found)
    assert sum(s.absent_queries for s in scores.tasks if s.task.direction == "A2T") > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("audio.npy", b"no array", "cannot be read as an array"),
        ("audio.parquet", b"no table", "cannot be read"),
        ("audio.npy", "pickle", "cannot be read as an array"),
        ("audio.npy", "short", "vectors and"),
        ("audio.npy", "strange", "none of its"),
        ("audio.npy", "flat", "shape"),
    ],
)
def test_what_cannot_be_used_is_refused(made, tmp_path, name, content, message):
    benchmark, vectors = made
    file = tmp_path / name
    table = vectors[Modality.AUDIO]
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content == "pickle":
        np.save(file, np.array([{"a": 1}], object), allow_pickle=True)
    elif content == "short":
        np.save(file, table.vectors[:-1])
    elif content == "flat":
        np.save(file, table.vectors[:, 0])
    else:
        np.save(file, table.vectors)
        (tmp_path / "audio.ids.json").write_text(json.dumps([f"no-{key}" for key in table.ids]))
    with pytest.raises(BiovitaError, match=message):
        read_precomputed(tmp_path, benchmark)


def test_an_item_of_two_vectors_is_refused_with_both_rows(made, tmp_path):
    import torch

    benchmark, vectors = made
    table = vectors[Modality.IMAGE]
    first, second, third = table.ids[:3]
    doubled = Vectors([first, second, third, second], table.vectors[:4])
    for write in (as_npy, as_lines, as_parquet, as_lance, as_files):
        path = tmp_path / write.__name__
        path.mkdir()
        write(path, "image", doubled)
        if write is as_files:  # of one form a name is there once
            torch.save(torch.from_numpy(table.vectors[3].copy()), path / "image" / f"{second}.pt")
        with pytest.raises(
            BiovitaError, match=rf"image.*the id '{second}' is in row \d and in row \d\. An item has one"
        ):
            read_precomputed(path, benchmark)
    with pytest.raises(BiovitaError, match="is in row 2 and in row 4"):
        read_precomputed(tmp_path / "as_npy", benchmark)


def test_ids_hold_any_character_but_a_line_end(made, tmp_path):
    benchmark, vectors = made
    table = vectors[Modality.AUDIO]
    np.save(tmp_path / "audio.npy", table.vectors[:3])
    (tmp_path / "audio.ids.txt").write_bytes(f"{table.ids[0]}\r\nx\u2028y\x85\r\n{table.ids[2]}\r\n".encode())
    found, _ = read_precomputed(tmp_path, benchmark)
    assert list(found[Modality.AUDIO].ids) == [table.ids[0], "", table.ids[2]]


def test_a_file_of_another_length_or_with_code_in_it_is_named(made, tmp_path):
    import pickle

    benchmark, vectors = made
    as_files(tmp_path, Modality.AUDIO, vectors[Modality.AUDIO])
    odd = tmp_path / "audio" / f"{vectors[Modality.AUDIO].ids[0]}.npy"
    np.save(odd, np.ones(3, np.float32))
    with pytest.raises(BiovitaError, match=f"{odd.name} does not have 32 dimensions"):
        read_precomputed(tmp_path, benchmark)
    odd.unlink()
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return (open, (str(marker), "w"))

    odd.with_suffix(".pt").write_bytes(pickle.dumps(Evil(), protocol=2))
    with pytest.raises(BiovitaError, match="cannot be read safely as one vector"):
        read_precomputed(tmp_path, benchmark)
    assert not marker.exists()


def test_nothing_there_says_what_is_looked_for(made, tmp_path):
    with pytest.raises(BiovitaError, match=r"no vectors.*\.lance"):
        read_precomputed(tmp_path / "nowhere", made[0])


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1.0, 1e12, 1e30])
def test_vectors_of_any_length_are_normalised(scale):
    vectors = (scale * np.random.default_rng(0).standard_normal((5, 768))).astype(np.float32)
    expected = vectors.astype(np.float64) / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    np.testing.assert_allclose(Unit(vectors)[np.array([3, 1])], expected[[3, 1]], rtol=1e-6)
    np.testing.assert_allclose(Unit(vectors)[2], expected[2], rtol=1e-6)
