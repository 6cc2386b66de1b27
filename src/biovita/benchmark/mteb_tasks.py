"""A benchmark as the BioVITA tasks of mteb: exported, read from a local copy, and mteb's models scored by ours.

The only module that imports mteb and datasets (extra ``mteb``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from biovita.benchmark.scores import KS
from biovita.benchmark.task import Benchmark, Task
from biovita.errors import BiovitaError, MissingExtraError, ModelError
from biovita.files import new_directory, require_replaceable, write_whole
from biovita.modality import DIRECTIONS, Modality, modalities_of

__all__ = ["MtebModel", "MtebScore", "export_mteb", "local_tasks", "run_local"]

_RATE = 48_000  # what mteb's BioVITA model wants
_SPLIT = "test"
_DIRECTORIES = "BioVITA*Retrieval"  # one a direction


def _mteb() -> Any:
    try:
        import mteb
    except ModuleNotFoundError as error:
        raise MissingExtraError("mteb", "working with mteb") from error
    return mteb


def export_mteb(benchmark: Benchmark, out: Path, *, overwrite: bool = False) -> Path:
    """Write a benchmark as local copies of the data sets behind mteb's BioVITA tasks, one directory a direction.

    Each has the subsets ``<part>_<level>`` with a corpus, queries, relevant and candidate documents, in Parquet that
    ``datasets.load_dataset`` reads without a network. Recordings are stored as samples at 48 kHz, so that nothing
    has to decode them; photographs as files. An item whose media cannot be read is left out, as are queries without.

    Raises
    ------
    MissingExtraError
        Without the extra ``mteb``.
    BiovitaError
        Where a query asks with several texts.
    DatasetError
        Where ``out`` exists and ``overwrite`` was not asked for.
    """
    require_replaceable(out, replace=overwrite, marker=_DIRECTORIES)
    _mteb()
    if any(task.texts is not None for task in benchmark.tasks):
        raise BiovitaError(
            "A genus or family asks with the texts of its members here, and a query of mteb's has one text. Build the "
            "benchmark with --groups word"
        )
    with new_directory(out, replace=overwrite, marker=_DIRECTORIES) as scratch:
        for direction in DIRECTIONS:
            tasks = [task for task in benchmark.tasks if task.direction == direction]
            if not tasks:
                continue
            folder = scratch / f"BioVITA{direction}Retrieval"
            subsets = []
            for task in tasks:
                subset = f"{task.part}_{task.level.value}"
                if _write_subset(benchmark, task, folder / subset, subset):
                    subsets.append(subset)
            write_whole(folder / "README.md", _card(subsets))
    return out


def _write_subset(benchmark: Benchmark, task: Task, folder: Path, subset: str) -> bool:
    import datasets

    folder.mkdir(parents=True)
    asked, answered = modalities_of(task.direction)
    owners = dict(zip(task.samples.tolist(), np.repeat(task.taxa, np.diff(task.offsets)).tolist(), strict=True))
    corpus = dict(_contents(benchmark, answered, sorted(owners)))
    asking = dict(_contents(benchmark, asked, sorted(set(task.queries.tolist()))))
    queries, relevant, ranked = [], [], []
    for number, (row, listed, own) in enumerate(
        zip(task.queries.tolist(), task.candidates, task.correct_taxa, strict=True)
    ):
        members = {
            int(t): [str(s) for s in task.samples[task.offsets[t] : task.offsets[t + 1]].tolist() if s in corpus]
            for t in listed
            if t >= 0
        }
        if row not in asking or not members[int(own)]:
            continue
        key = f"{subset}-{number}"
        names = {"candidate_taxa": [task.taxa[t] for t in members], "correct_taxon": task.taxa[own]}
        queries.append({"id": key, asked.value: asking[row], **names})
        relevant += [{"query-id": key, "corpus-id": doc, "score": 1} for doc in members[int(own)]]
        ranked.append({"query-id": key, "corpus-ids": [doc for docs in members.values() for doc in docs]})
    if not queries:
        return False
    documents = [
        {"id": str(row), answered.value: content, "taxon": owners[row]} for row, content in corpus.items()
    ]
    text = datasets.Value("string")
    tables = {
        "corpus": (documents, {"id": text, answered.value: _feature(answered), "taxon": text}),
        "queries": (
            queries,
            {
                "id": text,
                asked.value: _feature(asked),
                "candidate_taxa": datasets.List(text),
                "correct_taxon": text,
            },
        ),
        "qrels": (relevant, {"query-id": text, "corpus-id": text, "score": datasets.Value("int32")}),
        "top_ranked": (ranked, {"query-id": text, "corpus-ids": datasets.List(text)}),
    }
    for name, (rows, features) in tables.items():
        made = datasets.Dataset.from_list(rows, features=datasets.Features(features))
        made.to_parquet(str(folder / f"{name}.parquet"))
    return True


def _feature(modality: Modality) -> Any:
    import datasets

    if modality == Modality.TEXT:
        return datasets.Value("string")
    if modality == Modality.IMAGE:
        return datasets.Image()
    return {"array": datasets.List(datasets.Value("float32")), "sampling_rate": datasets.Value("int32")}


def _contents(benchmark: Benchmark, modality: Modality, rows: Sequence[int]) -> Iterator[tuple[int, Any]]:
    """Yield (row, content) of the items that can be read."""
    from biovita.errors import MediaError
    from biovita.media import probe_image, read_clip

    for row in rows:
        item = benchmark.item(modality, row)
        if modality == Modality.TEXT:
            yield row, item.id
            continue
        path = benchmark.locate(item.path or "")
        try:
            if modality == Modality.IMAGE:
                probe_image(path)
                yield row, {"bytes": path.read_bytes(), "path": path.name}
            else:
                samples, rate = read_clip(path, item.start_s or 0.0, item.end_s, sample_rate=_RATE)
                yield row, {"array": samples, "sampling_rate": rate}
        except MediaError:
            continue


def _card(subsets: Sequence[str]) -> str:
    """Return the card by which ``datasets`` finds the configurations."""
    configs = [
        {"config_name": f"{subset}-{kind}", "data_files": [{"split": _SPLIT, "path": f"{subset}/{kind}.parquet"}]}
        for subset in subsets
        for kind in ("corpus", "queries", "qrels", "top_ranked")
    ]
    return f"---\nconfigs: {json.dumps(configs)}\n---\n\nA local benchmark in the form of mteb's BioVITA tasks.\n"


def local_tasks(folder: str | Path, directions: Sequence[str] = DIRECTIONS) -> list[Any]:
    """Return mteb's own BioVITA tasks, reading from a local copy in place of the hub.

    Parameters
    ----------
    folder
        What `export_mteb` wrote, or a copy of the published data sets: directories ``BioVITA<direction>Retrieval``.

    Raises
    ------
    BiovitaError
        Where there is none of them.
    """
    mteb = _mteb()
    import datasets

    folder = Path(folder)
    found = []
    for direction in directions:
        copy = folder / f"BioVITA{direction}Retrieval"
        if not copy.is_dir():
            continue
        names = datasets.get_dataset_config_names(str(copy))
        subsets = [name.removesuffix("-corpus") for name in names if name.endswith("-corpus")]
        task = mteb.get_task(f"BioVITA{direction}Reranking").__class__
        metadata = task.metadata.model_copy(
            update={
                "dataset": {"path": str(copy.resolve()), "revision": "local"},
                "eval_langs": {subset: ["eng-Latn"] for subset in subsets},
            }
        )
        found.append(type(f"Local{task.__name__}", (task,), {"metadata": metadata})())
    if not found:
        raise BiovitaError(f"{folder} has no directory such as BioVITAA2TRetrieval")
    return found


@dataclass(frozen=True, slots=True)
class MtebScore:
    """Top-k accuracy, from 0 to 1, as mteb computes it, in the terms of a `ScoreRow`."""

    part: str
    direction: str
    level: str
    k: int
    accuracy: float


def run_local(model: Any, folder: str | Path) -> list[MtebScore]:
    """Run mteb's BioVITA tasks from a local copy with a model of mteb's.

    Returns
    -------
    One row a task, subset and k.
    """
    mteb = _mteb()
    rows = []
    for task in local_tasks(folder):
        result = mteb.evaluate(model, task, cache=None, co2_tracker=False, show_progress_bar=False)
        for found in result.task_results[0].scores[_SPLIT]:
            part, _, level = found["hf_subset"].rpartition("_")
            rows += [
                MtebScore(
                    part=part,
                    direction=task.metadata.name.removeprefix("BioVITA")[:3],
                    level=level,
                    k=k,
                    accuracy=float(found[f"taxon_top_{k}_accuracy"]),
                )
                for k in KS
            ]
    return rows


@dataclass(frozen=True, eq=False)
class MtebModel:
    """A model of mteb's as our benchmark takes it."""

    encoder: Any
    name: str

    @property
    def revision(self) -> str:
        """Of its weights, as mteb states it."""
        return str(self.encoder.mteb_model_meta.revision)

    @classmethod
    def load(cls, name: str) -> MtebModel:
        """Return a model of mteb's registry by its name.

        Raises
        ------
        ModelError
            Where mteb knows none of that name.
        """
        mteb = _mteb()
        from mteb.models.model_implementations import MODEL_REGISTRY

        if name not in MODEL_REGISTRY:
            near = get_close_matches(name, MODEL_REGISTRY, n=1)
            raise ModelError(f"mteb has no model {name!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
        return cls(mteb.get_model(name), f"mteb:{name}")

    def embed_audio(self, items: Sequence[Any]) -> np.ndarray:
        """Return ``(len(items), dim)`` float32; see `biovita.benchmark.object_encoder.ObjectEncoder` for the items."""
        from biovita.media import read_clip

        read = (read_clip(item) if isinstance(item, Path | str) else item for item in items)
        rows = [{"audio": {"array": samples, "sampling_rate": rate}} for samples, rate in read]
        return self._encode("A2T", rows)

    def embed_images(self, items: Sequence[Any]) -> np.ndarray:
        """Return ``(len(items), dim)`` float32."""
        from biovita.towers.input_arrays import rgb_image

        return self._encode("I2T", [{"image": rgb_image(item)} for item in items])

    def embed_texts(self, items: Sequence[str]) -> np.ndarray:
        """Return ``(len(items), dim)`` float32."""
        return self._encode("T2I", [{"text": item} for item in items])

    def _encode(self, direction: str, rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
        from torch.utils.data import DataLoader

        mteb = _mteb()
        from mteb.types import PromptType

        task = mteb.get_task(f"BioVITA{direction}Reranking")
        loader: Any = DataLoader(
            rows,  # type: ignore[arg-type]  # a list is a data set
            batch_size=len(rows),
            collate_fn=lambda batch: {key: [row[key] for row in batch] for key in batch[0]},
        )
        found = self.encoder.encode(
            loader,
            task_metadata=task.metadata,
            hf_split=_SPLIT,
            hf_subset="unseen_species",
            prompt_type=PromptType.query,
            show_progress_bar=False,
        )
        return np.asarray(found.cpu() if hasattr(found, "cpu") else found, np.float32)
