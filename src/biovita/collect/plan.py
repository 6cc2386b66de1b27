"""The plan: which taxa, from where, on what terms and how many. The same plan gives the same dataset."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from biovita.errors import DatasetError, unknown_name
from biovita.filenames import at_home
from biovita.publish.shown_plan import shown
from biovita.redact import redacted
from biovita.sources.licenses import normalise_license
from biovita.sources.registry import SOURCES, AnySource

__all__ = [
    "Budget",
    "Clips",
    "Dates",
    "Division",
    "Fetching",
    "Limits",
    "Plan",
    "PlannedPlaces",
    "PlannedTraits",
    "Quality",
    "Taxa",
    "as_understood",
    "read_plan",
]

_PATHS = ("path", "cache", "images", "vernaculars")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # as a path shows one: with a single slash
MAX_SOURCES = 100
_SHOWN = 500  # characters of what a field was given
OPEN_LICENSES = ("CC0-1.0", "PDM-1.0", "CC-BY", "CC-BY-SA", "CC-BY-NC", "CC-BY-NC-SA")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Taxa(_Part):
    """Which species: those listed, those of the clades, those of the checklist; with none of the three, all.

    Parameters
    ----------
    species
        Scientific names.
    clades
        Names of groups at any rank from kingdom to genus.
    checklist
        A text file with a scientific name a line, or a CSV file with a column ``scientific_name``.
    backbone
        The taxonomy that names are matched to: Parquet, or a Darwin Core checklist. Without it names count as given.
    overrides
        A curator's decisions about names, with ``backbone``.
    """

    species: tuple[str, ...] = ()
    clades: tuple[str, ...] = ()
    checklist: Path | None = None
    backbone: Path | None = None
    overrides: Path | None = None

    @model_validator(mode="after")
    def _needs_backbone(self) -> Taxa:
        if self.overrides is not None and self.backbone is None:
            from biovita.taxonomy.backbone_files import WHERE_TO_GET_ONE

            raise ValueError(f"overrides need a backbone. {WHERE_TO_GET_ONE}")
        return self


class PlannedPlaces(_Part):
    """Where: boxes of (south, west, north, east) in degrees, or countries as the sources write them; either will do.

    A box whose west is greater than its east crosses the 180th meridian.
    """

    boxes: tuple[tuple[float, float, float, float], ...] = ()
    countries: tuple[str, ...] = ()

    @field_validator("boxes")
    @classmethod
    def _within_the_world(cls, boxes: tuple[tuple[float, float, float, float], ...]) -> Any:
        for south, west, north, east in boxes:
            if not (-90 <= south <= north <= 90 and -180 <= west <= 180 and -180 <= east <= 180):
                raise ValueError(f"{[south, west, north, east]} is not [south, west, north, east] in degrees")
        return boxes


class Dates(_Part):
    """When: from the first to the last day, both included; a record without a date is left out where one is given."""

    first: date | None = None
    last: date | None = None


class Quality(_Part):
    """What quality each kind of source has to state; a kind that is not named takes all."""

    inaturalist: tuple[Literal["research", "needs_id", "casual"], ...] = ()
    xeno_canto: tuple[Literal["A", "B", "C", "D", "E"], ...] = ()

    def of(self, kind: str) -> tuple[str, ...]:
        """Return the grades accepted from a kind of source; empty for any."""
        if kind.startswith("inaturalist"):
            return self.inaturalist
        return self.xeno_canto if kind == "xeno_canto" else ()


class Limits(_Part):
    """At most so many of each modality a species; where more are there, they are chosen for variety."""

    audio_per_species: int | None = Field(default=None, ge=0)
    images_per_species: int | None = Field(default=None, ge=0)

    def of(self, modality: str) -> int | None:
        """Return the limit for a modality."""
        return self.audio_per_species if modality == "audio" else self.images_per_species


class Budget(_Part):
    """At most so many items and bytes in all; species share them evenly."""

    items: int | None = Field(default=None, ge=0)
    bytes: int | None = Field(default=None, ge=0)


class Clips(_Part):
    """How recordings longer than ``seconds`` become clips.

    Parameters
    ----------
    per_recording
        At most so many windows, the ones with most energy above the background.
    seconds
        At least a tenth of a second.
    cut
        Write each clip to a file of its own, instead of naming its span.
    """

    per_recording: int = Field(default=1, ge=1)
    seconds: float = Field(default=10.0, ge=0.1)
    cut: bool = False


class PlannedTraits(_Part):
    """Trait tables to import, each by its file.

    Parameters
    ----------
    avonet, eltontraits_birds, eltontraits_mammals, amphibio, pantheria, anage
        Published tables, as published.
    csv
        A table of your own: name, label, value, and where they help source, kingdom, class, order, family.
    """

    avonet: Path | None = None
    eltontraits_birds: Path | None = None
    eltontraits_mammals: Path | None = None
    amphibio: Path | None = None
    pantheria: Path | None = None
    anage: Path | None = None
    csv: Path | None = None

    def files(self) -> dict[str, Path]:
        """Return the files that are given, by the id of their table."""
        given = ((name.replace("_", "-"), getattr(self, name)) for name in type(self).model_fields)
        return {table: file for table, file in given if file is not None}


class Division(_Part):
    """How the dataset is split.

    Parameters
    ----------
    group_by
        What is never on two sides: a recording (or observation), or all of a recordist (or observer).
    unseen
        Species to hold out whole; where it is not given, the dataset is not split.
    by
        Hold out whole genera or families in place of single species, until there are as many species.
    held_out
        Share of the other species' groups to hold out.
    """

    group_by: Literal["recording", "observer"] = "recording"
    unseen: int | None = Field(default=None, ge=0)
    by: Literal["species", "genus", "family"] = "species"
    held_out: float = Field(default=0.2, ge=0, lt=1)


class Fetching(_Part):
    """How servers are asked.

    Parameters
    ----------
    at_once
        Downloads at the same time, in all and from one host.
    per_second
        Requests a second to one host.
    allow_private
        Private and loopback addresses may be asked too; for mirrors of one's own.
    max_bytes
        Larger files are refused.
    """

    at_once: int = Field(default=8, ge=1, le=256)
    at_once_per_host: int = Field(default=4, ge=1, le=64)
    per_second: float = Field(default=5.0, gt=0)
    tries: int = Field(default=6, ge=1)
    timeout_s: float = Field(default=60.0, gt=0)
    allow_private: bool = False
    max_bytes: int = Field(default=500_000_000, gt=0)


class Plan(_Part):
    """All of it.

    Parameters
    ----------
    contact
        Mail address or web page that the user agent names, so that servers' operators can reach you.
    seed
        Of the choice among records of a species.
    licenses
        Which may be used; a licence without a version stands for all its versions.
    """

    name: str = Field(min_length=1)
    version: str = Field(default="1", min_length=1)
    contact: str | None = None
    seed: int = Field(default=0, ge=0, le=2**63 - 1)
    modalities: tuple[Literal["audio", "image"], ...] = ("audio", "image")
    licenses: tuple[str, ...] = OPEN_LICENSES
    sources: Annotated[tuple[AnySource, ...], Field(min_length=1, max_length=MAX_SOURCES)]
    taxa: Taxa = Taxa()
    places: PlannedPlaces = PlannedPlaces()
    dates: Dates = Dates()
    quality: Quality = Quality()
    limits: Limits = Limits()
    budget: Budget = Budget()
    clips: Clips = Clips()
    traits: PlannedTraits = PlannedTraits()
    split: Division = Division()
    fetching: Fetching = Fetching()

    @field_validator("licenses")
    @classmethod
    def _known_licenses(cls, licenses: tuple[str, ...]) -> tuple[str, ...]:
        known = (*OPEN_LICENSES, "CC-BY-ND", "CC-BY-NC-ND", "ARR")
        for license_ in licenses:
            meant = normalise_license(license_)
            if meant is None:
                raise ValueError(unknown_name("licence", license_, known) + ", each also with a version")
            if meant != license_:
                raise ValueError(f"unknown licence {license_!r}. Write {meant!r}")
        return licenses


def read_plan(path: str | Path) -> Plan:
    """Return the plan in a TOML file; paths in it start at its folder, and ``~`` is the home folder.

    Raises
    ------
    DatasetError
        Where it is no plan, or names the home of a user whom this machine does not know; with every field that is
        wrong, what was given, and the nearest known name.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        if _has_long_number(content):
            raise ValueError("TOML has numbers of 64 bits")
    except (FileNotFoundError, NotADirectoryError):
        raise DatasetError(f"{path} does not exist. Give the file of a plan, in TOML") from None
    except IsADirectoryError:
        raise DatasetError(_is_folder(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: is not TOML: {error}") from None
    except ValueError:
        raise DatasetError(f"{path}: is not a plan: it holds a number of more than 64 bits") from None
    except RecursionError:
        raise DatasetError(f"{path}: is not a plan: its lists are nested too deep") from None
    folder = path.parent

    def anchored(value: Any) -> Any:
        if not isinstance(value, str) or "://" in value:
            return value
        place = at_home(value)
        if place.startswith("~") and not (folder / place).exists():
            user = PurePosixPath(place).parts[0]
            raise DatasetError(
                f"{path}: the path {value!r} begins with {user}, and this machine knows no such user"
            )
        return str(folder / place)

    try:
        plan = Plan.model_validate(_with_paths(content, anchored))
    except ValidationError as error:
        faults = [_fault(dict(each), content) for each in error.errors(include_url=False)]
        raise DatasetError(redacted(f"{path}: " + "; ".join(faults))) from None
    for name, value in _paths_of(plan):
        if _ADDRESS.match(str(value)):
            raise DatasetError(f"{path}: {name}: {redacted(str(value))!r} is an address. Give a path")
    return plan


def _is_folder(path: Path) -> str:
    """Return what to say of a folder where a plan is meant, and which file in it is likely meant."""
    if (path / "dataset.toml").is_file():
        return f"{path} is a dataset. Give the file of the plan, in TOML, from which one is to be made"
    files = sorted(file.name for file in path.glob("*.toml") if file.is_file())
    return f"{path} is a folder. Give the file of a plan, in TOML" + (
        f", such as {path / files[0]}" if files else ""
    )


def _has_long_number(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_has_long_number, value.values() if isinstance(value, dict) else value))
    return isinstance(value, int) and value.bit_length() > 63


def _paths_of(part: BaseModel) -> Iterator[tuple[str, Path]]:
    """Yield the paths of a part of a plan, each with the name of its field."""
    for name in type(part).model_fields:
        value = getattr(part, name)
        if isinstance(value, Path):
            yield name, value
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, BaseModel):
                for within, path in _paths_of(each):
                    yield f"{name}.{within}", path


