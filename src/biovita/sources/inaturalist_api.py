"""iNaturalist's API answers (version 1) and website exports: sounds, which the open data lack, and photographs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import model_validator

from biovita.csv_table import CsvRow
from biovita.errors import DatasetError
from biovita.sources.answers import Answer, ask, check_origin, saved_answers
from biovita.sources.inaturalist import SIZES
from biovita.sources.inaturalist_tables import export_notes, export_values, open_export
from biovita.sources.licenses import normalise_license
from biovita.sources.rows_read import TableRead
from biovita.sources.source import Item, RejectedRow, StreamedSource, of_table
from biovita.values import coordinates, iso_date, text, web_address, whole

__all__ = ["InaturalistApi", "InaturalistExport"]

API = "https://api.inaturalist.org/v1/observations"
PER_PAGE = 200  # the most that the API gives
_RANKS = ("kingdom", "phylum", "class", "order", "family", "genus")
# The groups that iNaturalist calls iconic, as (rank, name) pairs of their lineages.
_ICONIC: dict[str, dict[str, str]] = {
    **{
        name: {"kingdom": "Animalia", "phylum": phylum, "class": name}
        for name, phylum in {
            **dict.fromkeys(("Aves", "Mammalia", "Amphibia", "Reptilia", "Actinopterygii"), "Chordata"),
            **dict.fromkeys(("Insecta", "Arachnida"), "Arthropoda"),
        }.items()
    },
    "Mollusca": {"kingdom": "Animalia", "phylum": "Mollusca"},
    **{name: {"kingdom": name} for name in ("Animalia", "Plantae", "Fungi", "Protozoa", "Chromista")},
}
_NUMBER = re.compile(r"/(?:photos|sounds)/(\d+)")
_SIZE_NAMES = ("square", "thumb", "small", "medium", "large", "original")


class InaturalistApi(StreamedSource):
    """Answers of the observations API.

    Parameters
    ----------
    path
        A saved answer or a directory of them; or none, and ``query`` asks the API.
    query
        Parameters of the API, such as ``{taxon_id = "3", sounds = "true", quality_grade = "research"}``.
    cache
        Directory that the answers to ``query`` are kept in; delete it to ask again.
    size
        Which of the sizes of a photograph its address leads to.
    contact
        Mail address for the user agent.
    """

    kind: Literal["inaturalist_api"] = "inaturalist_api"
    path: Path | None = None
    query: dict[str, str] | None = None
    cache: Path | None = None
    size: Literal["original", "large", "medium", "small"] = "large"
    contact: str | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> InaturalistApi:
        check_origin(self.path, self.query, self.cache)
        return self

    @property
    def label(self) -> str:
        """What the ``source`` column of its records says."""
        return "iNaturalist"

    def items(self) -> Iterator[Item]:
        """Yield the sounds and photographs of each observation."""
        for file, answer in saved_answers(self._answers()):
            if not isinstance(observations := answer.get("results"), list):
                raise DatasetError(f"{file}: has no results; is it an answer of {API}?")
            for number, observation in enumerate(observations, start=1):
                if not isinstance(observation, dict):
                    yield RejectedRow(
                        "unknown", file, number, "not-as-described", "an observation is not a JSON object"
                    )
                    continue
                yield from _of_observation(observation, self.size, {"file": file, "row": number})
            yield TableRead(file, len(observations))

    def _answers(self) -> Path:
        if self.path is not None:
            return self.path
        assert self.query is not None
        assert self.cache is not None
        parameters = {**self.query, "per_page": str(PER_PAGE), "order_by": "id", "order": "asc"}
        return ask(API, parameters, _following, self.cache, contact=self.contact)


def _following(page: Answer) -> Mapping[str, str] | None:
    results = page.get("results") or []
    if not isinstance(results, list):
        raise DatasetError(f"{API}: the answer's results are not a list")
    if len(results) != PER_PAGE:
        return None
    ids = [whole(each.get("id")) for each in results if isinstance(each, dict)]
    last = max((each for each in ids if each is not None), default=None)
    if last is None:
        raise DatasetError(f"{API}: no observation in the answer has an id, so the next page cannot be asked for")
    return {"id_above": str(last)}


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _listed(value: Any) -> Sequence[Any]:
    """Return what a list holds; what stands in the place of a list is one thing, and not as described."""
    return _list(value) if value is None or isinstance(value, list) else (None,)


def _useless(taxon: Any, name: str | None, media: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return why nothing of an observation can be used; None where something may be."""
    if taxon is not None and not isinstance(taxon, dict):
        return "not-as-described", "its taxon is not a JSON object"
    if name is None:
        return "no-name", "has no taxon"
    return None if any(map(_listed, media.values())) else ("no-media", "has no sound or photograph")


