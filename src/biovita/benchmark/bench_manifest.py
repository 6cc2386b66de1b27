"""The manifest of a benchmark that we wrote: where it lies, and reading it with a check of what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from biovita.benchmark.bench_problem import can_be_path
from biovita.benchmark.split_items import GROUPS
from biovita.benchmark.task import LEVELS
from biovita.errors import DatasetError
from biovita.jsonfile import read_json
from biovita.modality import DIRECTIONS

__all__ = ["FORMATS", "MANIFEST", "home_of", "media_root_of", "read_manifest"]

MANIFEST = "manifest.json"
FORMATS = {"published": 1, "compact": 2}  # by the layout of the other files


def home_of(path: Path) -> Path:
    """Return where the manifest of a benchmark lies: above a part of one of ours, or else ``path`` itself."""
    if (path / MANIFEST).is_file():
        return path
    above = path.resolve().parent
    return above if (above / MANIFEST).is_file() else path


def read_manifest(path: Path) -> dict[str, Any] | None:
    """Return the manifest of a benchmark that we wrote, None where there is none.

    Raises
    ------
    DatasetError
        Where it says something that no benchmark of ours says.
    """
    file = path / MANIFEST
    if not file.is_file():
        return None
    manifest = read_json(file, DatasetError)
    known = manifest.get("format") if isinstance(manifest, dict) else None
    if type(known) is not int or known not in FORMATS.values():
        wanted = " or ".join(map(str, FORMATS.values()))
        raise DatasetError(f"{file}: format is not {wanted}. This version of biovita reads no other format")
    made = manifest.get("made")
    if not isinstance(made, dict):
        raise DatasetError(f"{file}: made has to be a JSON object")
    candidates, hashes = made.get("candidates", 1), manifest.get("sha256", {})
    for name, wanted, fits in (
        ("made.text", "a text", isinstance(made.get("text", ""), str)),
        ("made.groups", " or ".join(GROUPS), made.get("groups", GROUPS[0]) in GROUPS),
        (
            "made.candidates",
            "a whole number from 1 on, or all",
            candidates == "all" or (type(candidates) is int and candidates >= 1),
        ),
        ("unseen", "lists of names by level", _are_names_by_level(manifest.get("unseen", {}))),
        ("media_root", "a path or null", isinstance(manifest.get("media_root"), str | None)),
        ("made.split_sha256", "a text", isinstance(made.get("split_sha256", ""), str)),
        ("other_names", "lists of names by species", _are_lists_of_names(manifest.get("other_names", {}))),
        (
            "sha256",
            "hashes by file",
            isinstance(hashes, dict) and all(isinstance(h, str) for h in hashes.values()),
        ),
        (
            "parts",
            "parts with their tasks",
            known != FORMATS["compact"] or _are_parts(manifest.get("parts")),
        ),
    ):
        if not fits:
            raise DatasetError(f"{file}: {name} has to be {wanted}")
    return manifest


def media_root_of(home: Path, manifest: dict[str, Any] | None) -> Path:
    """Return where a benchmark's media lie: in itself, or in the dataset that its manifest names.

    Raises
    ------
    DatasetError
        Where the manifest names another place outside.
    """
    stated = None if manifest is None else manifest.get("media_root")
    if not stated:
        return home
    if not can_be_path(stated):
        raise DatasetError(f"{home / MANIFEST}: media_root is not a path")
    root = home / stated
    if not root.resolve().is_relative_to(home.resolve()) and not (root / "dataset.toml").is_file():
        raise DatasetError(
            f"{home / MANIFEST}: media_root is {stated!r}, which leads out of the benchmark and to no dataset. To "
            f"read the media there, add: --media-root {root}"
        )
    return root


def _are_lists_of_names(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(names, list) and all(isinstance(name, str) for name in names) for names in value.values()
    )


def _are_names_by_level(value: Any) -> bool:
    return _are_lists_of_names(value) and all(level in LEVELS for level in value)


def _are_parts(value: Any) -> bool:
    return isinstance(value, dict) and all(
        _is_folder(name) and isinstance(part, dict) and _are_tasks(part.get("tasks"))
        for name, part in value.items()
    )


def _are_tasks(value: Any) -> bool:
    if not isinstance(value, list) or not all(map(_is_task, value)):
        return False
    return len({(task["direction"], task["level"]) for task in value}) == len(value)


def _is_folder(name: str) -> bool:
    return name.isprintable() and name not in {"", ".", ".."} and not {"/", "\\"} & set(name) and can_be_path(name)


def _is_task(value: Any) -> bool:
    return isinstance(value, dict) and value.get("direction") in DIRECTIONS and value.get("level") in LEVELS