def as_understood(plan: Plan, folder: Path) -> str:
    """Return a plan as TOML: what it says and nothing else of its file, with paths that start at ``folder`` again.

    It goes out with the dataset. So there are no comments, no secrets, and no ``contact``, which is for servers'
    operators.
    """
    root = folder.absolute()

    def loose(value: Any) -> Any:
        if not isinstance(value, str) or "://" in value:
            return value
        path = Path(value).absolute()
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else value

    given = _plain(plan.model_dump(exclude_unset=True, exclude_none=True))
    return tomli_w.dumps(shown(_with_paths(given, loose)))


def _plain(value: Any) -> Any:
    """Return a value of a plan with paths as text, which TOML can hold."""
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _with_paths(content: Mapping[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    """Return what a plan says, with each of its paths as ``change`` gives it."""

    def within(part: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
        return {name: change(value) if name in names else value for name, value in part.items()}

    sources, taxa, traits = content.get("sources"), content.get("taxa"), content.get("traits")
    changed = dict(content)
    if isinstance(sources, list):
        changed["sources"] = [within(each, _PATHS) if isinstance(each, dict) else each for each in sources]
    if isinstance(taxa, dict):
        changed["taxa"] = within(taxa, ("checklist", "backbone", "overrides"))
    if isinstance(traits, dict):
        changed["traits"] = within(traits, traits)
    return changed


def _fault(error: Mapping[str, Any], content: Mapping[str, Any]) -> str:
    """Return one fault: the field as it stands in the file, and what is wrong with it."""
    parts = _without_tag(error["loc"])
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")
    if error["type"] == "extra_forbidden":
        return f"{field}: unknown field.{_nearest(error['loc'])}"
    if error["type"].startswith("union_tag"):
        given = content["sources"][parts[1]].get("kind") if len(parts) > 1 else None
        return f"{field}.kind: " + (unknown_name("source", str(given), SOURCES) if given else "is missing")
    if error["type"] == "missing":
        return f"{field}: is missing"
    message = error["msg"].removeprefix("Value error, ")
    return f"{field}: {message}. The plan gives {repr(shown(error['input']))[:_SHOWN]}" if field else message


def _without_tag(location: tuple[int | str, ...]) -> list[int | str]:
    """Return where a fault is; pydantic puts the source's kind between its number and its field."""
    parts = list(location)
    if parts[:1] == ["sources"] and len(parts) > 2 and parts[2] in SOURCES:
        del parts[2]
    return parts


def _nearest(location: tuple[int | str, ...]) -> str:
    """Return the hint for a field that nothing knows."""
    model: Any = Plan
    if location[:1] == ("sources",):
        model = SOURCES[str(location[2])]
    for part in location[:-1]:
        if isinstance(part, str) and part in getattr(model, "model_fields", {}):
            model = model.model_fields[part].annotation
    known = list(getattr(model, "model_fields", Plan.model_fields))
    near = get_close_matches(str(location[-1]), known, n=1)
    return (f" Did you mean {near[0]!r}?" if near else "") + f" Known: {', '.join(known)}"
