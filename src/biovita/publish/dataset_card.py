"""What goes out with a dataset: its card, attribution, licences and description in Croissant."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.dataset import Dataset
from biovita.dataset.file_rows import value_counts
from biovita.dataset.omitted import count_omitted
from biovita.dataset.repeated_keys import later_places
from biovita.dataset.schema import MEDIA_TABLES
from biovita.files import refuse_links, write_whole
from biovita.modality import Modality
from biovita.publish.attribution import WHOLE_PATH, license_summary, write_attribution
from biovita.publish.croissant import write_croissant
from biovita.publish.markdown import code, fenced, words, yaml_text
from biovita.publish.plots import drawn_places, places_plot, species_plot
from biovita.publish.shown_plan import shown_plan

__all__ = ["write_papers"]

_TABLES = (
    "The tables are Parquet: `taxa`, `traits`, `audio`, `images`, and `rejected`, which lists every record that could "
    "not be used, with the reason{omitted}. `path` starts at this directory; of a recording, the span from `start_s` "
    "to `end_s` is meant."
)
_ELSEWHERE = (
    "{:,} files do not lie here: the tables name them by their whole path, which holds on the machine where this was "
    "made. `ATTRIBUTION.csv` has 12 digits of their hash and their name in its place."
)
_OMITTED = "; `omitted` lists every record that the plan left out, with the reason"


def write_papers(dataset: Dataset, directory: Path) -> None:
    """Write ``README.md`` with its plots, ``ATTRIBUTION.csv`` and ``croissant.json`` into a directory.

    The directory holds the dataset's tables, which `croissant.json` describes with their hashes.
    """
    refuse_links(*(directory / name for name in ("README.md", "ATTRIBUTION.csv", "croissant.json", "card")))
    anonymous = write_attribution(dataset, directory / "ATTRIBUTION.csv")
    licenses = license_summary(dataset)
    plots = _plots(dataset, directory / "card")
    text = _card(dataset, licenses, anonymous, plots)
    write_whole(directory / "README.md", text)
    known = [license_ for license_ in licenses if license_ != "not stated"]
    write_croissant(dataset, directory, _description(dataset), sorted(known))


def _description(dataset: Dataset) -> str:
    counts = {name: dataset.rows(name) for name in ("audio", "images", "taxa", "traits")}
    return (
        f"{counts['audio']:,} clips and {counts['images']:,} photographs of {counts['taxa']:,} species, with their "
        "taxonomy" + (f" and {counts['traits']:,} trait labels" if counts["traits"] else "") + "."
    )


def _classes(dataset: Dataset) -> list[tuple[str, int, int, int]]:
    """Return (class, species, clips, photographs), the largest first."""
    class_of = {taxon.id: taxon.class_ or "unknown" for taxon in dataset.taxonomy.values()}
    species = Counter(class_of.values())
    audio, images = Counter[str](), Counter[str]()
    for modality, counts in ((Modality.AUDIO, audio), (Modality.IMAGE, images)):
        for taxon_id, number in value_counts(dataset, MEDIA_TABLES[modality], "taxon_id").items():
            counts[class_of[str(taxon_id)]] += number
    rows = [(name, species[name], audio[name], images[name]) for name in species]
    return sorted(rows, key=lambda row: (-(row[2] + row[3]), row[0]))


def _card(dataset: Dataset, licenses: Any, anonymous: int, plots: list[tuple[str, str]]) -> str:
    info = dataset.info
    made = info.get("made", {})
    front = [
        "---",
        f"pretty_name: {yaml_text(info['name'])}",
        "configs:",
        *(
            f"- config_name: {name}\n  data_files: {name}.parquet"
            for name in ("audio", "images", "taxa", "traits", "rejected", "omitted")
            if dataset.info["counts"].get(name)
        ),
        "---",
    ]
    lines = [
        *front,
        "",
        f"# {words(info['name'])} {words(info['version'])}",
        "",
        _description(dataset),
        "",
        "## What it holds",
        "",
        "| class | species | clips | photographs |",
        "| --- | ---: | ---: | ---: |",
        *(f"| {words(name)} | {a:,} | {b:,} | {c:,} |" for name, a, b, c in _classes(dataset)),
        "",
        *(line for file, about in plots for line in (f"![{about}](card/{file})", "")),
        _TABLES.format(omitted=_OMITTED if (dataset.path / "omitted.parquet").is_file() else ""),
        "",
        *_elsewhere(dataset),
        "## Licences",
        "",
        "Each file keeps its own licence. `ATTRIBUTION.csv` credits the author of each.",
        "",
        "| licence | clips | photographs |",
        "| --- | ---: | ---: |",
        *(f"| {words(name)} | {row['audio']:,} | {row['images']:,} |" for name, row in licenses.items()),
        "",
        *_terms(licenses),
        *([f"{anonymous} files name no author.", ""] if anonymous else []),
        "## Left out",
        "",
        *_left_out(dataset, made),
    ]
    if split := info.get("split"):
        lines += [
            "## Split",
            "",
            f"Seed {words(split['seed'])}, {words(split['unseen_species'])} species held out whole.",
            "",
        ]
    if plan := shown_plan(str(made.get("plan", ""))):
        lines += [
            "## How it was made",
            "",
            f"{code(made['by'])} (biovita {words(made['biovita'])}) with this plan:",
            "",
        ]
        lines += [*fenced(plan.strip(), "toml"), ""]
    return "\n".join(lines).rstrip() + "\n"


def _elsewhere(dataset: Dataset) -> list[str]:
    """Return how files are named that lie far from the dataset, where there are any."""
    whole = pc.match_substring_regex(pc.field("path"), WHOLE_PATH)
    batches = [batch for name in MEDIA_TABLES.values() for batch in dataset.batches(name, ["path"], whole)]
    rows = sum(batch.num_rows for batch in batches)
    number = rows - len(later_places(batches, ["path"], rows))
    return [_ELSEWHERE.format(number), ""] if number else []


def _terms(licenses: Any) -> list[str]:
    """Return what using all of it needs, by the licences' parts."""
    parts = {part for name in licenses for part in name.split("-")}
    terms = [
        ("BY", "authors have to be credited"),
        ("NC", "no commercial use"),
        ("SA", "what is made from it goes out under the same licence"),
        ("ND", "changed versions may not be shared"),
        ("ARR", "some files may not be shared at all"),
    ]
    said = [text for part, text in terms if part in parts]
    if "not stated" in licenses:
        said.append("some files state no licence, so they come with no permission")
    return [f"To use all of it: {'; '.join(said)}.", ""] if said else []


