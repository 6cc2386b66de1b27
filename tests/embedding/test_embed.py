from __future__ import annotations

import logging
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from biovita.dataset import Dataset
from biovita.embedding import LanceStore, embed, read_failures, shards, vectors
from biovita.embedding import engine as engine_module
from biovita.errors import BiovitaError, DatasetError, ModelError
from biovita.media.inputs import Clip
from biovita.modality import Modality
from biovita.towers import Encoder, EncoderCard
from support.plain_model import TAXA, Builder, Plain, know, sha256, write_sound

tower_vectors = partial(vectors, space="tower", compute=False)

AUDIO, IMAGE, TEXT = Modality.AUDIO, Modality.IMAGE, Modality.TEXT
HTML = b"<!DOCTYPE html><html><body>404</body></html>"


def table_of(dataset: Dataset, modality: Modality) -> dict[str, list[Any]]:
    return LanceStore(dataset.path / "embeddings" / "plain").table(modality).snapshot().state().to_pydict()


def test_every_item_gets_its_vector_in_the_datasets_order(builder: Builder, plain: dict[Modality, Plain]) -> None:
    dataset = builder.write()
    report = embed(dataset, model="plain")
    assert [(part.modality, part.tower, part.new, part.kept, part.failed) for part in report.parts] == [
        (AUDIO, "plain-audio", 9, 0, ()),
        (IMAGE, "plain-image", 5, 0, ()),
        (TEXT, "plain-text", 14, 0, ()),
    ]
    assert all(part.rate > 0 for part in report.parts)
    assert plain[AUDIO].batches == [4, 4, 1]
    audio = tower_vectors(dataset, "plain", AUDIO)
    assert audio.ids == tuple(f"sound'{number}" for number in range(9))
    assert audio.taxon_ids == tuple(TAXA[number % 3].id for number in range(9))
    images = tower_vectors(dataset, "plain", IMAGE)
    texts = tower_vectors(dataset, "plain", TEXT)
    assert texts.ids[:3] == ("Eurasian Magpie", "Pica pica", "Aves Passeriformes Corvidae Pica Pica pica")
    assert not texts.columns
    for tower, found, items in (
        (plain[AUDIO], audio, [dataset.locate(path) for path in dataset.audio["path"].to_pylist()]),
        (plain[IMAGE], images, [dataset.locate(path) for path in dataset.images["path"].to_pylist()]),
        (plain[TEXT], texts, texts.ids),
    ):
        assert found.vectors.dtype == np.float32
        assert found.vectors.flags.writeable
        np.testing.assert_array_equal(found.vectors, tower.encode([tower.load(item) for item in items]))


def test_second_run_opens_no_tower(builder: Builder, plain: dict[Modality, Plain]) -> None:
    dataset = builder.write()
    embed(dataset, model="plain")
    report = embed(Dataset.open(dataset.path), model="plain")
    assert [(part.new, part.kept, part.rate) for part in report.parts] == [(0, 9, 0), (0, 5, 0), (0, 14, 0)]
    assert [tower.opened for tower in plain.values()] == [1, 1, 1]


def test_only_what_was_added_is_embedded(builder: Builder, plain: dict[Modality, Plain]) -> None:
    embed(builder.write(), model="plain", modalities=[AUDIO])
    builder.add_sound("first", 77)
    builder.audio.insert(0, builder.audio.pop())
    dataset = builder.write()
    command = r"biovita embed .*birds --model plain --modality audio"
    with pytest.raises(DatasetError, match=rf"1 of 10 audio items have no vector .*{command}"):
        tower_vectors(dataset, "plain", AUDIO)
    plain[AUDIO].loaded.clear()
    part = embed(dataset, model="plain", modalities=[AUDIO]).parts[0]
    assert (part.new, part.kept) == (1, 9)
    assert [Path(path).stem for path in plain[AUDIO].loaded] == ["first"]
    assert tower_vectors(dataset, "plain", AUDIO).ids[0] == "first"


def test_what_left_the_dataset_is_ignored(builder: Builder, plain: dict[Modality, Plain]) -> None:
    embed(builder.write(), model="plain", modalities=[AUDIO])
    del builder.audio[3]
    dataset = builder.write()
    vectors = tower_vectors(dataset, "plain", AUDIO)
    assert len(vectors) == 8
    assert "sound'3" not in vectors


