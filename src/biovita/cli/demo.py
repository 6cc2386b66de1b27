"""``biovita demo``: the whole path in one command."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

app = App(name="demo", help="From recordings and photographs to a report.")


@app.default
def demo(
    *,
    data: Path | None = None,
    out: Path = Path("demo-run"),
    seed: int = 0,
    unseen: int | None = None,
    text: str = "tax_com",
    device: str = "auto",
    json_: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> int:
    """Go from a folder of recordings and photographs to a model, its scores and a report.

    Parameters
    ----------
    data
        Folder with audio.csv and images.csv, or a dataset. Without it, a simulated fauna.
    out
        Where dataset, model, report.html and results.json go; what is there of the same data is used again.
    seed
        Fixes the split, the training, the candidates and the examples.
    unseen
        Species to hold out whole. Default: a quarter of those with both modalities, at most 40.
    text
        What stands for a species in text: tax_com (lineage, scientific and common name), sci_com, tax, common, or
        name (the bare scientific name, as published).
    device
        auto, cpu, cuda, cuda:1 or mps.
    json_
        Print the headline and the places as JSON.
    """
    from biovita.demo import demo as run

    def say(stage: str, text: str) -> None:
        sys.stderr.write(f"{stage:<7} {text}\n")
        sys.stderr.flush()

    result = run(data, out, seed=seed, unseen=unseen, text=text, device=device, say=say)
    if json_:
        headlines = [
            {"stage": stage, "k": k, "accuracy": h.accuracy, "chance": h.chance, "times_chance": h.times_chance}
            for (stage, k), h in result.headlines.items()
        ]
        places = {"report": str(result.report), "results": str(result.results), "model": str(result.model)}
        sys.stdout.write(
            json.dumps({"unseen_species": headlines, **places, "seconds": dict(result.seconds)}, indent=2) + "\n"
        )
    else:
        sys.stdout.write(f"report: {result.report}\n")
    return 0
