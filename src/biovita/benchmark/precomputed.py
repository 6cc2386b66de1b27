"""Vectors that were made elsewhere, by id: NumPy, Parquet and Lance files, and folders of one file an id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from biovita.benchmark.task import Benchmark
from biovita.benchmark.vector_files import check_vector_columns, load_npy, load_pt
from biovita.directions import lengths
from biovita.embedding import Vectors
from biovita.errors import BiovitaError
from biovita.jsonfile import read_json, read_text
from biovita.lance_tables import no_panic, open_lance, take_vectors
from biovita.limits import limit, over
from biovita.modality import Modality
from biovita.parquet import gathered, read_as_it_is

if TYPE_CHECKING:
    import lance

__all__ = ["LanceVectors", "Unit", "read_precomputed"]

_IN_MEMORY = 2**30  # bytes; larger Lance tables are read as they are used


class Unit:
    """Vectors that are L2-normalised as they are taken, so that a memory-mapped file is never read as a whole.

    Indexing with an array of rows gives float32 ``(rows, dim)``.
    """

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors = vectors
        self.shape = vectors.shape

    def __len__(self) -> int:
        return len(self.vectors)

    def __getitem__(self, rows: Any) -> np.ndarray:
        taken = np.array(self.vectors[rows], np.float32)
        with np.errstate(invalid="ignore"):  # scoring names the item of one that is not finite
            return np.divide(taken, lengths(taken)[..., None], out=taken, casting="same_kind")


class LanceVectors:
    """A large Lance table's vectors, read row by row as they are asked for; ``[rows]`` gives ``(rows, dim)``."""

    ndim = 2

    def __init__(self, dataset: lance.LanceDataset, path: Path) -> None:
        self.dataset, self.path = dataset, path
        self.shape = (dataset.count_rows(), dataset.schema.field("vector").type.list_size)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        with _readable(self.path):
            return take_vectors(self.dataset, np.asarray(rows), rows=self.shape[0], dim=self.shape[1])

    def zero_rows(self) -> np.ndarray:
        """Return the rows that are all zeros, reading the table once."""
        found, before = [], 0
        with _readable(self.path):
            for batch in self.dataset.to_batches(columns=["vector"], batch_size=4096):
                vectors = batch.column(0).flatten().to_numpy(zero_copy_only=False).reshape(len(batch), -1)
                found.append(before + np.flatnonzero(~vectors.any(axis=1)))
                before += len(batch)
        return np.concatenate(found) if found else np.zeros(0, np.int64)


def read_precomputed(
    path: str | Path, benchmark: Benchmark
) -> tuple[dict[Modality, Vectors], dict[Modality, int]]:
    """Return the vectors in a directory by modality, under the ids of the benchmark, and how many were zero.

    Each of ``audio``, ``image`` and ``text`` may be

    - ``audio.npy``, ``(N, dim)``, with ``audio.ids.json`` (a list of ids) or ``audio.ids.txt`` (one a line); without
      them its rows are the items of the benchmark in their order;
    - ``audio.parquet`` or ``audio.lance`` with the columns ``id`` and ``vector``;
    - ``audio/``, one ``<id>.npy`` or ``<id>.pt`` an item, as the published code writes features.

    An id is the item's own, its ``id`` in the published index, that with its part before it (``unseen/17``), its file
    path or the path's stem, or of a text its words. Vectors are normalised as they are used. A vector of zeros is
    what the published code puts where a feature is missing: such an item is absent. A recording or photograph has one
    vector.

    Raises
    ------
    BiovitaError
        Where nothing is found, a file does not have what it needs, an item has two vectors, or no id is one of the
        benchmark's.
    """
    path = Path(path)
    found: dict[Modality, Vectors] = {}
    zeros: dict[Modality, int] = {}
    for modality in Modality:
        read = _read(path, modality)
        if read is None:
            continue
        ids, vectors, where = read
        if vectors.ndim != 2 or not vectors.shape[1]:
            raise BiovitaError(f"{where} has the shape {vectors.shape}. It has to be (items, dimensions)")
        if ids is None:
            ids = benchmark.ids(modality)
        if len(ids) != len(vectors):
            raise BiovitaError(f"{where} has {len(vectors)} vectors and {len(ids)} ids. Each vector needs an id")
        names = _named(benchmark, modality, ids, where)
        if modality != Modality.TEXT:  # several taxa of a benchmark may have the same words
            _refuse_repeated(ids, where)
        empty = _zero_rows(vectors)
        zeros[modality] = len(empty)
        for row in empty:
            names[row] = ""
        found[modality] = Vectors(names, Unit(vectors))
    if not found:
        raise BiovitaError(
            f"{path} holds no vectors. It should hold audio, image or text as .npy, .parquet, .lance or a folder"
        )
    return found, zeros


Read = tuple["list[str] | None", Any, Path]


def _read(path: Path, modality: Modality) -> Read | None:
    for suffix, reader in (
        (".npy", _read_npy),
        (".parquet", _read_parquet),
        (".lance", _read_lance),
        ("", _read_folder),
    ):
        where = path / f"{modality.value}{suffix}"
        if where.is_dir() if suffix in {"", ".lance"} else where.is_file():
            return (*reader(where), where)
    return None


def _read_npy(file: Path) -> tuple[list[str] | None, np.ndarray]:
    vectors = load_npy(file)
    listed, lines = file.with_suffix(".ids.json"), file.with_suffix(".ids.txt")
    if listed.exists():
        ids = read_json(listed, BiovitaError)
        if not isinstance(ids, list) or not all(type(key) in {str, int} for key in ids):
            raise BiovitaError(f"{listed} has to be a list of ids, each a text or a whole number")
        return [str(key) for key in ids], vectors
    if lines.exists():
        return read_text(lines, BiovitaError).replace("\r\n", "\n").removesuffix("\n").split("\n"), vectors
    return None, vectors


