"""``biovita simulate``: a simulated fauna as a dataset, with media or as vectors; recordings with known calls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from biovita.cli.kit import Json, Overwrite, Seed, Workers, group, note, print_json, say

if TYPE_CHECKING:
    from biovita.dataset import Dataset
    from biovita.simulation.soundscape import SoundscapeReport

__all__ = ["app"]

app = group("simulate")

_SHOWN = 5


@app.default
def simulate(
    *,
    out: Path,
    species: int = 60,
    seed: Seed = 0,
    recordings: int = 8,
    photographs: int = 8,
    workers: Workers = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Make a dataset of a simulated fauna: drawn animals, synthesised calls, names and traits along one tree.

    Everything in it is invented, and says so. The same seed gives the same bytes, and the species of a smaller fauna
    are the first of a larger one.

    Parameters
    ----------
    out
        The dataset to make.
    species
        Number of species.
    recordings
        Mean number of recordings a species; each has one to three clips of 5 s.
    photographs
        Mean number of photographs a species.
    """
    import biovita

    dataset = biovita.simulate(
        out=out,
        species=species,
        seed=seed,
        recordings=recordings,
        photographs=photographs,
        workers=workers,
        overwrite=overwrite,
    )
    _print(dataset, as_json=as_json)


@app.command
def embeddings(
    *,
    out: Path,
    species: int = 14_133,
    audio: int = 1_300_000,
    images: int = 2_300_000,
    dim: int = 768,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Make a dataset of vectors without media, for tests of scoring, search and clustering at full size.

    Vectors are float16, in embeddings/simulated, with the structure of species, genus, family, order and class, and
    a gap between the modalities. The default size needs 6 GB of disk. The seed fixes the fauna and its vectors.

    Parameters
    ----------
    out
        The dataset to make.
    species
        Number of species.
    audio
        Number of recordings.
    images
        Number of photographs.
    dim
        Length of a vector.
    """
    from biovita.simulation.embeddings import simulate_embeddings

    dataset = simulate_embeddings(out, species, seed, audio=audio, images=images, dim=dim, overwrite=overwrite)
    _print(dataset, as_json=as_json)


@app.command
def soundscape(
    dataset: Path,
    /,
    *,
    backgrounds: Path,
    out: Path,
    hours: float = 1.0,
    file_minutes: float = 60.0,
    events: int = 150,
    at_once: int = 2,
    species: int | None = None,
    only: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    hold_out: bool = False,
    snr_db: tuple[float, float] = (0.0, 20.0),
    longest: float = 6.0,
    rate: int = 32_000,
    any_background: bool = False,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Make recordings with known calls: clips of a dataset over real backgrounds, and the truth beside them.

    BirdNET listens to the backgrounds first, and those in which it hears something are left out. The same seed gives
    the same bytes. The licences of clips and backgrounds hold for what is made.

    Parameters
    ----------
    dataset
        Whose clips are heard.
    backgrounds
        A folder of recordings in which nothing calls.
    out
        Directory to write.
    hours
        Of all recordings together.
    file_minutes
        Minutes of each recording.
    events
        Number of calls.
    at_once
        How many calls may be heard at the same time.
    species
        How many species, drawn. Default: all that have clips.
    only
        The scientific names of the species, in place of their number.
    hold_out
        Use one recording of each species, and only species that have another: the others may be a gallery.
    snr_db
        Least and largest level of a call over the background, in decibels.
    longest
        Seconds of a call at most.
    rate
        Samples a second.
    any_background
        Use backgrounds in which BirdNET hears something, too.
    """
    import biovita

    report = biovita.simulate_soundscape(
        dataset,
        backgrounds=backgrounds,
        out=out,
        hours=hours,
        file_minutes=file_minutes,
        events=events,
        at_once=at_once,
        species=species,
        only=only,
        hold_out=hold_out,
        snr_db=snr_db,
        longest=longest,
        rate=rate,
        any_background=any_background,
        seed=seed,
        overwrite=overwrite,
    )
    _print_soundscape(report, as_json=as_json)


def _print_soundscape(report: SoundscapeReport, *, as_json: bool) -> None:
    if as_json:
        print_json(report)
        return
    left = [each for each in report.backgrounds if each.left_out is not None]
    say(
        f"{report.events:,} calls of {len(report.species):,} species in {len(report.files):,} recordings of "
        f"{report.hours:,.2f} hours",
        f"backgrounds: {len(report.backgrounds) - len(left):,} used, {len(left):,} left out",
    )
    if report.lowered:
        note(f"{report.lowered:,} calls were made quieter than drawn, because they would pass half of full scale")
    if report.clipped:
        note(f"{report.clipped:,} samples passed full scale")
    if report.silent:
        note(f"{len(report.silent):,} clips are silent, and were passed over: {', '.join(report.silent[:_SHOWN])}")
    if left:
        note(f"{report.out / 'soundscape.json'} says which backgrounds were left out, and why")
    say(report.out)


def _print(dataset: Dataset, *, as_json: bool) -> None:
    counts = dataset.info["counts"]
    if as_json:
        print_json({"dataset": dataset.path, "made": dataset.info["made"], "counts": counts})
        return
    say(
        f"simulated {counts['taxa']} species: {counts['audio']} recordings, {counts['images']} photographs, "
        f"{counts['traits']} trait labels",
        f"dataset: {dataset.path}",
    )
