"""Drawing one item a species."""

from __future__ import annotations

import torch

from biovita.training.projections.pool import Pool


def test_a_draw_takes_items_of_the_species_asked_for_each_as_likely() -> None:
    species = [2, 0, 2, 2, 0]
    vectors = torch.tensor([[20.0], [0.0], [21.0], [22.0], [1.0]])
    pool = Pool.of(vectors, species, 4)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.stack([pool.draw(torch.tensor([2, 0, 2]), generator)[:, 0] for _ in range(3000)])
    assert set(drawn[:, 0].tolist()) == {20.0, 21.0, 22.0}
    assert set(drawn[:, 1].tolist()) == {0.0, 1.0}
    shares = [(drawn[:, 0] == value).float().mean().item() for value in (20.0, 21.0, 22.0)]
    assert all(0.3 < share < 0.37 for share in shares)
    assert not torch.equal(drawn[:, 0], drawn[:, 2])  # the same species twice in a batch: drawn anew
