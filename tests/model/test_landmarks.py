"""The file of landmarks: what is written is read, and what is not as it has to be is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from biovita.errors import ModelError
from biovita.model.landmarks import LANDMARKS, Landmarks, landmarks_bytes, read_landmarks
from biovita.taxonomy import Rank, Taxon
from biovita.trait_labels import LABELS

DIM = 4
TAXA = (
    Taxon(
        "t1", "Pica pica", "Eurasian Magpie", class_="Aves", order="Passeriformes", family="Corvidae", genus="Pica"
    ),
    Taxon("t2", "Pica pica", None, class_="Aves"),  # a dataset may have a name twice
    Taxon("t3", "Corvidae", rank=Rank.FAMILY, order="Passeriformes"),
    Taxon("pica_pica", "Pica pica", genus="Pica", family="Corvidae"),
    Taxon("corvus_corax", "Corvus corax", genus="Corvus", family="Corvidae"),
)


def landmarks() -> Landmarks:
    rng = np.random.default_rng(0)
    names, media = rng.standard_normal((2, len(TAXA), DIM))
    names, media = (rows / np.linalg.norm(rows, axis=1)[:, None] for rows in (names, media))
    media[1] = 0
    labels = {"t1": {LABELS[0]: True, LABELS[5]: False}, "t2": {}, "t3": {LABELS[2]: False}}
    return Landmarks(TAXA, 3, labels, names.astype(np.float16), media.astype(np.float16), np.array([6000, 7]))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    (tmp_path / LANDMARKS).write_bytes(landmarks_bytes(landmarks()))
    return tmp_path


def test_what_is_written_is_read(written: Path) -> None:
    mine, found = landmarks(), read_landmarks(written, DIM)
    assert found.taxa == mine.taxa
    assert found.trained == 3
    assert found.labels == mine.labels
    np.testing.assert_array_equal(found.names, mine.names)
    np.testing.assert_array_equal(found.media, mine.media)
    assert found.numbers.tolist() == [6000, 7]
    assert landmarks_bytes(found) == landmarks_bytes(mine)


def test_who_has_no_media_is_no_relative_but_has_a_name() -> None:
    mine = landmarks()
    assert [taxon.id for taxon in mine.items.taxa] == ["t1", "t3"]
    np.testing.assert_array_equal(mine.items.vectors, mine.media[[0, 2]])
    assert [taxon.id for taxon in mine.classes.taxa] == ["pica_pica", "corvus_corax"]
    assert mine.met == {"pica pica", "corvidae", "corvus corax"}
    found = mine.book.find("eurasian magpie")
    assert found is not None
    assert found.id == "t1"
    assert mine.book.find("Corvus corax") is None, "it was not trained on"


def test_no_landmarks_are_written_and_read(tmp_path: Path) -> None:
    none = Landmarks((), 0, {}, np.zeros((0, DIM), np.float16), np.zeros((0, DIM), np.float16))
    (tmp_path / LANDMARKS).write_bytes(landmarks_bytes(none))
    assert read_landmarks(tmp_path, DIM).taxa == ()


Change = Callable[[dict[str, pa.Array]], object]


def column(name: str, values: list[object], kind: pa.DataType | None = None) -> Change:
    return lambda columns: columns.update({name: pa.array(values, kind)})


def vectors(value: float, row: int = 0, name: str = "name") -> Change:
    def change(columns: dict[str, pa.Array]) -> None:
        rows = np.array(columns[name].to_pylist(), np.float16)
        rows[row] = value
        columns[name] = pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), DIM)

    return change


NAMES = [taxon.scientific_name for taxon in TAXA]
BAD: dict[str, tuple[Change, str]] = {
    "no vectors": (lambda columns: columns.pop("media"), "column media is None"),
    "no ranks": (lambda columns: columns.pop("rank"), "lacks the column.* rank"),
    "not true or false": (column("trained", ["maybe"] * 5), "column trained"),
    "a gap in trained": (column("trained", [True, None, True, False, False]), "column trained .*gaps"),
    "classes first": (column("trained", [True, True, False, True, False]), "trained on have to come first"),
    "no name": (column("scientific_name", [*NAMES[:4], None]), "a taxon has no scientific_name"),
    "an empty name": (column("scientific_name", [*NAMES[:4], " "]), "a taxon has no scientific_name"),
    "a list for a name": (column("scientific_name", [[1]] * 5), "column scientific_name is of list"),
    "a class without a number": (column("class_number", [None, None, None, 7, None]), "class_number has gaps"),
    "a class below 0": (column("class_number", [None, None, None, 7, -1]), "class_number has .*below 0"),
    "an unknown rank": (column("rank", ["tribe"] * 5), "tribe"),
    "an id twice": (column("id", ["t1", "t1", "t3", "x", "y"]), "two taxa have the id 't1'"),
    "labels in a list": (column("labels_true", [["nocturnal"]] * 5), "column labels_true is of list"),
    "a dictionary of vectors": (
        lambda columns: columns.update(name=pa.array([["a"] * DIM] * 5, pa.list_(pa.string(), DIM))),
        "column name is fixed_size_list<.*string",
    ),
    "not a number": (vectors(np.nan), "column name is not of length 1"),
    "infinite": (vectors(np.inf, name="media"), "column media is not of length 1"),
    "too long": (vectors(30000), "column name is not of length 1"),
    "a name without a direction": (vectors(0), "a name has no direction"),
    "single precision": (
        lambda columns: columns.update(name=columns["name"].cast(pa.list_(pa.float32(), DIM))),
        "column name is fixed_size_list<.*float.*lists of 4 numbers of 16 bits",
    ),
    "lists of any length": (
        lambda columns: columns.update(name=pa.array(columns["name"].to_pylist(), pa.list_(pa.float16()))),
        "column name is list",
    ),
    "a gap in a vector": (
        lambda columns: columns.update(
            name=pa.FixedSizeListArray.from_arrays(pa.array([None] * 20, pa.float16()), DIM)
        ),
        "column name .*gaps",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_not_as_it_has_to_be_is_refused_by_file_and_reason(written: Path, case: str) -> None:
    change, said = BAD[case]
    file = written / LANDMARKS
    table = pq.read_table(file)
    columns = {name: table[name].combine_chunks() for name in table.column_names}
    change(columns)
    pq.write_table(pa.table(columns), file)
    with pytest.raises(ModelError, match=f"{re.escape(str(file))} is damaged: .*{said}"):
        read_landmarks(written, DIM)


def test_vectors_of_another_space_are_refused(written: Path) -> None:
    with pytest.raises(ModelError, match=r"column name is .*It has to be lists of 5 numbers of 16 bits"):
        read_landmarks(written, 5)


def test_a_missing_and_a_cut_file_are_refused(written: Path) -> None:
    file = written / LANDMARKS
    content = file.read_bytes()
    for size in (0, 3, len(content) // 2, len(content) - 1):
        file.write_bytes(content[:size])
        with pytest.raises(ModelError, match="is damaged"):
            read_landmarks(written, DIM)
    file.unlink()
    with pytest.raises(ModelError, match=r"not a complete model directory\. It has no landmarks"):
        read_landmarks(written, DIM)


def test_more_rows_than_the_limit_are_refused_before_they_are_unpacked(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("biovita.parquet.limit", lambda name: 2)
    with pytest.raises(ModelError, match="has 5 rows"):
        read_landmarks(written, DIM)


def test_unknown_labels_are_not_taken(tmp_path: Path) -> None:
    odd = replace(landmarks(), labels={"t1": {LABELS[0]: True, "lays golden eggs": True}})
    (tmp_path / LANDMARKS).write_bytes(landmarks_bytes(odd))
    assert read_landmarks(tmp_path, DIM).labels["t1"] == {LABELS[0]: True}


def test_texts_that_grow_as_they_are_unpacked_are_refused(written: Path) -> None:
    file = written / LANDMARKS
    table = pq.read_table(file)
    pq.write_table(table, file, use_dictionary=False, column_encoding={"common_name": "DELTA_BYTE_ARRAY"})
    with pytest.raises(ModelError, match="common_name is encoded as DELTA_BYTE_ARRAY"):
        read_landmarks(written, DIM)
