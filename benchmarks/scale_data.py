"""A dataset of any size without media: tables as long and as wide as real ones, and a store of simulated vectors.

    python benchmarks/scale_data.py OUT --items 100000 [--species 14133] [--dim 768] [--new 0.01] [--seed 0]

Recordings to photographs are 1.3 to 2.3, as in BioVITA Train; species have unevenly many. A recording has one to four
clips, an observation one to three photographs. Rows come in no order of species. Files that the tables name are not
there. Vectors are those of the towers of `scale_model`, float16, in the form that ``biovita embed`` leaves;
``--new`` leaves some files' out. With fewer than 20 items a species there are fewer species. All is written in
batches; the same arguments give the same bytes of tables and vectors.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.dataset import write_dataset
from biovita.dataset.schema import AUDIO, IMAGES, taxa_table
from biovita.embedding.lance_table import LanceStore
from biovita.embedding.made import Made
from biovita.embedding.store import COLUMNS, WHOLE
from biovita.embedding.texts import texts_of
from biovita.modality import MEDIA, Modality
from biovita.simulation.fauna import Fauna
from biovita.simulation.seeds import stream
from biovita.simulation.write import traits_table
from biovita.taxonomy import Rank, prompts
from scale_model import ITEM, MODEL, TEXT_ITEM, cards, centres, keep, scattered

CLIP_S = 10.0
AUDIO_SHARE = 1.3 / 3.6
MOST_OF_A_FILE = {Modality.AUDIO: 4, Modality.IMAGE: 3}  # clips of a recording, photographs of an observation
UNEVEN = 1.0  # standard deviation of the logarithm of a species' share
BATCH = 32_768
SHARD = 128
LICENSES = ["CC-BY-NC", "CC-BY-NC", "CC-BY-NC", "CC-BY", "CC0-1.0", "CC-BY-NC-SA", "CC-BY-NC-ND", "CC-BY-SA"]
PEOPLE = 5000
SYLLABLES = ["an", "bel", "chi", "dor", "el", "fa", "gri", "ho", "in", "jo", "ka", "lu", "mar", "ne", "os", "pe"]


@dataclass(frozen=True, eq=False)
class Files:
    """The recordings or observations of a modality, in the order of its table.

    Attributes
    ----------
    species
        By file, the row of its species, ``(files,)``, int32.
    items
        How many rows each file has, ``(files,)``.
    """

    modality: Modality
    species: np.ndarray
    items: np.ndarray


def files_of(fauna: Fauna, modality: Modality, total: int) -> Files:
    """Return files with ``total`` items in all; each species has two files where there are enough."""
    rng = stream(fauna.seed, f"files-{modality}")
    items = rng.integers(1, MOST_OF_A_FILE[modality] + 1, size=total)
    items = items[: int(np.searchsorted(np.cumsum(items), total)) + 1]
    items[-1] -= items.sum() - total
    shares = np.exp(UNEVEN * rng.standard_normal(len(fauna.species)))
    sure = np.tile(np.arange(len(shares)), 2)[: len(items)]
    drawn = rng.choice(len(shares), size=len(items) - len(sure), p=shares / shares.sum())
    return Files(modality, rng.permutation(np.concatenate([sure, drawn])).astype(np.int32), items)


def media_batches(fauna: Fauna, files: Files) -> Iterator[tuple[pa.RecordBatch, np.ndarray, np.ndarray]]:
    """Yield rows of a media table, with the file and the species of each row."""
    ends = np.cumsum(files.items)
    names = pa.array([truth.taxon.id for truth in fauna.species])
    for number, start in enumerate(range(0, int(ends[-1]), BATCH)):
        rows = np.arange(start, min(start + BATCH, int(ends[-1])))
        of = np.searchsorted(ends, rows, side="right")
        rng = stream(fauna.seed, f"rows-{files.modality}", number)
        columns = _columns(files, of, rows - (ends[of] - files.items[of]), rng)
        columns["taxon_id"] = names.take(pa.array(files.species[of]))
        schema = AUDIO if files.modality == Modality.AUDIO else IMAGES
        arrays = [
            columns[field.name].cast(field.type) if field.name in columns else pa.nulls(len(rows), field.type)
            for field in schema
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema), of, files.species[of]


def _columns(files: Files, of: np.ndarray, nth: np.ndarray, rng: np.random.Generator) -> dict[str, pa.Array]:
    count, sound = len(of), files.modality == Modality.AUDIO
    file, part = pa.array(of).cast(pa.string()), pa.array(nth).cast(pa.string())
    source = "xeno-canto" if sound else "inaturalist"
    own = [file] if sound else [file, part]
    numbers = pc.binary_join_element_wise(*own, "_")
    prefix, ending = ("xc", ".mp3") if sound else ("in", ".jpg")
    folder = pa.array(of // 1000).cast(pa.string())
    licenses = pa.array(LICENSES).take(pa.array(rng.integers(len(LICENSES), size=count)))
    people = rng.integers(PEOPLE, size=count)
    days = np.datetime64("2005-01-01") + rng.integers(7300, size=count)
    columns = {
        "id": pc.binary_join_element_wise(prefix, file, part, "-"),
        "path": pc.binary_join_element_wise(
            f"media/{source}", folder, pc.binary_join_element_wise(prefix, numbers, ""), "/"
        ),
        "source": pa.repeat(source, count),
        "source_id": numbers,
        "url": pc.binary_join_element_wise(f"https://example.org/{source}", numbers, "/"),
        "license": licenses,
        "attribution": pc.binary_join_element_wise("(c) ", _people().take(pa.array(people)), ", ", licenses, ""),
        "recorded_at": pa.array(days.astype("datetime64[D]")).cast(pa.string()),
        "latitude": pa.array(np.round(rng.uniform(-60, 70, count), 5)),
        "longitude": pa.array(np.round(rng.uniform(-180, 180, count), 5)),
        "sha256": _hashes(of if sound else of * 8 + nth, source),
        "group_id": pc.binary_join_element_wise(source, file, ":"),
    }
    columns["path"] = pc.binary_join_element_wise(columns["path"], ending, "")
    if sound:
        start = nth * CLIP_S
        columns |= {"start_s": pa.array(start), "end_s": pa.array(start + CLIP_S)}
        columns |= {"duration_s": pa.array(files.items[of] * CLIP_S), "sample_rate": pa.repeat(44_100, count)}
    else:
        columns |= {"width": pa.repeat(1024, count), "height": pa.repeat(768, count)}
    return columns


def _people() -> pa.Array:
    rng = np.random.default_rng(0)
    words = [[SYLLABLES[place] for place in rng.integers(len(SYLLABLES), size=5)] for _ in range(PEOPLE)]
    return pa.array([f"{''.join(each[:2]).title()} {''.join(each[2:]).title()}" for each in words])


def _hashes(numbers: np.ndarray, purpose: str) -> pa.Array:
    return pa.array([hashlib.sha256(f"{purpose} {number}".encode()).hexdigest() for number in numbers.tolist()])


def stored_batches(fauna: Fauna, files: Files, dim: int, new: float) -> Iterator[tuple[pa.Table, np.ndarray]]:
    """Yield rows of a table of vectors and the vectors; of a share ``new`` of the files there are none."""
    middle = centres(fauna, dim, files.modality)
    left_out = stream(fauna.seed, f"new-{files.modality}").random(len(files.items)) < new
    for number, (batch, of, species) in enumerate(media_batches(fauna, files)):
        vectors = scattered(middle[species], ITEM, stream(fauna.seed, f"vectors-{files.modality}", number))
        kept = np.flatnonzero(~left_out[of])
        shards = (number * BATCH + kept) // SHARD
        columns = {name: batch[name].take(pa.array(kept)) for name in batch.schema.names if name in COLUMNS.names}
        yield _rows(columns, shards, len(kept)), vectors[kept]


def text_batches(fauna: Fauna, dim: int) -> Iterator[tuple[pa.Table, np.ndarray]]:
    """Yield the texts of all taxa, a species' near its centre, a group's near the mean of its species."""
    middle = centres(fauna, dim, Modality.TEXT)
    members: dict[str, list[int]] = {}
    for row, truth in enumerate(fauna.species):
        groups = [truth.taxon.name_at(rank) for rank in (Rank.GENUS, Rank.FAMILY, Rank.ORDER, Rank.CLASS)]
        own = [*prompts(truth.taxon).values(), truth.taxon.scientific_name, truth.taxon.common_name]
        for text in {*groups, *own} - {None}:
            members.setdefault(str(text), []).append(row)
    texts = texts_of(fauna.taxonomy)
    for number, start in enumerate(range(0, len(texts), BATCH)):
        some = texts[start : start + BATCH]
        around = np.stack([middle[members[text]].mean(axis=0) for text in some])
        rows = _rows({"id": pa.array(some)}, (start + np.arange(len(some))) // 1024, len(some))
        yield rows, scattered(around, TEXT_ITEM, stream(fauna.seed, "vectors-text", number))


def _rows(columns: Mapping[str, pa.Array], shards: np.ndarray, count: int) -> pa.Table:
    distinct, places = np.unique(shards, return_inverse=True)
    keys = pa.array([hashlib.sha256(str(each).encode()).hexdigest()[:32] for each in distinct.tolist()])
    absent = pa.repeat(pa.scalar(-1, pa.int64()), count)
    full = {
        "window": pa.repeat(pa.scalar(WHOLE, pa.int32()), count),
        "shard": keys.take(pa.array(places)),
        "file_size": absent,
        "file_mtime_ns": absent,
        **columns,
    }
    return pa.table(
        [full[field.name] if field.name in full else pa.nulls(count, field.type) for field in COLUMNS],
        schema=COLUMNS,
    )


def make(out: Path, items: int, *, species: int = 14_133, dim: int = 768, new: float = 0.0, seed: int = 0) -> None:
    """Write the dataset, its store of vectors, and what the towers of `scale_model` need to embed the rest."""
    fauna = Fauna.grow(max(8, min(species, items // 20)), seed)
    recordings = round(items * AUDIO_SHARE)
    files = {
        Modality.AUDIO: files_of(fauna, Modality.AUDIO, recordings),
        Modality.IMAGE: files_of(fauna, Modality.IMAGE, items - recordings),
    }

    def reader(modality: Modality) -> pa.RecordBatchReader:
        schema = AUDIO if modality == Modality.AUDIO else IMAGES
        return pa.RecordBatchReader.from_batches(
            schema, (batch for batch, *_ in media_batches(fauna, files[modality]))
        )

    out.mkdir(parents=True)
    write_dataset(
        out,
        {
            "taxa": taxa_table(truth.taxon for truth in fauna.species),
            "traits": traits_table(fauna),
            "audio": reader(Modality.AUDIO),
            "images": reader(Modality.IMAGE),
        },
        {"name": out.name, "version": "1", "made": {"by": "scale_data.py", "items": items, "seed": seed}},
    )
    keep(out / "stub", fauna, dim, {modality: files[modality].species for modality in MEDIA})
    store = LanceStore(out / "embeddings" / MODEL)
    for modality, card in cards(dim).items():
        made = Made(card.name, card.revision, dim, card.preprocessing, numbers="float16")
        table = store.table(modality)
        batches = (
            text_batches(fauna, dim)
            if modality == Modality.TEXT
            else stored_batches(fauna, files[modality], dim, new)
        )
        for rows, vectors in batches:
            table.commit(rows, vectors.astype(np.float16), made)
        table.tidy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--items", type=float, default=1e4)
    parser.add_argument("--species", type=int, default=14_133)
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--new", type=float, default=0.0, help="share of the files that have no vector yet")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    make(
        options.out,
        int(options.items),
        species=options.species,
        dim=options.dim,
        new=options.new,
        seed=options.seed,
    )


if __name__ == "__main__":
    main()
