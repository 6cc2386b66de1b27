"""``biovita search``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from biovita.cli import search_options as option
from biovita.cli.kit import Device, Json, group, note, print_json, print_table, say

if TYPE_CHECKING:
    from biovita.searching import SearchResult

__all__ = ["app"]

app = group("search")

_TABLES = (".csv", ".parquet")
_SEVERAL = ("audio", "image", "text", "taxon", "like", "unlike", "want", "within", "site", "license")


@app.default
def search(
    archive: Path,
    /,
    *,
    audio: option.Audio = None,
    image: option.Image = None,
    text: option.Words = None,
    taxon: option.TaxonNames = None,
    weight: option.Weight = None,
    like: option.Like = None,
    unlike: option.Like = None,
    want: option.Want = None,
    within: option.Strings = None,
    site: option.Strings = None,
    license: option.Strings = None,  # noqa: A002 - as the table calls it
    box: option.Box = None,
    since: option.Since = None,
    until: option.Until = None,
    month: option.Month = None,
    hours: option.Hours = None,
    where: option.Where = None,
    k: option.Number = 20,
    skip: option.Skip = 0,
    group: option.Group = "recording",
    recall: option.Recall = 0.97,
    model: option.Model = None,
    out: Path | None = None,
    device: Device = "auto",
    as_json: Json = False,
) -> int:
    """Find what is like sounds, photographs, words, names, or a mix of them, in an archive.

    A score says how far a hit lies above the mean of others of its modality, in the spread of the query's similarities.

    Parameters
    ----------
    archive
        The archive, or a run of `biovita identify` that was refreshed.
    like
        Ids of hits that the answer should be like.
    unlike
        Ids of hits that it should be unlike.
    within
        A taxon or group, of which a label says that it is there.
    site
        A site; more than once for several.
    license
        A licence; more than once for several.
    out
        File to write the hits to: .csv or .parquet.
    """
    given = {name: value for name, value in locals().items() if name not in {"archive", "out", "as_json"}}
    return _run(archive, given, out, as_json=as_json)


def _run(archive: Path, given: dict[str, Any], out: Path | None, *, as_json: bool) -> int:
    import biovita
    from biovita.files import require_writable
    from biovita.written_table import write_one_table

    if out is not None:
        require_writable(out, *_TABLES)
    given |= {name: given[name] or () for name in _SEVERAL}
    given["weight"] = option.weights_of(given["weight"]) if given["weight"] else None
    found = biovita.search(archive, **given)
    if out is not None:
        write_one_table(found.hits, out)
    if as_json:
        print_json({"model": found.model, "hits": _objects(found), "notes": list(found.notes)})
    else:
        _print(found)
        if out is not None:
            say(f"written: {out}")
    for line in found.notes:
        note(line)
    return 0


def _objects(found: SearchResult) -> list[dict[str, object]]:
    """Return hits without their empty fields."""
    return [
        {name: value for name, value in row.items() if value not in (None, [])} for row in found.hits.to_pylist()
    ]


def _print(found: SearchResult) -> None:
    rows = found.hits.to_pylist()
    if not rows:
        say("nothing is found")
        return
    print_table(("", "score", "what", "where", "site", "when", "labels", "id"), map(_cells, rows))


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    where = "" if row["path"] is None else Path(row["path"]).name
    if row["start_s"] is not None:
        where += f" {int(row['start_s']) // 60}:{row['start_s'] % 60:04.1f}"
    labels = ", ".join(row["scientific_names"][:2]) + (", ..." if len(row["scientific_names"]) > 2 else "")
    when = "" if row["begin_local"] is None else f"{row['begin_local']:%Y-%m-%d %H:%M}"
    what = {"audio": "sound", "image": "photograph", "text": "taxon"}[row["modality"]]
    return row["place"], f"{row['score']:.2f}", what, where, row["site"] or "", when, labels, row["id"]
