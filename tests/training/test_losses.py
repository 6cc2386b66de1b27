"""InfoNCE against the loss written out, and against torch's cross entropy."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from biovita.taxonomy import Taxon
from biovita.training.losses import Kinship, info_nce, sigmoid, targets


def _embeddings(rows: int, seed: int) -> torch.Tensor:
    return normalize(
        torch.randn(rows, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=1
    )


def test_with_one_positive_each_it_is_clips_loss() -> None:
    a, b = _embeddings(6, 0), _embeddings(6, 1)
    logits = 7.0 * a @ b.T
    expected = 0.5 * (cross_entropy(logits, torch.arange(6)) + cross_entropy(logits.T, torch.arange(6)))
    assert info_nce(a, b, 7.0, torch.eye(6, dtype=torch.float64)).item() == pytest.approx(
        expected.item(), rel=1e-12
    )


def test_several_positives_written_out() -> None:
    a, b = _embeddings(4, 2), _embeddings(5, 3)
    species_a, species_b = [0, 0, 1, 9], [0, 1, 1, 0, 2]  # row 3 and column 4 have no partner
    targets = torch.tensor([[float(x == y) for y in species_b] for x in species_a], dtype=torch.float64)
    similarity = (3.0 * a @ b.T).tolist()

    def one_way(rows: list[list[float]], own: list[int], other: list[int]) -> float:
        losses = []
        for row, label in zip(rows, own, strict=True):
            positives = [place for place, candidate in enumerate(other) if candidate == label]
            if positives:
                total = math.log(sum(math.exp(value) for value in row))
                losses.append(sum(total - row[place] for place in positives) / len(positives))
        return sum(losses) / len(losses)

    columns = [list(column) for column in zip(*similarity, strict=True)]
    expected = 0.5 * (one_way(similarity, species_a, species_b) + one_way(columns, species_b, species_a))
    assert info_nce(a, b, 3.0, targets).item() == pytest.approx(expected, rel=1e-12)


def test_no_positive_at_all_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one positive"):
        info_nce(_embeddings(2, 0), _embeddings(2, 1), 1.0, torch.zeros(2, 2))


def test_sigmoid_written_out() -> None:
    a, b = _embeddings(3, 4), _embeddings(3, 5)
    wanted = torch.tensor([[1.0, 0.0, 0.3], [0.0, 1.0, 0.0], [0.3, 0.0, 1.0]], dtype=torch.float64)
    logits = (4.0 * a @ b.T - 1.5).tolist()
    total = 0.0
    for row, sought in zip(logits, wanted.tolist(), strict=True):
        for value, target in zip(row, sought, strict=True):
            chance = 1 / (1 + math.exp(-value))
            total -= target * math.log(chance) + (1 - target) * math.log(1 - chance)
    assert sigmoid(a, b, 4.0, -1.5, wanted).item() == pytest.approx(total / 3, rel=1e-12)


def test_targets_of_the_three_kinds() -> None:
    rows, columns = torch.tensor([0, 1]), torch.tensor([1, 0, 1, 2])
    kin = Kinship.of([Taxon("1", "A a", genus="A"), Taxon("2", "A b", genus="A"), Taxon("3", "C c")], 0.5)
    assert targets("item", rows, columns, offset=1).tolist() == [[0, 1, 0, 0], [0, 0, 1, 0]]
    assert targets("species", rows, columns).tolist() == [[0, 1, 0, 0], [1, 0, 1, 0]]
    assert targets("taxonomy", rows, columns, kinship=kin).tolist() == [[0.5, 1, 0.5, 0], [1, 0.5, 1, 0]]


def test_nearer_relatives_weigh_more_and_an_unknown_rank_is_not_shared() -> None:
    lineage = {"class_": "Aves", "order": "Passeriformes", "family": "Corvidae"}
    taxa = [
        Taxon("1", "Corvus corax", genus="Corvus", **lineage),
        Taxon("2", "Corvus corone", genus="Corvus", **lineage),
        Taxon("3", "Pica pica", genus="Pica", **lineage),
        Taxon("4", "Parus major", class_="Aves", order="Passeriformes", family="Paridae", genus="Parus"),
        Taxon("5", "Strix aluco", class_="Aves", order="Strigiformes"),
        Taxon("6", "Hyla arborea"),
        Taxon("7", "Bufo bufo"),
    ]
    every = torch.arange(len(taxa))
    weights = Kinship.of(taxa, 0.5).between(every, every)
    assert weights[0].tolist() == [1.0, 0.5, 0.25, 0.125, 0.0625, 0.0, 0.0]
    assert weights[5, 6] == 0
    assert weights[6].tolist() == [0, 0, 0, 0, 0, 0, 1]
    assert torch.equal(weights, weights.T)
    some = torch.tensor([4, 1, 1, 0])
    assert torch.equal(Kinship.of(taxa, 0.5).between(some, every), weights[some])
