"""The page beside the table of known taxa: sources, licences, what was changed, and what is known and what is not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

import pyarrow as pa

from biovita.trait_labels import LABELS

__all__ = ["Unsettled", "write_page"]

HEAD = """# Known taxa

`known-taxa.parquet` holds what this package knows of the taxa that BirdNET 2.4 and EfficientNet-Lite2 have classes for:
names, lineage and trait labels, a row a taxon. `scripts/known_taxa.py` makes it, and this page with it.

## Sources

- Names and numbers of the 6,522 sound classes: the label list of BirdNET 2.4. Kahl et al. 2021, *Ecological
  Informatics* 61, 101236, https://doi.org/10.1016/j.ecoinf.2021.101236. The model is licensed CC BY-NC-SA 4.0; of it
  the table has only the names.
- Labels and lineage of birds: AVONET 1, CC BY 4.0. Tobias et al. 2022, *Ecology Letters* 25, 581-597,
  https://doi.org/10.1111/ele.13898.
- Labels of birds and mammals: EltonTraits 1.0, CC0. Wilman et al. 2014, *Ecology* 95, 2027,
  https://doi.org/10.1890/13-1917.1.
- Labels of amphibians: AmphiBIO 1, CC BY 4.0. Oliveira et al. 2017, *Scientific Data* 4, 170123,
  https://doi.org/10.1038/sdata.2017.123.
- Labels of other animals: AnAge, CC BY 3.0. Tacutu et al. 2018, *Nucleic Acids Research* 46, D1083-D1090,
  https://doi.org/10.1093/nar/gkx1042.
- Lineage of all but birds, and of some genera of birds: `scripts/known_taxa_lineages.csv`, by hand.
- Taxa of the 398 picture classes: `picture-classes.csv`, by hand. The classes are synsets of WordNet.

The names of birds in the trait tables were matched to BirdNET's through the common names and Avibase numbers that
eBird/Clements 2024 and AviList 2025 (CC BY 4.0, https://doi.org/10.2173/avilist.v2025) give, and through the names of
iNaturalist's taxa. These lists are not part of the table; a synonym may be a name that one of them uses.

## What was changed

- Trait values became 34 labels, true or false, by the rules in `biovita/traits/tables/`. Where tables disagree, the
  first that knows decides: EltonTraits for mammals, then AVONET, EltonTraits for birds, AmphiBIO, AnAge. What no table
  tells is in neither list.
- A bird that AVONET does not list is placed with the birds of its genus there. It has no labels from AVONET.
- `phylum` follows from the class.
- A picture class has every taxon that it may show, so some have many, and some a family or an order.
"""


@dataclass(frozen=True)
class Unsettled:
    """Classes that are no taxa, birds of no genus of AVONET's, and names that two taxa claim as a synonym."""

    no_taxa: Sequence[str]
    unplaced: Sequence[str]
    claimed: Sequence[str]


def write_page(table: pa.Table, unsettled: Unsettled, file: Path) -> str:
    """Write the page, and return its last part: what is known of how many, and what could not be settled."""
    counts = "\n\n".join(
        [
            "## What is known",
            *(_counts(rows, name) for name, rows in _parts(table)),
            "## What could not be settled",
            _listed("Sound classes that are no taxa", unsettled.no_taxa),
            _listed("Birds of a genus or family that AVONET does not have", unsettled.unplaced),
            _listed("Names that two taxa claim, and neither has", unsettled.claimed),
            *(
                _listed(f"Species of sound classes without {what}", _without(table, column))
                for what, column in (("a family", "family"), ("an order", "order"), ("any label", "labels_true"))
            ),
        ]
    )
    file.write_text(f"{HEAD}\n{counts}\n", encoding="utf-8", newline="\n")
    return counts + "\n"


def _parts(table: pa.Table) -> list[tuple[str, list[dict[str, object]]]]:
    rows = table.to_pylist()
    return [
        ("Taxa of sound classes", [row for row in rows if row["birdnet"] is not None]),
        ("Taxa of picture classes", [row for row in rows if row["efficientnet"]]),
    ]


def _counts(rows: list[dict[str, object]], name: str) -> str:
    known = {column: sum(1 for row in rows if row[column]) for column in ("class", "order", "family", "synonyms")}
    lines = [f"{name}: {len(rows):,}", "", "| Known | Taxa | Of them true |", "| --- | ---: | ---: |"]
    lines += [f"| {column} | {count:,} | |" for column, count in known.items()]
    for label in LABELS:
        true = sum(1 for row in rows if label in row["labels_true"])  # type: ignore[operator]
        false = sum(1 for row in rows if label in row["labels_false"])  # type: ignore[operator]
        lines.append(f"| {label} | {true + false:,} | {true:,} |")
    return "\n".join(lines)


def _without(table: pa.Table, column: str) -> list[str]:
    return [
        row["scientific_name"]
        for row in table.to_pylist()
        if row["birdnet"] is not None and not (row[column] or (column == "labels_true" and row["labels_false"]))
    ]


def _listed(what: str, names: Iterable[str]) -> str:
    names = list(names)
    text = f"{what} ({len(names):,}): {', '.join(names) or 'none'}."
    return "\n".join(wrap(text, 118, break_long_words=False, break_on_hyphens=False))