def _of_observation(
    observation: Mapping[str, Any], size: str, place: Mapping[str, Any]
) -> Iterator[Mapping[str, Any] | RejectedRow]:
    taxon = _object(observation.get("taxon"))
    name, address = text(taxon.get("name")), text(observation.get("uri"))
    media = {modality: observation.get(field) for modality, field in (("audio", "sounds"), ("image", "photos"))}
    why = _useless(observation.get("taxon"), name, media)
    if why is not None:
        yield RejectedRow("unknown", place["file"], place["row"], *why, name, address)
        return
    assert name is not None
    shared = {**_shared(observation, taxon, name), **place}
    for modality, medium in ((modality, each) for modality, given in media.items() for each in _listed(given)):
        if not isinstance(medium, dict):
            detail = "a sound or photograph is not a JSON object"
            yield RejectedRow(modality, place["file"], place["row"], "not-as-described", detail, name, address)
        elif modality == "audio":
            yield _medium("audio", medium, medium.get("file_url"), shared)
        else:
            yield _medium("image", medium, _sized(medium.get("url"), size), {**shared, **_pixels(medium, size)})


def _shared(observation: Mapping[str, Any], taxon: Mapping[str, Any], name: str) -> dict[str, Any]:
    user = _object(observation.get("user"))
    latitude, longitude = _location(observation.get("location"))
    ancestors = [_object(each) for each in _list(taxon.get("ancestors"))]
    lineage = {each["rank"]: text(each.get("name")) for each in ancestors if each.get("rank") in _RANKS}
    if not lineage:
        lineage = dict(_ICONIC.get(text(taxon.get("iconic_taxon_name")) or "", {}))
    group = text(observation.get("uuid")) or text(observation.get("id"))
    return {
        "name": name,
        "vernacular": text(taxon.get("preferred_common_name")),
        "rank": text(taxon.get("rank")),
        **{rank: lineage.get(rank) for rank in _RANKS},
        **({} if group is None else {"group": group}),
        "observer": text(user.get("login")),
        "recorded_at": iso_date(observation.get("observed_on")),
        "latitude": latitude,
        "longitude": longitude,
        "quality": text(observation.get("quality_grade")),
    }


def _location(location: object) -> tuple[float | None, float | None]:
    parts = location.split(",") if isinstance(location, str) else location
    return coordinates(*parts) if isinstance(parts, list) and len(parts) == 2 else (None, None)


def _medium(
    modality: str, medium: Mapping[str, Any], given: object, shared: Mapping[str, Any]
) -> Mapping[str, Any] | RejectedRow:
    address = web_address(given)
    why = None
    number, license_ = text(medium.get("id")), text(medium.get("license_code"))
    if address is None or number is None:
        why = ("no-address", f"{text(given)!r} is not an http or https address with a number")
    elif any(not _object(flag).get("resolved", False) for flag in _list(medium.get("flags"))):
        why = ("flagged", "iNaturalist's users dispute its copyright or content")
    if why is not None:
        return RejectedRow(modality, shared["file"], shared["row"], *why, shared["name"], address)
    return {
        **shared,
        "modality": modality,
        "source_id": number,
        "url": address,
        "license": normalise_license(license_),
        "license_given": license_,
        "attribution": _credit(text(medium.get("attribution")), shared["observer"]),
    }


