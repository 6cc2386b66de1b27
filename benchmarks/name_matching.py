"""100,000 names against iNaturalist's 1.4 M taxa: time, memory, precision by rule, recall.

Run with ``python benchmarks/name_matching.py``; shared data is looked for where BIOVITA_SHARED says. The names are
those of eBird 2024, AviList 2025 (species and subspecies), AVONET and AmphiBIO, and variants made of them.

What is known to be true, and how
---------------------------------
* A name that the backbone has, letter for letter, in the right class means that taxon.
* AVONET's names and AviList's are joined by their Avibase ids, a concordance made by neither biovita nor the
  backbone. A subspecies stands for its species, unless the backbone has it as a species: there the lists differ.
* A made variant means what it was made of (synonyms are invented, and stated to the backbone by a Darwin Core
  checklist); a pair, hybrid, ``sp.``, ``cf.`` or wrong class must be refused.
* Names of species that are taken out of the backbone must be refused, whatever rule could reach them (at the end).

The alternative is a join by the string, as given and in lower case, in DuckDB.
"""

from __future__ import annotations

import csv
import os
import resource
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.compute.cores import cpu_count
from biovita.taxonomy.backbone import Backbone
from biovita.taxonomy.backbone_files import open_backbone
from biovita.taxonomy.decisions import Rule
from biovita.taxonomy.match import match_names

DATA = Path(os.environ.get("BIOVITA_SHARED", Path(__file__).parents[2] / "shared")) / "data"
TOTAL = 100_000
SEED = 2026
REFUSE = "refuse"  # truth of a name that no taxon may be given for
AUTHORS = (
    "Linnaeus, 1758",
    "(Linnaeus, 1758)",
    "Gmelin, JF, 1789",
    "(Vieillot, 1817)",
    "L.",
    "Sclater, PL & Salvin, 1873",
)


@dataclass(frozen=True)
class Case:
    """A name with its lineage, where it is from, and the species id it means; None: not known."""

    name: str
    class_: str
    order: str | None
    family: str | None
    source: str
    truth: str | None


def rows(path: Path, **options: str) -> list[dict[str, str]]:
    with path.open(encoding=options.get("encoding", "utf-8"), newline="") as file:
        return list(csv.DictReader(file, delimiter=options.get("delimiter", ",")))


def species_ids(backbone: Backbone, class_: str) -> dict[str, str]:
    table = backbone.table.take(backbone.rows_within("class", [class_]))
    table = table.filter(pc.equal(table["rank"].cast(pa.string()), "species"))
    counted = Counter(table["name"].to_pylist())
    return {
        name: id_
        for name, id_ in zip(table["name"].to_pylist(), table["id"].to_pylist(), strict=True)
        if counted[name] == 1
    }


def listed(birds: dict[str, str], frogs: dict[str, str]) -> list[Case]:
    """Return the names of the lists, with truth where it is known."""
    avilist = rows(DATA / "taxonomy/avilist_2025_taxonomy.csv")
    ebird = rows(DATA / "taxonomy/ebird_2024_taxonomy.csv")
    avonet = rows(DATA / "traits/AVONET1_BirdLife.csv")
    amphibio = rows(DATA / "traits/AmphiBIO_v1.csv", encoding="latin-1")
    species_of = {
        row["avilist_avibase_id"].upper(): " ".join(row["scientific_name"].split()[:2])
        for row in avilist
        if row["avilist_taxon_rank"] in {"species", "subspecies"}
    }
    english = {row["avilist_common_name"]: row["scientific_name"] for row in avilist if row["avilist_common_name"]}
    cases = []
    for row in ebird:
        name = row["scientific_name"]
        truth = birds.get(name) or birds.get(english.get(row["ebird_common_name"], ""))
        cases.append(Case(name, "Aves", row["ebird_order"], row["ebird_family"], "eBird 2024", truth))
    for row in avilist:
        rank, name = row["avilist_taxon_rank"], row["scientific_name"]
        if rank in {"species", "subspecies"}:
            words = name.split()
            split = rank == "subspecies" and f"{words[0]} {words[2]}" in birds and words[1] != words[2]
            truth = None if split else birds.get(" ".join(words[:2]))
            source = f"AviList {rank}"
            cases.append(Case(name, "Aves", row["avilist_order"], row["avilist_family"], source, truth))
    for row in avonet:
        name = row["Species1"]
        truth = birds.get(name) or birds.get(species_of.get(row["Avibase.ID1"].upper(), ""))
        cases.append(Case(name, "Aves", row["Order1"], row["Family1"], "AVONET", truth))
    for row in amphibio:
        name = row["Species"]
        cases.append(Case(name, "Amphibia", row["Order"], row["Family"], "AmphiBIO", frogs.get(name)))
    return cases