@pytest.mark.parametrize("reimported", [True, False])
def test_changed_bytes_are_embedded_again(
    builder: Builder, plain: dict[Modality, Plain], reimported: bool
) -> None:
    dataset = builder.write()
    embed(dataset, model="plain")
    before = tower_vectors(dataset, "plain", AUDIO)
    path = write_sound(builder.path / "media" / "sound'4.wav", seed=99)
    if reimported:
        builder.audio[4]["sha256"] = sha256(path)
        dataset = builder.write()
        with pytest.raises(DatasetError, match="1 of 9 audio items have no vector"):
            tower_vectors(dataset, "plain", AUDIO)
    part = embed(dataset, model="plain", modalities=[AUDIO]).parts[0]
    assert (part.new, part.kept) == (1, 8)
    after = tower_vectors(dataset, "plain", AUDIO)
    assert len(table_of(dataset, AUDIO)["id"]) == 9
    tower = plain[AUDIO]
    np.testing.assert_array_equal(after["sound'4"], tower.encode([tower.load(path)])[0])
    assert (after["sound'4"] != before["sound'4"]).any()
    others = [item for item in after.ids if item != "sound'4"]
    np.testing.assert_array_equal(after.subset(others).vectors, before.subset(others).vectors)
    assert embed(dataset, model="plain", modalities=[AUDIO]).parts[0].new == 0


def test_another_span_of_the_same_file_is_embedded_again(builder: Builder, plain: dict[Modality, Plain]) -> None:
    embed(builder.write(), model="plain", modalities=[AUDIO])
    builder.audio[0]["end_s"] = 0.25
    dataset = builder.write()
    assert embed(dataset, model="plain", modalities=[AUDIO]).parts[0].new == 1
    assert tower_vectors(dataset, "plain", AUDIO)["sound'0"][2] == 2000


def test_copied_files_and_other_names_cost_no_encoding(builder: Builder, plain: dict[Modality, Plain]) -> None:
    embed(builder.write(), model="plain", modalities=[AUDIO])
    copied = builder.path / "media" / "sound'0.wav"
    os.utime(copied, ns=(1, 1))
    builder.audio[1]["taxon_id"] = "hyla_arborea"
    dataset = builder.write()
    assert tower_vectors(dataset, "plain", AUDIO).taxon_ids[1] == "hyla_arborea"
    before = tower_vectors(dataset, "plain", AUDIO).vectors
    part = embed(dataset, model="plain", modalities=[AUDIO]).parts[0]
    assert (part.new, part.kept) == (0, 9)
    state = table_of(dataset, AUDIO)
    assert len(state["id"]) == 9
    assert state["file_mtime_ns"][state["id"].index("sound'0")] == 1
    assert state["taxon_id"][state["id"].index("sound'1")] == "hyla_arborea"
    np.testing.assert_array_equal(tower_vectors(dataset, "plain", AUDIO).vectors, before)


def test_vectors_outlive_the_media(builder: Builder, plain: dict[Modality, Plain]) -> None:
    dataset = builder.write()
    embed(dataset, model="plain", modalities=[IMAGE])
    for path in (builder.path / "media").glob("photo*"):
        path.unlink()
    part = embed(dataset, model="plain", modalities=[IMAGE]).parts[0]
    assert (part.new, part.kept, part.failed) == (0, 5, ())


