"""Where a build writes: a directory that may come from elsewhere, of which it deletes nothing but what it made.

Links in it would lead what is written or deleted to other places. Files that are of no fetch are someone's own.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from biovita.collect.assemble import Assembled
from biovita.collect.ledger import CLIP, Ledger
from biovita.errors import DatasetError
from biovita.filenames import contained
from biovita.files import all_below, require_possible, target_of

__all__ = ["WORK", "begin", "put_in_place", "tidy"]

WORK = ".collect"  # within the dataset: ledger, parts of downloads, what was chosen; not part of the dataset
_FOLDERS = ("audio", "image")


def begin(out: Path) -> Path:
    """Return where a build writes: ``out``, or where the link that it is leads; made, where it is not there.

    Raises
    ------
    DatasetError
        Where something else is there, or a link in it leads what is written to another place.
    """
    require_possible(out)
    out = target_of(out)
    work = out / WORK
    if out.exists() and not work.is_dir() and any(out.iterdir()):
        raise DatasetError(f"{out} exists and was not made by a build. Choose another place")
    _refuse_links(out)
    if work.is_symlink() or (work.exists() and not work.is_dir()):
        raise DatasetError(f"{work} is not a directory, and a build works there. Remove it")
    work.mkdir(parents=True, exist_ok=True)
    return out


def _refuse_links(out: Path) -> None:
    """Raise a DatasetError for a folder that is a link, and for anything but files and folders of a build's own."""
    for folder in ("media", "card"):
        for place in (out / folder, *_folders_in(out / folder)):
            if place.is_symlink():
                raise DatasetError(
                    f"{place} is a link to {place.readlink()}: a build writes and deletes files there. "
                    "Remove the link, or build at the place that it leads to"
                )
    for place in (out / WORK, *all_below(out / WORK)):
        if place.is_symlink() or not (place.is_file() or place.is_dir() or not place.exists()):
            raise DatasetError(f"{place} is a link, or no file: a build has not made it. Remove it")


def _folders_in(folder: Path) -> Iterator[Path]:
    """Yield the folders below one, links to folders among them; those are not followed."""
    for parent, names, _ in os.walk(folder):
        yield from (Path(parent, name) for name in names)


def put_in_place(stage: Path, out: Path) -> None:
    """Rename what was written in a stage into the dataset, file by file, ``dataset.toml`` last."""
    for file in sorted(stage.rglob("*"), key=lambda each: (each.name == "dataset.toml", str(each))):
        if file.is_file():
            place = out / file.relative_to(stage)
            contained(out, place.parent).mkdir(parents=True, exist_ok=True)
            if place.is_dir() and not place.is_symlink():
                raise DatasetError(f"{place} is a folder, and a build writes a file there. Remove it")
            file.replace(place)


def tidy(ledger: Ledger, out: Path, made: Assembled) -> tuple[str, ...]:
    """Delete the files of fetches that no table names, and note that what they held is known.

    Returns the files in ``media`` that are of no fetch; they stay.
    """
    for entry in list(ledger.entries("ready")):
        assert entry.path is not None
        if entry.key in made.used or Path(entry.path).is_absolute():
            continue
        ledger.put(replace(entry, state="spare"))
        with suppress(FileNotFoundError):
            (out / entry.path).unlink()
    named = {*made.audio["path"].to_pylist(), *made.images["path"].to_pylist()}
    others = []
    for parent, _, files in os.walk(out / "media"):
        for file in (Path(parent, name) for name in sorted(files)):
            path = file.relative_to(out).as_posix()
            if path in named:
                continue
            if _is_fetched(ledger, path):
                file.unlink()
            else:
                others.append(path)
    parts = out / WORK / "parts"
    for file in parts.iterdir() if parts.is_dir() else ():
        known = ledger.get(file.name) if CLIP.fullmatch(file.name) else None
        if (known is None or known.state not in {"started", "failed"}) and stat.S_ISREG(file.lstat().st_mode):
            file.unlink()
    return tuple(sorted(others))


def _is_fetched(ledger: Ledger, path: str) -> bool:
    """Say whether a file of ``media`` is one that the ledger knows, or a clip that was cut from one."""
    _, folder, *below, name = path.split("/") if path.count("/") == 3 else ("", "", "", "")
    named = CLIP.fullmatch(name.partition(".")[0])
    return named is not None and folder in _FOLDERS and below == [name[:2]] and ledger.get(named[1]) is not None