def typo(word: str, rng: np.random.Generator) -> str:
    at = int(rng.integers(1, len(word) - 1))
    letter = "abcdefghilmnoprstuv"[rng.integers(19)]
    return (
        word[:at] + letter + word[at:],
        word[:at] + word[at + 1 :],
        word[:at] + letter + word[at + 1 :],
        word[:at] + word[at + 1] + word[at] + word[at + 2 :],
    )[rng.integers(4)]


def other_gender(epithet: str, rng: np.random.Generator) -> str | None:
    for ending in ("us", "a", "um"):
        if epithet.endswith(ending) and len(epithet) > 6:
            others = [other for other in ("us", "a", "um") if other != ending]
            return epithet[: -len(ending)] + others[rng.integers(2)]
    return None


def variants(cases: list[Case], known: set[str], wanted: int) -> list[Case]:
    """Return names made of those whose truth is known; one that hits a name in ``known`` by chance is not used."""
    rng = np.random.default_rng(SEED)
    sure = [case for case in cases if case.truth and len(case.name.split()) == 2 and case.name in known]
    made: list[Case] = []
    weights = {
        "author": 6,
        "case": 6,
        "spaces": 1,
        "synonym": 3,
        "nominotypical": 2,
        "epithet typo": 6,
        "genus typo": 4,
        "gender": 3,
        **dict.fromkeys(("pair", "hybrid", "sp.", "cf.", "wrong class"), 1),
    }
    shares = np.array(list(weights.values())) / sum(weights.values())
    while len(made) < wanted:
        case, other = (sure[i] for i in rng.integers(len(sure), size=2))
        genus, epithet = case.name.split()
        kind = str(rng.choice(list(weights), p=shares))
        name: str | None
        class_, truth = case.class_, case.truth
        match kind:
            case "synonym":
                name = f"{genus.rstrip('aeious')}opsis {epithet.rstrip('aeiou')}oides"
            case "author":
                name = f"{case.name} {AUTHORS[rng.integers(len(AUTHORS))]}"
            case "case":
                name = (case.name.upper(), case.name.lower(), case.name.title())[rng.integers(3)]
            case "spaces":
                name = f" {genus}{('  ', '_')[rng.integers(2)]}{epithet} "
            case "epithet typo":
                name = f"{genus} {typo(epithet, rng)}" if len(epithet) > 4 else None
            case "genus typo":
                name = f"{typo(genus, rng)} {epithet}" if len(genus) > 4 else None
            case "gender":
                ended = other_gender(epithet, rng)
                name = f"{genus} {ended}" if ended else None
            case "nominotypical":
                name = f"{case.name} {epithet}"
            case "pair":
                name, truth = f"{case.name}/{other.name.split()[1]}", REFUSE
            case "hybrid":
                name, truth = f"{case.name} x {other.name}", REFUSE
            case "sp.":
                name, truth = f"{genus} sp.", REFUSE
            case "cf.":
                name, truth = f"{genus} cf. {epithet}", REFUSE
            case _:
                name, class_, truth = case.name, "Insecta", REFUSE
        if name is None or (kind.endswith(("typo", "gender")) and name in known):
            continue
        if kind == "wrong class":
            made.append(Case(name, class_, None, None, f"made: {kind}", truth))
        else:
            made.append(Case(name, class_, case.order, case.family, f"made: {kind}", truth))
    return made


