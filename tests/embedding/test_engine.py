"""The engine: whoever does the work, in whatever order and however often it is killed, the table is the same."""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from biovita.compute.executor import Executor, LocalExecutor
from biovita.embedding import (
    Items,
    LanceStore,
    MemoryTable,
    Settings,
    VectorTable,
    dataset_items,
    embed_items,
    engine,
    read,
    shards,
    text_items,
)
from biovita.embedding.made import Made
from biovita.embedding.pending import plan
from biovita.errors import MediaError, ModelError
from biovita.modality import Modality
from biovita.towers import EncoderCard
from biovita.towers.encoder import Windowing
from biovita.towers.long_recordings import LongWindows, mean_over_windows
from support.plain_model import Builder, Plain, write_photograph, write_sound

AUDIO, IMAGE, TEXT = Modality.AUDIO, Modality.IMAGE, Modality.TEXT
HTML = b"<!DOCTYPE html><html><body>404</body></html>"


class Company(Plain):
    """Gives vectors that depend on all that is in the batch, so that it shows who was in it."""

    def encode(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        return super().encode(batch) + np.float32(sum(float(array.sum()) for array in batch))


def company(modality: Modality) -> Company:
    return Company(EncoderCard(f"company-{modality}", modality, 3, "this file", "1", "Apache-2.0"))


class Backwards:
    def map(self, work: Any, shards: Iterable[Any]) -> Generator[Any]:
        for shard in reversed(list(shards)):
            yield from work([shard])


class Interleaved:
    def map(self, work: Any, shards: Iterable[Any]) -> Generator[Any]:
        every = list(shards)
        yield from work(every[1::2] + every[::2])


class Repeating:
    def map(self, work: Any, shards: Iterable[Any]) -> Generator[Any]:
        every = list(shards)
        yield from work([*every, *every[::2]])
        yield from work(every)


class TwoAtOnce:
    def map(self, work: Any, shards: Iterable[Any]) -> Generator[Any]:
        every = list(shards)
        found: queue.Queue[Any] = queue.Queue()

        def do(some: list[Any]) -> None:
            for result in work(some):
                found.put(result)

        threads = [threading.Thread(target=do, args=[every[part::2]]) for part in (0, 1)]
        for thread in threads:
            thread.start()
        for _ in every:
            yield found.get(timeout=60)
        for thread in threads:
            thread.join()


class SentAround:
    """Sends work, shards and results through pickle, as other processes get them."""

    def map(self, work: Any, shards: Iterable[Any]) -> Generator[Any]:
        sent = pickle.dumps(work)
        for shard in shards:
            for result in pickle.loads(sent)([pickle.loads(pickle.dumps(shard))]):
                yield pickle.loads(pickle.dumps(result))


EXECUTORS: list[Executor] = [Backwards(), Interleaved(), Repeating(), TwoAtOnce(), SentAround()]


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    for modality, count in ((AUDIO, 5), (IMAGE, 4), (TEXT, 6)):
        monkeypatch.setitem(shards._ITEMS, modality, count)
    monkeypatch.setattr(engine, "_COMMIT_ROWS", 7)


@pytest.fixture
def many(builder: Builder) -> Builder:
    """Twenty-four recordings, two of which do not decode."""
    for number in range(9, 24):
        builder.add_sound(f"sound'{number}", number)
    for number in (3, 11):
        (builder.path / "media" / f"sound'{number}.wav").write_bytes(HTML)
    return builder


def content(table: VectorTable) -> tuple[dict[str, list[Any]], bytes]:
    """Return all that a table holds, sorted by key."""
    rows, vectors = read(table)
    order = pa.compute.sort_indices(rows, [("id", "ascending"), ("window", "ascending")])
    return rows.take(order).to_pydict(), vectors[order.to_numpy()].tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("executor", EXECUTORS, ids=lambda each: type(each).__name__)
@pytest.mark.usefixtures("small_shards")
def test_who_does_the_work_changes_no_byte(many: Builder, tmp_path: Path, executor: Executor) -> None:
    items = dataset_items(many.write(), AUDIO)
    expected = LanceStore(tmp_path / "here").table("audio")
    first = embed_items(company(AUDIO), items, expected)
    table = LanceStore(tmp_path / "there").table("audio")
    found = embed_items(company(AUDIO), items, table, executor)
    assert (found.new, found.kept, len(found.failed)) == (22, 0, 2)
    assert {each.id for each in found.failed} == {each.id for each in first.failed} == {"sound'3", "sound'11"}
    assert content(table) == content(expected)
    again = embed_items(company(AUDIO), items, table, executor)
    assert (again.new, again.kept, len(again.failed)) == (0, 22, 2)
    assert content(table) == content(expected)


@pytest.mark.usefixtures("small_shards")
def test_no_batch_has_items_of_two_shards(builder: Builder) -> None:
    encoder = company(AUDIO)
    embed_items(encoder, dataset_items(builder.write(), AUDIO), MemoryTable(), settings=Settings(batch_size=3))
    assert encoder.batches == [3, 2, 3, 1]


@pytest.mark.usefixtures("small_shards")
def test_decoding_goes_on_across_shards(builder: Builder) -> None:
    """All nine recordings are decoded before the first batch of five has been encoded."""
    encoder, waited = company(AUDIO), []
    loaded = threading.Semaphore(0)
    load, encode = encoder.load, encoder.encode

    def counted(item: Any) -> np.ndarray:
        found = load(item)
        loaded.release()
        return found

    def waiting(batch: Sequence[np.ndarray]) -> np.ndarray:
        if not waited:
            waited.append(all(loaded.acquire(timeout=20) for _ in range(9)))
        return encode(batch)

    encoder.load, encoder.encode = counted, waiting  # type: ignore[method-assign]
    embed_items(
        encoder, dataset_items(builder.write(), AUDIO), MemoryTable(), settings=Settings(batch_size=5, workers=2)
    )
    assert waited == [True]


def test_shards_are_known_by_their_content(builder: Builder) -> None:
    def keys(made: Made, builder: Builder) -> list[str]:
        todo = plan(dataset_items(builder.write(), AUDIO), ())
        return [shard.key for shard in shards.shards(todo, made)]

    made = Made("tower", "1", 3, "as it is")
    first = keys(made, builder)
    assert first == keys(made, builder)
    others = [keys(replace(made, **change), builder) for change in ({"revision": "2"}, {"hop_s": 1.0})]
    builder.audio[4]["taxon_id"] = "hyla_arborea"
    assert keys(made, builder) == first  # what a thing is called is not what it is
    for field, value in (("sha256", "f" * 64), ("end_s", 0.25), ("id", "other")):
        kept = builder.audio[4][field]
        builder.audio[4][field] = value
        others.append(keys(made, builder))
        builder.audio[4][field] = kept
    assert len({*first, *(key for each in others for key in each)}) == 1 + len(others)


def test_long_recordings_make_small_shards() -> None:
    hours = [0.0, 0.0, 2.0, 1.0, 0.5, 0.75, 0.0]
    table = pa.table(
        {
            "id": [str(number) for number in range(7)],
            "start_s": [0.0] * 7,
            "end_s": pa.array([3600 * length or None for length in hours], pa.float64()),
        }
    )
    todo = plan(Items.of(AUDIO, table), ())
    found = [shard.rows["id"].to_pylist() for shard in shards.shards(todo, Made("tower", "1", 3, ""))]
    assert found == [["0", "1", "2"], ["3"], ["4", "5"], ["6"]]


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
sys.path.insert(0, {here!r})
from test_engine import AUDIO, Company, company, shards, engine
from biovita.dataset import Dataset
from biovita.embedding import LanceStore, dataset_items, embed_items

class Killed(Company):
    def encode(self, batch):
        if len(self.batches) == {after}:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode(batch)

shards._ITEMS[AUDIO] = 5
engine._COMMIT_ROWS = {rows}
table = LanceStore(Path({out!r})).table("audio")
embed_items(Killed(company(AUDIO).card), dataset_items(Dataset.open(Path({dataset!r})), AUDIO), table)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
@pytest.mark.parametrize(("after", "rows"), [(0, 1), (3, 1), (5, 8)])
@pytest.mark.usefixtures("small_shards")
def test_a_killed_run_goes_on_by_the_table_alone(many: Builder, tmp_path: Path, after: int, rows: int) -> None:
    dataset = many.write()
    items = dataset_items(dataset, AUDIO)
    expected = MemoryTable()
    embed_items(company(AUDIO), items, expected)
    out = tmp_path / "killed"
    tests = Path(__file__).parents[1]
    code = KILLED.format(
        tests=str(tests),
        here=str(tests / "embedding"),
        dataset=str(dataset.path),
        out=str(out),
        after=after,
        rows=rows,
    )
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert killed.returncode == -9, killed.stderr
    table = LanceStore(out).table("audio")
    there = set(read(table)[0]["shard"].to_pylist()) if table.exists else set()
    encoder = company(AUDIO)
    found = embed_items(encoder, items, table)
    assert found.new + found.kept == 22
    assert bool(found.kept) == bool(there) == bool(after)
    assert content(table) == content(expected)
    assert len(set(read(table)[0]["shard"].to_pylist())) == 5
    assert sum(encoder.batches) == found.new


TWO = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
sys.path.insert(0, {here!r})
from test_engine import AUDIO, company, shards, engine
from biovita.dataset import Dataset
from biovita.embedding import LanceStore, dataset_items, embed_items

shards._ITEMS[AUDIO] = 2
engine._COMMIT_ROWS = 1
sys.stdin.readline()
table = LanceStore(Path({out!r})).table("audio")
embed_items(company(AUDIO), dataset_items(Dataset.open(Path({dataset!r})), AUDIO), table)
"""


@pytest.mark.slow
def test_two_processes_at_once_leave_every_row_once(many: Builder, tmp_path: Path) -> None:
    dataset = many.write()
    tests = Path(__file__).parents[1]
    code = TWO.format(
        tests=str(tests), here=str(tests / "embedding"), dataset=str(dataset.path), out=str(tmp_path / "both")
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for run in runs:
        assert run.stdin is not None
        run.stdin.write("go\n")
        run.stdin.flush()
    said = [run.communicate(timeout=120)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    rows, _ = read(LanceStore(tmp_path / "both").table("audio"))
    assert sorted(rows["id"].to_pylist()) == sorted({*rows["id"].to_pylist()})
    assert len(rows) == 22


def test_items_need_no_taxon_and_no_hash(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 2)):
        write_photograph(tmp_path / f"{name}.png", seed)
    paths = [str(tmp_path / "a.png"), str(tmp_path / "b.png"), str(tmp_path / "none.png"), None]
    items = Items.of(IMAGE, pa.table({"id": ["a", "b", "c", "d"], "path": paths}))
    encoder, table = company(IMAGE), LanceStore(tmp_path / "vectors").table("image")
    first = embed_items(encoder, items, table)
    assert [(each.id, each.reason) for each in first.failed] == [("c", "missing"), ("d", "missing")]
    assert first.new == 2
    rows = read(table)[0]
    assert rows["taxon_id"].null_count == 2
    hashes = rows["sha256"].to_pylist()
    assert all(len(each) == 64 for each in hashes)

    os.utime(tmp_path / "a.png", ns=(1, 1))  # the same bytes
    assert (embed_items(encoder, items, table).new, sum(encoder.batches)) == (0, 2)
    assert min(read(table)[0]["file_mtime_ns"].to_pylist()) == 1
    write_photograph(tmp_path / "b.png", 3)  # other bytes
    assert embed_items(encoder, items, table).new == 1
    rows = read(table, ids=["b"])[0]
    assert rows["sha256"].to_pylist() != hashes[1:]
    write_photograph(tmp_path / "b.png", 2)  # and back
    assert embed_items(encoder, items, table).new == 1
    assert read(table, ids=["b"])[0]["sha256"].to_pylist() == hashes[1:]
    assert embed_items(encoder, items, table).new == 0


@dataclass
class Listening(Plain):
    """Cuts recordings into windows of a tenth of a second, every twentieth."""

    long: bool = False

    @property
    def windows(self) -> Windowing:
        return Windowing(0.1, 0.05)

    def load(self, item: Any) -> Any:
        samples = super().load(item)
        windows = np.lib.stride_tricks.sliding_window_view(samples, 800)[::400]
        return Long(windows) if self.long else windows

    def encode(self, batch: Sequence[Any]) -> np.ndarray:
        return mean_over_windows(batch, self.encode_windows)

    def encode_windows(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        return np.array([[x.mean(), x.std(), x.max()] for x in windows], np.float32)


class Long(LongWindows):
    """Windows that are read three at a time; a window of silence does not decode."""

    __slots__ = ("parts",)

    def __init__(self, windows: np.ndarray) -> None:
        object.__setattr__(self, "parts", windows)

    def __iter__(self) -> Iterator[np.ndarray]:
        for start in range(0, len(self.parts), 3):
            if not self.parts[start].any():
                raise MediaError("truncated", "it ends early")
            yield self.parts[start : start + 3]


def listening(*, long: bool = False) -> Listening:
    return Listening(EncoderCard("listening", AUDIO, 3, "this file", "1", "Apache-2.0"), long=long)


@pytest.mark.parametrize("long", [False, True])
def test_each_window_has_a_row(builder: Builder, tmp_path: Path, long: bool) -> None:
    items = dataset_items(builder.write(), AUDIO)
    encoder, table = listening(long=long), LanceStore(tmp_path / "windows").table("audio")
    embed_items(encoder, items, table, each_window=True)
    made = table.made()
    assert (made.window_s, made.hop_s) == (0.1, 0.05)
    rows, vectors = read(table)
    assert len(rows) == 9 * (1 + 9)
    for row, path in zip(items.rows.to_pylist(), items.rows["path"].to_pylist(), strict=True):
        of = np.array(rows["id"].to_pylist()) == row["id"]
        assert np.array(rows["window"])[of].tolist() == list(range(-1, 9))
        loaded = listening().load(items.locate(path))
        np.testing.assert_array_equal(vectors[of][1:], encoder.encode_windows(loaded))
        np.testing.assert_allclose(vectors[of][0], encoder.encode([loaded])[0], rtol=1e-6, atol=1e-7)
    assert embed_items(encoder, items, table, each_window=True).new == 0


def test_a_recording_that_became_shorter_loses_its_last_windows(builder: Builder, tmp_path: Path) -> None:
    encoder, table = listening(), LanceStore(tmp_path / "windows").table("audio")
    embed_items(encoder, dataset_items(builder.write(), AUDIO), table, each_window=True)
    write_sound(builder.path / "media" / "sound'4.wav", seed=7, seconds=0.2)
    builder.audio[4]["end_s"] = 0.2
    assert embed_items(encoder, dataset_items(builder.write(), AUDIO), table, each_window=True).new == 1
    assert sorted(read(table, ids=["sound'4"])[0]["window"].to_pylist()) == [-1, 0, 1, 2]
    assert len(read(table)[0]) == 8 * 10 + 4


def test_a_long_recording_that_does_not_decode_spoils_no_other(builder: Builder) -> None:
    import soundfile

    soundfile.write(builder.path / "media" / "sound'4.wav", np.zeros(4000, np.float32), 8000)
    for each_window in (False, True):
        table = MemoryTable()
        items = dataset_items(builder.write(), AUDIO)
        found = embed_items(listening(long=True), items, table, each_window=each_window)
        assert [(each.id, each.reason) for each in found.failed] == [("sound'4", "truncated")]
        assert len(set(read(table)[0]["id"].to_pylist())) == 8


def test_an_encoder_that_cuts_nothing_has_no_windows(builder: Builder) -> None:
    with pytest.raises(ModelError, match="company-image does not cut"):
        embed_items(company(IMAGE), dataset_items(builder.write(), IMAGE), MemoryTable(), each_window=True)


def test_texts_are_embedded_once_each() -> None:
    table, encoder = MemoryTable(), company(TEXT)
    assert embed_items(encoder, text_items(["a", "b", "a"]), table).new == 2
    found = embed_items(encoder, text_items(["b", "c"]), table, LocalExecutor())
    assert (found.new, found.kept) == (1, 1)
    assert set(read(table)[0]["id"].to_pylist()) == {"a", "b", "c"}


@pytest.mark.parametrize("kind", ["memory", "lance"])
def test_another_revision_is_embedded_again(builder: Builder, tmp_path: Path, kind: str) -> None:
    table = MemoryTable() if kind == "memory" else LanceStore(tmp_path / "vectors").table("image")
    items = dataset_items(builder.write(), IMAGE)
    embed_items(company(IMAGE), items, table)
    newer = company(IMAGE)
    newer.card = replace(newer.card, revision="2")
    found = embed_items(newer, items.take(np.arange(2)), table)
    assert (found.new, found.rebuilt) == (2, "revision '1', now '2'")
    assert len(read(table)[0]) == 2
