"""Datasets that a stranger may have made, and commands run one after another in one watched child process."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from biovita.dataset.dataset import write_dataset
from biovita.dataset.schema import AUDIO, IMAGES, TAXA
from support.folders import write_image
from support.forked import tell_each
from support.hostile import IMPORTS_MIB, call_watched
from support.sound_files import song, write_sound

_SAME = {
    "start_s": 0.0,
    "end_s": 0.5,
    "duration_s": 0.5,
    "sample_rate": 8000,
    "width": 32,
    "height": 24,
    "source": "test",
    "license": "CC0-1.0",
}


@dataclass(frozen=True)
class Said:
    """How a command ended, and all that it wrote."""

    code: int | str
    text: str

    def refused(self, *words: str) -> None:
        """Assert that it ended with a message of ours that holds these words."""
        assert self.code == 1, self.text
        assert "Traceback" not in self.text, self.text
        for word in ("biovita: ", *words):
            assert word in self.text, self.text

    def succeeded(self, *words: str) -> None:
        """Assert that it ended well, and said these words."""
        assert self.code == 0, self.text
        for word in words:
            assert word in self.text, self.text


def commands(scratch: Path, *given: Sequence[object], seconds: float = 150, mib: float = 1500) -> list[Said]:
    """Run ``biovita`` with each of these arguments in one watched process that has imported what models need."""
    asked = [[str(part) for part in arguments] for arguments in given]
    limit = mib + IMPORTS_MIB
    told = call_watched(scratch, tell_each, asked, Path.cwd(), seconds=seconds, mib=limit).splitlines()
    (scratch / "said").unlink()  # tests look at what else lies there
    found = [
        Said("traceback" if trouble else code or 0, trouble + out + err)
        for _, code, trouble, out, err, _ in json.loads(told[-1])
    ]
    assert len(found) == len(given), told
    return found


def digest(file: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def media(folder: Path, number: int = 2) -> tuple[list[Path], list[Path]]:
    """Write small recordings and photographs."""
    sounds = [write_sound(folder / f"{n}.wav", song(0.5, 8000, seed=n), 8000) for n in range(number)]
    return sounds, [write_image(folder / f"{n}.png", n) for n in range(number)]


def dataset(
    root: Path,
    audio: Sequence[Mapping[str, Any]] = (),
    images: Sequence[Mapping[str, Any]] = (),
    taxa: Mapping[str, str] = {"pica_pica": "Pica pica"},
    **info: Any,
) -> Path:
    """Write a dataset of rows that state at least a path, relative to it or absolute; all else has a default."""
    root.mkdir(parents=True, exist_ok=True)
    rows = {"audio": [], "images": []}
    for name, given in (("audio", audio), ("images", images)):
        for number, row in enumerate(given):
            place = root / row["path"]
            sha256 = row.get("sha256") or (digest(place) if place.is_file() else "0" * 64)
            own = {"id": f"{name}{number}", "group_id": f"{name}{number}", "taxon_id": next(iter(taxa))}
            rows[name].append({**own, **_SAME, **row, "sha256": sha256})
    tables = {
        "taxa": pa.Table.from_pylist(
            [{"taxon_id": key, "scientific_name": name, "rank": "species"} for key, name in taxa.items()],
            schema=TAXA,
        ),
        "audio": pa.Table.from_pylist(rows["audio"], schema=AUDIO),
        "images": pa.Table.from_pylist(rows["images"], schema=IMAGES),
    }
    write_dataset(root, tables, {"name": "foreign", "version": "1", **info})
    return root


def files_below(folder: Path) -> set[str]:
    """Return all that lies below a folder, links not followed."""
    return {
        Path(parent, name).relative_to(folder).as_posix()
        for parent, folders, files in os.walk(folder)
        for name in (*files, *folders)
    }
