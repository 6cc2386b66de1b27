"""What has to be embedded, against the rule told row by row; hashes of texts; and which files are looked at."""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from biovita.dataset import Dataset
from biovita.embedding import Items, LanceStore, MemoryTable, dataset_items, embed_items, engine, file_looks, items
from biovita.embedding.keys import Keys
from biovita.embedding.made import Made
from biovita.embedding.pending import plan, up_to_date
from biovita.embedding.shards import shards
from biovita.embedding.store import COLUMNS, WHOLE
from biovita.embedding.text_hashes import NO_TEXT, text_hashes
from biovita.errors import DatasetError
from biovita.limits import set_memory
from biovita.modality import Modality
from support.plain_model import TAXA, Builder, plain_towers

AUDIO, IMAGE, TEXT = Modality.AUDIO, Modality.IMAGE, Modality.TEXT
FILES = 30


def content(number: int) -> bytes:
    return b"bytes of %d" % (number % 20)


def sha256(number: int) -> str:
    return hashlib.sha256(content(number)).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Thirty files, some of the same bytes."""
    for number in range(FILES):
        (tmp_path / f"{number}.bin").write_bytes(content(number))
        os.utime(tmp_path / f"{number}.bin", ns=(10**18 + number, 10**18 + number))
    return tmp_path


def drawn(rng: random.Random, folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return items, and rows of a table that knows most of them, some as they were before."""
    asked, known = [], []
    for number in range(rng.choice([0, 1, 5, 60])):
        file = rng.randrange(FILES + 3)  # the last ones are not there
        place = folder / f"{file}.bin"
        row = {
            "id": f"{rng.choice(['ç', 'item ', ''])}{number}",
            "taxon_id": rng.choice(["a", "b", None]),
            "sha256": rng.choice([sha256(file), sha256(file), None]),
            "start_s": rng.choice([0.0, 1.5, None]),
            "end_s": rng.choice([3.0, None]),
            "path": rng.choice([str(place)] * 6 + [str(folder / "no folder" / "x"), None]),
        }
        asked.append(row)
        size, time = (place.stat().st_size, place.stat().st_mtime_ns) if place.exists() else (-1, -1)
        row = {
            **row,
            "sha256": row["sha256"] or sha256(file),
            "file_size": size,
            "file_mtime_ns": time,
            "shard": "s",
        }
        del row["path"]
        changes = {"taxon_id": None, "sha256": "e" * 64, "start_s": 9.0, "end_s": None, "file_mtime_ns": 7}
        for name in rng.sample(sorted(changes), rng.choice([0, 0, 1, 2])):
            row[name] = changes[name]
        known += [{**row, "window": window} for window in rng.choice([[WHOLE], [WHOLE], [0, WHOLE, 1], [0], []])]
    rng.shuffle(known)
    return asked, known


def stated(modality: Modality, item: dict[str, Any], row: dict[str, Any]) -> bool:
    """Say by the rule whether a row's vector is of an item as it is described."""
    spans = all(item[name] == row[name] for name in ("start_s", "end_s"))
    return modality == TEXT or (spans and item["sha256"] in {None, row["sha256"]})


