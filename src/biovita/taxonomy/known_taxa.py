"""What the package knows of taxa without any data: those that its encoders have classes for.

The table ``data/known-taxa.parquet`` is made by ``scripts/known_taxa.py``; ``data/known-taxa.md`` says of what.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import as_file, files

import pyarrow as pa
import pyarrow.parquet as pq

from biovita.hashing import sha256_of
from biovita.one_line import OneLine
from biovita.taxonomy.parse import fold
from biovita.taxonomy.taxon import Rank, Taxon, Taxonomy, group_taxon, taxon_id_of

__all__ = ["ENCODERS", "KNOWN_TAXA", "KnownTaxa", "KnownTraits", "known_taxa", "table_hash"]

ENCODERS: Mapping[str, str] = {"birdnet-2.4": "birdnet", "efficientnet-lite2": "efficientnet"}  # card: column
KNOWN_TAXA = pa.schema(
    [
        pa.field("scientific_name", pa.string(), nullable=False),
        pa.field("common_name", pa.string()),
        pa.field("rank", pa.string(), nullable=False),
        *(pa.field(rank, pa.string()) for rank in ("phylum", "class", "order", "family", "genus")),
        pa.field("labels_true", pa.list_(pa.string()), nullable=False),
        pa.field("labels_false", pa.list_(pa.string()), nullable=False),  # what is unknown is in neither
        pa.field("synonyms", pa.list_(pa.string()), nullable=False),
        pa.field("birdnet", pa.int32()),  # number of the class
        pa.field("efficientnet", pa.list_(pa.int32()), nullable=False),  # numbers of the classes that may show it
    ]
)
_WITH_COMMON = " with common name "
_LINEAGE_WORDS = 4  # class, order, family, genus before the name in the prompt ``tax``


class KnownTraits(Mapping[str, Mapping[str, bool]]):
    """The known trait labels by taxon id: true or false; what is unknown is absent."""

    def __init__(self, ids: Mapping[str, int], true: pa.ChunkedArray, false: pa.ChunkedArray) -> None:
        self._rows, self._true, self._false = ids, true, false

    def __getitem__(self, taxon_id: str) -> Mapping[str, bool]:
        row = self._rows[taxon_id]
        return {
            **dict.fromkeys(self._true[row].as_py(), True),
            **dict.fromkeys(self._false[row].as_py(), False),
        }

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


@dataclass(frozen=True, repr=False)
class KnownTaxa(OneLine):
    """Taxa, their traits, and the encoders' classes that are of them.

    Attributes
    ----------
    taxonomy
        The taxa, species and groups above, with their synonyms.
    traits
        By taxon id, the known trait labels.
    classes
        By the encoder's name and the number of its class, the ids of the taxa that the class is of or may show. A class
        that is no animal has none.
    """

    taxonomy: Taxonomy
    traits: Mapping[str, Mapping[str, bool]]
    classes: Mapping[str, Mapping[int, tuple[str, ...]]] = field(default_factory=dict)

    def find(self, text: str) -> Taxon | None:
        """Return the taxon that a text names; None where there is none, or more than one.

        A text is a scientific name, a synonym, a common name, one of the prompts of `biovita.taxonomy.prompts`, or the
        name of a genus, family, order or class of these taxa.
        Case does not matter. A prompt means what its scientific name does, whatever lineage it gives.
        """
        name, _, common = fold(text).partition(_WITH_COMMON)
        words = name.split()
        found = self._scientific.get(name)
        if found is None and len(words) > _LINEAGE_WORDS and words[_LINEAGE_WORDS - 1] == words[_LINEAGE_WORDS]:
            found = self._scientific.get(" ".join(words[_LINEAGE_WORDS:]))
        if found is None and not common:
            return self._groups.get(name) or self._common.get(name)
        return found

    def other_names(self, taxon: Taxon) -> frozenset[str]:
        """Return the synonyms of a taxon."""
        return self._synonyms.get(taxon.id, frozenset())

    @cached_property
    def _scientific(self) -> dict[str, Taxon]:
        others = {fold(name): self.taxonomy[taxon_id] for name, taxon_id in self.taxonomy.synonyms.items()}
        return others | {fold(taxon.scientific_name): taxon for taxon in self.taxonomy.taxa}

    @cached_property
    def _groups(self) -> dict[str, Taxon]:
        named: dict[str, list[Taxon]] = defaultdict(list)
        for rank in (Rank.GENUS, Rank.FAMILY, Rank.ORDER, Rank.CLASS):
            for name in self.taxonomy.names(rank):
                named[fold(name)].append(group_taxon(rank, name, self.taxonomy.members(rank, name)))
        return {name: taxa[0] for name, taxa in named.items() if len(taxa) == 1}

    @cached_property
    def _common(self) -> dict[str, Taxon]:
        named: dict[str, list[Taxon]] = defaultdict(list)
        for taxon in self.taxonomy.taxa:
            if taxon.common_name:
                named[fold(taxon.common_name)].append(taxon)
        return {name: taxa[0] for name, taxa in named.items() if len(taxa) == 1}

    @cached_property
    def _synonyms(self) -> dict[str, frozenset[str]]:
        names: dict[str, set[str]] = defaultdict(set)
        for name, taxon_id in self.taxonomy.synonyms.items():
            names[taxon_id].add(name)
        return {taxon_id: frozenset(found) for taxon_id, found in names.items()}


@cache
def known_taxa() -> KnownTaxa:
    """Return the table that comes with the package, read once a process."""
    with as_file(files("biovita.taxonomy") / "data" / "known-taxa.parquet") as path:
        table = pq.read_table(path.absolute(), schema=KNOWN_TAXA)
    columns = {name: table[name].to_pylist() for name in KNOWN_TAXA.names if not name.startswith("labels")}
    ids = [taxon_id_of(name) for name in columns["scientific_name"]]
    lineage = zip(*(columns[rank] for rank in ("phylum", "class", "order", "family", "genus")), strict=True)
    heads = zip(ids, columns["scientific_name"], columns["common_name"], columns["rank"], strict=True)
    taxa = [
        Taxon(taxon_id, name, common, Rank(rank), "Animalia", *above)
        for (taxon_id, name, common, rank), above in zip(heads, lineage, strict=True)
    ]
    synonyms = {name: taxon_id for taxon_id, names in zip(ids, columns["synonyms"], strict=True) for name in names}
    classes: dict[str, dict[int, list[str]]] = {encoder: defaultdict(list) for encoder in ENCODERS}
    for encoder, column in ENCODERS.items():
        for taxon_id, numbers in zip(ids, columns[column], strict=True):
            for number in numbers if isinstance(numbers, list) else [numbers]:
                if number is not None:
                    classes[encoder][number].append(taxon_id)
    rows = {taxon_id: row for row, taxon_id in enumerate(ids)}
    return KnownTaxa(
        Taxonomy.of(taxa, synonyms),
        KnownTraits(rows, table["labels_true"], table["labels_false"]),
        {encoder: {number: tuple(of) for number, of in found.items()} for encoder, found in classes.items()},
    )


@cache
def table_hash() -> str:
    """Return the first 16 digits of the SHA-256 of the table that comes with the package."""
    with as_file(files("biovita.taxonomy") / "data" / "known-taxa.parquet") as path:
        return sha256_of(path)[:16]