def _left_out(dataset: Dataset, made: dict[str, Any]) -> list[str]:
    rejected, omitted = value_counts(dataset, "rejected", "reason"), count_omitted(dataset)
    lines = []
    if omitted:
        lines += ["By the plan, one by one in `omitted`: " + _counts(omitted) + ".", ""]
    if not_listed := made.get("not_listed"):
        lines += ["Not asked for by the plan, and counted only: " + _counts(not_listed) + ".", ""]
    if missing := made.get("missing"):
        lines += ["Listed in the plan, but found in no source: " + ", ".join(map(words, missing)) + ".", ""]
    if rejected:
        lines += ["Unusable, one by one in `rejected`: " + _counts(rejected) + ".", ""]
    if refilled := made.get("refilled"):
        lines += [f"{refilled:,} unusable files gave their places to the next candidates of the species.", ""]
    if empty := made.get("empty"):
        lines += ["Places that stay empty: " + _counts(empty) + ".", ""]
    return lines or ["Nothing.", ""]


def _counts(counts: Any) -> str:
    return ", ".join(
        f"{number:,} {words(reason)}" for reason, number in sorted(counts.items(), key=lambda c: (-c[1], c[0]))
    )


def _plots(dataset: Dataset, directory: Path) -> list[tuple[str, str]]:
    """Draw items by species and on the map; return (file, what it shows)."""
    directory.mkdir(exist_ok=True)
    media = {"clips": "audio", "photographs": "images"}
    counts = {what: [*value_counts(dataset, name, "taxon_id").values()] for what, name in media.items()}
    drawn = [
        ("species.svg", "Items a species, from the commonest to the rarest", species_plot(counts)),
        (
            "places.svg",
            "Where clips and photographs come from",
            places_plot({what: _places(dataset, name) for what, name in media.items()}),
        ),
    ]
    plots = []
    for name, about, picture in drawn:
        if picture is not None:
            write_whole(directory / name, picture)
            plots.append((name, about))
    return plots


def _places(dataset: Dataset, name: str) -> np.ndarray:
    """Return longitudes and latitudes ``(places, 2)`` of items that have both; one for those that are drawn as one."""
    places = [np.empty((0, 2))]
    for batch in dataset.batches(name, ["longitude", "latitude"]):
        known = pa.Table.from_batches([batch]).drop_null()
        places.append(drawn_places(np.column_stack([column.to_numpy() for column in known.columns])))
    return np.concatenate(places)
