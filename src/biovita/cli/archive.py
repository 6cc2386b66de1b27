"""``biovita archive``: media that need no labels, kept so that they can be searched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from biovita.cli import identify_options as option
from biovita.cli.kit import Device, Json, Workers, group, note, print_json, print_table, say

if TYPE_CHECKING:
    from biovita.archiving import ArchiveChange, ArchiveInfo

__all__ = ["app"]

app = group("archive", "Keep an archive of recordings and photographs that can be searched.")

AnnotationFormat = Annotated[
    Literal["raven", "audacity", "aoef", "kaleidoscope", "csv", "parquet", "json"], Parameter(name="--format")
]
Several = Parameter(negative=())


@app.command
def create(
    archive: Path,
    /,
    *places: Path,
    model: Annotated[list[str] | None, Several] = None,
    overlap: option.Overlap = None,
    channel: option.Channel = "mean",
    band: option.Band = None,
    expand: option.Expand = None,
    views: option.Views = None,
    timezone: option.Timezone = None,
    device: Device = "auto",
    workers: Workers = None,
    as_json: Json = False,
) -> int:
    """Make an archive, and add what is named.

    Parameters
    ----------
    archive
        Directory to make.
    places
        What `archive add` takes; nothing makes an empty archive.
    model
        auto takes the best on this machine; otherwise as `biovita models describe` takes it. May be repeated.
    """
    import biovita
    from biovita.archive.add_places import named_places

    named_places(places)  # before anything is made
    biovita.create_archive(
        archive,
        model=model or (),
        overlap=overlap,
        channel=channel,
        band=band,
        expand=expand,
        views=views,
        timezone=timezone,
    )
    if places:
        return _told(biovita.add_to_archive(archive, places, device=device, workers=workers), as_json=as_json)
    if as_json:
        print_json({"path": archive})
    else:
        say(f"archive: {archive}")
    return 0


@app.command
def add(
    archive: Path,
    /,
    *places: Path,
    model: Annotated[list[str] | None, Several] = None,
    annotations: Annotated[list[Path] | None, Several] = None,
    annotation_format: AnnotationFormat = "csv",
    columns: Annotated[list[Path] | None, Several] = None,
    device: Device = "auto",
    workers: Workers = None,
    as_json: Json = False,
) -> int:
    """Add media, annotations, columns or models. What is new is embedded; the rest stays as it is.

    Ctrl-C ends with what is done; the same command goes on.

    Parameters
    ----------
    archive
        The archive.
    places
        Files, folders, patterns, text files that list paths, datasets, runs of `biovita identify`, and archives.
    model
        A further model, by which all media are embedded, too.
    annotations
        A file of annotations of the archive's recordings; more than once for several.
    annotation_format
        Of these files.
    columns
        A table with a column `path`, whose other columns `biovita search --where` can ask for.
    """
    import biovita

    done = biovita.add_to_archive(
        archive,
        places,
        model=model or (),
        annotations=annotations or (),
        annotation_format=annotation_format,
        columns=columns or (),
        device=device,
        workers=workers,
    )
    return _told(done, as_json=as_json)


@app.command
def refresh(
    archive: Path,
    /,
    *places: Path,
    device: Device = "auto",
    workers: Workers = None,
    as_json: Json = False,
) -> int:
    """Look again at all that was ever added: what is new, what changed, what moved.

    Parameters
    ----------
    archive
        The archive, or a run of `biovita identify`, which can be searched then.
    places
        Where else to look for files that moved.
    """
    import biovita

    return _told(biovita.refresh_archive(archive, places, device=device, workers=workers), as_json=as_json)


@app.command
def drop(
    archive: Path,
    /,
    *what: str,
    site: Annotated[list[str] | None, Several] = None,
    missing: Annotated[bool, Parameter(help="Media whose files are not there.")] = False,
    model: Annotated[list[str] | None, Several] = None,
    as_json: Json = False,
) -> int:
    """Remove media with their labels and vectors, or a model. No file of yours is touched.

    Parameters
    ----------
    archive
        The archive.
    what
        Ids of recordings and photographs, and files or folders.
    site
        All media of a site; more than once for several.
    model
        A model, whose vectors go; more than once for several.
    """
    import biovita

    done = biovita.drop_from_archive(archive, what, site=site or (), missing=missing, model=model or ())
    return _told(done, as_json=as_json)


@app.command
def info(archive: Path, /, *, as_json: Json = False) -> int:
    """Say what an archive holds.

    Parameters
    ----------
    archive
        The archive, or a run of `biovita identify`.
    """
    import biovita

    found = biovita.archive_info(archive)
    if as_json:
        print_json(found)
    else:
        _print_info(found)
    return 0


@app.command
def export(archive: Path, /, *, out: Path, as_json: Json = False) -> int:
    """Make a dataset of what is confirmed: media of which a person says what taxon is there.

    Parameters
    ----------
    archive
        The archive.
    out
        Directory of the dataset to make.
    """
    import biovita

    found = biovita.export_archive(archive, out=out)
    if as_json:
        print_json(found)
    else:
        say(
            f"dataset: {found.path}",
            f"{found.recordings:,} recordings and {found.photographs:,} photographs of {found.taxa:,} taxa",
        )
        for reason, count in found.left_out.items():
            note(f"left out: {count:,} {reason}")
    return 0


def _told(done: ArchiveChange, *, as_json: bool) -> int:
    """Print what became of an archive, and return the exit status."""
    if as_json:
        print_json(_content(done))
    else:
        _print(done)
    for line in done.notes:
        note(line)
    if done.stopped:
        note("Stopped. What was done until then is kept and can be searched; the same command goes on")
        return 130
    return 0


def _content(done: ArchiveChange) -> dict[str, object]:
    return {
        "path": done.path,
        "taken_in": done.taken_in,
        "dropped": done.dropped,
        "models": [
            {
                "model": each.model,
                "embedded": {
                    modality.value: {"new": one.new, "kept": one.kept, "failed": len(one.failed)}
                    for modality, one in each.embedded.items()
                },
                "copied": {modality.value: count for modality, count in each.copied.items()},
                "searched": {modality.value: one.rows for modality, one in each.filled.items()},
            }
            for each in done.models
        ],
        "left_out": done.left_out,
        "notes": list(done.notes),
        "stopped": done.stopped,
    }


def _print(done: ArchiveChange) -> None:
    say(f"archive: {done.path}")
    taken = done.taken_in
    if taken is not None:
        parts = [f"{taken.new:,} new", f"{taken.same:,} known"]
        more = {"moved": taken.moved, "of changed content": taken.changed, "there twice": taken.twice}
        say("media: " + ", ".join(parts + [f"{count:,} {what}" for what, count in more.items() if count]))
    if done.dropped is not None:
        gone = done.dropped
        say(f"dropped: {gone.recordings:,} recordings, {gone.photographs:,} photographs, {gone.labels:,} labels")
    for each in done.models:
        new = ", ".join(f"{one.new:,} {modality.plural}" for modality, one in each.embedded.items())
        rows = ", ".join(f"{one.rows:,} of {modality}" for modality, one in each.filled.items())
        say(f"{each.model}: embedded {new or 'nothing'}; rows that are searched: {rows or 'none'}")
    for reason, count in (done.left_out or {}).items():
        note(f"left out: {count:,} {reason}; see left_out.parquet in {done.path}")


def _print_info(found: ArchiveInfo) -> None:
    say(
        f"archive: {found.path}",
        f"{found.recordings:,} recordings, {found.hours:,.2f} hours; {found.photographs:,} photographs; "
        f"{found.sites:,} sites; {found.taxa:,} taxa",
    )
    labels = ", ".join(f"{count:,} by {who or 'no one'}" for who, count in found.labels.items())
    say(f"labels: {labels or 'none'}")
    rows = [
        (
            model,
            modality,
            count,
            f"{said['index'][modality]['partitions']:,}" if modality in said["index"] else "-",
        )
        for model, said in found.searched.items()
        for modality, count in said["rows"].items()
    ]
    if rows:
        print_table(("model", "of", "rows", "partitions"), rows)
    if found.columns:
        say(f"columns: {', '.join(found.columns)}")
    for reason, count in found.left_out.items():
        note(f"left out: {count:,} {reason}")
    if found.missing:
        note(f"the files of {found.missing:,} recordings and photographs are not there")
