from __future__ import annotations

import csv
import io
from pathlib import Path

import datasets
import numpy as np
import pytest
import soundfile

from biovita.cli.app import main
from biovita.collect.build import build
from biovita.dataset import Dataset
from biovita.dataset.packed_media import PackedMedia
from biovita.errors import DatasetError
from biovita.publish.export import export_hub, export_release
from biovita.publish.pack import pack
from biovita.sources.folder_source import Folder
from biovita.sources.release import Release
from support.collected_media import picture, sound


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A dataset of a folder: three recordings, one of 25 s in two clips, and two photographs of two species."""
    folder = tmp_path_factory.mktemp("made")
    contents = {
        "a.wav": sound(1),
        "b.flac": sound(2, kind="FLAC"),
        "long.wav": _long(),
        "p.jpg": picture(1),
        "q.jpg": picture(2),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    head = "file,scientific_name,common_name,class,family,license,attribution\n"
    rows = {
        "a.wav": "Pica pica,Eurasian Magpie,Aves,Corvidae,CC0,Ann",
        "b.flac": "Parus major,Great Tit,Aves,Paridae,CC-BY-4.0,Bob",
        "long.wav": "Parus major,Great Tit,Aves,Paridae,CC-BY-4.0,Bob",
    }
    (folder / "audio.csv").write_text(head + "".join(f"{name},{row}\n" for name, row in rows.items()))
    (folder / "images.csv").write_text(head + "p.jpg,Pica pica,,Aves,,CC0,Ann\nq.jpg,Parus major,,Aves,,CC0,\n")
    (folder / "plan.toml").write_text(
        'name = "made"\n[[sources]]\nkind = "folder"\npath = "."\n[clips]\nper_recording = 2\n'
    )
    report = build(folder / "plan.toml", folder / "data")
    assert (report.audio, report.images, report.rejected) == (4, 2, {})
    return Dataset.open(folder / "data")


def _long() -> bytes:
    samples = np.random.default_rng(0).normal(0, 0.01, 25 * 8000)
    samples[4 * 8000 : 5 * 8000] *= 20
    samples[20 * 8000 : 21 * 8000] *= 20
    stream = io.BytesIO()
    soundfile.write(stream, samples, 8000, format="WAV")
    return stream.getvalue()


def test_a_folder_is_a_source(tmp_path: Path) -> None:
    (tmp_path / "audio.csv").write_text(
        "file,scientific_name,begin_s,end_s,latitude\na.wav,Pica pica,,,1\n"
        "b.wav,Pica pica,1,2,\n../c.wav,Pica pica,,,\nd.wav,Pica pica,,,\n"
    )
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_bytes(b"")
    (batch,) = Folder(path=tmp_path).batches()
    assert batch.records["path"].to_pylist() == [str(tmp_path / "a.wav")]
    assert [(row["row"], row["reason"]) for row in batch.rejected.to_pylist()] == [
        (3, "span"),
        (4, "path-outside"),
        (5, "missing"),
    ]


def test_packed_media_are_the_files(dataset: Dataset, tmp_path: Path) -> None:
    out = str(tmp_path / "media.lance")
    assert pack(dataset, out, allow_outside=True) == 5
    packed = PackedMedia.open(out)
    paths = [*dataset.audio["path"].to_pylist(), *dataset.images["path"].to_pylist()][::-1]
    assert packed.read(paths) == [dataset.locate(path).read_bytes() for path in paths]
    with pytest.raises(DatasetError, match=r"none\.wav is not in"):
        packed.read(["none.wav"])
    with pytest.raises(DatasetError, match="already exists"):
        pack(dataset, out)
    with pytest.raises(DatasetError, match="is not packed media"):
        PackedMedia.open(str(tmp_path / "none.lance"))
    with pytest.raises(DatasetError, match="leads out of"):
        packed.unpack(tmp_path / "files", ["/" + paths[0].lstrip("/")])


def test_unpacking_gives_the_files_back(
    dataset: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inside = tmp_path / "inside"
    (inside / "media").mkdir(parents=True)
    import shutil

    import pyarrow as pa

    from biovita.dataset import write_dataset

    tables = {"taxa": dataset.table("taxa"), "images": dataset.images}
    names = [f"media/{Path(path).name}" for path in dataset.images["path"].to_pylist()]
    for path, name in zip(dataset.images["path"].to_pylist(), names, strict=True):
        shutil.copy(dataset.locate(path), inside / name)
    tables["images"] = dataset.images.set_column(2, "path", pa.array(names))
    write_dataset(inside, tables, {"name": "x", "version": "1"})
    with pytest.raises(SystemExit):
        main(["data", "pack", str(inside), "--out", str(tmp_path / "m.lance")])
    shutil.rmtree(inside / "media")
    for expected in ("2 files written", "0 files written"):
        with pytest.raises(SystemExit):
            main(["data", "unpack", str(tmp_path / "m.lance"), "--out", str(inside)])
        assert expected in capsys.readouterr().out
    assert all((inside / name).is_file() for name in names)
    (inside / names[0]).write_bytes(b"changed")
    with pytest.raises(DatasetError, match="its bytes changed"):
        pack(Dataset.open(inside), str(tmp_path / "again.lance"))
    assert not (tmp_path / "again.lance").exists()


@pytest.mark.parametrize("copy", [False, True])
def test_the_release_layout_reads_back(dataset: Dataset, tmp_path: Path, copy: bool) -> None:
    out = tmp_path / "release"
    assert export_release(dataset, out, copy=copy, allow_outside=True) == {"metadata.csv": 3, "image_urls.csv": 2}
    with (out / "train/metadata.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["com"] for row in rows} == {"Eurasian Magpie", "Great Tit"}
    assert {Path(row["file_name"]).parent.as_posix() for row in rows} == {"audio/pica_pica", "audio/parus_major"}
    assert {folder.name for folder in (out / "images").iterdir()} == {"pica_pica", "parus_major"}
    (batch,) = Release(path=out, images=out / "images").batches()
    assert batch.rejected.num_rows == 0
    by_name = {(row["modality"], row["name"]): row for row in batch.records.to_pylist()}
    assert set(by_name) == {(m, n) for m in ("audio", "image") for n in ("Pica pica", "Parus major")}
    magpie = by_name["audio", "Pica pica"]
    assert (magpie["license"], magpie["attribution"], magpie["class"]) == ("CC0-1.0", "Ann", "Aves")
    assert Path(magpie["path"]).read_bytes() == sound(1)


def test_datasets_reads_the_media(dataset: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "hub"
    assert export_hub(dataset, out, allow_outside=True) == {"audio": 4, "images": 2}
    images = datasets.load_dataset(str(out), "images", split="train")
    assert images[0]["image"].size == (64, 64)
    assert set(images["scientific_name"]) == {"Pica pica", "Parus major"}
    audio = datasets.load_dataset(str(out), "audio", split="train").cast_column(
        "audio", datasets.Audio(decode=False)
    )
    lengths = [soundfile.info(io.BytesIO(row["audio"]["bytes"])).duration for row in audio]
    assert sorted(lengths) == pytest.approx([0.5, 0.5, 10.0, 10.0])
    assert [row["end_s"] - row["start_s"] for row in audio] == pytest.approx(lengths)
