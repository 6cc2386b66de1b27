"""Embedding a dataset against the bare network on the same batches: what decoding, transforms and writing add.

Run with ``python benchmarks/embed_speed.py [--items 200] [--device auto] [--towers audio image]``. Makes MP3 recordings
of 10 s at 44.1 kHz and JPEG photographs of 640 x 480 pixels, and the architectures of the published model with random
weights (CLAP's HTS-AT with the adapter, ViT-L/14). The bare network gets inputs that lie on the device already:
spectrograms and scaled pixels; ratios are to the faster of its ways. With ``--published`` the published way is timed
too: decoding and spectrograms in NumPy, one by one in the main process, then the network.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
import pyarrow as pa
import soundfile
import torch
from PIL import Image

from biovita.compute.device import choose_device
from biovita.compute.threads import PartsInThreads
from biovita.compute.transfer import autocast, to_device
from biovita.dataset.dataset import Dataset, write_dataset
from biovita.dataset.schema import AUDIO, IMAGES, taxa_table
from biovita.embedding import embed
from biovita.modality import Modality
from biovita.model import Model, ModelCard
from biovita.model.formats.installed import Installed
from biovita.model.lookup import FORMATS, KNOWN
from biovita.taxonomy import Taxon
from biovita.towers import Encoder, EncoderCard
from biovita.towers.audio_windows import AudioInput
from biovita.towers.clap import _ON_A_CORE, ClapAudio
from biovita.towers.open_clip import _IMAGES_ON_A_CORE, OpenClipImage, architecture, build_clip

BARE, BARE_PARTS = "bare network", "bare, a part on each core"


def info(modality: Modality, dim: int) -> EncoderCard:
    return EncoderCard(f"bench-{modality}", modality, dim, "random weights", "1", "none")


def make_tower(modality: Modality, device: str) -> Encoder:
    chosen = choose_device(device)
    if modality == Modality.IMAGE:
        return OpenClipImage(info(modality, 768), build_clip(architecture("ViT-L-14"), None, "random"), chosen)
    from transformers import ClapConfig, ClapModel

    clap, adapter = ClapModel(ClapConfig()).eval(), torch.randn(768, 512)
    return ClapAudio(info(modality, 768), clap, chosen, listen=AudioInput(), adapter=adapter)


class InMemory(Installed):
    """The layout of a tower that is open already."""

    def __init__(self, tower: Encoder) -> None:
        self.tower = tower

    def load(self, card: ModelCard, path: Path, device: str, modalities: Collection[Modality]) -> Model:  # noqa: ARG002
        """Return it."""
        return Model(card.name, card, {self.tower.card.modality: self.tower})


def write_media(directory: Path, modality: Modality, count: int) -> Path:
    rng = np.random.default_rng(0)
    rows = []
    directory.mkdir()
    for number in range(count):
        path = directory / f"{number}.{'mp3' if modality == Modality.AUDIO else 'jpg'}"
        if modality == Modality.AUDIO:
            t = np.arange(441_000) / 44_100
            call = np.sin(2 * np.pi * (1000 + number * 20 + 800 * np.sin(5 * t)) * t) * (t % 1 < 0.4)
            soundfile.write(path, 0.3 * call + rng.normal(scale=0.01, size=t.size), 44_100, format="MP3")
        else:
            blocks = Image.fromarray(rng.integers(0, 255, (12, 16, 3), dtype=np.uint8))
            blocks.resize((640, 480), Image.Resampling.BICUBIC).save(path, quality=90)
        row = {"id": str(number), "taxon_id": "1", "path": path.name, "group_id": str(number)}
        row["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        if modality == Modality.AUDIO:
            row |= {"start_s": 0.0, "end_s": 10.0, "duration_s": 10.0, "sample_rate": 44_100}
        else:
            row |= {"width": 640, "height": 480}
        rows.append(row)
    schema = AUDIO if modality == Modality.AUDIO else IMAGES
    table = pa.Table.from_pylist(rows, schema=schema)
    taxa = taxa_table([Taxon("1", "Turdus merula")])
    name = "audio" if modality == Modality.AUDIO else "images"
    write_dataset(directory, {"taxa": taxa, name: table}, {"name": "bench", "version": "1", "made": "benchmark"})
    return directory


def bare_seconds(tower: Encoder, modality: Modality, files: list[Path]) -> dict[str, np.ndarray]:
    """Time the network alone, on batches made of these files beforehand.

    On the CPU in two ways: torch's own, all cores on a batch, and as `embed` goes, a part of the batch on each core.
    """
    batches = []
    for start in range(0, len(files), tower.batch_size):
        arrays = [tower.load(path) for path in files[start : start + tower.batch_size]]
        if modality == Modality.AUDIO:
            batches.append(tower.mel(to_device([windows[0] for windows in arrays], tower.device)))
        else:
            batches.append(to_device(arrays, tower.device).float() / 255)
    network = tower.forward_mel if modality == Modality.AUDIO else tower.clip.network.encode_image

    def run(batch: torch.Tensor) -> np.ndarray:
        with torch.inference_mode(), autocast(tower.device):
            return network(batch).cpu().numpy()

    ways = {BARE: run}
    if tower.device.kind == "cpu":
        part = _ON_A_CORE if modality == Modality.AUDIO else _IMAGES_ON_A_CORE
        pool = PartsInThreads()
        ways[BARE_PARTS] = lambda batch: pool.map(run, batch.split(part))
    return {way: timed(work, batches) for way, work in ways.items()}


def timed(work: Callable[[torch.Tensor], np.ndarray], batches: list[torch.Tensor]) -> np.ndarray:
    work(batches[0])
    start = clock()
    for batch in batches:
        work(batch)
    return clock() - start


def clock() -> np.ndarray:
    """Return the time of day and the processor time of this process, seconds: the second minds no other processes."""
    return np.array([time.perf_counter(), time.process_time()])


def published_seconds(tower: ClapAudio, files: list[Path]) -> np.ndarray:
    from transformers import ClapFeatureExtractor

    extractor = ClapFeatureExtractor(truncation="rand_trunc", frequency_min=50)
    start = clock()
    with torch.inference_mode(), autocast(tower.device):
        for first in range(0, len(files), tower.batch_size):
            waves = [tower.load(path)[0] for path in files[first : first + tower.batch_size]]
            mels = extractor(waves, sampling_rate=48_000, return_tensors="pt")["input_features"]
            tower.forward_mel(mels.float().to(tower.device.name)).cpu()
    return clock() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--towers", nargs="+", choices=["audio", "image"], default=["audio", "image"])
    parser.add_argument("--published", action="store_true")
    options = parser.parse_args()
    print(f"{options.items} items a tower on {choose_device(options.device)}, {torch.get_num_threads()} threads")
    print(f"{'tower':<24}{'way':<28}{'s':>8}{'items/s':>9}{'of bare':>9}{'cpu s':>8}{'of bare':>9}")
    for name in options.towers:
        modality = Modality(name)
        tower = make_tower(modality, options.device)
        title = "CLAP HTS-AT + adapter" if modality == Modality.AUDIO else "ViT-L/14"
        FORMATS["bench"] = InMemory(tower)
        KNOWN["bench"] = ModelCard("bench", "random weights", "bench", "bench", "1", {modality: tower.card})
        with tempfile.TemporaryDirectory() as folder:
            place = write_media(Path(folder) / "dataset", modality, options.items)
            files = sorted(place.glob("*.mp3" if modality == Modality.AUDIO else "*.jpg"))
            # Before and after, since a machine's speed drifts: the mean is what the rest is compared with.
            before = bare_seconds(tower, modality, files)
            start = clock()
            embed(Dataset.open(place), model="bench", modalities=[modality], device=options.device, progress=False)
            times = {"embed": clock() - start}
            if options.published and isinstance(tower, ClapAudio):
                times["the published way"] = published_seconds(tower, files)
            after = bare_seconds(tower, modality, files)
        bare = {way: (before[way] + after[way]) / 2 for way in before}
        fastest = min(bare.values(), key=lambda taken: taken[0])
        for way, (seconds, processor) in (bare | times).items():
            print(
                f"{title:<24}{way:<28}{seconds:>8.1f}{options.items / seconds:>9.1f}{seconds / fastest[0]:>9.2f}"
                f"{processor:>8.1f}{processor / fastest[1]:>9.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
