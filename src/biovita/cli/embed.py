"""``biovita embed``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from biovita.embedding import EmbedReport, ModalityReport

__all__ = ["app"]

app = App(name="embed", help="Write a vector for each recording, photograph and name of a dataset.")

_LISTED = 10  # failures on the screen; failed.parquet has them all


@app.default
def embed(
    dataset: Path,
    /,
    *,
    model: str = "starter",
    modality: Annotated[list[Literal["audio", "image", "text"]] | None, Parameter(negative=())] = None,
    device: str = "auto",
    batch_size: int | None = None,
    workers: int | None = None,
    json_: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> int:
    """Write a vector for each recording, photograph and name of a dataset.

    What has a vector already is left alone; a run that was stopped goes on where it was. Exits with 1 where a
    modality ends without any vector.

    Parameters
    ----------
    dataset
        Directory of the dataset; the vectors go to embeddings/MODEL in it.
    model
        A name that `biovita models` lists, hf-hub:owner/repository, a directory or training checkpoint in a
        published layout, or a directory that `biovita models export` or `biovita train` wrote. Of a model that was
        trained on frozen towers, these embed, and the vectors go to their embeddings/MODEL.
    modality
        audio, image or text; may be given more than once. All of them where none is given.
    device
        auto, cpu, cuda, cuda:N or mps.
    batch_size
        Items encoded together; by default what suits the tower.
    workers
        Threads that decode, or for a GPU processes; by default one a core.
    json_
        Print the report as JSON.
    """
    from biovita.compute.device import choose_device
    from biovita.dataset import Dataset
    from biovita.embedding import embed as run
    from biovita.modality import Modality

    sys.stderr.write(f"device: {choose_device(device)}\n")
    report = run(
        Dataset.open(dataset),
        model,
        [Modality(name) for name in modality] if modality else None,
        device=device,
        batch_size=batch_size,
        workers=workers,
    )
    sys.stdout.write((_as_json(report) if json_ else _as_text(report)) + "\n")
    return int(any(part.failed and not part.new + part.kept for part in report.parts))


def _as_json(report: EmbedReport) -> str:
    parts = [{**asdict(part), "rate": part.rate} for part in report.parts]
    return json.dumps(
        {"model": report.model, "towers": report.towers, "path": str(report.path), "parts": parts},
        ensure_ascii=False,
        indent=2,
    )


def _as_text(report: EmbedReport) -> str:
    lines = [_line(part) for part in report.parts]
    lines += [f"  {failure.id}: {failure.reason}: {failure.detail}" for failure in report.failed[:_LISTED]]
    if len(report.failed) > _LISTED:
        lines.append(f"  and {len(report.failed) - _LISTED} more")
    if report.failed:
        lines.append(f"The failed items are listed in {report.path / 'failed.parquet'}")
    if report.towers is not None:
        lines.append(f"{report.model} is made of the towers of {report.towers}: the vectors are theirs")
    return "\n".join([*lines, f"embeddings: {report.path}"])


def _line(part: ModalityReport) -> str:
    if not part.new + part.kept + len(part.failed):
        return f"{part.modality:<6} the dataset has none"
    rate = f" ({part.seconds:.1f} s, {part.rate:.1f}/s)" if part.new else ""
    return f"{part.modality:<6} {part.tower}: {part.new} new{rate}, {part.kept} kept, {len(part.failed)} failed"
