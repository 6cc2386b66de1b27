"""From a dataset's training rows to batches for towers: sounds decoded anew, frozen vectors from tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from biovita.compute.pipeline import load_ahead
from biovita.dataset import Dataset, Split
from biovita.embed import Vectors, embed, read_failures, read_vectors
from biovita.embed.table import embeddings_directory
from biovita.errors import DatasetError, MediaError
from biovita.media.items import Clip
from biovita.media.packed import MediaPath
from biovita.modality import Modality
from biovita.model import describe
from biovita.taxonomy import Taxon, prompts
from biovita.train.failures import Failures
from biovita.train.sampling import Epoch, Items

__all__ = ["Batch", "Frozen", "TrainingItems", "frozen_vectors", "load_batches", "training_items"]


@dataclass(frozen=True, eq=False)
class TrainingItems:
    """The training rows of a dataset.

    Attributes
    ----------
    taxa
        The training species; their numbers are their places here.
    prompts
        By species, its texts.
    clips, clip_ids, photographs, photograph_ids
        Items and their ids; `items` numbers them.
    """

    taxa: tuple[Taxon, ...]
    prompts: tuple[tuple[str, ...], ...]
    clips: tuple[Clip, ...]
    clip_ids: tuple[str, ...]
    photographs: tuple[MediaPath, ...]
    photograph_ids: tuple[str, ...]
    items: Items


def training_items(dataset: Dataset, *, sounds: bool = True) -> TrainingItems:
    """Return what the ``train`` split of a dataset holds.

    Raises
    ------
    DatasetError
        Where the dataset has not been split, or there is no recording to train on and ``sounds`` are wanted.
    """
    rows: dict[Modality, list[dict[str, Any]]] = {}
    for modality in (Modality.AUDIO, Modality.IMAGE):
        span = ["start_s", "end_s"] if modality == Modality.AUDIO else []
        table = dataset.media(modality).select(["id", "taxon_id", "path", "split", *span]).to_pylist()
        if table and all(row["split"] is None for row in table):
            raise DatasetError(f"{dataset.path} has not been split. Run: biovita data split {dataset.path}")
        kept = [row for row in table if row["split"] == Split.TRAIN]
        rows[modality] = sorted(kept, key=lambda row: row["path"]) if modality == Modality.IMAGE else kept
    if sounds and not rows[Modality.AUDIO]:
        raise DatasetError(f"{dataset.path} has no recordings in its train split")
    species = sorted({row["taxon_id"] for table in rows.values() for row in table})
    taxa = tuple(dataset.taxonomy[taxon_id] for taxon_id in species)
    place = {taxon_id: number for number, taxon_id in enumerate(species)}
    texts = tuple(tuple(prompts(taxon).values()) for taxon in taxa)

    def grouped(modality: Modality) -> tuple[np.ndarray, ...]:
        owners = np.array([place[row["taxon_id"]] for row in rows[modality]], np.int64)
        return tuple(np.flatnonzero(owners == number) for number in range(len(species)))

    audio, images = rows[Modality.AUDIO], rows[Modality.IMAGE]
    return TrainingItems(
        taxa,
        texts,
        tuple(Clip(dataset.locate(row["path"]), row["start_s"], row["end_s"]) for row in audio),
        tuple(row["id"] for row in audio),
        tuple(dataset.locate(row["path"]) for row in images),
        tuple(row["id"] for row in images),
        Items(grouped(Modality.AUDIO), grouped(Modality.IMAGE), tuple(len(each) for each in texts)),
    )


@dataclass(frozen=True, eq=False)
class Frozen:
    """Unit vectors of frozen towers on the device: ``(photographs, dim)`` by row, and by text."""

    images: torch.Tensor | None
    texts: Vectors | None

    def image_rows(self, rows: np.ndarray) -> torch.Tensor:
        """Return the vectors of some photographs."""
        assert self.images is not None
        return self.images[torch.from_numpy(rows).to(self.images.device)]


def frozen_vectors(
    dataset: Dataset,
    model: str,
    items: TrainingItems,
    failures: Failures,
    *,
    images: bool,
    device: torch.device,
    progress: bool = False,
    made: bool = False,
) -> Frozen:
    """Return the vectors of photographs, where asked, and texts from the dataset's tables; what is missing is made.

    A photograph that cannot be decoded is counted in ``failures``; its row is NaN. ``made``: another
    process has made the tables just now.
    """
    wanted = [Modality.IMAGE, Modality.TEXT] if images else [Modality.TEXT]
    if made:
        failed = read_failures(embeddings_directory(dataset, describe(model).towers.name))
    else:
        failed = embed(dataset, model, wanted, device=str(device), progress=progress).failed
    texts = read_vectors(dataset, model, Modality.TEXT)
    if not images:
        return Frozen(None, texts)
    training = set(items.photograph_ids)
    for failure in failed:
        if failure.modality == Modality.IMAGE and failure.id in training:
            failures.add(Modality.IMAGE, failure.id, failure.detail)
    table = read_vectors(dataset, model, Modality.IMAGE)
    vectors = np.full((len(items.photograph_ids), table.dim), np.nan, np.float32)
    there = [place for place, item in enumerate(items.photograph_ids) if item in table]
    vectors[there] = table.subset([items.photograph_ids[place] for place in there]).vectors
    return Frozen(torch.nn.functional.normalize(torch.from_numpy(vectors), dim=1).to(device), texts)


@dataclass(frozen=True, eq=False)
class Batch:
    """The pairs of a step that could be decoded.

    Attributes
    ----------
    pairs
        Which they are.
    sounds
        ``(B, samples)``, float32; None where the pairs have no clips.
    pixels
        ``(B, 3, height, width)``, uint8; None where photographs are not asked for, or their vectors are there.
    """

    pairs: Epoch
    sounds: np.ndarray | None
    pixels: np.ndarray | None


def load_batches(
    items: TrainingItems,
    epoch: Epoch,
    places: Sequence[np.ndarray],
    networks: Any,
    failures: Failures,
    *,
    seed: tuple[int, ...],
    pixels: bool,
    bad_images: np.ndarray,
    workers: int,
) -> Iterator[Batch]:
    """Give the batches of an epoch, decoded ahead in threads.

    Each clip is a window from a random place, fixed by the seed and the place of its pair in the epoch. What does not
    decode is left out of its batch and counted.

    Parameters
    ----------
    places
        By batch, the places of its pairs in ``epoch``.
    pixels
        Whether to decode photographs as well.
    bad_images
        ``(photographs,)`` bool: those that are known not to decode.
    """
    listen, look = networks.audio.loader, networks.image.loader
    heard = bool((epoch.audio >= 0).all())
    size = listen.samples if heard else 0

    def pair(place: int) -> tuple[int, Clip | None, MediaPath | None]:
        clip = items.clips[epoch.audio[place]] if heard else None
        return place, clip, items.photographs[epoch.image[place]] if pixels else None

    def load(found: tuple[int, Clip | None, MediaPath | None]) -> np.ndarray:
        """Decode one pair into one array: samples, then pixels."""
        place, clip, photograph = found
        sound = np.empty(0, np.float32)
        if clip is not None:
            sound = listen.random_window(clip, np.random.default_rng([*seed, place]))
        if not pixels:
            return sound
        try:
            picture = look(photograph)
        except MediaError as error:
            raise MediaError(f"image:{error.reason}", str(error)) from error
        return np.concatenate([sound, picture.ravel().astype(np.float32)])

    ordered = ((int(place), pair(int(place))) for batch in places for place in batch)
    loaded = load_ahead(ordered, load, workers=workers, ahead=2 * max((len(b) for b in places), default=1))
    for batch in places:
        kept, arrays, failed = [], [], []
        for _ in batch:
            place, result = next(loaded)
            if isinstance(result, MediaError):
                failed.append(str(result))
                if result.reason.startswith("image:"):
                    failures.add(Modality.IMAGE, items.photograph_ids[epoch.image[place]], str(result))
                else:
                    failures.add(Modality.AUDIO, items.clip_ids[epoch.audio[place]], str(result))
            elif epoch.image[place] < 0 or not bad_images[epoch.image[place]]:
                kept.append(place)
                arrays.append(result)
        if not kept:
            raise DatasetError(
                f"none of the {len(batch)} items of a batch can be decoded: {'; '.join(failed[:3])}. Train with "
                "larger batches, or make the dataset without them"
            )
        stacked = np.stack(arrays)
        shape = (len(kept), 3, *look.size)
        pictures = stacked[:, size:].astype(np.uint8).reshape(shape) if pixels else None
        yield Batch(epoch[np.array(kept)], stacked[:, :size] if heard else None, pictures)
