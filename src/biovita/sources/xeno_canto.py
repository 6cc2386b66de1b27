"""xeno-canto: answers of API version 3, dumps of version 2, which is gone, and tables that R packages export."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import model_validator

from biovita.errors import DatasetError
from biovita.sources.answers import Answer, ask, check_origin, saved_answers
from biovita.sources.licenses import normalise_license
from biovita.sources.rows_read import TableRead
from biovita.sources.source import Item, RejectedRow, StreamedSource
from biovita.sources.xeno_canto_tables import TABLE_ENDINGS, recordings_of_table
from biovita.values import coordinates, iso_date, seconds, text, web_address, whole

__all__ = ["KEY_VARIABLE", "XenoCanto"]

API = "https://xeno-canto.org/api/3/recordings"
KEY_VARIABLE = "XENO_CANTO_KEY"
PER_PAGE = 500  # the most that the API gives
_RANKS = ("kingdom", "phylum", "class", "order", "family", "genus")
_ANIMALS = {"kingdom": "Animalia"}
_GROUPS: dict[str, dict[str, str]] = {
    "birds": {**_ANIMALS, "phylum": "Chordata", "class": "Aves"},
    "bats": {**_ANIMALS, "phylum": "Chordata", "class": "Mammalia", "order": "Chiroptera"},
    "land mammals": {**_ANIMALS, "phylum": "Chordata", "class": "Mammalia"},
    "frogs": {**_ANIMALS, "phylum": "Chordata", "class": "Amphibia", "order": "Anura"},
    "grasshoppers": {**_ANIMALS, "phylum": "Arthropoda", "class": "Insecta", "order": "Orthoptera"},
}
# Genera that xeno-canto uses for what is no species: soundscapes and recordings of unknown animals.
_NO_SPECIES = {"Sonus", "Mystery", "Identity"}


class XenoCanto(StreamedSource):
    """Recordings of xeno-canto.

    Parameters
    ----------
    path
        A saved answer (``.json``), a directory of them, or a table as `biovita.sources.xeno_canto_tables` reads it
        (``.csv``, ``.tsv``, ``.txt``, ``.xlsx``); or none, and ``query`` asks the API.
    query
        As xeno-canto's search takes it, such as ``grp:birds cnt:Norway q:A``. The key is read from the
        environment variable `KEY_VARIABLE` and is written nowhere.
    cache
        Directory that the answers to ``query`` are kept in; delete it to ask again.
    contact
        Mail address for the user agent.
    """

    kind: Literal["xeno_canto"] = "xeno_canto"
    path: Path | None = None
    query: str | None = None
    cache: Path | None = None
    contact: str | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> XenoCanto:
        check_origin(self.path, self.query, self.cache)
        return self

    @property
    def label(self) -> str:
        """What the ``source`` column of its records says."""
        return "xeno-canto"

    def items(self) -> Iterator[Item]:
        """Yield a record for each recording."""
        if self.path is not None and self.path.suffix.lower() in TABLE_ENDINGS:
            yield from recordings_of_table(self.path, _record)
            return
        for file, answer in saved_answers(self._answers()):
            if "error" in answer:
                said = ": ".join(filter(None, (text(answer.get(key)) for key in ("error", "message"))))
                raise DatasetError(
                    f"{file}: holds an error message of xeno-canto: {said[:300] or 'it does not say which'}"
                )
            if not isinstance(recordings := answer.get("recordings"), list):
                raise DatasetError(f"{file}: has no recordings; is it an answer of {API}?")
            for number, recording in enumerate(recordings, start=1):
                if isinstance(recording, dict):
                    yield _record(recording, {"file": file, "row": number})
                else:
                    yield RejectedRow(
                        "audio", file, number, "not-as-described", "a recording is not a JSON object"
                    )
            yield TableRead(file, len(recordings))

    def _answers(self) -> Path:
        if self.path is not None:
            return self.path
        assert self.query is not None
        assert self.cache is not None
        key = os.environ.get(KEY_VARIABLE)
        if not key:
            raise DatasetError(
                f"xeno-canto is asked with a key. Set the environment variable {KEY_VARIABLE} to yours, "
                "which is on the page https://xeno-canto.org/account"
            )
        parameters = {"query": self.query, "per_page": str(PER_PAGE)}
        return ask(API, parameters, _following, self.cache, secret={"key": key}, contact=self.contact)


def _following(page: Answer) -> Mapping[str, str] | None:
    given = page.get("page", 1), page.get("numPages", 1)
    current, last = map(whole, given)
    if current is None or last is None:
        raise DatasetError(
            f"{API}: the answer is page {given[0]!r:.40} of {given[1]!r:.40}, which are not numbers"
        )
    return {"page": str(current + 1)} if current < last else None


def _record(recording: Mapping[str, Any], place: Mapping[str, Any]) -> Mapping[str, Any] | RejectedRow:
    number, genus, epithet = (text(recording.get(field)) for field in ("id", "gen", "sp"))
    name = " ".join(part for part in (genus, epithet) if part)
    address = web_address(recording.get("file"))
    why = None
    if number is None:
        why = ("no-id", "has no number")
    elif genus is None or genus in _NO_SPECIES:
        why = ("no-name", f"{name or 'nothing'}: a soundscape or an unknown animal")
    elif address is None:
        why = ("no-address", "has no file address; xeno-canto withholds recordings of threatened species")
    if why is not None:
        return RejectedRow(
            "audio", place["file"], place["row"], *why, name or None, f"XC{number}" if number else None
        )
    latitude, longitude = coordinates(recording.get("lat"), recording.get("lon", recording.get("lng")))
    lineage = _GROUPS.get((text(recording.get("grp")) or "").lower(), {})
    recordist = text(recording.get("rec"))
    quality = text(recording.get("q"))
    return {
        "modality": "audio",
        "name": name,
        "vernacular": text(recording.get("en")),
        "rank": "species" if epithet else "genus",
        **{rank: lineage.get(rank) for rank in _RANKS},
        "genus": genus,
        "source_id": f"XC{number}",
        "url": address,
        "license": normalise_license(text(recording.get("lic"))),
        "license_given": text(recording.get("lic")),
        "attribution": f"{recordist or 'unknown recordist'}, XC{number}, https://xeno-canto.org/{number}",
        "observer": recordist,
        "recorded_at": iso_date(recording.get("date"), recording.get("time")),
        "latitude": latitude,
        "longitude": longitude,
        "country": text(recording.get("cnt")),
        "quality": quality if quality in {"A", "B", "C", "D", "E"} else None,
        "duration_s": seconds(recording.get("length")),
        **place,
    }
