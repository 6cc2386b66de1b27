from __future__ import annotations

import pytest

from biovita.benchmark import benchmark_from_split, score_benchmark
from biovita.benchmark.asked_texts import TEXTS, species_text, text_notes
from biovita.benchmark.layout import write_benchmark
from biovita.benchmark.reader import read_benchmark
from biovita.dataset import split_dataset
from biovita.dataset.dataset import replace_tables
from biovita.dataset.schema import taxa_table
from biovita.modality import DIRECTIONS
from biovita.taxonomy import Rank, Taxon
from support.bench_cases import class_vectors, write_small

LINEAGE = {"class_": "Aves", "order": "Passeriformes", "family": "Corvidae", "genus": "Pica"}


@pytest.mark.parametrize(
    ("text", "full", "no_common", "no_lineage", "bare"),
    [
        ("name", "name", "name", "name", "name"),
        ("common", "common", "name", "common", "name"),
        ("tax", "tax", "tax", "name", "name"),
        ("sci_com", "sci_com", "name", "sci_com", "name"),
        ("tax_com", "tax_com", "tax", "sci_com", "name"),
    ],
)
def test_a_species_goes_by_the_next_shorter_text(
    text: str, full: str, no_common: str, no_lineage: str, bare: str
) -> None:
    assert text in TEXTS
    for kind, taxon in (
        (full, Taxon("x", "Pica pica", "Eurasian Magpie", **LINEAGE)),
        (no_common, Taxon("x", "Pica pica", **LINEAGE)),
        (no_lineage, Taxon("x", "Pica pica", "Eurasian Magpie")),
        (bare, Taxon("x", "Pica pica")),
        (no_lineage, Taxon("x", "Pica pica", "Eurasian Magpie", **{**LINEAGE, "family": None})),
    ):
        words, said = species_text(taxon, text)
        assert said == kind
        assert "Pica pica" in words or said == "common"


@pytest.mark.parametrize("text", TEXTS)
def test_a_dataset_of_names_alone_costs_no_direction(tmp_path, text: str) -> None:
    dataset = write_small(tmp_path / "names", taxa=10, per_species=2)
    bare = [Taxon(t.id, t.scientific_name, rank=t.rank) for t in dataset.taxonomy.values()]
    replace_tables(dataset, {"taxa": taxa_table(bare)}, {})
    split_dataset(dataset.path, unseen=4, seed=0)
    benchmark = benchmark_from_split(type(dataset).open(dataset.path), text=text)
    scores = score_benchmark(benchmark, class_vectors(benchmark, dataset, noise=0.0))
    asked = {(s.task.part, s.task.direction) for s in scores.tasks if s.task.level == Rank.SPECIES}
    assert asked == {(part, direction) for part in ("seen", "unseen") for direction in DIRECTIONS}
    species = len({name for task in benchmark.tasks for name in task.taxa})
    assert benchmark.made.get("shorter_texts", {}) == ({} if text == "name" else {"name": species})
    again = read_benchmark(write_benchmark(benchmark, tmp_path / "bench"))
    for made in (benchmark.made, again.made):
        assert [f": {species} by name" in note for note in text_notes(made)] == ([] if text == "name" else [True])


def test_notes_are_made_of_what_is_plain(tmp_path) -> None:
    for odd in (None, 3, [], {}):
        assert text_notes({"text": "tax", "shorter_texts": odd}) == ()
    assert text_notes({"shorter_texts": {"name": 1}}) == ()
