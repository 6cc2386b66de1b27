"""Two processes give the gradients of one on the joined batch, through torch's own data-parallel wrapper."""

from __future__ import annotations

import gc
import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.functional import normalize

from biovita.taxonomy import Taxon
from biovita.training.losses import Kinship, contrastive, targets
from biovita.training.towers.distributed import gathered_loss, mean_over_processes
from support.forked import METHOD

SPECIES = torch.tensor([0, 1, 2, 0, 3, 1, 2])
TAXA = (
    Taxon("a", "A a", class_="C", order="O", family="F", genus="A"),
    Taxon("b", "A b", class_="C", order="O", family="F", genus="A"),
    Taxon("c", "B c", class_="C", order="O", family="F", genus="B"),
    Taxon("d", "D d", class_="C", order=None, family=None, genus="D"),
)
KINDS = list(itertools.product(("info_nce", "sigmoid"), ("item", "species", "taxonomy")))
CUTS = (0, 3, 7)  # the processes have 3 and 4 pairs


class Both(nn.Module):
    """Two linear towers, a scale and a bias, so that all that is learned is under the wrapper."""

    def __init__(self, loss: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Linear(6, 5).double(), nn.Linear(4, 5).double()
        self.log_scale = nn.Parameter(torch.tensor(1.5, dtype=torch.float64))
        self.bias = nn.Parameter(torch.tensor(-2.0, dtype=torch.float64), requires_grad=loss == "sigmoid")

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return normalize(self.a(x), dim=1), normalize(self.b(y), dim=1), self.log_scale.exp(), self.bias


def _inputs() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(7, 6, generator=generator, dtype=torch.float64),
        torch.randn(7, 4, generator=generator, dtype=torch.float64),
    )


def _kinship() -> Kinship:
    return Kinship.of(TAXA, 0.5)


def _worker(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    found: dict[str, Any] = {}
    x, y = _inputs()
    own = slice(CUTS[rank], CUTS[rank + 1])
    for (loss, positives), gradients in itertools.product(KINDS, (True, False)):
        model = nn.parallel.DistributedDataParallel(Both(loss))
        a, b, scale, bias = model(x[own], y[own])
        kept = {"positives": positives, "kinship": _kinship(), "bias": bias, "gradients": gradients}
        value = gathered_loss(loss, a, b, scale, SPECIES[own], **kept)
        value.backward()
        grads = {name: p.grad for name, p in model.module.named_parameters() if p.grad is not None}
        found[f"{loss} {positives} {gradients}"] = {"value": mean_over_processes(value), **grads}
    if rank == 0:
        torch.save(found, f"{folder}/found.pt")
    del model, a, b, scale, bias, value, grads
    gc.collect()
    dist.barrier()
    dist.destroy_process_group()


def _one_process(loss: Any, positives: Any) -> dict[str, torch.Tensor]:
    model = Both(loss)
    a, b, scale, bias = model(*_inputs())
    wanted = targets(positives, SPECIES, SPECIES, kinship=_kinship()).double()
    value = contrastive(loss, a, b, scale, wanted, bias=bias)
    value.backward()
    return {"value": value.detach(), **{n: p.grad for n, p in model.named_parameters() if p.grad is not None}}


@pytest.mark.slow
def test_two_processes_give_the_gradients_of_one(tmp_path: Path) -> None:
    mp.start_processes(_worker, args=(str(tmp_path),), nprocs=2, start_method=METHOD)
    found = torch.load(tmp_path / "found.pt", weights_only=True)
    for loss, positives in KINDS:
        expected = _one_process(loss, positives)
        for name, value in expected.items():
            mine = found[f"{loss} {positives} True"][name]
            torch.testing.assert_close(mine, value, rtol=1e-6, atol=1e-12)
            released = found[f"{loss} {positives} False"][name]  # each of two processes has half of a tower's
            part = 0.5 if name.startswith(("a.", "b.")) else 1.0
            torch.testing.assert_close(released, part * value, rtol=1e-6, atol=1e-12)
        used = {"a.weight", "b.weight", "log_scale"} | ({"bias"} if loss == "sigmoid" else set())
        assert used <= expected.keys()


@pytest.mark.parametrize(("loss", "positives"), KINDS)
def test_alone_it_is_the_plain_loss(loss: Any, positives: Any) -> None:
    model = Both(loss)
    a, b, scale, bias = model(*_inputs())
    value = gathered_loss(loss, a, b, scale, SPECIES, positives=positives, kinship=_kinship(), bias=bias)
    torch.testing.assert_close(value.detach(), _one_process(loss, positives)["value"], rtol=1e-12, atol=0)
