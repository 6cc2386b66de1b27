"""``biovita embed``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import cyclopts

if TYPE_CHECKING:
    from biovita.embed import EmbedReport, ModalityReport

__all__ = ["app"]

app = cyclopts.App(name="embed", help="Write a vector for each recording, photograph and name of a dataset.")

_LISTED = 10  # failures on the screen; failed.parquet has them all


@app.default
def embed(
    dataset: Path,
    *,
    model: str = "starter",
    modality: Annotated[list[Literal["audio", "image", "text"]] | None, cyclopts.Parameter(consume_multiple=True)] = None,
    device: str = "auto",
    batch_size: int | None = None,
    workers: int | None = None,
    json: bool = False,
) -> int:
    """Write a vector for each recording, photograph and name of a dataset.

    What has a vector already is left alone; a run that was stopped goes on where it was. Exits with 1 where a modality
    ends without any vector.

    Parameters
    ----------
    dataset
        Directory of the dataset; the vectors go to embeddings/MODEL in it.
    model
        A name that `biovita models` lists.
    modality
        audio, image or text, one or several; all of them where none is given.
    device
        auto, cpu, cuda, cuda:N or mps.
    batch_size
        Items encoded together; by default what suits the tower.
    workers
        Threads that decode; by default one a core.
    json
        Print the report as JSON.
    """
    from biovita.dataset import Dataset, Modality
    from biovita.embed import embed as run

    report = run(
        Dataset.open(dataset),
        model,
        [Modality(name) for name in modality] if modality else None,
        device=device,
        batch_size=batch_size,
        workers=workers,
    )
    if json:
        _print_json(report)
    else:
        _print_text(report)
    return int(any(part.failed and not part.new + part.kept for part in report.parts))


def _print_json(report: EmbedReport) -> None:
    import json
    from dataclasses import asdict

    parts = [{**asdict(part), "rate": part.rate} for part in report.parts]
    print(json.dumps({"model": report.model, "path": str(report.path), "parts": parts}, indent=2))  # noqa: T201


def _print_text(report: EmbedReport) -> None:
    for part in report.parts:
        print(_line(part))  # noqa: T201
    for failure in report.failed[:_LISTED]:
        print(f"  {failure.id}: {failure.reason}: {failure.detail}")  # noqa: T201
    if more := len(report.failed) - _LISTED:
        if more > 0:
            print(f"  and {more} more")  # noqa: T201
    if report.failed:
        print(f"The failed items are listed in {report.path / 'failed.parquet'}")  # noqa: T201
    print(report.path)  # noqa: T201


def _line(part: ModalityReport) -> str:
    if not part.new + part.kept + len(part.failed):
        return f"{part.modality:<6} the dataset has none"
    rate = f" ({part.seconds:.1f} s, {part.rate:.1f}/s)" if part.new else ""
    return f"{part.modality:<6} {part.tower}: {part.new} new{rate}, {part.kept} kept, {len(part.failed)} failed"
