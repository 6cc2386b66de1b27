"""``biovita demo``: the whole path in one command."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from biovita.cli.kit import Device, Json, Seed, group, note, print_json, say

__all__ = ["app"]

app = group("demo")


@app.default
def demo(
    *,
    data: Path | None = None,
    out: Path = Path("demo-run"),
    seed: Seed = 0,
    unseen: int | None = None,
    text: Literal["tax_com", "sci_com", "tax", "common", "name"] = "tax_com",
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Go from a folder of recordings and photographs to a model, its scores and a report.

    The seed fixes the training, the candidates and the examples, and the split where DATA is no dataset. A dataset is
    used as it has been split.

    Parameters
    ----------
    data
        Folder whose names or tables say what is in it, as data import folder takes it, or a dataset that has been
        split. Default: a simulated fauna.
    out
        Where dataset, model, report.html and results.json go. What is there of the same data is used again.
    unseen
        Species to hold out whole. Default: a quarter of those with both modalities, at most 40. Not for a dataset.
    text
        What stands for a species in text: tax_com (lineage, scientific and common name), sci_com, tax, common, or
        name (the bare scientific name, as published).
    """
    from biovita.demo import demo as run

    def tell(stage: str, text: str) -> None:
        note(f"{stage:<7} {text}")

    result = run(data, out, seed=seed, unseen=unseen, text=text, device=device, say=tell)
    if as_json:
        from biovita.benchmark.headlines import headline_record

        headlines = [headline_record(found, stage) for (stage, _), found in result.headlines.items()]
        places = {"report": result.report, "results": result.results, "model": result.model}
        print_json({"headlines": headlines, **places, "seconds": dict(result.seconds)})
    else:
        say(f"report: {result.report}")
