"""Darwin Core archives: an occurrence for each annotation, and its recording or photograph as Audubon Core."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.annotation_formats.delimited import (
    TAB,
    fixed,
    iso_text,
    write_delimited,
    zoned_text,
)
from biovita.archive.annotation_formats.not_written import Kept, kept_and_not
from biovita.archive.archive_tables import By, Kind, Presence
from biovita.archive.media_tables import AnnotatedFiles
from biovita.modality import Modality

__all__ = ["write_darwin_core"]

_DWC, _DC, _AC = "http://rs.tdwg.org/dwc/terms/", "http://purl.org/dc/terms/", "http://rs.tdwg.org/ac/terms/"
_RIGHTS = "http://ns.adobe.com/xap/1.0/rights/"
_OCCURRENCE, _MULTIMEDIA = f"{_DWC}Occurrence", f"{_AC}Multimedia"


def write_darwin_core(annotated: AnnotatedFiles, place: Path) -> Kept:
    """Write a Darwin Core archive as a ZIP file of ``meta.xml``, ``occurrence.txt`` and ``multimedia.txt``.

    An occurrence is a MachineObservation or a HumanObservation; what a machine says is ``unverified``. Scores stand in
    ``dynamicProperties`` as JSON. ``eventDate`` is the interval of the annotation by the local clock, with the offset
    from UTC where it is known. The row of the medium has the span, the frequencies or the box of the annotation.

    Returns
    -------
    Kept
        What was written. What names no taxon is no occurrence.
    """
    rows = annotated.annotations
    named = pc.and_(pc.equal(rows["kind"], Kind.TAXON.value), pc.is_valid(rows["scientific_name"]))
    kept = kept_and_not(annotated, no_name=pc.invert(named))
    core, media = _occurrences(kept.annotated.annotations), _media(kept.annotated)
    replaced = 0
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("meta.xml", _meta(core, media))
        for name, columns in (("occurrence.txt", core), ("multimedia.txt", media)):
            short = {term.rpartition("/")[2]: column for term, column in columns.items()}
            with archive.open(name, "w", force_zip64=True) as stream:
                replaced += write_delimited(stream, short, TAB)
    return Kept(kept.annotated, kept.not_written, replaced)


def _occurrences(rows: pa.Table) -> dict[str, pa.ChunkedArray]:
    human = pc.fill_null(pc.equal(rows["by_kind"], By.HUMAN.value), fill_value=False)
    none = pa.scalar(None, pa.string())
    placed = pc.is_valid(rows["latitude"])
    absent = pc.equal(rows["presence"], Presence.ABSENT.value)
    uncertain = pc.equal(rows["presence"], Presence.UNCERTAIN.value)
    revision = pc.fill_null(pc.binary_join_element_wise(", revision ", rows["revision"], ""), "")
    return {
        f"{_DWC}occurrenceID": rows["id"],
        f"{_DWC}basisOfRecord": pc.if_else(human, "HumanObservation", "MachineObservation"),
        f"{_DWC}occurrenceStatus": pc.if_else(absent, "absent", "present"),
        f"{_DWC}eventDate": _event_date(rows),
        f"{_DWC}decimalLatitude": rows["latitude"],
        f"{_DWC}decimalLongitude": rows["longitude"],
        f"{_DWC}geodeticDatum": pc.if_else(placed, "EPSG:4326", none),
        f"{_DWC}locality": rows["site"],
        f"{_DWC}scientificName": rows["scientific_name"],
        f"{_DWC}vernacularName": rows["common_name"],
        f"{_DWC}taxonRank": rows["rank"],
        f"{_DWC}verbatimIdentification": rows["label"],
        f"{_DWC}identificationQualifier": pc.if_else(uncertain, "uncertain", none),
        f"{_DWC}identifiedBy": pc.binary_join_element_wise(rows["by"], revision, ""),
        f"{_DWC}dateIdentified": iso_text(rows["made_at"]),
        f"{_DWC}identificationVerificationStatus": pc.if_else(human, "verified", "unverified"),
        f"{_DWC}identificationRemarks": rows["note"],
        f"{_DWC}dynamicProperties": _properties(rows, ("score", "probability", "plausibility")),
    }


def _event_date(rows: pa.Table) -> pa.ChunkedArray:
    """Return when each annotation begins and ends, by the local clock."""
    begin, offset = rows["begin_local"], rows["utc_offset_min"]
    length = pc.subtract(rows["end_s"], rows["start_s"])
    whole = pc.cast(pc.round(pc.multiply(pc.fill_null(length, 0.0), 1e6)), pa.int64())
    end = pc.add(begin, whole.cast(pa.duration("us")))
    span = pc.binary_join_element_wise(zoned_text(begin, offset), zoned_text(end, offset), "/")
    return pc.if_else(pc.greater(pc.fill_null(length, 0.0), 0.0), span, zoned_text(begin, offset))


def _properties(rows: pa.Table, names: Iterable[str]) -> pa.ChunkedArray:
    """Return numbers as a JSON object, without those that are none."""
    parts = [pc.binary_join_element_wise(f',"{name}":', fixed(rows[name]), "") for name in names]
    inside = pc.binary_join_element_wise(*(pc.fill_null(part, "") for part in parts), "")
    whole = pc.binary_join_element_wise("{", pc.utf8_slice_codeunits(inside, 1), "}", "")
    return pc.if_else(pc.equal(inside, ""), pa.scalar(None, pa.string()), whole)


def _media(annotated: AnnotatedFiles) -> dict[str, pa.ChunkedArray]:
    rows = annotated.annotations
    sound = pc.equal(rows["modality"], Modality.AUDIO.value)
    none = pa.scalar(None, pa.string())
    columns: dict[str, pa.ChunkedArray] = {
        f"{_DWC}occurrenceID": rows["id"],
        f"{_DC}identifier": pc.replace_substring_regex(rows["path"], r"^.*[/\\]", ""),
        f"{_DC}type": pc.if_else(sound, "Sound", "StillImage"),
        f"{_RIGHTS}UsageTerms": annotated.column("license"),
        f"{_RIGHTS}Owner": annotated.column("attribution"),
        f"{_AC}startTime": fixed(rows["start_s"]),
        f"{_AC}endTime": fixed(rows["end_s"]),
        f"{_AC}freqLow": fixed(rows["low_hz"]),
        f"{_AC}freqHigh": fixed(rows["high_hz"]),
    }
    for at, name in enumerate(("xFrac", "yFrac", "widthFrac", "heightFrac")):
        columns[f"{_AC}{name}"] = pc.if_else(sound, none, fixed(pc.list_element(rows["box"], at)))
    known = pa.array(np.asarray(pc.is_valid(rows["path"]), bool))
    return {term: column.filter(known) for term, column in columns.items()}


def _meta(core: Mapping[str, pa.ChunkedArray], media: Mapping[str, pa.ChunkedArray]) -> str:
    form = 'encoding="UTF-8" fieldsTerminatedBy="\\t" linesTerminatedBy="\\n" fieldsEnclosedBy="" ignoreHeaderLines="1"'
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<archive xmlns="http://rs.tdwg.org/dwc/text/">\n'
        f"  <core {form} rowType={quoteattr(_OCCURRENCE)}>\n"
        '    <files><location>occurrence.txt</location></files>\n    <id index="0"/>\n'
        f"{_fields(core)}  </core>\n"
        f"  <extension {form} rowType={quoteattr(_MULTIMEDIA)}>\n"
        '    <files><location>multimedia.txt</location></files>\n    <coreid index="0"/>\n'
        f"{_fields(media, 1)}  </extension>\n</archive>\n"
    )


def _fields(columns: Mapping[str, pa.ChunkedArray], first: int = 0) -> str:
    terms = list(enumerate(columns))[first:]
    return "".join(f'    <field index="{at}" term={quoteattr(term)}/>\n' for at, term in terms)
