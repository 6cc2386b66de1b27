"""``biovita data split``; the `data` group registers it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from biovita.cli.kit import Json, Seed, print_json, say

__all__ = ["split"]


def split(
    dataset: Path,
    /,
    *,
    unseen: int | None = None,
    unseen_list: Path | None = None,
    seed: Seed = 0,
    held_out: float = 0.2,
    by: Literal["species", "genus", "family"] = "species",
    as_json: Json = False,
) -> None:
    """Divide a dataset into training media, held-out media of the same species, and species held out whole.

    Parameters
    ----------
    dataset
        The dataset directory; its tables are rewritten with the new split.
    unseen
        How many species to hold out whole, in both modalities.
    unseen_list
        In its place, a file that names the species to hold out: one a line, or a table with a column name or
        scientific_name. Scientific and common names and synonyms will do.
    held_out
        Share of the other species' recordings and photographs to hold out.
    by
        Hold out whole genera or families in place of single species, until there are as many species.
    """
    import biovita

    report = biovita.split_dataset(
        dataset, unseen=unseen, unseen_list=unseen_list, seed=seed, held_out=held_out, by=by
    )
    if as_json:
        print_json({**report.as_toml(), "unseen": report.unseen})
    else:
        say(*report.lines())
