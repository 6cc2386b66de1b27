"""A backbone: the pinned list of names that others are matched to, held in columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.errors import DatasetError
from biovita.taxonomy.parse import fold
from biovita.taxonomy.taxon import RANKS, Rank, Taxon, Taxonomy

__all__ = ["BACKBONE", "LINEAGE", "Backbone", "keys_of", "members_of"]

LINEAGE: tuple[str, ...] = tuple(rank.value for rank in RANKS if rank != Rank.SPECIES)
_WORDS = pa.dictionary(pa.int32(), pa.string())

BACKBONE = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),  # without authorship
        pa.field("key", pa.string(), nullable=False),  # the name as `fold` writes it
        pa.field("rank", _WORDS),  # lower case; more ranks than `Rank` has
        *(pa.field(rank, _WORDS) for rank in LINEAGE),  # of the accepted taxon
        pa.field("accepted", pa.int32(), nullable=False),  # row of the accepted taxon; -1: a synonym of none
        pa.field("common_name", pa.string()),  # of an accepted taxon
    ]
)


@dataclass(frozen=True)
class Backbone:
    """Names, ranks, lineages and synonyms.

    Attributes
    ----------
    name
        Where it came from: a file's name.
    sha256
        Of that file, so that decisions can say which version they were made against; empty when it is none. Where
        checklists lent synonyms, theirs follow, as their names do.
    table
        One row a name, in the `BACKBONE` schema; an accepted name's ``accepted`` is its own row.
    left_out
        Rows of the file that are no part of it, counted by reason.
    """

    name: str
    sha256: str
    table: pa.Table
    left_out: Mapping[str, int]

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @classmethod
    def of(
        cls,
        name: str,
        columns: Mapping[str, pa.Array | pa.ChunkedArray],
        *,
        sha256: str = "",
        left_out: Mapping[str, int] | None = None,
    ) -> Backbone:
        """Return a backbone of the columns of `BACKBONE`; ``key`` is made here, ``accepted`` may be absent."""
        rows = len(columns["id"])
        given = {**columns}
        given.setdefault("accepted", pa.array(np.arange(rows, dtype=np.int32)))
        fields = [field for field in BACKBONE if field.name != "key"]
        made = [given.get(field.name, pa.nulls(rows, field.type)) for field in fields]
        try:
            cast = [
                column if column.type == f.type else column.cast(f.type)
                for column, f in zip(made, fields, strict=True)
            ]
            table = pa.table(cast, schema=pa.schema(fields)).unify_dictionaries().combine_chunks()
        except pa.ArrowException as error:
            raise DatasetError(f"{name} is not a table of taxa: {error}") from None
        keys = keys_of(table["name"].combine_chunks())
        table = table.add_column(BACKBONE.get_field_index("key"), BACKBONE.field("key"), keys)
        return cls(name, sha256, table, dict(left_out or {}))

    @classmethod
    def of_taxonomy(cls, taxonomy: Taxonomy, name: str, synonyms: Mapping[str, str] | None = None) -> Backbone:
        """Return the taxa of a dataset as a backbone.

        Parameters
        ----------
        synonyms
            From a name to the id of its taxon, beside those of the taxonomy.
        """
        rows = {taxon.id: row for row, taxon in enumerate(taxonomy.taxa)}
        known = {taxon.scientific_name for taxon in taxonomy.taxa}
        others = {
            synonym: taxon_id
            for synonym, taxon_id in {**taxonomy.synonyms, **(synonyms or {})}.items()
            if synonym not in known and taxon_id in rows
        }
        names = [*(taxon.scientific_name for taxon in taxonomy.taxa), *others]
        ids = [*rows, *(f"synonym:{synonym}" for synonym in others)]
        accepted = [*rows.values(), *(rows[taxon_id] for taxon_id in others.values())]
        taxa = [taxonomy.taxa[row] for row in accepted]
        return cls.of(
            name,
            {
                "id": pa.array(ids, pa.string()),
                "name": pa.array(names, pa.string()),
                "rank": pa.array([taxon.rank.value for taxon in taxa], pa.string()),
                **{rank: pa.array([taxon.name_at(Rank(rank)) for taxon in taxa], pa.string()) for rank in LINEAGE},
                "accepted": pa.array(accepted, pa.int32()),
            },
        )

    @cached_property
    def first_words(self) -> pa.DictionaryArray:
        """The first word of each key: the genus of a species' name, whatever genus it is placed in now."""
        words = pc.list_element(pc.split_pattern(self.table["key"], " ", max_splits=1), 0)
        return words.combine_chunks().dictionary_encode()

    def rows_with_key(self, keys: Iterable[str]) -> np.ndarray:
        """Return the rows, ascending, whose key is among ``keys``."""
        return _rows(pc.is_in(self.table["key"], value_set=pa.array(sorted(set(keys)), pa.string())))

    def rows_with_id(self, ids: Iterable[str]) -> np.ndarray:
        """Return the rows, ascending, with these ids."""
        return _rows(pc.is_in(self.table["id"], value_set=pa.array(sorted(set(ids)), pa.string())))

    def rows_with_first_word(self, words: Iterable[str]) -> np.ndarray:
        """Return the rows, ascending, whose key starts with one of these words."""
        return _rows(_among(self.first_words, words))

    def rows_within(self, rank: str, names: Iterable[str]) -> np.ndarray:
        """Return the rows, ascending, whose lineage holds one of ``names`` at ``rank``."""
        return _rows(_among(self.table[rank].combine_chunks(), names))

    def species_within(self, rank: Rank, name: str) -> tuple[Taxon, ...]:
        """Return the accepted species of a group, in the backbone's order; none where the group is not known."""
        rows = self.rows_within(rank.value, [name])
        table = self.table.take(rows)
        own = pc.equal(table["accepted"], pa.array(rows, pa.int32()))
        species = pc.equal(table["rank"].cast(pa.string()), Rank.SPECIES.value)
        return tuple(_taxon(row) for row in table.filter(pc.and_kleene(own, species)).to_pylist())

    def within(self, groups: Iterable[str]) -> Backbone:
        """Return the names whose lineage holds one of ``groups``, from kingdom to genus, in whatever case."""
        kept = np.flatnonzero(members_of(self.table, groups).to_numpy(zero_copy_only=False))
        places = np.full(len(self) + 1, -1, dtype=np.int32)  # the last: what has no accepted name
        places[kept] = np.arange(len(kept), dtype=np.int32)
        table = self.table.take(kept)
        accepted = pa.array(places[table["accepted"].to_numpy()])
        at = BACKBONE.get_field_index("accepted")
        return replace(self, table=table.set_column(at, BACKBONE.field("accepted"), accepted))

    def taxa(self, ids: Iterable[str]) -> dict[str, Taxon]:
        """Return the accepted taxa with these ids, those of them that are here.

        Raises
        ------
        DatasetError
            Where one has a rank that a dataset does not hold, such as a tribe or a subspecies.
        """
        return {row["id"]: _taxon(row) for row in self.table.take(self.rows_with_id(ids)).to_pylist()}

    def with_synonyms(self, checklist: Backbone) -> Backbone:
        """Return this backbone with the synonyms that a checklist knows for its names.

        A checklist says that some names mean one taxon. Where exactly one of them is an accepted name here, or the
        one that the checklist accepts is, the others become synonyms of it, unless they are names here already.
        """
        here, there = self.table, checklist.table
        unique = _unique_keys(here)
        position = pc.index_in(there["key"], value_set=unique["key"])
        row_here = np.where(
            pc.is_valid(position).to_numpy(zero_copy_only=False),
            unique["row"].to_numpy()[pc.fill_null(position, 0).to_numpy()],
            -1,
        )
        group = there["accepted"].to_numpy()
        target = _targets(group, row_here)
        known = pc.is_in(there["key"], value_set=here["key"]).to_numpy(zero_copy_only=False)
        same = _same_kingdom(self, checklist, target, group)
        new = np.flatnonzero((target >= 0) & ~known & same)
        _, first = np.unique(there["key"].take(new).to_numpy(zero_copy_only=False), return_index=True)
        new = new[np.sort(first)]
        accepted = here.take(target[new])
        added = pa.table(
            [
                pc.binary_join_element_wise(checklist.name, there["id"].take(new), ":"),
                there["name"].take(new),
                there["key"].take(new),
                there["rank"].take(new),
                *(accepted[rank] for rank in LINEAGE),
                pa.array(target[new].astype(np.int32)),
                pa.nulls(len(new), pa.string()),
            ],
            schema=BACKBONE,
        )
        table = pa.concat_tables([here, added]).unify_dictionaries().combine_chunks()
        names, hashes = f"{self.name} + {checklist.name}", f"{self.sha256} + {checklist.sha256}"
        return replace(self, name=names, sha256=hashes, table=table)


