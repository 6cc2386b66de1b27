"""What the commands of ``biovita archive`` do, as functions with the same arguments."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from biovita.errors import BiovitaError, DatasetError
from biovita.one_line import OneLine

if TYPE_CHECKING:
    from biovita.archive.archive import Archive
    from biovita.archive.change_media import Dropped, TakenIn
    from biovita.model.card import ModelCard
    from biovita.retrieval.update_archive import ModelUpdate

__all__ = [
    "ArchiveChange",
    "ArchiveInfo",
    "ExportReport",
    "add_to_archive",
    "archive_info",
    "create_archive",
    "drop_from_archive",
    "export_archive",
    "refresh_archive",
]

logger = logging.getLogger(__name__)

_PIECES = 4  # of recordings that are encoded together; more would only lie in memory
_WAIT_S = 7 * 24 * 3600.0  # for another process that adds: it is never given up before it is done


@dataclass(frozen=True, eq=False, repr=False)
class ArchiveChange(OneLine):
    """What became of an archive.

    Attributes
    ----------
    taken_in
        Media that were named; None where none were.
    dropped
        What left it; None where nothing was to.
    models
        What was done with each model.
    left_out
        Files that are not in it, or have no vectors, by reason.
    notes
        Sentences that a user has to know.
    """

    path: Path
    taken_in: TakenIn | None = None
    dropped: Dropped | None = None
    models: tuple[ModelUpdate, ...] = ()
    left_out: Mapping[str, int] | None = None
    notes: tuple[str, ...] = ()

    @property
    def stopped(self) -> bool:
        """Whether Ctrl-C ended it early: what was done is kept, and the same command goes on."""
        return any(each.stopped for each in self.models)


@dataclass(frozen=True, eq=False, repr=False)
class ArchiveInfo(OneLine):
    """What an archive holds.

    Attributes
    ----------
    hours
        Of its recordings together, as far as they are listened to.
    labels
        Labels by who made them: human, machine.
    searched
        By model, and by audio, image and text, the rows that are searched; with ``index`` where there is one.
    missing
        Media whose files are not there.
    """

    path: Path
    recordings: int
    hours: float
    photographs: int
    sites: int
    taxa: int
    labels: Mapping[str, int]
    left_out: Mapping[str, int]
    models: tuple[str, ...]
    searched: Mapping[str, Mapping[str, Any]]
    places: tuple[str, ...]
    columns: tuple[str, ...]
    perceiving: Mapping[str, Any]
    missing: int


@dataclass(frozen=True, eq=False, repr=False)
class ExportReport(OneLine):
    """A dataset that was made of what is confirmed in an archive.

    Attributes
    ----------
    left_out
        Labels that are not in it, by reason; see `biovita.archive.export_confirmed.Confirmed`.
    """

    path: Path
    recordings: int
    photographs: int
    taxa: int
    left_out: Mapping[str, int]


def create_archive(
    archive: str | Path,
    *,
    model: Sequence[str | Path] = (),
    overlap: float | None = None,
    channel: int | Literal["mean", "all"] = "mean",
    band: tuple[float | None, float | None] | None = None,
    expand: float | None = None,
    views: int | None = None,
    timezone: str | None = None,
) -> Path:
    """Make an empty archive, which keeps to how its media are heard and seen, and return its directory.

    Parameters
    ----------
    archive
        Directory to make.
    model
        As `describe` takes them, or ``auto``, the best on this machine, which is meant where nothing is said. By each
        of them all media are embedded, side by side; the first is searched with where nothing else is said.
    overlap, channel, band, expand, views
        As `biovita.identify` takes them.
    timezone
        Of recorders and cameras that state none: an IANA name or an offset.

    Raises
    ------
    BiovitaError
        Where the directory holds something, a model is unknown, or an option is not accepted.
    """
    from biovita.archive.archive import Archive
    from biovita.files import require_possible
    from biovita.identification.options import IdentifyOptions, channels_of, perceiving_of
    from biovita.media.clocks import zone_of
    from biovita.retrieval.archive_models import cards_of, describe_archive, place_of_model

    place = Path(archive)
    options: IdentifyOptions = {"overlap": overlap, "channel": channel, "band": band, "expand": expand}
    options |= {"views": views}
    require_possible(place)
    if place.is_dir() and any(place.iterdir()):
        raise DatasetError(f"{place} is not empty. Choose another place for the archive")
    if timezone is not None:
        zone_of(timezone)
    channels = channels_of(options)
    said = {
        "models": [place_of_model(card) for card in cards_of(list(map(str, model)) or ["auto"])],
        "perceiving": perceiving_of(options, None).as_json(),
        "channels": None if channels is None else list(channels),
        "timezone": timezone,
        "places": [],
    }
    describe_archive(Archive(place), said)
    return place


def add_to_archive(
    archive: str | Path,
    places: Sequence[str | Path] = (),
    *,
    model: Sequence[str | Path] = (),
    annotations: Sequence[str | Path] = (),
    annotation_format: str = "csv",
    columns: Sequence[str | Path] = (),
    device: str = "auto",
    workers: int | None = None,
    progress: bool = True,
) -> ArchiveChange:
    """Add media, annotations, columns or models to an archive, embed what is new, and keep up what is searched.

    A content that it has is not added twice. A file that moved is known by its content. Two processes that add at once
    wait for one another.

    Parameters
    ----------
    archive
        The archive.
    places
        Files, folders, patterns, text files that list paths, datasets (whose labels become annotations), and runs of
        `identify` or other archives (whose answers become annotations of a machine, and whose vectors are taken over).
    model
        Further models, by which all media are embedded, too.
    annotations, annotation_format
        Files of annotations of the archive's recordings, and their format, a name in
        `biovita.archive.annotation_formats.annotation_readers.READERS`.
    columns
        Tables with a column ``path``, whose other columns can be asked for with ``where``.
    device, workers, progress
        As `biovita.identify` takes them.

    Raises
    ------
    BiovitaError
        Where something that is named cannot be used.
    """
    if not (places or model or annotations or columns):
        raise BiovitaError(
            "nothing is named. Give files, folders, datasets or runs, --annotations, --columns or --model"
        )
    from biovita.archive.add_places import add_annotations, add_places, add_tables, named_places
    from biovita.retrieval.archive_models import cards_of, models_of, remember

    named = named_places(places)
    with _alone(archive) as opened:
        cards = cards_of([*models_of(opened), *map(str, model)])
        taken_in, notes = add_places(opened, named, progress=progress)
        remember(opened, places, cards)
        notes += add_annotations(opened, list(map(Path, annotations)), annotation_format)
        notes += add_tables(opened, list(map(Path, columns)))
        change = ArchiveChange(opened.path, taken_in, notes=notes)
        return _embedded(opened, change, cards, named.runs, _Means(device, workers, progress))


def refresh_archive(
    archive: str | Path,
    places: Sequence[str | Path] = (),
    *,
    device: str = "auto",
    workers: int | None = None,
    progress: bool = True,
) -> ArchiveChange:
    """Look again at all that was ever added to an archive: what is new comes in, what changed is embedded again.

    A file that is gone stays in the archive, for its disk may be away; a note says how many there are, and
    `drop_from_archive` removes them.

    Parameters
    ----------
    archive
        The archive, or a run of `identify`, which can be searched then.
    places
        Where else to look, for files that moved there.
    device, workers, progress
        As `biovita.identify` takes them.

    Raises
    ------
    BiovitaError
        Where the archive or one of its models cannot be opened.
    """
    from biovita.archive.add_places import add_places, named_places
    from biovita.archive.change_media import missing_media
    from biovita.retrieval.archive_models import cards_of, models_of, remember

    if places:
        named_places(places)
    with _alone(archive) as opened:
        known = [Path(place) for place in opened.info.get("places", ())]
        named = named_places([*(place for place in known if place.exists()), *places])
        notes = tuple(f"{place} was added once, and is not there now" for place in known if not place.exists())
        taken_in, said = add_places(opened, named, progress=progress)
        cards = cards_of(models_of(opened))
        remember(opened, places, cards)
        absent = sum(map(len, missing_media(opened).values()))
        if absent:
            said += (f"the files of {absent:,} media are not there. biovita archive drop --missing removes them",)
        change = ArchiveChange(opened.path, taken_in, notes=notes + said)
        return _embedded(opened, change, cards, named.runs, _Means(device, workers, progress))


def drop_from_archive(
    archive: str | Path,
    what: Sequence[str | Path] = (),
    *,
    site: Sequence[str] = (),
    missing: bool = False,
    model: Sequence[str] = (),
) -> ArchiveChange:
    """Remove recordings and photographs from an archive, with their labels and vectors; their files are not touched.

    Parameters
    ----------
    archive
        The archive.
    what
        Ids of media, and files or folders.
    site
        Sites, all of whose media go.
    missing
        Whether media go whose files are not there.
    model
        Models, whose vectors go.

    Raises
    ------
    BiovitaError
        Where nothing is named, or something that is named is not in the archive.
    """
    import pyarrow as pa

    from biovita.archive.change_media import drop_media, missing_media
    from biovita.archive.meant_media import meant_media
    from biovita.retrieval.archive_models import describe_archive
    from biovita.retrieval.remove_vectors import forget_model, remove_vectors

    if not (what or site or missing or model):
        raise BiovitaError("nothing is named. Give ids, files or folders, --site, --missing or --model")
    with _alone(archive) as opened:
        gone = meant_media(opened, list(map(str, what)), site)
        if missing:
            absent = [chunk for table in missing_media(opened).values() for chunk in table["id"].chunks]
            gone = pa.concat_arrays([gone, *absent])
        dropped = drop_media(opened, gone)
        remove_vectors(opened)
        for name in model:
            kept = forget_model(opened, name)
            describe_archive(opened, {**opened.info, "models": kept})
        return ArchiveChange(opened.path, dropped=dropped, left_out=_left_out(opened))


def archive_info(archive: str | Path) -> ArchiveInfo:
    """Return what an archive holds.

    Parameters
    ----------
    archive
        The archive, or a run of `identify`.

    Raises
    ------
    DatasetError
        Where there is none, or a table of it is damaged.
    """
    import pyarrow.compute as pc

    from biovita.archive.archive import Archive
    from biovita.archive.change_media import missing_media
    from biovita.archive.extra_columns import extra_columns
    from biovita.retrieval.archive_models import models_of, searched_rows_of

    opened = Archive.open(archive)
    recordings, info = opened.table("recordings"), opened.info
    end = pc.coalesce(recordings["end_s"], recordings["duration_s"])
    seconds = pc.sum(pc.subtract(end, pc.fill_null(recordings["start_s"], 0.0))).as_py() or 0.0
    labels = Counter[str]()
    for table in ("labels", "annotations"):
        for each in pc.value_counts(opened.table(table)["by_kind"]).to_pylist():
            labels[each["values"] or ""] += each["counts"]
    return ArchiveInfo(
        path=opened.path,
        recordings=len(recordings),
        hours=seconds / 3600,
        photographs=len(opened.table("photographs")),
        sites=len(opened.table("deployments")),
        taxa=len(opened.table("taxa")),
        labels=dict(labels.most_common()),
        left_out=_left_out(opened),
        models=tuple(models_of(opened)),
        searched=searched_rows_of(opened),
        places=tuple(info.get("places", ())),
        columns=tuple(name for name in extra_columns(opened).column_names if name != "media_id"),
        perceiving=info.get("perceiving", {}),
        missing=sum(map(len, missing_media(opened).values())),
    )


def export_archive(archive: str | Path, *, out: str | Path) -> ExportReport:
    """Make a dataset of what is confirmed in an archive: media of which a person says what taxon is there.

    The files stay where they are, and the dataset names them.

    Parameters
    ----------
    archive
        The archive.
    out
        Directory of the dataset to make.

    Raises
    ------
    DatasetError
        Where nothing is confirmed, or ``out`` is there.
    """
    from biovita.archive.archive import Archive
    from biovita.archive.export_confirmed import write_confirmed

    found = write_confirmed(Archive.open(archive), Path(out))
    recordings, photographs, taxa = (len(found.tables[name]) for name in ("audio", "images", "taxa"))
    return ExportReport(Path(out), recordings, photographs, taxa, found.left_out)


@dataclass(frozen=True, slots=True)
class _Means:
    """With what an archive is embedded."""

    device: str
    workers: int | None
    progress: bool


@contextmanager
def _alone(place: str | Path) -> Iterator[Archive]:
    """Give an archive to which no other process writes; wait for one that does."""
    from biovita.archive.archive import LOCK, Archive
    from biovita.files import locked

    opened = Archive.open(place)
    busy = f"{place}: another process is writing there"
    with locked(
        opened.path / LOCK, busy, wait_s=_WAIT_S, waiting=partial(logger.warning, "%s. Waiting for it", busy)
    ):
        yield opened


def _embedded(
    archive: Archive, change: ArchiveChange, cards: Sequence[ModelCard], runs: Sequence[Archive], means: _Means
) -> ArchiveChange:
    """Embed what has no vector, bring up to date what is searched, and return what became of the archive."""
    from biovita.embedding.engine import Settings
    from biovita.identification.asked import Perceiving
    from biovita.retrieval.remove_vectors import remove_vectors
    from biovita.retrieval.update_archive import Updating, update_archive

    perceiving = Perceiving.from_json(archive.info.get("perceiving", {}))
    together = _PIECES if len(archive.table("recordings")) else None
    settings = Settings(together, means.workers, means.progress)
    done = update_archive(archive, cards, Updating(perceiving, settings, means.device, tuple(runs)))
    if change.taken_in is not None and change.taken_in.changed:
        remove_vectors(archive)
    said = tuple(note for each in done for note in each.notes)
    return replace(change, models=done, left_out=_left_out(archive), notes=change.notes + said)


def _left_out(archive: Archive) -> Mapping[str, int]:
    return dict(Counter(archive.table("left_out")["reason"].to_pylist()).most_common())