def _read_parquet(file: Path) -> tuple[list[str], np.ndarray]:
    table = read_as_it_is(file, ["id", "vector"])
    check_vector_columns(table.schema, file)
    return _columns(table, file)


def _read_lance(path: Path) -> tuple[list[str], Any]:
    with _readable(path):
        dataset = open_lance(str(path))
        check_vector_columns(dataset.schema, path)
        if dataset.count_rows() > limit("rows"):
            raise BiovitaError(f"{path} has {dataset.count_rows():,} rows; {over('rows')}")
        size = getattr(dataset.schema.field("vector").type, "list_size", 0)
        if dataset.count_rows() * size * 4 > _IN_MEMORY:
            ids = dataset.to_table(columns=["id"])["id"].to_pylist()
            return [str(key) for key in ids], LanceVectors(dataset, path)
        batches = dataset.to_batches(columns=["id", "vector"], batch_size=4096)
        schema = pa.schema([dataset.schema.field(name) for name in ("id", "vector")])
        table = gathered(batches, schema, path, sum(file.lstat().st_size for file in path.rglob("*")))
    return _columns(table, path)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Make a plain error of what Lance raises for a table that is damaged or of another form."""
    try:
        with no_panic():
            yield
    except BiovitaError:
        raise
    except (ValueError, OSError, LookupError, RuntimeError, TypeError, NotImplementedError) as error:
        reason = str(error).split("\n", maxsplit=1)[0][:200]
        raise BiovitaError(f"{path} cannot be read as a table with the columns id and vector: {reason}") from error


def _columns(table: Any, where: Path) -> tuple[list[str], np.ndarray]:
    import pyarrow.compute as pc

    lengths = pc.unique(pc.list_value_length(table["vector"])).to_pylist() if table.num_rows else []
    if len(lengths) != 1 or not lengths[0]:
        raise BiovitaError(f"{where}: vectors are missing, or they differ in length")
    return [str(key) for key in table["id"].to_pylist()], _matrix(table)


def _matrix(table: Any) -> np.ndarray:
    flat: np.ndarray = table["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(table.num_rows, -1)


def _read_folder(path: Path) -> tuple[list[str], np.ndarray]:
    files = sorted(file for file in path.rglob("*") if file.suffix in {".npy", ".pt"})
    if not files:
        raise BiovitaError(f"{path} holds no .npy or .pt files")
    rows = [_one(file) for file in files]
    dims = Counter(len(row) for row in rows)
    if len(dims) > 1:
        usual = dims.most_common(1)[0][0]
        odd = next(file for file, row in zip(files, rows, strict=True) if len(row) != usual)
        raise BiovitaError(f"{odd} does not have {usual} dimensions as the other files do")
    return [file.relative_to(path).with_suffix("").as_posix() for file in files], np.stack(rows)


def _one(file: Path) -> np.ndarray:
    if not file.is_file():
        raise BiovitaError(f"{file} is not a regular file")
    try:
        found = load_npy(file) if file.suffix == ".npy" else load_pt(file)
    except BiovitaError as error:
        raise BiovitaError(f"{file} cannot be read safely as one vector: {error}") from error
    return np.array(found, np.float32).reshape(-1)


def _refuse_repeated(ids: Sequence[str], where: Path) -> None:
    if len(set(ids)) == len(ids):
        return
    first: dict[str, int] = {}
    for row, key in enumerate(ids, start=1):
        if first.setdefault(key, row) != row:
            raise BiovitaError(
                f"{where}: the id {key!r} is in row {first[key]:,} and in row {row:,}. An item has one vector: take "
                "one of the two out"
            )


def _named(benchmark: Benchmark, modality: Modality, ids: Sequence[str], where: Path) -> list[str]:
    """Return the benchmark's own id for each of ``ids``, empty where it has none."""
    table = benchmark.items[modality]
    own, index, parts, paths = (table[name].to_pylist() for name in ("id", "index_id", "part", "path"))
    known = set(own)
    if any(key in known for key in ids):
        return [key if key in known else "" for key in ids]
    by_part = [name and f"{part}/{name}" for name, part in zip(index, parts, strict=True)]
    stems = [path and Path(path).stem for path in paths]
    for names in (index, by_part, paths, stems):
        meant: dict[str, set[str]] = {}
        for name, key in zip(names, own, strict=True):
            if name:
                meant.setdefault(name, set()).add(key)
        if not any(key in meant for key in ids):
            continue
        double = next((name for name, keys in meant.items() if len(keys) > 1), None)
        if double is not None:
            raise BiovitaError(
                f"{where}: the id {double!r} means more than one {modality.value} item here. Name them by part, such "
                f"as 'unseen/{double}', or by the item's own id"
            )
        return [next(iter(meant[key])) if key in meant else "" for key in ids]
    such = f". Ids are such as {own[0]!r}" if own else f". There are no {modality.value} items at all"
    raise BiovitaError(f"{where}: none of its {len(ids)} ids is that of an item here{such}")


def _zero_rows(vectors: Any) -> np.ndarray:
    """Return the rows that are all zeros; of an array only those that begin with one are read as a whole."""
    if isinstance(vectors, LanceVectors):
        return vectors.zero_rows()
    suspects = np.flatnonzero(vectors[:, 0] == 0)
    return np.array([row for row in suspects if not vectors[row].any()], np.int64)
