"""Boxes of animals in photographs, as MegaDetector and SpeciesNet write them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from biovita.errors import DatasetError
from biovita.jsonfile import read_json
from biovita.media.inputs import Box
from biovita.values import number

__all__ = ["LEAST_CONFIDENCE", "FoundBoxes", "read_boxes"]

LEAST_CONFIDENCE = 0.2  # MegaDetector's own for its version 5
_ANIMAL = "animal"
_CATEGORIES = {"1": _ANIMAL, "2": "person", "3": "vehicle"}  # where the file states none


@dataclass(frozen=True)
class FoundBoxes:
    """What a detector found in photographs.

    Attributes
    ----------
    boxes
        By photograph, the boxes of animals with what found them, surest first.
    notes
        What was not used, counted.
    """

    boxes: Mapping[Path, Sequence[tuple[Box, str]]]
    notes: tuple[str, ...]


def read_boxes(file: Path, photographs: Sequence[Path]) -> FoundBoxes:
    """Return the boxes of animals that a detector found with a confidence of 0.2 or more.

    Parameters
    ----------
    file
        JSON of MegaDetector (``images``) or SpeciesNet (``predictions``). Its paths start at its folder; where no
        photograph lies there, the one whose path ends in the same way counts, if it is the only one.

    Raises
    ------
    DatasetError
        Where the file is in neither format, or is about none of the photographs.
    """
    content = read_json(file, DatasetError)
    entries = content.get("images", content.get("predictions")) if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise DatasetError(
            f"{file} is in no known format: MegaDetector has a list 'images', SpeciesNet 'predictions'"
        )
    stated = content.get("detection_categories")
    categories = {str(key): str(name) for key, name in stated.items()} if isinstance(stated, dict) else _CATEGORIES
    by_ending = _by_ending(photographs)
    boxes: dict[Path, list[tuple[float, Box, str]]] = {}
    counts: dict[str, int] = defaultdict(int)
    for place, entry in enumerate(entries):
        named = entry.get("file", entry.get("filepath")) if isinstance(entry, dict) else None
        if not isinstance(named, str):
            raise DatasetError(f"{file}: entry {place} names no file")
        photograph = _photograph(file.parent, named, by_ending)
        if photograph is None:
            counts["entries are about other files"] += 1
            continue
        found = boxes.setdefault(photograph, [])
        for category, confidence, box in _detections(entry, counts):
            what = categories.get(category, category)
            if what != _ANIMAL:
                counts[f"boxes are of a {what}"] += 1
            elif confidence < LEAST_CONFIDENCE:
                counts[f"boxes have a confidence under {LEAST_CONFIDENCE:g}"] += 1
            else:
                found.append((confidence, box, f"{_detector(content)}: {what} {confidence:.2f}"))
    if not boxes:
        raise DatasetError(
            f"{file} is about none of the {len(photographs)} photographs. Its paths are those of others"
        )
    ordered = {
        path: [(box, said) for _, box, said in sorted(found, reverse=True)] for path, found in boxes.items()
    }
    empty = sum(not found for found in ordered.values())
    notes = [f"{file.name}: {count} {what}" for what, count in counts.items()]
    if empty:
        notes.append(f"{file.name}: {empty} photographs without a box of an animal are looked at as a whole")
    return FoundBoxes({path: found for path, found in ordered.items() if found}, tuple(notes))


def _detector(content: Mapping[str, Any]) -> str:
    info = content.get("info")
    stated = info.get("detector") if isinstance(info, dict) else None
    named = stated if isinstance(stated, str) else "MegaDetector" if "images" in content else "SpeciesNet"
    return named[:80]


def _by_ending(photographs: Sequence[Path]) -> Mapping[tuple[str, ...], list[Path]]:
    """Return the photographs by each ending of their paths."""
    found: dict[tuple[str, ...], list[Path]] = defaultdict(list)
    for path in photographs:
        parts = path.parts
        for start in range(1, len(parts)):
            found[parts[start:]].append(path)
    return found


def _photograph(folder: Path, named: str, by_ending: Mapping[tuple[str, ...], list[Path]]) -> Path | None:
    parts = PurePosixPath(named.replace("\\", "/")).parts
    there = folder.absolute().parts[1:]
    for ending in ((*there, *parts), parts, *(parts[start:] for start in range(1, len(parts)))):
        found = by_ending.get(tuple(part for part in ending if part not in {"/", "."}), [])
        if len(found) == 1:
            return found[0]
    return None


def _detections(entry: Mapping[str, Any], counts: dict[str, int]) -> Iterator[tuple[str, float, Box]]:
    listed = entry.get("detections") or []
    for each in listed if isinstance(listed, list) else []:
        box = each.get("bbox") if isinstance(each, dict) else None
        values = [number(value) for value in box] if isinstance(box, list) else []
        confidence = number(each.get("conf")) if isinstance(each, dict) else None
        if len(values) != 4 or None in values or confidence is None:
            counts["boxes have no four numbers and a confidence"] += 1
            continue
        x, y, width, height = (float(value) for value in values if value is not None)
        x, y = max(0.0, x), max(0.0, y)
        width, height = min(width, 1 - x), min(height, 1 - y)
        if width <= 0 or height <= 0:
            counts["boxes are empty or outside of the picture"] += 1
            continue
        yield str(each.get("category", "")), confidence, (x, y, width, height)
