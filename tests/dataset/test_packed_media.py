"""A dataset whose media are packed gives what it gave from files."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from biovita.benchmark import benchmark_from_split
from biovita.benchmark.evaluation import evaluate
from biovita.benchmark.layout import write_benchmark
from biovita.benchmark.reader import read_benchmark
from biovita.benchmark.verify import verify_benchmark
from biovita.cli.app import main
from biovita.compute.pipeline import in_processes
from biovita.compute.read_ahead import read_ahead
from biovita.dataset import Dataset
from biovita.dataset.check import check
from biovita.dataset.dataset import replace_tables
from biovita.embedding import embed, vectors
from biovita.errors import DatasetError, MediaError
from biovita.media import read_clip, read_image
from biovita.media.inputs import Clip
from biovita.media.packed_files import PackedFile, on_disk
from biovita.modality import MEDIA, Modality
from biovita.publish.export import export_hub, export_release
from biovita.publish.pack import pack, state_packed, unpack
from biovita.report.thumbnails import sound_view, thumbnail
from biovita.towers.input_arrays import native_mono
from support.tiny_training import write_tiny

tower_vectors = partial(vectors, space="tower", compute=False)

AUDIO, IMAGE = Modality.AUDIO, Modality.IMAGE


@pytest.fixture
def files(tmp_path: Path) -> Dataset:
    return write_tiny(tmp_path / "files", unseen=2)


@pytest.fixture
def packed(files: Dataset, tmp_path: Path) -> Dataset:
    """The same dataset without its files, its media in a table beside it."""
    shutil.copytree(files.path, tmp_path / "packed")
    dataset = Dataset.open(tmp_path / "packed")
    assert pack(dataset, str(tmp_path / "media.lance")) == 36
    state_packed(dataset, str(tmp_path / "media.lance"))
    shutil.rmtree(dataset.path / "media")
    return Dataset.open(dataset.path)


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go in a test."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def _paths(dataset: Dataset) -> list[str]:
    return [*dataset.audio["path"].to_pylist(), *dataset.images["path"].to_pylist()]


def test_locate_gives_the_bytes_and_decoders_read_them(files: Dataset, packed: Dataset, scratch: Path) -> None:
    assert packed.info["packed"] == "../media.lance"
    for path in _paths(files):
        found = packed.locate(path)
        assert isinstance(found, PackedFile)
        assert found.read_bytes() == files.locate(path).read_bytes()
        assert found.size == files.locate(path).stat().st_size
        if found.suffix == ".wav":
            np.testing.assert_array_equal(
                read_clip(found, 0.2, 0.7)[0], read_clip(files.locate(path), 0.2, 0.7)[0]
            )
        else:
            assert read_image(found).tobytes() == read_image(files.locate(path)).tobytes()
    assert list(scratch.iterdir()) == []


def test_a_file_lies_on_disk_only_while_it_is_decoded(packed: Dataset, scratch: Path) -> None:
    path = packed.locate(packed.audio["path"][0].as_py())
    with on_disk(path) as first, on_disk(path) as second:
        assert first.suffix == second.suffix == path.suffix
        assert first != second
        assert len(list(scratch.iterdir())) == 2
    assert list(scratch.iterdir()) == []
    with pytest.raises(MediaError, match=r"media\.lance/media/t0-0\.wav: bad") as raised, on_disk(path) as place:
        raise MediaError("truncated", f"{place}: bad")
    assert str(scratch) not in str(raised.value)
    assert raised.value.reason == "truncated"
    for odd in ("media/..", "media/x.a\0b", "media/x." + "y" * 300, "/"):
        with on_disk(PackedFile("x", 0, odd, 1, b"x")) as place:
            assert place.parent == scratch
            assert place.read_bytes() == b"x"


def test_what_is_not_packed_is_a_file(packed: Dataset, files: Dataset) -> None:
    path = packed.images["path"][0].as_py()
    place = packed.path / path
    place.parent.mkdir()
    place.write_bytes(b"other bytes")
    digests = packed.images["sha256"].to_pylist()
    column = packed.images.schema.get_field_index("sha256")
    changed = packed.images.set_column(column, "sha256", pa.array(["f" * 64, *digests[1:]]))
    replace_tables(packed, {"images": changed}, {})
    assert packed.info["packed"]
    assert packed.locate(path) == place  # the table holds another file under this path
    assert packed.locate("media/new.jpg") == packed.path / "media/new.jpg"
    assert isinstance(packed.locate(packed.images["path"][1].as_py()), PackedFile)


def test_check_reads_packed_media(packed: Dataset, files: Dataset, tmp_path: Path) -> None:
    assert [p.code for p in check(packed, hashes=True)] == [p.code for p in check(files, hashes=True)]
    assert "missing-file" not in {p.code for p in check(packed)}
    shutil.rmtree(tmp_path / "media.lance")
    (problem,) = [p for p in check(Dataset.open(packed.path)) if p.code == "packed"]
    assert "media.lance is not packed media" in problem.message


def test_a_table_that_is_not_there_is_named(packed: Dataset, tmp_path: Path) -> None:
    state_packed(packed, str(tmp_path / "none.lance"))
    with pytest.raises(DatasetError, match=r"dataset\.toml says that the media are packed, but .*none\.lance"):
        packed.locate("media/t0-0.wav")


def test_another_file_in_the_row_is_noticed(packed: Dataset) -> None:
    found = packed.locate(packed.audio["path"][0].as_py())
    assert isinstance(found, PackedFile)
    other = PackedFile(found.address, found.row + 1, found.path, found.size)
    with pytest.raises(MediaError, match="were replaced meanwhile") as raised:
        other.read_bytes()
    assert raised.value.reason == "unreadable"
    gone = PackedFile(found.address + ".gone", 0, found.path, found.size)
    with pytest.raises(MediaError, match="cannot be read"):
        read_clip(gone)


@pytest.mark.slow
def test_the_starter_towers_give_the_same_vectors(files: Dataset, packed: Dataset, scratch: Path) -> None:
    for dataset in (files, packed):
        report = embed(
            dataset, model="starter", modalities=[AUDIO, IMAGE], device="cpu", workers=2, progress=False
        )
        assert [(part.new, part.failed) for part in report.parts] == [(18, ()), (18, ())]
    for modality in (AUDIO, IMAGE):
        one, other = (tower_vectors(dataset, "starter", modality) for dataset in (files, packed))
        assert one.ids == other.ids
        np.testing.assert_array_equal(one.vectors, other.vectors)
    assert list(scratch.iterdir()) == []
    again = embed(
        Dataset.open(packed.path), model="starter", modalities=[AUDIO, IMAGE], device="cpu", progress=False
    )
    assert [(part.new, part.kept) for part in again.parts] == [(0, 18), (0, 18)]
    unpack(str(packed.path.parent / "media.lance"), packed.path)
    back = Dataset.open(packed.path)
    assert "packed" not in back.info
    again = embed(back, model="starter", modalities=[AUDIO, IMAGE], device="cpu", progress=False)
    assert [(part.new, part.kept) for part in again.parts] == [(0, 18), (0, 18)]


@pytest.mark.slow
def test_a_spawned_process_opens_the_table_itself(packed: Dataset, files: Dataset) -> None:
    path = packed.audio["path"][3].as_py()
    with in_processes(native_mono, 1) as load:
        found, _ = load(Clip(packed.locate(path), 0.1, 0.6))
    np.testing.assert_array_equal(found, native_mono(Clip(files.locate(path), 0.1, 0.6))[0])


def test_reading_ahead_keeps_order_and_bounds(packed: Dataset, files: Dataset) -> None:
    paths = _paths(packed) * 10
    pulled: list[int] = []

    def entries() -> Iterator[tuple[int, object]]:
        for number, path in enumerate(paths):
            pulled.append(number)
            place = packed.locate(path)
            yield number, (place, number) if number % 2 else Clip(place, 0.0, 0.5)

    stream = read_ahead(entries())
    row, item = next(stream)
    assert row == 0
    assert len(pulled) <= 4 * 32
    rest = list(stream)
    assert [row, *(number for number, _ in rest)] == list(range(360))
    for number, given in [(row, item), *rest]:
        file = given.path if isinstance(given, Clip) else given[0]
        assert file.content == files.locate(paths[number]).read_bytes()
    gone = PackedFile("none.lance", 0, "x.wav", 1)
    mixed = [(0, gone), (1, Path("a")), (2, "text"), (3, gone)]
    assert list(read_ahead(mixed)) == mixed
    assert all(item.content is None for _, item in mixed if isinstance(item, PackedFile))


class Bytes:
    """A model of others: what it makes of a file depends on what is in it alone."""

    def embed_images(self, items: Sequence[Image.Image]) -> np.ndarray:
        return np.array([[*item.size, np.asarray(item).mean()] for item in items])

    def embed_audio(self, items: Sequence[Any]) -> np.ndarray:
        return np.array([[samples.std(), samples.size, rate] for samples, rate in items])


def test_a_benchmark_reads_packed_media(files: Dataset, packed: Dataset, tmp_path: Path) -> None:
    made = {}
    for dataset in (files, packed):
        out = write_benchmark(benchmark_from_split(dataset), tmp_path / f"{dataset.path.name}-bench")
        benchmark = read_benchmark(out)
        assert [p for p in verify_benchmark(out).problems if p.counts] == []
        run = evaluate(benchmark, Bytes(), tmp_path / f"{dataset.path.name}-run", contrast=True, progress=False)
        assert run.failed == ()
        made[dataset.path.name] = benchmark, run.vectors, run.recordings
        whole = write_benchmark(benchmark, tmp_path / f"{dataset.path.name}-whole", media="copy")
        made[dataset.path.name] += ({f.name: f.read_bytes() for f in sorted((whole / "media").rglob("*.*"))},)
    (_, one, heard, copied), (benchmark, other, heard_too, copied_too) = made["files"], made["packed"]
    for known, known_too in ((heard.seconds, heard_too.seconds), (heard.contrast_db, heard_too.contrast_db)):
        np.testing.assert_array_equal(known, known_too)
        assert np.isfinite(known).any()
    assert copied == copied_too
    for modality in MEDIA:
        assert list(one[modality].ids) == list(other[modality].ids)
        rows = np.arange(len(one[modality]))
        np.testing.assert_array_equal(one[modality].vectors[rows], other[modality].vectors[rows])
    row = benchmark.items[IMAGE].slice(0, 1).to_pylist()[0]
    assert thumbnail(benchmark.locate(row["path"])) == thumbnail(files.locate(row["path"]))
    row = benchmark.items[AUDIO].slice(0, 1).to_pylist()[0]
    assert sound_view(benchmark.locate(row["path"]), None, None) == sound_view(
        files.locate(row["path"]), None, None
    )


def test_exports_read_packed_media(files: Dataset, packed: Dataset, tmp_path: Path) -> None:
    before = {path: files.locate(path).read_bytes() for path in _paths(files)}
    for dataset in (files, packed):
        export_release(dataset, tmp_path / dataset.path.name / "release")
        export_hub(dataset, tmp_path / dataset.path.name / "hub")

    def content(file: Path) -> object:
        return pq.read_table(file).to_pylist() if file.suffix == ".parquet" else file.read_bytes()

    written = [
        {file.relative_to(root): content(file) for file in sorted(root.rglob("*")) if file.is_file()}
        for root in (tmp_path / name / kind for kind in ("release", "hub") for name in ("files", "packed"))
    ]
    assert written[0] == written[1]
    assert written[2] == written[3]
    assert len(set(before.values()) & set(written[0].values())) == 24  # four species are not held out
    assert {path: files.locate(path).read_bytes() for path in before} == before


def test_files_outside_the_dataset_are_left_where_they_are(files: Dataset, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (files.path / "media").rename(outside)
    tables = {}
    for name in ("audio", "images"):
        table = files.table(name)
        paths = [str(outside / Path(path).name) for path in table["path"].to_pylist()]
        tables[name] = table.set_column(table.schema.get_field_index("path"), "path", pa.array(paths))
    replace_tables(files, tables, {})
    out = str(tmp_path / "m.lance")
    with pytest.raises(DatasetError, match="36 of the 36 files lie outside"):
        pack(files, out)
    pack(files, out, allow_outside=True)
    state_packed(files, out)
    assert isinstance(files.locate(str(outside / "t0-0.wav")), PackedFile)
    assert unpack(out, files.path) == 0
    assert Dataset.open(files.path).locate(str(outside / "t0-0.wav")) == outside / "t0-0.wav"
    state_packed(Dataset.open(files.path), out)
    (outside / "t0-0.wav").unlink()
    with pytest.raises(DatasetError, match="leads out of"):
        unpack(out, files.path)
    assert not (outside / "t0-0.wav").exists()
    assert Dataset.open(files.path).packed_address is not None


def test_the_command_packs_says_how_to_go_on_and_unpacks(
    files: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*words: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as raised:
            main(["data", *words])
        said = capsys.readouterr()
        return int(raised.value.code or 0), said.out + said.err

    out, folder = str(tmp_path / "m.lance"), str(files.path)
    contents = {path: files.locate(path).read_bytes() for path in _paths(files)}
    assert run("pack", folder, "--out", str(files.path / "media/m.lance"))[0] == 1
    code, said = run("pack", folder, "--out", out)
    assert code == 0
    assert "36 files" in said
    assert f"biovita data unpack {out} --out {folder}" in said
    shutil.rmtree(files.path / "media")
    code, said = run("check", folder, "--hashes")
    assert "[duplicate-id]" in said  # the ids of a tiny dataset; nothing is missing or changed
    assert "-file]" not in said
    again = Dataset.open(files.path)
    assert pack(again, str(tmp_path / "copy.lance")) == 36  # from packed media
    assert run("unpack", out, "--out", folder) == (0, f"{folder}: 36 files written\n")
    assert {path: (files.path / path).read_bytes() for path in contents} == contents
    assert "packed" not in Dataset.open(files.path).info
