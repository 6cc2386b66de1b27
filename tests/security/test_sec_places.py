"""Packed media, ``dataset.toml``, links and names of folders that a stranger made: plain errors, nothing elsewhere."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import lance
import pyarrow as pa
import pytest

from biovita.dataset.packed_media import PACKED
from biovita.sources.folder import import_folder
from support.collected_media import sound
from support.folders import make_folder
from support.hostile_data import commands, dataset, files_below, media


def _packed(place: Path, *paths: str) -> Path:
    rows = [
        {
            "path": path,
            "modality": "image",
            "sha256": hashlib.sha256(b"x").hexdigest(),
            "bytes": 1,
            "content": b"x",
        }
        for path in paths
    ]
    lance.write_dataset(pa.Table.from_pylist(rows, schema=PACKED), str(place))
    return place


@pytest.mark.slow
def test_packed_media_are_written_back_within_the_directory_or_not_at_all(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "precious.txt").write_text("mine")
    cases = {
        "empty": ("good.png", ""),
        "dot": ("good.png", "."),
        "nul": ("good.png", "a\0b"),
        "control": ("good.png", "a\x1b[2Jb"),
        "both": ("good.png", "a/b", "a"),
        "long": ("good.png", "x" * 300),
        "dots": ("good.png", "../home/new"),
        "absolute": ("good.png", str(home / "new")),
        "link": ("good.png", "link/new"),
        "folder": ("good.png", "there"),
        "scratch": ("good.png",),
    }
    given = []
    for name, paths in cases.items():
        out = tmp_path / f"out-{name}"
        (out / "there").mkdir(parents=True)
        (out / "link").symlink_to(home)
        (out / ".good.png.part").symlink_to(home / "precious.txt")
        given.append(["data", "unpack", _packed(tmp_path / f"{name}.lance", *paths), "--out", out])
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "nowhere")
    given.append(["data", "unpack", tmp_path / "scratch.lance", "--out", dangling])
    *refused, good, lost = commands(tmp_path, *given)
    for name, each in zip(cases, refused, strict=False):
        each.refused()
        assert not (tmp_path / f"out-{name}/good.png").exists(), name
    good.succeeded("1 files written")
    assert (tmp_path / "out-scratch/good.png").read_bytes() == b"x"
    lost.refused("is a link to")
    assert files_below(home) == {"precious.txt"}
    assert (home / "precious.txt").read_text() == "mine"


_TOML = (
    "packed = 3",
    'counts = "x"',
    "counts = {audio = 'x'}",
    "name = {}",
    "version = []",
    "made = []",
    "made = {plan = 1, by = 'x', biovita = '1'}",
    "made = {plan = 'x'}",
    "made = {not_listed = 7}",
    "made = {missing = [1]}",
    "split = 7",
    "split = {seed = 'x', unseen_species = {}}",
    "split = {}",
    "traits = 'x'",
    "split = {seed = 1, unseen_species = 1, when = 2020-01-01}",
    f"split = {{seed = {'9' * 30}, unseen_species = 1}}",
    f"seed = {'9' * 5000}",
    f"x = {'[' * 5000}{']' * 5000}",
    ".".join("a" * 3000) + " = 1",
    "name = '\udcff'",
)


@pytest.mark.slow
def test_fields_of_other_types_are_told_plainly_by_every_command(tmp_path: Path) -> None:
    roots = []
    for number, line in enumerate(_TOML):
        root = tmp_path / f"{number}"
        media(root, 1)
        dataset(root, [{"path": "0.wav"}], [{"path": "0.png"}])
        lines = f"format = 1\n{line}\n" + ("" if line.startswith("name") else 'name = "x"\n')
        (root / "dataset.toml").write_bytes(lines.encode("utf-8", "surrogateescape"))
        roots.append(root)
    every = (
        ["data", "show"], ["data", "check"], ["data", "card"], ["data", "split", "--unseen", "0"], ["embed"],
        ["bench", "build"], ["data", "export", "hub", "--out", tmp_path / "out"],
        ["data", "export", "release", "--out", tmp_path / "out"],
    )  # fmt: skip
    few = (["data", "show"], ["data", "check"])
    given = [[*how, root] for root in roots for how in (every if root in roots[:2] else few)]
    for arguments, each in zip(given, commands(tmp_path, *given), strict=True):
        each.refused("dataset.toml")
        assert "dataset.toml" in each.text, arguments
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_link_is_no_way_to_write_elsewhere(tmp_path: Path) -> None:
    src = make_folder(tmp_path / "src", 1)
    import_folder(src, out=tmp_path / "ds", progress=False)
    home = tmp_path / "home"
    home.mkdir()
    (home / "precious.txt").write_text("mine")
    (home / "README.md").write_text("mine")
    dangling, led = tmp_path / "dangling", tmp_path / "led"
    dangling.symlink_to(tmp_path / "nowhere")
    (tmp_path / "there").mkdir()
    led.symlink_to(tmp_path / "there")
    foreign = {}
    for name, links in {
        "card": {"README.md": "README.md", "card": "."},
        "toml": {".dataset.toml.part": "precious.txt", ".audio.parquet.part": "precious.txt"},
        "embeddings": {"embeddings": "."},
        "bench": {"bench": "."},
    }.items():
        foreign[name] = tmp_path / name
        shutil.copytree(tmp_path / "ds", foreign[name])
        for link, to in links.items():
            (foreign[name] / link).symlink_to(home / to)
    said = commands(
        tmp_path,
        ["data", "import", "folder", src, "--out", dangling],
        ["simulate", "--species", "2", "--out", dangling],
        ["data", "export", "hub", tmp_path / "ds", "--out", dangling, "--allow-outside"],
        ["data", "pack", tmp_path / "ds", "--out", dangling, "--allow-outside"],
        ["data", "card", foreign["card"]],
        ["embed", foreign["embeddings"]],
        ["data", "split", foreign["toml"], "--unseen", "1"],
        ["data", "split", foreign["bench"], "--unseen", "1"],
        ["bench", "build", foreign["bench"]],
        ["data", "import", "folder", src, "--out", led],
    )
    for each in (*said[:6], said[8]):
        each.refused("link")
    for each in (said[5], said[8]):
        each.refused("Put a folder in the place of the link")
    for each in (said[6], said[7], said[9]):
        each.succeeded()
    assert (led / "dataset.toml").is_file()
    assert led.is_symlink()
    assert dangling.is_symlink()
    assert files_below(home) == {"precious.txt", "README.md"}
    assert (home / "precious.txt").read_text() == (home / "README.md").read_text() == "mine"


@pytest.mark.slow
def test_names_of_folders_are_no_patterns(tmp_path: Path) -> None:
    """A dataset's own folder is read, and none beside it that the name would fit; ``a=b`` is no column either."""
    given = []
    for name, decoy in (("b*", "birds"), ("c?t", "cat"), ("[a]", "a"), ("source=x", "source")):
        folder, other = tmp_path / name / "field", tmp_path / decoy / "field"
        for place, number, species in ((other, 2, "Falsa falsa"), (folder, 1, "Pica pica")):
            place.mkdir(parents=True)
            _open_data(place, number, species)
        (folder / "a.wav").write_bytes(sound(1))
        (folder / "audio.csv").write_text("file,scientific_name,license\na.wav,Pica pica,CC0\n")
        head = 'name = "made"\n[[sources]]\npath = "."\n'
        (folder / "folder.toml").write_text(head + 'kind = "folder"\n')
        (folder / "open.toml").write_text(head + 'kind = "inaturalist"\nvernaculars = "names.csv"\n')
        given.append(["data", "plan", folder / "open.toml", "--json"])
        given.append(["data", "build", folder / "folder.toml", "--out", tmp_path / name / "data"])
    said = commands(tmp_path, *given)
    for planned, built in zip(said[::2], said[1::2], strict=True):
        planned.succeeded('"items": 1')
        assert sum(row["rows"] for row in json.loads(planned.text)["left_out"]) == 0, planned.text
        built.succeeded("1 species, 1 clips")


def _open_data(folder: Path, number: int, species: str) -> None:
    """Write iNaturalist's tables of one photograph."""
    key = f"00000000-0000-0000-0000-00000000000{number}"
    tables = {
        "observations": "observation_uuid\tobserver_id\tlatitude\tlongitude\tpositional_accuracy\ttaxon_id\t"
        f"quality_grade\tobserved_on\n{key}\t1\t1\t1\t\t{number}\tresearch\t2020-01-01\n",
        "photos": "photo_uuid\tphoto_id\tobservation_uuid\tobserver_id\textension\tlicense\twidth\theight\tposition\n"
        f"p\t{number}\t{key}\t1\tjpg\tCC0\t10\t10\t0\n",
        "taxa": f"taxon_id\tancestry\trank_level\trank\tname\tactive\n{number}\t\t10\tspecies\t{species}\ttrue\n",
        "observers": "observer_id\tlogin\tname\n1\tann\tAnn\n",
    }
    for table, text in tables.items():
        (folder / f"{table}.csv").write_text(text)
    (folder / "names.csv").write_text(f"id,vernacularName\n{number},Magpie\n")
