"""``biovita data split``; the `data` group registers it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

__all__ = ["split"]


def split(
    dataset: Path,
    /,
    *,
    unseen: int,
    seed: int = 0,
    held_out: float = 0.2,
    by: Literal["species", "genus", "family"] = "species",
    json_: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> None:
    """Divide a dataset into training media, held-out media of the same species, and species held out whole.

    Parameters
    ----------
    dataset
        The dataset directory; its tables are rewritten with the new split.
    unseen
        How many species to hold out whole, in both modalities.
    seed
        The same seed gives the same split.
    held_out
        Share of the other species' recordings and photographs to hold out.
    by
        Hold out whole genera or families in place of single species, until there are as many species.
    json_
        Print the counts as JSON.
    """
    from biovita.dataset import Dataset
    from biovita.dataset.split import split_dataset
    from biovita.taxonomy import Rank

    report = split_dataset(Dataset.open(dataset), unseen=unseen, seed=seed, held_out=held_out, by=Rank(by))
    if json_:
        sys.stdout.write(json.dumps({**report.as_toml(), "unseen": list(report.unseen)}, indent=2) + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in report.lines()))