def with_made_synonyms(backbone: Backbone, cases: list[Case], folder: Path) -> Backbone:
    """Return the backbone with the invented synonyms, read from a checklist that is written for it."""
    names = dict(zip(backbone.table["id"].to_pylist(), backbone.table["name"].to_pylist(), strict=True))
    lines = ["taxonID\tacceptedNameUsageID\tscientificName\ttaxonRank\tkingdom"]
    stated: set[str] = set()
    synonyms = {case.name: case for case in cases if case.source == "made: synonym"}
    for row, case in enumerate(synonyms.values()):
        accepted = names[str(case.truth)]
        if accepted not in stated:
            lines.append(f"{case.truth}\t\t{accepted}\tspecies\tAnimalia")
            stated.add(accepted)
        lines.append(f"s{row}\t{case.truth}\t{case.name} Author, 1900\tspecies\tAnimalia")
    (folder / "Taxon.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return backbone.with_synonyms(open_backbone(folder / "Taxon.tsv"))


def table_of(cases: list[Case]) -> pa.Table:
    return pa.table(
        {
            "name": [case.name for case in cases],
            "class": [case.class_ for case in cases],
            "order": pa.array([case.order for case in cases], pa.string()),
            "family": pa.array([case.family for case in cases], pa.string()),
        }
    )


def scores(label: str, truths: list[str | None], got: list[str | None], matched: list[bool]) -> str:
    known = [(truth, id_, hit) for truth, id_, hit in zip(truths, got, matched, strict=True) if truth is not None]
    hits = [(truth, id_) for truth, id_, hit in known if hit]
    right = sum(truth == id_ for truth, id_ in hits)
    positive = sum(truth != REFUSE for truth, _, _ in known)
    precision = f"{100 * right / len(hits):8.3f}" if hits else "       -"
    recall = f"{100 * right / positive:7.2f}" if positive else "      -"
    return f"{label:<24}{len(truths):>8}{len(known):>8}{sum(matched):>9}{len(hits) - right:>7}{precision}{recall}"


def without(backbone: Backbone, ids: set[str]) -> Backbone:
    """Return the backbone without some species and what stands below them."""
    table = backbone.table
    gone = table.filter(pc.is_in(table["id"], value_set=pa.array(sorted(ids))))["name"].to_pylist()
    stems = pa.array(sorted(gone))
    names = table["name"]
    words = pc.split_pattern(names, " ")
    long = pc.greater_equal(pc.list_value_length(words), 2)
    two = pc.binary_join(pc.list_slice(words, 0, 2), " ")
    bird = pc.is_in(table["class"].cast(pa.string()), value_set=pa.array(["Aves", "Amphibia"]))
    left = pc.invert(pc.and_(pc.and_(long, pc.is_in(two, value_set=stems)), pc.fill_null(bird, fill_value=False)))
    kept = table.filter(left)
    return Backbone.of("held out", {c: kept[c] for c in kept.column_names if c not in {"key", "accepted"}})


def joined(names: pa.Table, backbone: Backbone) -> tuple[list[str | None], float]:
    """Return the alternative: species by equal strings, in lower case, single hits only; and its seconds."""
    start = time.perf_counter()
    with duckdb.connect() as connection:
        connection.execute("SET threads = 2")
        connection.register("given", names.append_column("place", pa.array(np.arange(len(names)))))
        connection.register("known", backbone.table.select(["id", "key", "rank"]))
        found = connection.execute(
            "SELECT place, min(id) AS id FROM given JOIN known ON lower(given.name) = known.key "
            "WHERE known.rank = 'species' GROUP BY place HAVING count(*) = 1"
        ).fetchall()
    taken = time.perf_counter() - start
    by_row = dict(found)
    return [by_row.get(row) for row in range(len(names))], taken


def main() -> None:
    start = time.perf_counter()
    backbone = open_backbone(DATA / "taxonomy/inaturalist-taxa.parquet")
    opened = time.perf_counter() - start
    birds, frogs = species_ids(backbone, "Aves"), species_ids(backbone, "Amphibia")
    cases = listed(birds, frogs)
    known = set(birds) | set(frogs)
    cases += variants(cases, known, TOTAL - len(cases))
    names = table_of(cases)
    with tempfile.TemporaryDirectory() as folder:
        full = with_made_synonyms(backbone, cases, Path(folder))
    alternative, join_s = joined(names, backbone)
    start = time.perf_counter()
    decisions = match_names(names, full)
    matching = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f"{len(cases):,} names, {len(full):,} in the backbone, {cpu_count()} cores")
    print(f"opening {opened:.1f} s, matching {matching:.1f} s, peak {peak:.2f} GiB (limits: 60 s, 3 GB)\n")

    got = decisions["species_id"].to_pylist()
    matched = [rule is not None for rule in decisions["rule"].to_pylist()]
    truths = [case.truth for case in cases]
    print(f"{'':<24}{'names':>8}{'known':>8}{'matched':>9}{'wrong':>7}{'prec.%':>8}{'rec.%':>7}")
    for source in dict.fromkeys(case.source for case in cases):
        chosen = [i for i, case in enumerate(cases) if case.source == source]
        print(scores(source, [truths[i] for i in chosen], [got[i] for i in chosen], [matched[i] for i in chosen]))
    rules = decisions["rule"].to_pylist()
    for rule in Rule:
        chosen = [i for i, found in enumerate(rules) if found == rule]
        if chosen:
            line = scores(
                f"rule: {rule}", [truths[i] for i in chosen], [got[i] for i in chosen], [True] * len(chosen)
            )
            print(line[:-7])
    print(scores("all", truths, got, matched))
    print(scores("string join (DuckDB)", truths, alternative, [id_ is not None for id_ in alternative]))
    right = sum(t == g for t, g in zip(truths, got, strict=True) if t and t != REFUSE)
    right_join = sum(t == g for t, g in zip(truths, alternative, strict=True) if t and t != REFUSE)
    print(f"ratio to the join: recall {right / right_join:.2f}, time {matching / join_s:.1f}\n")

    rng = np.random.default_rng(SEED)
    held = set(rng.choice(sorted({*birds.values(), *frogs.values()}), size=1000, replace=False).tolist())
    lost = [case for case in cases if case.truth in held]
    refused = match_names(table_of(lost), without(backbone, held))
    wrong = Counter(refused["rule"].drop_null().to_pylist())
    print(f"1,000 species taken out of the backbone: {len(lost)} names of theirs, {sum(wrong.values())} matched")
    print(f"  ({100 * sum(wrong.values()) / len(lost):.2f} % wrongly): {dict(wrong)}")


if __name__ == "__main__":
    main()
