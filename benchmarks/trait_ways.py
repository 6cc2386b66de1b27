"""What each way of telling a trait label gets on species that were held out, beside `biovita bench traits`.

Run: python benchmarks/trait_ways.py DATASET   with traits and with vectors of the starter towers: biovita embed

The species are divided into three parts, and each part is held out once: a copy of the dataset is split so, a starter
model trained on it (`starter/stage1` without the names of classes), and the held-out species are asked about.

The other species have their labels, recordings and photographs in the gallery; each unseen species is asked about by
all of its items, as the mean of its vectors and of its candidates. Candidates are the seen species and the classes of
the encoders' classifiers, whose labels the package knows. The species itself is never among them, nor does what the
package knows of it count, under any of its names. `together` is the answer of `biovita traits predict`: candidates and
probe, each where it does better than chance on seen species as if these were new.

Areas under the ROC curve, means over the labels of a group that at least three unseen species have and three have not,
with 95 % intervals bootstrapped over species. `bench zero-shot` and `bench probe` are of `biovita bench traits`.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import biovita
from biovita.benchmark.trait_run import score_traits
from biovita.cli.kit import print_table
from biovita.dataset import Dataset
from biovita.dataset.schema import Split
from biovita.identification.exemplars import Labelled, labelled_dataset
from biovita.identification.gallery import gallery_of, nameable
from biovita.identification.scorer import Scorer
from biovita.modality import MEDIA, Modality
from biovita.model import describe
from biovita.model.card import ModelCard
from biovita.model.describe import load_encoder
from biovita.trait_labels import LABELS, group_of, groups
from biovita.trait_prediction.label_tellers import Teller
from biovita.trait_prediction.labelled_species import LabelledSpecies, labelled_species
from biovita.trait_prediction.prediction_rows import Way
from biovita.trait_prediction.species_labels import SpeciesLabels, name_key
from biovita.trait_prediction.suggested_taxa import labels_of_candidates, shares_of_species
from biovita.trait_prediction.text_directions import text_directions
from biovita.traits.known_labels import enough

TURNS = 2_000
SEED = 0
PARTS = 3
WAYS = (*map(str, Way), "together")
METHODS = ("zero-shot", "probe")

Beside = Mapping[tuple[str, str, str], float]  # by modality, method and label


@dataclass(frozen=True)
class Area:
    """The area under the curve of one way and label, and the areas of bootstrapped species."""

    modality: Modality
    way: str
    label: str
    auc: float
    species: int
    draws: np.ndarray


def areas_of(dataset: Dataset, model: ModelCard, modality: Modality) -> list[Area]:
    """Return what each way gets on the unseen species of one modality."""
    known = SpeciesLabels.of([dataset])
    everything = labelled_species([dataset], model, modality, replace(known, with_package=False))
    assert everything is not None, "the dataset has labelled items of each modality"
    split = dataset.media(modality).select(["id", "split"])
    unseen = split.filter(pc.equal(split["split"], Split.UNSEEN.value))["id"].combine_chunks()
    items = pc.is_in(everything.rows["id"], value_set=unseen).to_numpy()
    hidden = np.bincount(everything.of, items, minlength=len(everything.taxa)) > 0
    seen, asked = everything.where(~hidden), everything.where(hidden)
    scorer = _scorer(dataset, model, modality, unseen)
    names = {name_key(taxon) for taxon in asked.taxa}
    told = replace(known, stated={name: values for name, values in known.stated.items() if name not in names})
    labels = labels_of_candidates(scorer.gallery.candidates, told)
    directions = text_directions(dataset, model)
    teller = Teller(directions, seen).with_trial(shares_of_species(scorer, seen, labels))
    values = teller.values(asked.means, asked.shared_means, shares_of_species(scorer, asked, labels, most=1 << 30))
    return _areas(
        modality,
        asked,
        {**{way.value: said for way, said in values.items()}, "together": teller.together(values).scores},
    )


def _scorer(dataset: Dataset, model: ModelCard, modality: Modality, unseen: pa.Array) -> Scorer:
    """Return what scores against the classes of the encoder and the seen species."""
    tower = load_encoder(model, modality)
    every = labelled_dataset(dataset, model, modality)
    kept = ~pc.is_in(every.rows["id"], value_set=unseen).to_numpy(zero_copy_only=False)
    used, places = np.unique(every.places[kept], return_inverse=True)
    mine = Labelled(
        modality,
        tuple(every.labels[number] for number in used.tolist()),
        places,
        every.rows.filter(pa.array(kept)),
        every.vectors[kept],
    )
    towers = {modality: tower}
    return Scorer.of(model, gallery_of(model, towers, [mine], nameable([tower], [mine])), tower)


def _areas(modality: Modality, asked: LabelledSpecies, values: Mapping[str, np.ndarray]) -> list[Area]:
    drawn = np.random.default_rng([SEED, len(asked.taxa), len(asked.of)]).multinomial(
        len(asked.taxa), np.full(len(asked.taxa), 1 / len(asked.taxa)), TURNS
    )
    found = []
    for column, label in enumerate(LABELS):
        truth = asked.labels[:, column]
        if not enough(truth):
            continue
        for way, said in values.items():
            at = ~np.isnan(said[:, column]) & ~np.isnan(truth)
            if not enough(truth[at]):
                continue
            yes, no = (np.flatnonzero(at & (truth == value)) for value in (1, 0))
            above = said[yes, column][:, None] - said[no, column][None]
            better = (above > 0) + 0.5 * (above == 0)
            sums = np.einsum("tp,pn,tn->t", drawn[:, yes], better, drawn[:, no], optimize=True)
            pairs = drawn[:, yes].sum(axis=1) * drawn[:, no].sum(axis=1)
            draws = np.where(pairs > 0, sums / np.maximum(pairs, 1), np.nan)
            found.append(Area(modality, way, label, float(better.mean()), len(yes) + len(no), draws))
    return found


def rows_by_label(areas: list[Area], beside: Beside) -> list[list[object]]:
    """Return a row a modality and label: of how many species, and the area of each way."""
    found: dict[tuple[str, str, str], list[Area]] = defaultdict(list)
    for area in areas:
        found[area.modality, area.label, area.way].append(area)
    rows: list[list[object]] = []
    keys = dict.fromkeys((area.modality, area.label) for area in areas)
    for modality, label in sorted(keys, key=lambda key: (MEDIA.index(key[0]), LABELS.index(key[1]))):
        mine = [found.get((modality, label, way), []) for way in WAYS]
        species = max(sum(area.species for area in some) for some in mine)
        cells = [f"{np.mean([area.auc for area in some]):.2f}" if some else "-" for some in mine]
        bench = [_mean_of(beside, modality, method, {label}) for method in METHODS]
        rows.append([modality.value, group_of(label), label, species, *cells, *bench])
    return rows


def rows_by_group(areas: list[Area], beside: Beside) -> list[list[object]]:
    """Return a row a modality and group: how many labels, and of each way the mean area with its interval."""
    rows: list[list[object]] = []
    for modality in MEDIA:
        mine = [area for area in areas if area.modality == modality]
        parts = {each.id: [area for area in mine if group_of(area.label) == each.id] for each in groups()}
        for name, some in {**parts, "mean of groups": mine}.items():
            labels = {area.label for area in some}
            if labels:
                cells = [_cell([area for area in some if area.way == way]) for way in WAYS]
                bench = [_mean_of(beside, modality, method, labels) for method in METHODS]
                rows.append([modality.value, name, len(labels), *cells, *bench])
    return rows


def _cell(areas: list[Area]) -> str:
    if not areas:
        return "-"
    by: dict[str, dict[str, list[Area]]] = defaultdict(lambda: defaultdict(list))
    for area in areas:
        by[group_of(area.label)][area.label].append(area)
    mean = np.mean([np.mean([np.mean([a.auc for a in of]) for of in some.values()]) for some in by.values()])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a turn may draw none of the species that have a label
        labels = [
            [np.nanmean([area.draws for area in of], axis=0) for of in some.values()] for some in by.values()
        ]
        draws = np.nanmean([np.nanmean(some, axis=0) for some in labels], axis=0)
    low, high = np.nanquantile(draws, [0.025, 0.975])
    return f"{mean:.2f} ({low:.2f} to {high:.2f})"


def _mean_of(beside: Beside, modality: Modality, method: str, labels: set[str]) -> str:
    by: dict[str, list[float]] = defaultdict(list)
    for label in labels:
        if (modality.value, method, label) in beside:
            by[group_of(label)].append(beside[modality.value, method, label])
    return f"{np.mean([np.mean(some) for some in by.values()]):.2f}" if by else "-"


def parts_of(dataset: Dataset) -> list[list[str]]:
    """Return the names of species in parts of about the same size; those that share a group of items stay together."""
    together: dict[str, set[str]] = {}
    members: dict[str, set[str]] = defaultdict(set)
    for modality in MEDIA:
        for row in dataset.media(modality).select(["group_id", "taxon_id"]).to_pylist():
            members[row["group_id"] or f"{len(members)}"].add(row["taxon_id"])
    for taxon_ids in members.values():
        joined = set().union(taxon_ids, *(together.get(each, set()) for each in taxon_ids))
        together |= dict.fromkeys(joined, joined)
    sets = sorted({frozenset(each) for each in together.values()}, key=sorted)
    np.random.default_rng(SEED).shuffle(sets)
    parts: list[list[str]] = [[] for _ in range(PARTS)]
    for each in sets:
        min(parts, key=len).extend(dataset.taxonomy[taxon_id].scientific_name for taxon_id in sorted(each))
    return parts


def measured(place: Path, scratch: Path) -> tuple[list[Area], Beside]:
    """Return the areas of all parts, and the means of those of `biovita bench traits`."""
    shutil.copytree(place, scratch / "dataset", ignore=shutil.ignore_patterns("media"))
    areas: list[Area] = []
    beside: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for number, names in enumerate(parts_of(Dataset.open(scratch / "dataset"))):
        (scratch / "unseen.txt").write_text("\n".join(names), encoding="utf-8")
        biovita.split_dataset(scratch / "dataset", unseen_list=scratch / "unseen.txt", seed=SEED)
        dataset = Dataset.open(scratch / "dataset")
        model = scratch / f"model-{number}"
        biovita.train("starter/stage1", data=dataset, out=model, settings={"weights.names": 0.0}, progress=False)
        for row in score_traits(dataset, str(model), progress=False):
            if row.part == Split.UNSEEN.value:
                beside[row.modality, row.method, row.label].append(row.auc)
        areas += [area for each in MEDIA for area in areas_of(dataset, describe(str(model)), each)]
    return areas, {key: float(np.mean(some)) for key, some in beside.items()}


def main() -> None:
    """Measure, and print a table by label and one by group."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        areas, beside = measured(given.dataset, Path(scratch))
    bench = ("bench zero-shot", "bench probe")
    print_table(["modality", "group", "label", "species", *WAYS, *bench], rows_by_label(areas, beside))
    print_table(["modality", "group", "labels", *WAYS, *bench], rows_by_group(areas, beside))


if __name__ == "__main__":
    main()
