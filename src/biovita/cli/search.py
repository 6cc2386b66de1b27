"""``biovita search``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from biovita.cli.kit import Device, Json, group, note, print_json, print_table, say
from biovita.errors import BiovitaError
from biovita.values import number

if TYPE_CHECKING:
    from biovita.searching import SearchResult

__all__ = ["app"]

app = group("search")

_TABLES = (".csv", ".parquet")


def _box(type_: Any, tokens: Sequence[Any]) -> tuple[float, ...]:  # noqa: ARG001 - cyclopts hands it over
    text = tokens[0].value
    found = [number(part) for part in text.split(",")]
    if len(found) != 4 or None in found:
        raise BiovitaError(f"{text!r}. Write it as WEST,SOUTH,EAST,NORTH in degrees, such as 5.9,45.8,10.5,47.8")
    return tuple(each for each in found if each is not None)


def _weights(type_: Any, tokens: Sequence[Any]) -> dict[str, float]:  # noqa: ARG001
    found: dict[str, float] = {}
    for token in tokens:
        kind, _, value = token.value.partition("=")
        weight = number(value)
        if weight is None:
            raise BiovitaError(f"{token.value!r}. Write it as KIND=NUMBER, such as text=0.5")
        found[kind.strip()] = weight
    return found


def _recall(type_: Any, tokens: Sequence[Any]) -> float | str:  # noqa: ARG001
    text: str = tokens[0].value
    found = number(text)
    if text != "exact" and found is None:
        raise BiovitaError(f"{text!r}. Give a share such as 0.97, or exact")
    return text if found is None else found


Many = Annotated[list[str] | None, Parameter(negative=(), consume_multiple=True)]


@app.default
def search(
    archive: Path,
    /,
    *,
    audio: Annotated[
        list[str] | None, Parameter(negative=(), help="A sound file; dawn.wav@12-15 means these seconds of it.")
    ] = None,
    image: Annotated[list[str] | None, Parameter(negative=(), help="A photograph.")] = None,
    text: Annotated[list[str] | None, Parameter(negative=(), help="Words.")] = None,
    taxon: Annotated[list[str] | None, Parameter(negative=(), help="The name of a taxon.")] = None,
    weight: Annotated[
        dict[str, float] | None,
        Parameter(
            converter=_weights,
            accepts_keys=False,
            n_tokens=-1,
            negative=(),
            help="How much parts count: text=0.5. Kinds are audio, image, text, taxon. Default: each counts 1.",
        ),
    ] = None,
    like: Many = None,
    unlike: Many = None,
    want: Annotated[
        list[Literal["audio", "images", "taxa"]] | None,
        Parameter(negative=(), consume_multiple=True, help="What is wanted. Default: sounds and photographs."),
    ] = None,
    within: Annotated[
        list[str] | None, Parameter(negative=(), help="A taxon or group that a label says is there.")
    ] = None,
    site: Annotated[list[str] | None, Parameter(negative=(), help="A site.")] = None,
    license: Annotated[list[str] | None, Parameter(negative=(), help="A licence.")] = None,  # noqa: A002
    box: Annotated[
        tuple[float, float, float, float] | None,
        Parameter(converter=_box, n_tokens=1, allow_leading_hyphen=True, help="WEST,SOUTH,EAST,NORTH in degrees."),
    ] = None,
    since: Annotated[str | None, Parameter(help="First local day, as 2024-05-17.")] = None,
    until: Annotated[str | None, Parameter(help="Last local day.")] = None,
    month: Annotated[str | None, Parameter(help="Local months: 5, 11-2, 3,5.")] = None,
    hours: Annotated[str | None, Parameter(help="Local hours: 4-7 ends before 8 o'clock.")] = None,
    where: Annotated[
        str | None, Parameter(help="A condition in SQL over the archive's columns: \"gain = 'high'\".")
    ] = None,
    k: Annotated[int, Parameter(name=("-k", "--k"), help="How many hits.")] = 20,
    skip: Annotated[int, Parameter(help="How many hits to pass over, for the next page.")] = 0,
    group: Annotated[
        Literal["recording", "site", "taxon", "none"], Parameter(help="Of which the best hit alone is given.")
    ] = "recording",
    recall: Annotated[
        float | Literal["exact"],
        Parameter(
            converter=_recall, n_tokens=1, help="Share of the nearest that a large table's index finds, or exact."
        ),
    ] = 0.97,
    model: Annotated[str | None, Parameter(help="One of the archive's models. Default: the first.")] = None,
    out: Annotated[Path | None, Parameter(help="File to write the hits to: .csv or .parquet.")] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> int:
    """Find what is like sounds, photographs, words, names, or a mix of them, in an archive.

    A score says how many standard deviations a hit lies above what the same query gets with others of its modality.

    Parameters
    ----------
    archive
        The archive, or a run of `biovita identify` that was refreshed.
    like
        Ids of hits that the answer should be like.
    unlike
        Ids of hits that it should be unlike.
    """
    import biovita
    from biovita.files import require_writable

    if out is not None:
        require_writable(out, *_TABLES)
    found = biovita.search(
        archive,
        audio=audio or (),
        image=image or (),
        text=text or (),
        taxon=taxon or (),
        weight=weight,
        like=like or (),
        unlike=unlike or (),
        want=want or (),
        within=within or (),
        site=site or (),
        license=license or (),
        box=box,
        since=since,
        until=until,
        month=month,
        hours=hours,
        where=where,
        k=k,
        skip=skip,
        group=group,
        recall=recall,
        model=model,
        device=device,
    )
    if out is not None:
        _write(found, out)
    if as_json:
        print_json({"model": found.model, "hits": _objects(found), "notes": list(found.notes)})
    else:
        _print(found)
    for line in found.notes:
        note(line)
    if out is not None and not as_json:
        say(f"written: {out}")
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


def _write(found: SearchResult, out: Path) -> None:
    from biovita.retrieval.hit_files import write_hits

    write_hits(found.hits, out)
