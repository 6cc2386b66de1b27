"""``biovita taxonomy``: names and the backbone they are matched to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from biovita.cli.kit import Json, group, note, print_json, say

__all__ = ["app"]

_SHOWN = 10  # rows that cannot be read; --json has all

app = group("taxonomy", "Match names to a taxonomic backbone.")


@app.command
def match(
    names: Path,
    /,
    *,
    backbone: Path,
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
        iNaturalist's taxa as Parquet, or a Darwin Core checklist (its taxon file, folder or zip).
    out
        Where the decisions go: .parquet or .csv, one row a name.
    overrides
        The curator's decisions, CSV: name, class, taxon_id or accepted_name (both empty: refuse), note.
    synonyms
        Checklists whose synonyms are used where the backbone knows the taxon under another name.
    """
    from biovita.console import status
    from biovita.taxonomy.backbone_files import open_backbone
    from biovita.taxonomy.decisions import decisions_summary
    from biovita.taxonomy.match import match_names
    from biovita.taxonomy.name_lists import read_names, require_decisions_place, write_decisions
    from biovita.taxonomy.overrides import read_overrides

    require_decisions_place(out)
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