def test_failed_items_are_listed_and_tried_again(builder: Builder, plain: dict[Modality, Plain]) -> None:
    good = {row["id"]: (builder.path / row["path"]).read_bytes() for row in builder.audio}
    (builder.path / "media" / "sound'2.wav").write_bytes(HTML)
    (builder.path / "media" / "sound'7.wav").unlink()
    (builder.path / "media" / "photo 1.png").write_bytes(b"")
    dataset = builder.write()
    report = embed(dataset, model="plain")
    failed = [(failure.modality, failure.id, failure.reason) for failure in report.failed]
    assert failed == [
        (AUDIO, "sound'2", "not-audio"),
        (AUDIO, "sound'7", "missing"),
        (IMAGE, "photo 1", "empty"),
    ]
    assert read_failures(report.path) == report.failed
    assert "sound'2.wav" in report.failed[0].detail
    vectors = tower_vectors(dataset, "plain", AUDIO)
    assert len(vectors) == 7
    assert not {"sound'2", "sound'7"} & set(vectors.ids)
    assert len(table_of(dataset, AUDIO)["id"]) == 7

    for name in ("sound'2", "sound'7"):
        (builder.path / "media" / f"{name}.wav").write_bytes(good[name])
    part = embed(dataset, model="plain", modalities=[AUDIO]).parts[0]
    assert (part.new, part.kept, part.failed) == (2, 7, ())
    assert len(tower_vectors(dataset, "plain", AUDIO)) == 9
    assert [failure.id for failure in read_failures(report.path)] == ["photo 1"]  # the other modality's stay


def test_item_that_fails_later_loses_its_old_vector(builder: Builder, plain: dict[Modality, Plain]) -> None:
    dataset = builder.write()
    embed(dataset, model="plain", modalities=[AUDIO])
    (builder.path / "media" / "sound'2.wav").write_bytes(HTML)
    part = embed(dataset, model="plain", modalities=[AUDIO]).parts[0]
    assert (part.new, part.kept, [failure.id for failure in part.failed]) == (0, 8, ["sound'2"])
    assert "sound'2" not in table_of(dataset, AUDIO)["id"]
    assert len(tower_vectors(dataset, "plain", AUDIO)) == 8


