"""Loading a packed dataset's media for embedding against loading its plain files, and against unpacking them first.

Run with ``python benchmarks/packed_media.py [--items 300] [--workers 2]``. Makes 10 s recordings (Ogg Vorbis, 32 kHz)
and JPEG photographs (640 x 480 pixels), packs them into a Lance table on local disk, and decodes all of them in a
random order, as training draws them; no encoder runs. Rates are the best of three rounds, in turns; files and table
are in the system's cache. ``read`` is the bytes alone, without decoding. Ratios are those of the rates, and of the
processor's seconds, which others on the machine disturb less; over 1 is faster than files.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import soundfile
from PIL import Image

from biovita.compute.pipeline import load_ahead
from biovita.compute.read_ahead import read_ahead
from biovita.dataset import Dataset, write_dataset
from biovita.dataset.packed_media import PackedMedia
from biovita.dataset.schema import AUDIO, IMAGES, taxa_table
from biovita.embedding.items import dataset_items, loadable
from biovita.media import resample
from biovita.media.inputs import Clip
from biovita.media.packed_files import PackedFile
from biovita.modality import Modality
from biovita.publish.pack import pack, state_packed
from biovita.taxonomy import Taxon
from biovita.towers.input_arrays import native_mono, rgb_image

ROUNDS = 3
RATE = 32_000


def write_media(directory: Path, count: int) -> Dataset:
    rng = np.random.default_rng(0)
    (directory / "media").mkdir(parents=True)
    rows: dict[str, list[dict[str, object]]] = {"audio": [], "images": []}
    for number in range(count):
        sound, picture = (directory / f"media/{number}.{ending}" for ending in ("ogg", "jpg"))
        t = np.arange(10 * RATE) / RATE
        call = 0.3 * np.sin(2 * np.pi * (1000 + number * 9 + 800 * np.sin(5 * t)) * t) * (t % 1 < 0.4)
        soundfile.write(sound, call + rng.normal(scale=0.01, size=t.size), RATE, format="OGG", subtype="VORBIS")
        blocks = Image.fromarray(rng.integers(0, 255, (12, 16, 3), dtype=np.uint8))
        blocks.resize((640, 480), Image.Resampling.BICUBIC).save(picture, quality=90)
        for name, file in (("audio", sound), ("images", picture)):
            key = f"{name}{number}"
            row = {"id": key, "taxon_id": "1", "path": f"media/{file.name}", "group_id": key}
            rows[name].append(row | {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()})
        rows["audio"][-1] |= {"start_s": 0.0, "end_s": 10.0, "duration_s": 10.0, "sample_rate": RATE}
        rows["images"][-1] |= {"width": 640, "height": 480}
    tables = {
        "taxa": taxa_table([Taxon("1", "Turdus merula")]),
        "audio": pa.Table.from_pylist(rows["audio"], schema=AUDIO),
        "images": pa.Table.from_pylist(rows["images"], schema=IMAGES),
    }
    write_dataset(directory, tables, {"name": "bench", "version": "1", "made": "benchmark"})
    return Dataset.open(directory)


def entries(dataset: Dataset, modality: Modality) -> list[tuple[str, Clip | Path | PackedFile | str]]:
    items = dataset_items(dataset, modality)
    shuffled = items.take(np.random.default_rng(1).permutation(len(items)))
    return [(row["id"], loadable(modality, row, items.locate)) for row in shuffled.rows.to_pylist()]


def decoded(dataset: Dataset, modality: Modality, workers: int) -> None:
    def sound(item: Clip) -> np.ndarray:
        return resample(*native_mono(item), RATE)

    def picture(item: Path | PackedFile) -> np.ndarray:
        return np.asarray(rgb_image(item))

    load: Callable[..., np.ndarray] = sound if modality == Modality.AUDIO else picture
    for _, result in load_ahead(entries(dataset, modality), load, workers=workers, ahead=64):
        assert isinstance(result, np.ndarray), result


def read(dataset: Dataset, modality: Modality) -> None:
    for _, item in read_ahead(entries(dataset, modality)):
        path = item.path if isinstance(item, Clip) else item
        assert not isinstance(path, str)
        assert len(path.read_bytes()) > 0


def timed(ways: Sequence[Callable[[], None]]) -> np.ndarray:
    """Return ``(ways, 2)``: the best of the rounds in seconds, of the clock and of the processor, the ways in turns."""
    best = np.full((len(ways), 2), np.inf)
    for _ in range(ROUNDS):
        for place, way in enumerate(ways):
            began = np.array([time.perf_counter(), time.process_time()])
            way()
            best[place] = np.minimum(best[place], [time.perf_counter(), time.process_time()] - began)
    return best


def line(name: str, items: int, seconds: np.ndarray) -> str:
    """Return a row of the table; ``seconds`` is of the files first, then of what is compared with them."""
    cells = [f"{items / seconds[0, 0]:10.0f}"]
    for clock, processor in seconds[1:]:
        cells.append(f"{items / clock:14.0f}{seconds[0, 0] / clock:8.2f}{seconds[0, 1] / processor:11.2f}")
    return f"{name:14}" + "".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=300, help="of each modality")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files = write_media(root / "files", given.items)
        address = str(root / "media.lance")
        pack(files, address)
        shutil.copytree(files.path, root / "packed", ignore=shutil.ignore_patterns("media"))
        state_packed(Dataset.open(root / "packed"), address)
        packed = Dataset.open(root / "packed")

        def unpacked(modality: Modality) -> None:
            paths = files.media(modality)["path"].to_pylist()
            with tempfile.TemporaryDirectory(dir=root) as place:
                shutil.copytree(packed.path, place, dirs_exist_ok=True)
                dataset = Dataset.open(place)
                PackedMedia.open(address).unpack(dataset.path, paths)
                state_packed(dataset, None)
                decoded(dataset, modality, given.workers)

        ratios = f"{'ratio':>8}{'processor':>11}"
        print(f"{'items a second':14}{'files':>10}{'packed':>14}{ratios}{'unpack first':>14}{ratios}")
        for modality in (Modality.AUDIO, Modality.IMAGE):
            for dataset in (files, packed):  # tables opened, caches filled
                decoded(dataset, modality, given.workers)
            ways: list[Callable[[], None]] = [
                lambda m=modality: decoded(files, m, given.workers),
                lambda m=modality: decoded(packed, m, given.workers),
                lambda m=modality: unpacked(m),
            ]
            print(line(f"{modality} decode", given.items, timed(ways)))
            ways = [lambda m=modality: read(files, m), lambda m=modality: read(packed, m)]
            print(line(f"{modality} read", given.items, timed(ways)))


if __name__ == "__main__":
    main()
