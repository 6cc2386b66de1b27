"""What is fuzzed: each target reads one file of a stranger, and holds what must be so whatever is in it.

A target returns, or raises a `BiovitaError`; anything else is a fault. Files of several parts, such as archives, are
written as one: a line ``--- name ---`` stands before each part.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pyarrow as pa

from biovita.benchmark.verify import verify_benchmark
from biovita.collect.plan import as_understood, read_plan
from biovita.errors import BiovitaError
from biovita.media.audio import probe_audio, read_clip
from biovita.media.image import picture_size, probe_image, read_image
from biovita.sources.darwin_core import DarwinCore
from biovita.sources.folder_source import Folder
from biovita.sources.inaturalist_api import InaturalistApi, InaturalistExport
from biovita.sources.licenses import allowed, normalise_license
from biovita.sources.source import Source
from biovita.sources.xeno_canto import XenoCanto
from biovita.taxonomy import Taxon, Taxonomy
from biovita.taxonomy.backbone import Backbone
from biovita.taxonomy.clean import clean_name
from biovita.taxonomy.match import match_names
from biovita.taxonomy.name_lists import names_listed
from biovita.taxonomy.parse import parse_name
from biovita.weights.state_dicts import read_state

__all__ = ["TARGETS", "joined", "parted"]

_PART = re.compile(rb"^--- ([\w./-]+) ---\n", re.MULTILINE)
_number = count()


def _new(folder: Path, name: str, data: bytes) -> Path:
    """Write a file under a path that was never used before: readers may remember what they saw at a path."""
    path = folder / f"{next(_number)}" / name
    path.parent.mkdir()
    path.write_bytes(data)
    return path


def parted(data: bytes) -> dict[str, bytes]:
    """Return the parts of a file of several, those with harmless names."""
    _, *found = _PART.split(data)
    parts = {name.decode(): content[:-1] for name, content in zip(found[::2], found[1::2], strict=True)}
    return {name: content for name, content in parts.items() if ".." not in name and not name.startswith("/")}


def joined(parts: dict[str, bytes]) -> bytes:
    """Return parts as one file."""
    return b"".join(b"--- %s ---\n%s\n" % (name.encode(), content) for name, content in parts.items())


def _unpacked(folder: Path, data: bytes) -> Path:
    place = folder / f"{next(_number)}"
    place.mkdir()
    for name, content in parted(data).items():
        try:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(content)
        except OSError:  # one name is a folder of another, or too long
            continue
    return place


def audio(data: bytes, folder: Path) -> None:
    """The length that a probe gives is that of what is read."""
    path = _new(folder, "recording", data)
    found = probe_audio(path)
    samples, rate = read_clip(path)
    assert rate == found.sample_rate
    assert abs(len(samples) - found.duration_s * rate) < 0.5, (len(samples), found)


def pictures(data: bytes, folder: Path) -> None:
    """The sides that a probe gives are those of what is read."""
    path = _new(folder, "photograph", data)
    found = probe_image(path)
    image = read_image(path)
    assert image.mode == "RGB"
    assert image.size == (found.width, found.height) == picture_size(path)


def _accounted(source: Source, *, of_others: bool = False) -> None:
    """Hold that each row is a record, rejected or skipped, but for those whose media stand in other tables."""
    places, read, skipped = set(), 0, 0
    for batch in source.batches():
        for part in (batch.records, batch.rejected):
            places |= set(zip(part["file"].to_pylist(), part["row"].to_pylist(), strict=True))
        for given, license_ in zip(batch.records["license_given"], batch.records["license"], strict=True):
            assert normalise_license(given.as_py()) == license_.as_py()
        read += sum(table.rows for table in batch.tables)
        skipped += sum(table.skipped for table in batch.tables)
    given = len(places) + skipped
    assert given <= read if of_others else given == read, (read, skipped, sorted(places))


def tables(data: bytes, folder: Path) -> None:
    """A table of a folder, an export of two sites and a list of names: whichever its columns fit."""
    path = _new(folder, "audio.xlsx" if data[:2] == b"PK" else "audio.csv", data)
    reads: tuple[Callable[[], object], ...] = (
        lambda: _accounted(Folder(path=path.parent)),
        lambda: _accounted(InaturalistExport(path=path)),
        lambda: _accounted(XenoCanto(path=path)),
        lambda: names_listed(path),
    )
    for read in reads:
        try:
            read()
        except BiovitaError:
            continue


def darwin_core(data: bytes, folder: Path) -> None:
    """A packed archive, or its parts in a folder."""
    path = _new(folder, "archive.zip", data) if data[:2] == b"PK" else _unpacked(folder, data)
    _accounted(DarwinCore(path=path), of_others=True)


def inaturalist(data: bytes, folder: Path) -> None:
    """An answer with observations."""
    _accounted(InaturalistApi(path=_new(folder, "answer.json", data)))


def xeno_canto(data: bytes, folder: Path) -> None:
    """An answer with recordings."""
    _accounted(XenoCanto(path=_new(folder, "answer.json", data)))


_BACKBONE = Backbone.of_taxonomy(
    Taxonomy(
        (
            Taxon("1", "Parus major", class_="Aves", family="Paridae", genus="Parus"),
            Taxon("2", "Pica pica", class_="Aves", family="Corvidae", genus="Pica"),
            Taxon("3", "Rana temporaria", class_="Amphibia", family="Ranidae", genus="Rana"),
        )
    ),
    "three",
)


def names(data: bytes, folder: Path) -> None:
    """A name a line: cleaning a clean name changes nothing, and each is decided, with a confidence."""
    given = data.decode("utf-8", "surrogateescape").replace("\0", "\n").split("\n")[:50]
    given = [name.encode("utf-8", "replace").decode("utf-8") for name in given]
    for name in given:
        parse_name(name)
        clean = clean_name(name)  # one that names several species is refused
        assert clean.several or clean_name(clean.name).name == clean.name, (name, clean, clean_name(clean.name))
    decisions = match_names(pa.table({"name": given}), _BACKBONE)
    assert decisions["name"].to_pylist() == given
    assert all(0 <= sure <= 1 for sure in decisions["confidence"].to_pylist() if sure is not None)


_LIMITS = {
    "NC": re.compile(r"(?<![a-z])nc(?![a-z])|non[-_ ]?commercial"),
    "ND": re.compile(r"(?<![a-z])nd(?![a-z])|no[-_ ]?deriv"),
    "SA": re.compile(r"(?<![a-z])sa(?![a-z])|share[-_ ]?alike"),
}


def licences(data: bytes, folder: Path) -> None:
    """A statement a line: what its words forbid, its licence forbids, and a licence is read as itself."""
    for given in data.decode("utf-8", "replace").split("\n")[:50]:
        license_ = normalise_license(given)
        if license_ is None or license_ == "ARR":
            continue
        assert normalise_license(license_) == license_, (given, license_)
        assert allowed(license_, (license_,)), license_
        for limit, words in _LIMITS.items():
            assert limit in license_ or not words.search(given.lower()), (given, license_)


def plans(data: bytes, folder: Path) -> None:
    """What is understood of a plan is a plan, and says the same."""
    path = _new(folder, "plan.toml", data)
    plan = read_plan(path)
    said = as_understood(plan, path.parent)
    again = path.with_name("again.toml")
    again.write_text(said, encoding="utf-8")
    assert as_understood(read_plan(again), path.parent) == said


def checkpoints(data: bytes, folder: Path) -> None:
    """No tensor is larger than the file."""
    is_torch = data[:2] in {b"PK", b"\x80\x02"} and data[8:9] != b"{"
    state = read_state(_new(folder, "weights.pt" if is_torch else "weights.safetensors", data))
    for name, tensor in state.items():
        assert tensor.numel() * tensor.element_size() <= len(data), name


def benchmarks(data: bytes, folder: Path) -> None:
    """A benchmark that is sound has queries."""
    verdict = verify_benchmark(_unpacked(folder, data))
    assert not verdict.sound or not verdict.tasks or verdict.queries


TARGETS: dict[str, Callable[[bytes, Path], None]] = {
    each.__name__: each
    for each in (
        audio,
        pictures,
        tables,
        darwin_core,
        inaturalist,
        xeno_canto,
        names,
        licences,
        plans,
        checkpoints,
        benchmarks,
    )
}