def test_vectors_that_are_not_finite_are_refused(
    builder: Builder, plain: dict[Modality, Plain], monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode(batch: list[np.ndarray]) -> np.ndarray:
        vectors = np.ones((len(batch), 3), np.float32)
        vectors[1] = np.nan, 1, np.inf
        return vectors

    monkeypatch.setattr(plain[IMAGE], "encode", encode)
    dataset = builder.write()
    part = embed(dataset, model="plain", modalities=[IMAGE], batch_size=5).parts[0]
    assert [(failure.id, failure.reason) for failure in part.failed] == [("photo 1", "not-finite")]
    vectors = tower_vectors(dataset, "plain", IMAGE)
    assert vectors.ids == ("photo 0", "photo 2", "photo 3", "photo 4")
    assert np.isfinite(vectors.vectors).all()


def test_ctrl_c_keeps_what_was_done(
    builder: Builder, plain: dict[Modality, Plain], monkeypatch: pytest.MonkeyPatch
) -> None:
    (builder.path / "media" / "sound'0.wav").write_bytes(HTML)
    dataset = builder.write()
    tower, encode = plain[AUDIO], plain[AUDIO].encode

    def interrupted(batch: list[np.ndarray]) -> np.ndarray:
        if len(tower.batches) == 2:
            raise KeyboardInterrupt
        return encode(batch)

    monkeypatch.setattr(tower, "encode", interrupted)
    monkeypatch.setitem(shards._ITEMS, AUDIO, 3)
    with pytest.raises(KeyboardInterrupt):
        embed(dataset, model="plain", modalities=[AUDIO], batch_size=3)
    assert len(table_of(dataset, AUDIO)["id"]) == 5
    assert [failure.id for failure in read_failures(dataset.path / "embeddings" / "plain")] == ["sound'0"]
    monkeypatch.setattr(tower, "encode", encode)
    part = embed(dataset, model="plain", modalities=[AUDIO], batch_size=3).parts[0]
    assert (part.new, part.kept, len(part.failed)) == (3, 5, 1)
    assert sum(tower.batches) == 8
    vectors = tower_vectors(dataset, "plain", AUDIO)
    assert vectors.ids == tuple(f"sound'{number}" for number in range(1, 9))


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from support.plain_model import Plain, know
from biovita.dataset import Dataset
from biovita.embedding import embed, engine, shards
from biovita.modality import Modality
from biovita.towers import EncoderCard

class Killed(Plain):
    def encode(self, batch):
        if len(self.batches) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode(batch)

tower = Killed(EncoderCard("plain-audio", Modality.AUDIO, 3, "this file", "1", "Apache-2.0"))
know("plain", {{Modality.AUDIO: tower}})
engine._COMMIT_SECONDS = 0.0
shards._ITEMS[Modality.AUDIO] = 3
embed(Dataset.open(Path({dataset!r})), model="plain", batch_size=3)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
def test_kill_loses_nothing_that_was_committed(builder: Builder, plain: dict[Modality, Plain]) -> None:
    dataset = builder.write()
    code = KILLED.format(tests=str(Path(__file__).parents[1]), dataset=str(dataset.path))
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert killed.returncode == -9, killed.stderr
    committed = len(table_of(dataset, AUDIO)["id"])
    assert committed in {3, 6}  # a batch may be encoded while the one before it is written
    part = embed(dataset, model="plain", modalities=[AUDIO]).parts[0]
    assert (part.new, part.kept) == (9 - committed, committed)
    whole = tower_vectors(dataset, "plain", AUDIO)
    assert len(whole) == 9
    tower = plain[AUDIO]
    items = [dataset.locate(path) for path in dataset.audio["path"].to_pylist()]
    np.testing.assert_array_equal(whole.vectors, tower.encode([tower.load(item) for item in items]))


def test_many_commits_leave_one_tidy_table(
    builder: Builder, plain: dict[Modality, Plain], monkeypatch: pytest.MonkeyPatch
) -> None:
    import lance

    monkeypatch.setattr(engine_module, "_COMMIT_SECONDS", 0.0)
    monkeypatch.setitem(shards._ITEMS, AUDIO, 1)
    for number in range(10, 30):
        builder.add_sound(f"more {number}", number)
    dataset = builder.write()
    report = embed(dataset, model="plain", modalities=[AUDIO], batch_size=1)
    assert len(lance.dataset(report.path / "audio.lance").get_fragments()) == 1
    assert len(tower_vectors(dataset, "plain", AUDIO)) == 29


def test_other_weights_do_not_mix(
    builder: Builder,
    plain: dict[Modality, Plain],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    dataset = builder.write()
    embed(dataset, model="plain", modalities=[AUDIO, IMAGE])
    info = EncoderCard("plain-audio", AUDIO, 3, "this file", "2", "Apache-2.0")
    newer = Plain(info)
    know("plain", {**plain, AUDIO: newer}, monkeypatch.setitem)
    with pytest.raises(
        DatasetError, match=r"audio\.lance was made by another encoder \(revision '1', now '2'\).*Run: "
    ):
        tower_vectors(dataset, "plain", AUDIO)
    assert len(tower_vectors(dataset, "plain", IMAGE)) == 5
    with caplog.at_level(logging.WARNING, "biovita"):
        report = embed(dataset, model="plain", modalities=[AUDIO, IMAGE])
    assert "revision '1', now '2'" in caplog.text
    assert [(part.new, part.kept, part.rebuilt) for part in report.parts] == [
        (9, 0, "revision '1', now '2'"),
        (0, 5, None),
    ]
    assert len(table_of(dataset, AUDIO)["id"]) == 9
    assert len(tower_vectors(dataset, "plain", AUDIO)) == 9


def test_workers_change_nothing(builder: Builder, plain: dict[Modality, Plain]) -> None:
    dataset = builder.write()
    found = []
    for workers, batch_size in ((1, 1), (7, 3)):
        embed(dataset, model="plain", modalities=[AUDIO], workers=workers, batch_size=batch_size)
        found.append((table_of(dataset, AUDIO)["id"], tower_vectors(dataset, "plain", AUDIO).vectors.tobytes()))
        (dataset.path / "embeddings").rename(dataset.path / f"embeddings-{workers}")
    assert found[0] == found[1]


def test_nothing_to_embed_is_said(
    builder: Builder, plain: dict[Modality, Plain], monkeypatch: pytest.MonkeyPatch
) -> None:
    builder.audio.clear()
    dataset = builder.write()
    with pytest.raises(DatasetError, match="birds has no audio items"):
        embed(dataset, model="plain", modalities=[AUDIO])
    with pytest.raises(DatasetError, match="birds has no audio items"):
        tower_vectors(dataset, "plain", AUDIO)
    report = embed(dataset, model="plain")
    assert [(part.modality, part.new) for part in report.parts] == [(AUDIO, 0), (IMAGE, 5), (TEXT, 14)]
    builder.images.clear()
    dataset = builder.write()
    know("mute", {IMAGE: plain[IMAGE]}, monkeypatch.setitem)
    with pytest.raises(DatasetError, match="birds has no items"):
        embed(dataset, model="mute")


def test_missing_vectors_name_the_command(builder: Builder, plain: dict[Modality, Plain]) -> None:
    dataset = builder.write()
    with pytest.raises(
        DatasetError, match=r"never made\. Run: biovita embed .*birds --model plain --modality image$"
    ):
        tower_vectors(dataset, "plain", IMAGE)
    for path in (builder.path / "media").glob("photo*"):
        path.write_bytes(HTML)
    assert len(embed(dataset, model="plain", modalities=[IMAGE]).failed) == 5
    with pytest.raises(DatasetError, match=r"all 5 failed, see .*failed\.parquet"):
        tower_vectors(dataset, "plain", IMAGE)


def test_wrong_requests(builder: Builder, plain: dict[Modality, Plain], monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = builder.write()
    with pytest.raises(ModelError, match=r"unknown model 'plane'\. Did you mean 'plain'"):
        embed(dataset, model="plane")
    with pytest.raises(BiovitaError, match="batch_size is 0"):
        embed(dataset, model="plain", batch_size=0)
    with pytest.raises(BiovitaError, match="workers is -1"):
        embed(dataset, model="plain", workers=-1)
    know("plain", {AUDIO: plain[AUDIO]}, monkeypatch.setitem)
    for call in (
        lambda: embed(dataset, model="plain", modalities=[TEXT]),
        lambda: tower_vectors(dataset, "plain", TEXT),
    ):
        with pytest.raises(ModelError, match=r"'plain' has no text tower\. It has audio"):
            call()
    builder.audio.append(builder.audio[0])
    with pytest.raises(DatasetError, match='two audio items have the id "sound\'0"'):
        embed(builder.write(), model="plain", modalities=[AUDIO])


def test_what_is_no_table_is_said(builder: Builder, plain: dict[Modality, Plain]) -> None:
    dataset = builder.write()
    broken = dataset.path / "embeddings" / "plain" / "audio.lance" / "_versions"
    broken.mkdir(parents=True)
    (broken / "1.manifest").write_bytes(b"nonsense")
    with pytest.raises(DatasetError, match=r"audio\.lance cannot be read as a table of vectors.*Remove it"):
        embed(dataset, model="plain", modalities=[AUDIO])


@pytest.mark.slow
def test_starter_on_real_media(
    tmp_path: Path, shared_data: Path, builder: Builder, starter_towers: dict[Modality, Encoder]
) -> None:
    folder = shared_data / "field-sample"
    builder.audio.clear()
    builder.images.clear()
    for source, rows in (("audio", builder.audio), ("images", builder.images)):
        for path in sorted((folder / source).iterdir())[:70:10]:
            row = {"id": path.stem, "taxon_id": "pica_pica", "path": str(path), "sha256": sha256(path)}
            numbers = {
                "start_s": 0.0,
                "end_s": 0.9,
                "duration_s": 1.0,
                "sample_rate": 32000,
                "width": 1,
                "height": 1,
            }
            rows.append({**row, **numbers, "group_id": path.stem})
    dataset = builder.write()
    report = embed(dataset, device="cpu")
    assert not report.failed
    assert [part.new for part in report.parts] == [7, 7, 14]
    items = {
        AUDIO: [Clip(Path(row["path"]), 0.0, 0.9) for row in builder.audio],
        IMAGE: [Path(row["path"]) for row in builder.images],
        TEXT: tower_vectors(dataset, "starter", TEXT).ids,
    }
    for modality, tower in starter_towers.items():
        vectors = tower_vectors(dataset, "starter", modality).vectors
        assert vectors.shape == (len(items[modality]), tower.card.dim)
        np.testing.assert_array_equal(vectors, tower.encode([tower.load(item) for item in items[modality]]))
