"""A backbone made of a checklist that people download, with what is known of it beside."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.errors import DatasetError, unknown_name
from biovita.files import replacing, require_writable, write_whole
from biovita.hashing import sha256_of
from biovita.one_line import OneLine
from biovita.taxonomy.backbone import LINEAGE, Backbone, members_of
from biovita.taxonomy.backbone_files import read_list, write_parquet
from biovita.taxonomy.checklist_files import ListFile, list_files
from biovita.taxonomy.stated_source import StatedSource, stated_source
from biovita.taxonomy.taxon import RANKS
from biovita.taxonomy.vernacular_names import common_names
from biovita.version import __version__

__all__ = ["BackboneReport", "InputFile", "make_backbone"]

_NO_RANK = "no rank stated"
_SHOWN = 20  # languages
_GROUPS = f"--within takes groups that it has: a {', '.join(LINEAGE[:-1])} or {LINEAGE[-1]}"


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that a backbone was made of: its name, its hash and its size in bytes."""

    name: str
    sha256: str
    bytes: int


@dataclass(frozen=True, repr=False)
class BackboneReport(OneLine):
    """A backbone that was made.

    Attributes
    ----------
    path
        The Parquet file.
    about
        The JSON file beside it, which holds this report.
    kind
        What the checklist was found to be.
    stated
        What it says of itself.
    inputs
        What was read.
    taxa, synonyms, common_names
        How many accepted taxa there are, other names for them, and taxa with a common name.
    unplaced
        Synonyms among the names whose accepted name is not in the list; a name that is one of them is refused.
    ranks
        How many taxa there are at each rank, the most frequent first.
    languages
        How many common names the checklist has in each language, as it writes them.
    left_out
        How many of its names are no part of the backbone, by reason.
    examples
        The first of them.
    notes
        What a user has to know.
    """

    path: Path
    about: Path
    kind: str
    stated: StatedSource
    inputs: tuple[InputFile, ...]
    taxa: int
    synonyms: int
    unplaced: int
    common_names: int
    ranks: Mapping[str, int]
    languages: Mapping[str, int]
    left_out: Mapping[str, int]
    examples: Mapping[str, Sequence[str]]
    notes: tuple[str, ...]


def make_backbone(
    source: str | Path,
    *,
    out: str | Path,
    within: Sequence[str] = (),
    names: Sequence[str] = ("en",),
    overwrite: bool = False,
    progress: bool = True,
) -> BackboneReport:
    """Make a backbone of a checklist: a Parquet file, and a JSON file of the same name that says where it is from.

    Parameters
    ----------
    source
        What iNaturalist, GBIF, the Catalogue of Life (Darwin Core or ColDP), eBird or Clements give out: a file, folder
        or ZIP file. Which of them it is shows in its columns.
    out
        The file to write; its name ends in ``.parquet``.
    within
        Groups from kingdom to genus; only what lies in them is kept. Empty: everything.
    names
        Languages of common names, the preferred first: codes such as ``en`` or ``deu``.
    overwrite
        Replace ``out`` where it exists.
    progress
        Show on standard error how far it is, where that is a terminal.

    Raises
    ------
    DatasetError
        Where ``source`` is none of them, holds no taxa, has ids twice or parents that lead round in a circle; where
        nothing lies in ``within``; where ``out`` exists or does not end in ``.parquet``.
    """
    from biovita.console import status

    source, out = Path(source), Path(out)
    about = out.with_suffix(".json")
    _check_places(source, (out, about), overwrite=overwrite)
    with status(f"reading {source.name}", shown=progress) as shown:
        read = read_list(source, within, lambda rows: shown.update(f"reading {source.name}: {rows:,} rows"))
        inside = _inside(read.backbone, within, source)
        shown.update("reading common names")
        files = list_files(source)
        common = common_names(files, names)
        made = _with_common_names(inside, common.names)
        left_out = Counter({reason: count for reason, count in read.unread.counts.items() if count})
        if len(made) < len(read.backbone):
            left_out[f"not in {', '.join(within)}"] += len(read.backbone) - len(made)
        named = sorted({read.file, *common.files}, key=lambda file: file.where)
        shown.update("taking the hash of what was read")
        report = BackboneReport(
            path=out,
            about=about,
            kind=read.form.kind.value,
            stated=stated_source(files, source.name, read.form.header),
            inputs=_inputs(named),
            **_counts(made),
            languages=dict(common.languages.most_common()),
            left_out=dict(left_out),
            examples={reason: tuple(shown) for reason, shown in read.unread.examples.items() if shown},
            notes=(*read.notes, *_remarks(made, names, common.languages, within)),
        )
        shown.update(f"writing {out.name}")
        _write(report, made)
    return report


