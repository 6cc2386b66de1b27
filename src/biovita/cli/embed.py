"""``biovita embed``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from biovita.cli.kit import Device, Json, Workers, group, note, print_json, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biovita.embedding import EmbedReport, ModalityReport

__all__ = ["app"]

app = group("embed")

_LISTED = 10  # failures on the screen; failed.parquet has them all


@app.default
def embed(
    dataset: Path,
    /,
    *,
    model: str = "starter",
    modalities: Annotated[list[Literal["audio", "image", "text"]] | None, Parameter(name="--modality")] = None,
    device: Device = "auto",
    batch_size: int | None = None,
    workers: Workers = None,
    as_json: Json = False,
) -> int:
    """Write a vector for each recording, photograph and name of a dataset.

    What has a vector already is left alone; a run that was stopped goes on where it was. Threads decode, or
    processes for a GPU. Exits with 1 where a modality ends without any vector.

    Parameters
    ----------
    dataset
        Directory of the dataset; the vectors go to embeddings/MODEL in it.
    model
        A name that `biovita models` lists, hf-hub:owner/repository, a directory or training checkpoint in a
        published layout, or a directory that `biovita models export` or `biovita train` wrote. If a model was
        trained on frozen towers, the towers embed, and the vectors go to their embeddings/MODEL.
    modalities
        audio, image or text; may be given more than once. Default: all of them.
    batch_size
        Items encoded together. Default: what suits the tower.
    """
    import biovita

    biovita.Dataset.open(dataset)  # what is none is told before torch is imported
    from biovita.compute.device import choose_device
    from biovita.dataset.relink import relink_hint

    note(f"device: {choose_device(device)}")
    report = biovita.embed(
        dataset,
        model=model,
        modalities=[biovita.Modality(name) for name in modalities] if modalities else None,
        device=device,
        batch_size=batch_size,
        workers=workers,
    )
    if any(failure.reason == "missing" for failure in report.failed):
        note(relink_hint(biovita.Dataset.open(dataset)))
    if as_json:
        parts = [{**asdict(part), "rate": part.rate} for part in report.parts]
        print_json({"model": report.model, "towers": report.towers, "path": report.path, "parts": parts})
    else:
        say(*_lines(report))
    return int(any(part.failed and not part.new + part.kept for part in report.parts))


def _lines(report: EmbedReport) -> Iterator[str]:
    yield from map(_line, report.parts)
    yield from (f"  {failure.id}: {failure.reason}: {failure.detail}" for failure in report.failed[:_LISTED])
    if len(report.failed) > _LISTED:
        yield f"  and {len(report.failed) - _LISTED} more"
    if report.failed:
        yield f"The failed items are listed in {report.path / 'failed.parquet'}"
    if report.towers not in {None, report.model}:
        yield f"{report.model} is made of the towers of {report.towers}: the vectors are theirs"
    yield f"embeddings: {report.path}"


def _line(part: ModalityReport) -> str:
    if not part.new + part.kept + len(part.failed):
        return f"{part.modality:<6} the dataset has none"
    rate = f" ({part.seconds:.1f} s, {part.rate:.1f}/s)" if part.new else ""
    return f"{part.modality:<6} {part.tower}: {part.new} new{rate}, {part.kept} kept, {len(part.failed)} failed"