def keys_of(names: pa.Array) -> pa.Array:
    """Return the `fold` of each name; those of plain ASCII, nearly all, without leaving Arrow."""
    keys = pc.ascii_lower(names)
    odd = pc.invert(pc.string_is_ascii(names))
    folded = [fold(name) for name in names.filter(odd).to_pylist()]
    return pc.replace_with_mask(keys, odd, pa.array(folded, pa.string())) if folded else keys


def members_of(table: pa.Table, groups: Iterable[str]) -> pa.Array:
    """Return a mask of the rows whose lineage holds one of ``groups`` at any rank, in whatever case it is written."""
    wanted = pa.array(sorted({group.casefold() for group in groups}), pa.string())
    found = pa.array(np.zeros(table.num_rows, dtype=bool))
    for rank in LINEAGE:
        column = table[rank].combine_chunks()
        words = column.dictionary.filter(pc.is_in(pc.utf8_lower(column.dictionary), value_set=wanted))
        found = pc.or_(found, _among(column, words.to_pylist()))
    return found


def _rows(mask: pa.Array | pa.ChunkedArray) -> np.ndarray:
    return np.flatnonzero(pc.fill_null(mask, fill_value=False).to_numpy(zero_copy_only=False))


def _among(column: pa.DictionaryArray, names: Iterable[str]) -> pa.Array:
    """Return a mask of where a dictionary column has one of ``names``."""
    codes = pc.index_in(pa.array(sorted(set(names)), pa.string()), value_set=column.dictionary).drop_null()
    return pc.is_in(column.indices, value_set=codes)


