"""Embedding a benchmark's items: in batches, written as they come, so that a run can be stopped and go on."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from biovita.bench.models import embedder, modalities_of_model
from biovita.bench.task import Benchmark
from biovita.bench.vector_files import load_npy
from biovita.bench.vectors import Table, write_vectors
from biovita.compute.pipeline import load_ahead
from biovita.embed.failures import Failure, write_failures
from biovita.errors import BiovitaError, DatasetError, MediaError
from biovita.filenames import file_name
from biovita.files import make_directory, refuse_links, write_whole
from biovita.jsonfile import read_json
from biovita.media.packed import MediaPath, PackedFile
from biovita.modality import Modality, modalities_of
from biovita.progress import progress_bar

__all__ = ["Embedded", "Item", "embed_benchmark", "embed_items", "media_item"]

_BATCH = 16
_PART = 1024  # items to a file while a run goes on
_WORKERS = 4


@dataclass(frozen=True)
class Embedded:
    """The vectors of a benchmark's items.

    Attributes
    ----------
    new, kept
        Items embedded now, and items whose vector was there.
    failed
        Items without a vector, and why.
    """

    vectors: Mapping[Modality, Table]
    new: int
    kept: int
    failed: tuple[Failure, ...]


@dataclass(frozen=True)
class Item:
    """What has to be embedded.

    Attributes
    ----------
    content
        A text, or a media file as (path, start in seconds, end in seconds), both None for the whole file.
    state
        Changes when the file does.
    """

    id: str
    content: Any
    state: str


def embed_benchmark(
    benchmark: Benchmark, model: Any, directory: Path, *, name: str, progress: bool = True
) -> Embedded:
    """Embed what the tasks use with a model, into ``directory``.

    Parameters
    ----------
    model
        Anything with ``embed_audio`` (of paths, or of samples with their rate where an item is a span of a file),
        ``embed_images`` (paths) and ``embed_texts``, or some of them.
    name
        What the vectors belong to; see `embed_items`.
    """
    able = modalities_of_model(model)
    items = {modality: _items(benchmark, modality, able) for modality in Modality}
    return embed_items(model, items, directory, name=name, progress=progress)


def embed_items(
    model: Any,
    wanted: Mapping[Modality, Sequence[Item]],
    directory: Path,
    *,
    name: str,
    progress: bool = True,
) -> Embedded:
    """Embed items with a model, into ``directory``.

    What is there already of the same model (by ``name``) and the same files is kept; vectors of another are dropped.
    Vectors end as ``<modality>.npy`` with ``<modality>.ids.json``. An item whose file cannot be read, or whose vector
    is not finite or zero, has none, and is listed in ``failed.parquet``.
    """
    make_directory(directory)
    refuse_links(directory)
    owner = directory / "model.json"
    if not _is_of(owner, name):
        for modality in Modality:
            _forget(directory, modality)
        write_whole(owner, json.dumps({"name": name}) + "\n")
    vectors: dict[Modality, Table] = {}
    failed: list[Failure] = []
    new = kept = 0
    for modality, items in wanted.items():
        if not items:
            continue
        store = _Store(directory, modality)
        todo = [item for item in items if store.state.get(item.id) != item.state]
        kept += len(items) - len(todo)
        lost = _embed(model, modality, todo, store, progress=progress)
        failed += lost
        if len(lost) == len(items):
            raise BiovitaError(
                f"{name}: none of the {len(items):,} {modality} items can be embedded; the first: {lost[0].detail}"
            )
        vectors[modality] = store.finish({item.id: item.state for item in items})
        new += len(todo)
    new -= len(failed)
    write_failures(directory, failed)
    return Embedded(vectors, new, kept, tuple(failed))


def _is_of(owner: Path, name: str) -> bool:
    """Return whether the vectors beside a file are those of a model; what cannot be read is of none."""
    try:
        return bool(read_json(owner, DatasetError) == {"name": name})
    except DatasetError:
        return False


def _items(benchmark: Benchmark, modality: Modality, able: Sequence[Modality]) -> list[Item]:
    """Return the items of a modality that tasks use which the model can answer, each id once."""
    rows: set[int] = set()
    for task in benchmark.tasks:
        asked, answered = modalities_of(task.direction)
        if asked in able and answered in able:
            rows.update(task.queries.tolist() if asked == modality else ())
            rows.update(task.samples.tolist() if answered == modality else ())
    table = benchmark.items[modality].select(["id", "path", "start_s", "end_s"])
    found: dict[str, Item] = {}
    for row in sorted(rows):
        item = table.slice(row, 1).to_pylist()[0]
        if item["id"] not in found:
            if modality == Modality.TEXT:
                found[item["id"]] = Item(item["id"], item["id"], "")
            else:
                path = benchmark.locate(item["path"] or "")
                found[item["id"]] = media_item(item["id"], path, (item["start_s"], item["end_s"]))
    return list(found.values())


def media_item(key: str, path: MediaPath, span: tuple[float | None, float | None] = (None, None)) -> Item:
    """Return an item of a media file, with its present state."""
    if isinstance(path, PackedFile):
        return Item(key, (path, *span), f"{path.address} {path.row} {path.size} {span}")
    try:
        status = path.stat()
        state = f"{status.st_size} {status.st_mtime_ns} {span}"
    except OSError:
        state = "missing"
    return Item(key, (path, *span), state)


class _Store:
    """The vectors of one modality: a finished file, and parts written since."""

    def __init__(self, directory: Path, modality: Modality) -> None:
        self.directory, self.modality = directory, modality
        self.parts = directory / f"{modality.value}.parts"
        self.state: dict[str, str] = {}
        self.rows: dict[str, np.ndarray] = {}
        finished = directory / f"{modality.value}.npy"
        if finished.is_file() and (directory / f"{modality.value}.state.json").is_file():
            listed = read_json(directory / f"{modality.value}.ids.json", DatasetError)
            if not isinstance(listed, list) or not all(isinstance(key, str) for key in listed):
                raise self._damaged(f"{modality.value}.ids.json is no list of ids")
            self._take(listed, _states(directory / f"{modality.value}.state.json"), finished)
        for file in sorted(self.parts.glob("*.json")):
            states = _states(file)
            self._take(list(states), states, file.with_suffix(".npy"))
        self.number = len(list(self.parts.glob("*.json")))

    def _take(self, ids: list[str], states: dict[str, str], file: Path) -> None:
        """Take up the vectors of a file, a row each of ``ids``."""
        vectors = load_npy(file)
        if vectors.ndim != 2 or len(vectors) != len(ids) or not np.isfinite(vectors).all():
            raise self._damaged(f"{file.name} does not hold a finite vector for each of {len(ids)} ids")
        self._check_dim(vectors)
        self.state.update((key, states[key]) for key in ids if key in states)
        self.rows.update(zip(ids, vectors, strict=True))

    def _check_dim(self, vectors: np.ndarray) -> None:
        before = len(next(iter(self.rows.values()))) if self.rows else vectors.shape[1]
        if vectors.shape[1] != before:
            raise self._damaged(f"vectors of {before} and of {vectors.shape[1]} numbers are not of one model")

    def _damaged(self, why: str) -> DatasetError:
        return DatasetError(f"{self.directory}: {why}. Remove this directory, and the vectors are made again")

    def put(self, items: Sequence[Item], vectors: np.ndarray) -> None:
        """Write a part: the vectors, then what they are of; only the second makes it count."""
        if not items:
            return
        self._check_dim(vectors)
        self.parts.mkdir(exist_ok=True)
        base = self.parts / f"{self.number:06d}"
        np.save(base.with_suffix(".npy"), vectors)
        states = {item.id: item.state for item in items}
        scratch = base.with_suffix(".part")
        scratch.write_text(json.dumps(states), encoding="utf-8")
        scratch.replace(base.with_suffix(".json"))
        self.number += 1
        self.state.update(states)
        self.rows.update(zip(states, vectors, strict=True))

    def finish(self, wanted: Mapping[str, str]) -> Table:
        """Join the parts into one file, and return the vectors of what was wanted."""
        ids = [key for key, state in wanted.items() if key in self.rows and self.state.get(key) == state]
        dim = len(next(iter(self.rows.values()))) if self.rows else 1
        vectors = np.array([self.rows[key] for key in ids], np.float32).reshape(len(ids), dim)
        write_vectors(self.directory, self.modality, ids, vectors)
        scratch = self.directory / f".{self.modality.value}.state.part"
        scratch.write_text(json.dumps({key: self.state[key] for key in ids}), encoding="utf-8")
        scratch.replace(self.directory / f"{self.modality.value}.state.json")
        shutil.rmtree(self.parts, ignore_errors=True)
        return Table(ids, vectors)


def _states(file: Path) -> dict[str, str]:
    states = read_json(file, DatasetError)
    if not isinstance(states, dict) or not all(isinstance(state, str) for state in states.values()):
        raise DatasetError(f"{file} does not say of which files its vectors are. Remove it")
    return states


def _forget(directory: Path, modality: Modality) -> None:
    shutil.rmtree(directory / f"{modality.value}.parts", ignore_errors=True)
    for name in ("state.json", "ids.json", "npy"):  # without its state a file does not count
        (directory / f"{modality.value}.{name}").unlink(missing_ok=True)


def _embed(
    model: Any, modality: Modality, items: Sequence[Item], store: _Store, *, progress: bool
) -> list[Failure]:
    """Embed items into the store, and return those that failed."""
    failed: list[Failure] = []
    waiting: list[Item] = []
    made: list[np.ndarray] = []

    def flush() -> None:
        if waiting:
            store.put(waiting, np.stack(made))
            waiting.clear()
            made.clear()

    if not items:
        return failed
    load, encode = _how(model, modality)
    with progress_bar(modality.value, len(items), shown=progress) as advance:
        try:
            source = ((item, item.content) for item in items)
            for batch in _batches(load_ahead(source, load, workers=_WORKERS, ahead=2 * _BATCH)):
                good = [(item, got) for item, got in batch if not isinstance(got, MediaError)]
                failed += [
                    Failure(modality, item.id, got.reason, str(got))
                    for item, got in batch
                    if isinstance(got, MediaError)
                ]
                for item, vector in _encoded(encode, good):
                    if isinstance(vector, MediaError):
                        failed.append(Failure(modality, item.id, vector.reason, str(vector)))
                    elif not np.isfinite(vector).all() or not vector.any():
                        failed.append(Failure(modality, item.id, "not-finite", "the vector is zero or not finite"))
                    else:
                        waiting.append(item)
                        made.append(np.asarray(vector / np.linalg.norm(vector), np.float32))
                if len(waiting) >= _PART:
                    flush()
                advance(len(batch))
        finally:
            flush()
    return failed


def _encoded(
    encode: Callable[[list[Any]], np.ndarray], batch: Sequence[tuple[Item, Any]]
) -> list[tuple[Item, np.ndarray | MediaError]]:
    """Encode a batch; where one item makes it fail, each alone."""
    if not batch:
        return []
    try:
        vectors = np.asarray(encode([got for _, got in batch]))
    except MediaError as error:
        if len(batch) == 1:
            return [(batch[0][0], error)]
        return [found for entry in batch for found in _encoded(encode, [entry])]
    return list(zip((item for item, _ in batch), vectors, strict=True))


def _how(model: Any, modality: Modality) -> tuple[Callable[[Any], Any], Callable[[list[Any]], np.ndarray]]:
    """Return how an item is loaded, in threads, and how a batch of loaded items is encoded.

    The towers of our own models load in threads; other models are given what their methods take.
    """
    from biovita.media import read_clip
    from biovita.media.items import Clip
    from biovita.model import Model

    if isinstance(model, Model):
        tower = model.tower(modality)

        def load_ours(content: Any) -> Any:
            if modality == Modality.TEXT:
                return tower.load(content)
            path, start, end = content
            return tower.load(Clip(path, start or 0.0, end) if modality == Modality.AUDIO else path)

        return load_ours, lambda batch: model.project(modality, tower.encode(batch))

    def load(content: Any) -> Any:
        if modality == Modality.TEXT:
            return content
        path, start, end = content
        if not path.is_file():
            raise MediaError("missing", f"{path}: there is no such file")
        return path if start is None else read_clip(path, start, end)

    given = embedder(model, modality)

    def encode(batch: list[Any]) -> np.ndarray:
        with tempfile.TemporaryDirectory(prefix="biovita-") as folder:  # what their methods take is a file
            return given([_unpacked(e, Path(folder, str(n))) for n, e in enumerate(batch)])

    return load, encode


def _unpacked(content: Any, folder: Path) -> Any:
    """Return a packed file as a file of its own name in a new folder, and anything else as it is."""
    if not isinstance(content, PackedFile):
        return content
    folder.mkdir()
    place = folder / file_name(content.name)
    place.write_bytes(content.read_bytes())
    return place


def _batches(source: Iterator[tuple[Item, Any]]) -> Iterator[list[tuple[Item, Any]]]:
    batch: list[tuple[Item, Any]] = []
    for entry in source:
        batch.append(entry)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