def _credit(attribution: str | None, login: str | None) -> str | None:
    """Return the stated attribution; where it names no author, as with CC0, with the observer before it."""
    if attribution is None or login is None or attribution.startswith("(c)"):
        return attribution or login
    return attribution if login in attribution else f"{login}, {attribution}"


def _sized(given: object, size: str) -> str | None:
    """Return the address of another size: ``.../photos/1/square.jpeg?2`` becomes ``.../photos/1/large.jpeg``."""
    address = web_address(given)
    if address is None:
        return None
    head, _, tail = address.split("?")[0].rpartition("/")
    stem, dot, extension = tail.partition(".")
    return f"{head}/{size}{dot}{extension}" if stem in _SIZE_NAMES else address


def _pixels(photo: Mapping[str, Any], size: str) -> dict[str, int | None]:
    stated = _object(photo.get("original_dimensions"))
    width, height = whole(stated.get("width")), whole(stated.get("height"))
    side = SIZES[size]
    if not width or not height or side is None:
        return {"width": width, "height": height}
    shrink = min(1.0, side / max(width, height))
    return {"width": round(width * shrink), "height": round(height * shrink)}


class InaturalistExport(StreamedSource):
    """A CSV export of the website: at most one photograph and one sound an observation.

    The licence that an export states is the observation's.
    """

    kind: Literal["inaturalist_export"] = "inaturalist_export"
    path: Path
    size: Literal["original", "large", "medium", "small"] = "large"

    @property
    def label(self) -> str:
        """What the ``source`` column of its records says."""
        return "iNaturalist"

    def items(self) -> Iterator[Item]:
        """Yield the sound and the photograph of each row."""
        table = open_export(self.path)
        file = self.path.name

        def of_row(row: CsvRow) -> Iterator[Item]:
            return self._of_row(export_values(row.values), {"file": file, "row": row.line})

        yield from of_table(table, of_row, export_notes(table))

    def _of_row(
        self, values: Mapping[str, Any], place: Mapping[str, Any]
    ) -> Iterator[Mapping[str, Any] | RejectedRow]:
        name = text(values["scientific_name"])
        found = (
            ("audio", web_address(values.get("sound_url"))),
            ("image", _sized(values["image_url"], self.size)),
        )
        media = [(modality, address) for modality, address in found if address is not None]
        if name is None or not media:
            reason = ("no-name", "scientific_name is empty") if name is None else ("no-media", "has no address")
            yield RejectedRow("unknown", place["file"], place["row"], *reason, name, values["id"])
            return
        latitude, longitude = coordinates(values.get("latitude"), values.get("longitude"))
        iconic = _ICONIC.get(values.get("iconic_taxon_name") or "", {})
        lineage = {rank: text(values.get(f"taxon_{rank}_name")) or iconic.get(rank) for rank in _RANKS}
        user = text(values.get("user_name")) or text(values.get("user_login"))
        for modality, address in media:
            yield {
                "modality": modality,
                "name": name,
                "vernacular": text(values.get("common_name")),
                **{rank: lineage.get(rank) for rank in _RANKS},
                "source_id": number[1] if (number := _NUMBER.search(address)) else values["id"],
                "group": values["id"],
                "url": address,
                "license": normalise_license(values["license"]),
                "license_given": text(values["license"]),
                "attribution": f"(c) {user}, {values.get('url') or ''}".rstrip(", "),
                "observer": text(values.get("user_login")),
                "recorded_at": iso_date(values.get("observed_on")),
                "latitude": latitude,
                "longitude": longitude,
                "quality": text(values.get("quality_grade")),
                **place,
            }