def _taxon(row: dict[str, str]) -> Taxon:
    if row["rank"] not in RANKS:
        raise DatasetError(
            f"{row['name']} ({row['id']}) has the rank {row['rank']}. A dataset holds only {', '.join(RANKS)}"
        )
    return Taxon(
        id=row["id"],
        scientific_name=row["name"],
        common_name=row["common_name"],
        rank=Rank(row["rank"]),
        kingdom=row["kingdom"],
        phylum=row["phylum"],
        class_=row["class"],
        order=row["order"],
        family=row["family"],
        genus=row["genus"],
    )


def _unique_keys(table: pa.Table) -> pa.Table:
    """Return key and row of the accepted names that no second accepted name shares."""
    rows = np.arange(table.num_rows)
    own = np.flatnonzero(table["accepted"].to_numpy() == rows)
    accepted = pa.table({"key": table["key"].take(own), "row": pa.array(own)})
    counted = accepted.group_by("key").aggregate([("row", "min"), ("row", "count")])
    once = counted.filter(pc.equal(counted["row_count"], 1))
    return pa.table({"key": once["key"].combine_chunks(), "row": once["row_min"].combine_chunks()})


def _targets(group: np.ndarray, row_here: np.ndarray) -> np.ndarray:
    """Return, for each name of a checklist, the row here that its group means; -1 where none is sure."""
    target = np.full(len(group), -1, dtype=np.int64)
    member = np.flatnonzero((row_here >= 0) & (group >= 0))
    low = np.full(len(group), np.iinfo(np.int64).max)
    high = np.full(len(group), -1)
    np.minimum.at(low, group[member], row_here[member])
    np.maximum.at(high, group[member], row_here[member])
    own = row_here >= 0  # of the accepted name itself: it decides where there are several
    sure = np.where(own, row_here, np.where(low == high, high, -1))
    valid = group >= 0
    target[valid] = sure[group[valid]]
    return target


def _same_kingdom(here: Backbone, there: Backbone, target: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return where a name and the taxon it would become a synonym of do not lie in different kingdoms."""
    words = here.table["kingdom"].combine_chunks()
    others = there.table["kingdom"].combine_chunks()
    codes = pc.fill_null(pc.index_in(others.dictionary, value_set=words.dictionary), -2).to_numpy()
    theirs = pc.fill_null(others.indices, -1).to_numpy()
    theirs = np.where(theirs >= 0, np.append(codes, -2)[theirs], -1)[np.maximum(group, 0)]
    ours = pc.fill_null(words.indices, -1).to_numpy()[np.maximum(target, 0)]
    return (ours == theirs) | (ours < 0) | (theirs == -1)