def _check_places(source: Path, places: tuple[Path, Path], *, overwrite: bool) -> None:
    out = places[0]
    require_writable(out, ".parquet")
    if not source.exists():
        raise DatasetError(
            f"{source} does not exist. Give the file, folder or ZIP file that you downloaded; docs/backbone.md says "
            "where there are some"
        )
    for place in places:
        if place.is_dir():
            raise DatasetError(f"{place} is a folder. Choose another name")
        if place.exists() and not overwrite:
            raise DatasetError(f"{place} already exists. Choose another place, or give --overwrite to replace it")
        if place.exists() and source.exists() and place.samefile(source):
            raise DatasetError(f"{place} is what is read. Choose another place")


def _inside(backbone: Backbone, within: Sequence[str], source: Path) -> Backbone:
    """Return what lies in the groups; each of them has to have something."""
    table = backbone.table
    if within and not len(backbone):
        raise DatasetError(f"{source}: nothing in it is in {', '.join(within)}. {_GROUPS}")
    if not set(pc.unique(table["rank"].combine_chunks()).to_pylist()) & set(RANKS):
        raise DatasetError(f"{source}: none of its names has a rank from kingdom to species")
    for group in within:
        if not pc.any(members_of(table, [group])).as_py():
            known = {
                name for rank in LINEAGE for name in pc.unique(table[rank].combine_chunks()).to_pylist() if name
            }
            raise DatasetError(f"{source}: {unknown_name('group', group, known)}\n{_GROUPS}")
    return backbone.within(within) if within else backbone


def _with_common_names(backbone: Backbone, names: pa.Table) -> Backbone:
    if not names.num_rows:
        return backbone
    table = backbone.table
    found = (
        names["common_name"]
        .combine_chunks()
        .take(pc.index_in(table["id"], value_set=names["id"].combine_chunks()))
    )
    at = table.column_names.index("common_name")
    return replace(backbone, table=table.set_column(at, "common_name", pc.coalesce(found, table["common_name"])))


def _counts(backbone: Backbone) -> dict[str, Any]:
    table = backbone.table
    accepted = table["accepted"].to_numpy()
    own = accepted == np.arange(len(backbone))
    ranks = pc.fill_null(table["rank"].cast(pa.string()).filter(pa.array(own)), _NO_RANK)
    counted = Counter({each["values"]: each["counts"] for each in pc.value_counts(ranks).to_pylist()})
    return {
        "taxa": int(own.sum()),
        "synonyms": int(np.count_nonzero((accepted >= 0) & ~own)),
        "unplaced": int(np.count_nonzero(accepted < 0)),
        "common_names": len(backbone) - table["common_name"].null_count,
        "ranks": dict(counted.most_common()),
    }


def _remarks(
    backbone: Backbone, names: Sequence[str], languages: Mapping[str, int], within: Sequence[str]
) -> Iterator[str]:
    """Give what is odd of a backbone, or may surprise who uses it."""
    if names and languages and backbone.table["common_name"].null_count == len(backbone):
        has = ", ".join(f"{code or 'none stated'} ({count:,})" for code, count in list(languages.items())[:_SHOWN])
        yield f"it has no common name in {', '.join(names)}; there are some in {has}"
    for group in within:
        inside = backbone.table.filter(members_of(backbone.table, [group]))
        kingdoms = [name for name in pc.unique(inside["kingdom"].combine_chunks()).to_pylist() if name]
        if len(kingdoms) > 1:
            yield f"{group} is in {' and in '.join(sorted(kingdoms))}; all were kept"


def _inputs(files: Sequence[ListFile]) -> tuple[InputFile, ...]:
    paths = list(dict.fromkeys(file.path for file in files))  # of a ZIP file, itself
    return tuple(InputFile(path.name, sha256_of(path), path.stat().st_size) for path in paths)


def _write(report: BackboneReport, backbone: Backbone) -> None:
    """Write the file and what is known of it; that first, so that no backbone is ever without it."""
    told = asdict(report) | {
        "path": report.path.name,
        "about": report.about.name,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "biovita": __version__,
    }
    text = json.dumps(told, ensure_ascii=False, indent=2) + "\n"
    report.path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(report.path) as scratch:
        write_parquet(backbone, scratch, text)
        write_whole(report.about, text)
