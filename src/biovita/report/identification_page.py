"""The page of an identification: what was found, when and where, with the best events to see and to hear."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive_tables import Kind
from biovita.archive.best_events import best_events, spoken_over
from biovita.files import make_directory, write_whole
from biovita.report.credits import Credit, unstated
from biovita.report.environment import environment
from biovita.report.event_views import EventCard, EventViews, ExemplarCard, PhotographCard, moment
from biovita.report.identification_content import IdentificationContent
from biovita.report.taxa_found import FoundTaxon, found_taxa, is_audio, named, other_sounds
from biovita.report.timeline import by_day, by_hour, by_site, strips

__all__ = ["write_identification_page"]

_ROWS = 300  # taxa that the table lists
_SHOWN = 30  # taxa whose best events are shown
_BEST = 3  # events, and photographs, of each
_LEFT_OUT = 200  # files that failed and are listed


@dataclass(frozen=True)
class ShownTaxon:
    """A taxon with its best events and photographs."""

    number: int
    taxon: FoundTaxon
    events: tuple[EventCard, ...]
    photographs: tuple[PhotographCard, ...]


def write_identification_page(content: IdentificationContent, out: Path) -> Path:
    """Write ``report.html`` into the directory ``out``, and return its path.

    The page holds all it needs: styles, scripts, pictures and sounds, of which it holds 16 MB at most. It shows the
    best events of the 30 most frequent taxa, and counts of all. Media that cannot be read are named with the reason.
    """
    make_directory(out)
    write_whole(out / "report.html", _rendered(content))
    return out / "report.html"


def _rendered(content: IdentificationContent) -> str:
    found = named(content.annotations)
    taxa = found_taxa(found)
    views = EventViews(content)
    spoken = _spoken(content, found)
    shown = _shown(found.filter(pa.array(~spoken)), taxa, views)
    credited = _credits(shown)
    templates = environment(counted=_counted, grouped="{:,}".format, lasting=_lasting, to_minute=_to_minute)
    return templates.get_template("identification.html").render(
        content=content,
        settings=content.settings,
        measure=_measure(found),
        seconds=_seconds(content.recordings),
        clock=_clock(content),
        events=int(pc.sum(is_audio(found)).as_py() or 0),
        seen=found.num_rows - int(pc.sum(is_audio(found)).as_py() or 0),
        taxa=taxa,
        listed=taxa[:_ROWS],
        unexpected=sum(taxon.unexpected for taxon in taxa),
        asked=_asked(content.candidates),
        days=by_day(found, content.recordings),
        by_hour=by_hour(found, content.recordings, taxa),
        sites=by_site(found, content.recordings, content.deployments, taxa),
        strips=strips(found, content.recordings, taxa),
        shown=shown,
        others=other_sounds(content.annotations),
        spoken=int(spoken.sum()),
        people=sum(map(len, content.speech.values())),
        unseen=views.unseen,
        reasons=Counter(content.left_out["reason"].to_pylist()).most_common(),
        left_out=content.left_out.slice(0, _LEFT_OUT).to_pylist(),
        credits=credited,
        unstated=unstated(credited),
    )


def _shown(found: pa.Table, taxa: Sequence[FoundTaxon], views: EventViews) -> list[ShownTaxon]:
    keys = pa.array([taxon.key for taxon in taxa[:_SHOWN]], pa.string())
    kept = found.filter(pc.is_in(found["key"], value_set=keys))
    sounds = is_audio(kept)
    events, photographs = (best_events(kept.filter(mask), _BEST) for mask in (sounds, pc.invert(sounds)))
    return [
        ShownTaxon(
            number,
            taxon,
            tuple(views.event(row) for row in events.filter(pc.equal(events["key"], taxon.key)).to_pylist()),
            tuple(
                views.photograph(row)
                for row in photographs.filter(pc.equal(photographs["key"], taxon.key)).to_pylist()
            ),
        )
        for number, taxon in enumerate(taxa[:_SHOWN], 1)
    ]


def _spoken(content: IdentificationContent, found: pa.Table) -> np.ndarray:
    """Return ``(rows,)`` bool: events in or around which a person is heard, as far as the page would play them."""
    start, end = (
        pc.fill_null(found[name], other).to_numpy() for name, other in (("start_s", 0.0), ("end_s", np.inf))
    )
    return spoken_over(content.speech if content.drop_speech else {}, found["media_id"], start - 1.0, end + 1.0)


def _measure(found: pa.Table) -> str:
    """Return what the numbers beside answers are called: probabilities only where all are."""
    return "probability" if found.num_rows and not found["probability"].null_count else "score"


def _seconds(recordings: pa.Table) -> float:
    """Return how long recordings were listened to."""
    end = pc.coalesce(recordings["end_s"], recordings["duration_s"])
    listened = pc.subtract(end, pc.fill_null(recordings["start_s"], 0.0))
    return float(pc.sum(listened).as_py() or 0.0)


def _clock(content: IdentificationContent) -> str | None:
    """Return whose clock the times are of; None where no file states a time."""
    files = [content.recordings, content.photographs]
    timed = pa.concat_tables([file.select(["begin_local", "utc_offset_min"]) for file in files])
    timed = timed.filter(timed["begin_local"].is_valid())
    if not timed.num_rows:
        return None
    offsets = pc.unique(timed["utc_offset_min"]).to_pylist()
    known = sorted(offset for offset in offsets if offset is not None)
    zones = [(moment(timed["begin_local"][0].as_py(), offset) or "").rpartition(" ")[2] for offset in known]
    if not known:
        return "Times are by the clocks of recorders and cameras, and no file states their zone."
    stated = f"Times are by the clocks of recorders and cameras, at {', '.join(zones)}"
    return f"{stated}; some files state no zone." if None in offsets else f"{stated}."


def _asked(candidates: pa.Table) -> dict[str, int]:
    """Return how many taxa could be named, how many by each kind of evidence, and how many were listed."""
    taxa = candidates.filter(pc.equal(candidates["kind"], Kind.TAXON.value))
    evidence = Counter(pc.list_flatten(taxa["evidence"]).to_pylist())
    return {
        "taxa": taxa.num_rows,
        "listed": int(pc.sum(taxa["listed"]).as_py() or 0),
        **{kind: evidence[kind] for kind in ("class", "name", "exemplar")},
    }


def _credits(shown: Sequence[ShownTaxon]) -> list[Credit]:
    """Return who made what the page shows, each once."""

    def of(card: EventCard | PhotographCard | ExemplarCard, what: str) -> Credit:
        return Credit(what, card.attribution or "", card.license or "")

    found = set()
    for each in shown:
        cards: tuple[EventCard | PhotographCard, ...] = (*each.events, *each.photographs)
        for card in cards:
            if not card.fault:
                found.add(of(card, card.file))
            found |= {of(near, near.id) for near in card.nearest if not near.fault}
    return sorted(found)


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _lasting(seconds: float) -> str:
    """Return a length of time in the unit that suits it."""
    if seconds < 180:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 10_800 else f"{seconds / 3600:,.1f} h"


def _to_minute(time: datetime | None) -> str:
    return "" if time is None else time.strftime("%Y-%m-%d %H:%M")
