"""``biovita taxonomy``: names and the backbone they are matched to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from biovita.cli.kit import Json, Overwrite, group, note, print_json, say

if TYPE_CHECKING:
    from biovita import BackboneReport

__all__ = ["app"]

_SHOWN = 10  # rows that cannot be read; --json has all

app = group(
    "taxonomy", "Match names to a taxonomic backbone, and make one of the checklists that people download."
)


@app.command
def backbone(
    source: Path,
    /,
    *,
    out: Path,
    within: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = (),
    names: Annotated[tuple[str, ...], Parameter(consume_multiple=True, show_default=" ".join)] = ("en",),
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Make a backbone of a checklist of iNaturalist, GBIF, the Catalogue of Life, eBird or Clements.

    docs/backbone.md says where to get them. OUT is what --backbone and plans take; a file of the same name that ends in
    .json says what it was made of, and what was left out.

    Parameters
    ----------
    source
        The file, folder or ZIP file as it was downloaded. Its columns show which of them it is.
    out
        The file to write: .parquet.
    within
        Groups from kingdom to genus, such as Aves; only what lies in them is kept.
    names
        Languages of common names, the preferred first, such as de en.
    """
    import biovita

    report = biovita.make_backbone(source, out=out, within=within, names=names, overwrite=overwrite)
    if as_json:
        print_json(report)
    else:
        say(*_made(report))
        note(*(f"note: {each}" for each in report.notes))


def _made(report: BackboneReport) -> Iterator[str]:
    stated = report.stated
    said = ", ".join(filter(None, (stated.title, stated.version, stated.issued)))
    yield f"{report.kind}{f': {said}' if said else ''}"
    yield f"licence: {stated.license or 'not stated in it; see docs/backbone.md'}"
    yield f"{report.taxa:>9,} taxa -> {report.path}"
    yield from (f"{count:>9,}   {rank}" for rank, count in list(report.ranks.items())[:_SHOWN])
    if len(report.ranks) > _SHOWN:
        yield f"          and {len(report.ranks) - _SHOWN} more ranks, which {report.about} lists"
    yield f"{report.synonyms:>9,} synonyms"
    yield f"{report.common_names:>9,} taxa with a common name"
    if report.unplaced:
        yield f"{report.unplaced:>9,} synonyms whose accepted name is not in the list: what has such a name is refused"
    if report.left_out:
        named = f"; {report.about} names some" if report.examples else ""
        yield f"{sum(report.left_out.values()):>9,} left out{named}"
        yield from (f"{count:>9,}   {reason}" for reason, count in report.left_out.items())


@app.command
def match(
    names: Path,
    /,
    *,
    backbone: Path | None = None,
    out: Path,
    overrides: Path | None = None,
    synonyms: tuple[Path, ...] = (),
    as_json: Json = False,
) -> None:
    """Match the names in a list to a backbone, and state each decision.

    Parameters
    ----------
    names
        A table (text or .xlsx) with a column name (or scientific_name) and, better, class, order and family.
    backbone
        Has to be given: what biovita taxonomy backbone writes (docs/backbone.md says of what), iNaturalist's taxa as
        Parquet, or a Darwin Core checklist (its taxon file, folder or zip).
    out
        Where the decisions go: .parquet or .csv, one row a name.
    overrides
        The curator's decisions, CSV: name, class, taxon_id or accepted_name (both empty: refuse), note.
    synonyms
        Checklists whose synonyms are used where the backbone knows the taxon under another name.
    """
    from biovita.console import status
    from biovita.errors import DatasetError
    from biovita.files import require_writable
    from biovita.taxonomy.backbone_files import WHERE_TO_GET_ONE, open_backbone
    from biovita.taxonomy.decisions import decisions_summary
    from biovita.taxonomy.match import match_names
    from biovita.taxonomy.name_lists import read_names, write_decisions
    from biovita.taxonomy.overrides import read_overrides

    if backbone is None:
        raise DatasetError(f"give the taxonomy that names are matched to with --backbone. {WHERE_TO_GET_ONE}")
    require_writable(out, ".parquet", ".csv")
    listed = read_names(names)
    given = listed.names
    with status(f"reading {backbone.name}") as shown:
        known = open_backbone(backbone)
        for checklist in synonyms:
            shown.update(f"reading {checklist.name}")
            known = known.with_synonyms(open_backbone(checklist))
        shown.update(f"matching {given.num_rows:,} names")
        decisions = match_names(given, known, read_overrides(overrides, known) if overrides else None)
    write_decisions(decisions, out)
    summary = decisions_summary(decisions)
    if as_json:
        rejected = [asdict(row) for row in listed.rejected]
        read = {"rejected": rejected, "skipped": listed.skipped, "notes": list(listed.notes)}
        print_json({"backbone": known.name, "sha256": known.sha256, **summary, **read})
    else:
        say(*_lines(summary, out))
        note(*(f"note: {names.name}: {each}" for each in listed.notes))
        note(*(f"rejected: {names.name}, line {row.line}: {row.detail}" for row in listed.rejected[:_SHOWN]))
        if len(listed.rejected) > _SHOWN:
            note(f"and {len(listed.rejected) - _SHOWN} more rows that cannot be read; --json lists them")


def _lines(summary: dict[str, int | dict[str, int]], out: Path) -> Iterator[str]:
    yield f"{summary['names']:>9,} names -> {out}"
    for total, parts in (("matched", "rules"), ("refused", "reasons")):
        yield f"{summary[total]:>9,} {total}"
        counts = summary[parts]
        assert isinstance(counts, dict)
        yield from (f"{count:>9,}   {part}" for part, count in counts.items())
