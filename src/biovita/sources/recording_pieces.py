"""Files that are pieces of one recording, by their names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from biovita.media.name_patterns import named, xeno_canto_number
from biovita.modality import Modality

__all__ = ["Recording", "recordings_of"]

Recording = tuple[str | None, str]
"""Source and source id: what was recorded or photographed at once."""

_NUMBER = r"\d+(?:\.\d+)?"
_SPAN = re.compile(rf"[ _.-]+{_NUMBER} ?s?[ _-]+{_NUMBER} ?s$", re.IGNORECASE)  # REC_12.0s_15.0s, REC_12-15s
_BEFORE_SPAN = re.compile(r"^[01]\.\d{3}_\d+_")  # confidence and number, as BirdNET names its segments
_PIECE = re.compile(r"[ _.-]+(?:chunk|clip|cut|part|piece|seg|segment|snippet|split)[ _-]?\d+$", re.IGNORECASE)


def recordings_of(
    files: Sequence[tuple[Modality, str]], sites: Sequence[tuple[str, ...]]
) -> list[Recording | None]:
    """Return of which recording each file is, where its name makes that sure; None is a file alone.

    A file belongs with others

    - that have the same number of xeno-canto, or of the Macaulay Library, in their names;
    - that have the same name before a span in seconds (``REC_12.0s_15.0s``), and with the file of that name itself;
    - that have the same name before a numbered piece (``_clip3``, ``part 2``), where that name has a recorder's date
      and time: ``Parus_major_clip3`` may be of any recording;
    - that have the same name with another ending.

    Beside the numbers, only files of one site are compared.

    Parameters
    ----------
    files
        Modality and path of each file, as POSIX writes it.
    sites
        The folders of each that are of no taxon: pieces of one recording are in the folders of several taxa.
    """
    names = [PurePosixPath(file).name for _, file in files]
    stems = [PurePosixPath(name).stem for name in names]
    numbers = [_number(name) for name in names]
    wholes = [None if number else _whole(stem) for number, stem in zip(numbers, stems, strict=True)]
    keys = [
        (modality, site, whole or stem)
        for (modality, _), site, whole, stem in zip(files, sites, wholes, stems, strict=True)
    ]
    cut = {key for key, whole in zip(keys, wholes, strict=True) if whole}
    folders = [PurePosixPath(file).parent for _, file in files]
    places = [(key, folder, stem) for key, folder, stem in zip(keys, folders, stems, strict=True)]
    same = Counter(places)
    found: list[Recording | None] = []
    for number, key, place in zip(numbers, keys, places, strict=True):
        if number is None and (key in cut or same[place] > 1):
            number = None, "/".join((*key[1], key[2]))
        found.append(number)
    return found


def _number(name: str) -> Recording | None:
    xeno_canto = xeno_canto_number(name)
    if xeno_canto is not None:
        return "xeno-canto", xeno_canto
    number = named(PurePosixPath(name)).source_id
    return ("Macaulay Library", number) if number and number.startswith("ML") else None


def _whole(stem: str) -> str | None:
    """Return the name of the recording that a file is a piece of; None where it may be a whole one."""
    if span := _SPAN.search(stem):
        return _BEFORE_SPAN.sub("", stem[: span.start()]) or None
    piece = _PIECE.search(stem)
    if piece is None:
        return None
    whole = stem[: piece.start()]
    return whole if named(PurePosixPath(f"{whole}.wav")).begin_local is not None else None