def told(modality: Modality, asked: list[dict[str, Any]], known: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what there is to do, looking at one item after the other."""
    rows = {row["id"]: (number, row) for number, row in enumerate(known) if row["window"] == WHOLE}
    places, same, new, refresh = [], [], [], {}
    for place, item in enumerate(asked):
        number, row = rows.get(item["id"], (-1, {}))
        places.append(number)
        same.append(number >= 0 and stated(modality, item, row))
        if not same[-1]:
            new.append(place)
            continue
        if modality == TEXT:
            continue
        file = Path(item["path"] or "/nothing")
        before = row["file_size"], row["file_mtime_ns"]
        now = (file.stat().st_size, file.stat().st_mtime_ns) if file.is_file() else before
        if now != before and hashlib.sha256(file.read_bytes()).hexdigest() != row["sha256"]:
            new.append(place)
        elif now != before or item["taxon_id"] != row["taxon_id"]:
            refresh[item["id"]] = (item["taxon_id"], *now)
    replaced = [places[place] >= 0 for place in new]
    return {"places": places, "same": same, "new": new, "replaced": replaced, "refresh": refresh}


@pytest.mark.parametrize("modality", list(Modality))
def test_what_is_to_be_done_is_what_the_rule_says_of_each_item(
    folder: Path, modality: Modality, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(items, "_BATCH_ROWS", 7)
    monkeypatch.setattr(file_looks, "_TOGETHER", 2)
    for seed in range(25):
        asked, known = drawn(random.Random(f"{modality} {seed}"), folder)
        table = pa.Table.from_pylist(
            asked, schema=pa.schema([items.ITEMS.field(n) for n in items.ITEMS.names[:6]])
        )
        state = pa.Table.from_pylist(known, schema=COLUMNS)
        some = Items.of(modality, table)
        places, same = up_to_date(some, state)
        todo = plan(some, iter(state.to_batches(max_chunksize=5)))
        refresh = {row["id"]: tuple(row.values())[1:] for row in todo.refresh.to_pylist()}
        found = {
            "places": places.tolist(),
            "same": same.tolist(),
            "new": todo.new.tolist(),
            "replaced": todo.replaced.tolist(),
            "refresh": refresh,
        }
        assert found == told(modality, asked, known), seed
        assert todo.kept == len(asked) - len(todo.new)
        assert todo.replaced_ids() == [asked[place]["id"] for place in todo.new[todo.replaced]]


def test_batches_cut_no_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long and short recordings, some of which are not new, come as the same shards whatever is read at once."""
    ends = np.random.default_rng(0).choice([5.0, 600.0, 4000.0], 700)
    table = pa.table({"id": [f"r{n}" for n in range(700)], "start_s": np.zeros(700), "end_s": ends})
    rows = [{"id": f"r{n}", "window": WHOLE, "start_s": 0.0, "end_s": float(ends[n])} for n in range(0, 700, 3)]
    state = pa.Table.from_pylist(rows, schema=COLUMNS)
    cut = {}
    for size in (1 << 16, 100, 7):
        monkeypatch.setattr(items, "_BATCH_ROWS", size)
        todo = plan(Items.of(AUDIO, table), state.to_batches())
        cut[size] = [(each.key, each.rows["id"].to_pylist()) for each in shards(todo, Made("tower", "1", 3, ""))]
    assert cut[7] == cut[100] == cut[1 << 16]
    assert len(cut[7]) > 20


def test_each_file_is_asked_for_its_state_once_and_none_in_a_folder_that_is_gone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    state = file_looks.file_state
    monkeypatch.setattr(file_looks, "file_state", lambda place: asked.append(place.name) or state(place))
    paths = [f"{folder}/1.bin"] * 5 + [f"{folder}/99.bin", None, *(f"{folder}/gone/{n}.bin" for n in range(50))]
    sizes = np.full(len(paths), len(content(1)))
    times = np.full(len(paths), 10**18 + 1)
    times[3] = 7
    with file_looks.file_looks(Path) as looks:
        found = looks.changed(pa.array(paths), sizes, times)
    assert asked == ["1.bin", "99.bin", ""]
    assert {row: look.sha256 for row, look in found.items()} == {3: sha256(1)}


def test_hashes_of_texts_tell_them_apart_and_are_the_same_wherever_the_texts_lie() -> None:
    texts = ["", "a", "a\0", "\0a", "ab", "1234567", "12345678", "12345678\0", "123456789", "ç", "中文", "x" * 100]
    column = pa.array(texts)
    hashes = text_hashes(column)
    assert len({*hashes.tolist()}) == len(texts)
    assert NO_TEXT not in hashes
    for start in range(len(texts)):
        for kind in (pa.string(), pa.large_string()):
            some = pa.array([*texts[start:], None], kind).slice(1)
            np.testing.assert_array_equal(text_hashes(some), [*hashes[start + 1 :], NO_TEXT])
    assert text_hashes(pa.nulls(2, pa.string())).tolist() == [0, 0]
    assert not len(text_hashes(column[:0]))


def test_hashes_of_like_texts_are_spread_as_chance_would() -> None:
    """Of 2^17 numbers as text, pairs that are equal in 32 bits: 2 by chance, and less than 20 in every half."""
    hashes = text_hashes(pa.array([f"XC{number:08d}" for number in range(1 << 17)]))
    for shift in (0, 16, 32):
        assert len(hashes) - len(np.unique((hashes >> np.uint64(shift)).astype(np.uint32))) < 20


def test_keys_find_what_was_entered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("biovita.embedding.keys._FEW", 50)

    def rows(*ids: int, window: int = WHOLE) -> pa.Table:
        return pa.table({"id": [str(each) for each in ids], "window": pa.array([window] * len(ids), pa.int32())})

    keys = Keys()
    assert not keys.may_have(rows(1))
    for start in range(0, 200, 10):
        keys.add(rows(*range(start, start + 10)))
    assert all(keys.may_have(rows(1000, each)) for each in range(200))
    assert not any(keys.may_have(rows(each)) for each in range(200, 400))
    assert not keys.may_have(rows(7, window=0))


def test_a_table_that_is_large_for_the_memory_stays_on_the_disk(
    builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = builder.write()
    whole = {modality: dataset_items(dataset, modality) for modality in (AUDIO, IMAGE)}
    monkeypatch.setattr(items, "_ROW_BYTES", 1 << 30)
    encoder = plain_towers()[AUDIO]
    table = MemoryTable()
    embed_items(encoder, whole[AUDIO], table)
    dataset = Dataset.open(dataset.path)
    monkeypatch.setattr(Dataset, "columns", None)  # nobody asks for all of it
    for modality, expected in whole.items():
        found = dataset_items(dataset, modality)
        assert len(found) == len(expected)
        assert found.rows.equals(expected.rows)
        assert pa.Table.from_batches(found.batches()).equals(expected.rows)
    done = embed_items(encoder, dataset_items(dataset, AUDIO), table)
    assert (done.new, done.kept) == (0, 9)


@pytest.mark.parametrize("large", [False, True])
def test_ids_that_are_there_twice_are_refused_with_the_id(
    builder: Builder, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    monkeypatch.setattr(items, "_ROW_BYTES", 1 << 30 if large else 1)
    builder.add_photograph("photo 3", 9, TAXA[0].id)
    with pytest.raises(DatasetError, match="two image items have the id 'photo 3'"):
        dataset_items(builder.write(), IMAGE)


def test_what_does_not_fit_is_said_before_anything_is_read(
    builder: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = builder.write()
    table = LanceStore(tmp_path / "vectors").table("audio")
    encoder = plain_towers()[AUDIO]
    embed_items(encoder, dataset_items(dataset, AUDIO), table)
    monkeypatch.setattr(engine, "ROW_BYTES", 100 << 20)
    monkeypatch.setenv("BIOVITA_MEMORY", "64")
    set_memory("800")
    with pytest.raises(DatasetError, match=r"9 rows.*takes 900 MiB of memory\. Give --memory 901"):
        embed_items(encoder, dataset_items(dataset, AUDIO), table)
