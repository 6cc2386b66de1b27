"""Candidates of all sources, filtered as the plan says, and the choice among them; DuckDB keeps to its memory."""
# ruff: noqa: S608 - what is put into SQL is quoted by `sql_text` or is a name or number of ours

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from biovita.collect.kinds import Ask, settled
from biovita.collect.omit import DETAIL, omitted_query
from biovita.collect.plan import Plan
from biovita.collect.wanted_names import NameChoice, choose_names
from biovita.collect.why_not import among, why_not
from biovita.errors import DatasetError
from biovita.limits import memory_mib
from biovita.sources.source import NAME_COLUMNS, RECORDS, SourceViews
from biovita.sources.watch import MEMORY_MIB, watched
from biovita.sql import identifier, sql_text

if TYPE_CHECKING:
    import duckdb

__all__ = [
    "CANDIDATES",
    "MEMORY_MIB",
    "NOT_LISTED",
    "SPARES",
    "LeftOutRows",
    "PlannedItems",
    "Selection",
    "select",
]

# Estimates where a source states no size: JPEG at 0.25 bytes a pixel, photographs of 1024 x 768, MP3 at 128 kbit/s,
# recordings of a minute.
_BYTES = """coalesce(bytes, case when modality = 'image'
    then (coalesce(width, 1024)::bigint * coalesce(height, 768) * 0.25)::bigint
    else (coalesce(duration_s, 60) * 16000)::bigint end)"""
# Names at these ranks, or at none that is stated, can stand for a species.
_SPECIES_RANKS = (
    *("species", "subspecies", "variety", "form", "forma", "infraspecific_name", "infraspecificname", "race"),
    *("hybrid", "infrahybrid", "unranked"),
)
SPARES = 20  # candidates kept beyond the places of a species, for unusable files: as many again, and not fewer
NOT_LISTED = ("other-taxon", "other-modality")  # what a plan never asks for is counted, and not listed
CANDIDATES = pa.schema(
    [
        *RECORDS,
        pa.field("taxon_id", pa.string(), nullable=False),
        pa.field("number", pa.int64(), nullable=False),  # in the order of choice, within species and modality
        pa.field("places", pa.int64(), nullable=False),  # how many of them the plan takes
        pa.field("found", pa.int64(), nullable=False),  # how many there are
        pa.field("limited", pa.bool_(), nullable=False),  # whether the plan sets a limit or budget at all
        pa.field("about_bytes", pa.int64(), nullable=False),  # stated or estimated
        pa.field("beyond", pa.string()),  # why a spare is none that the plan takes
    ]
)
_POOL = 20  # candidates a chosen item that variety is looked for among, and not fewer than
_POOL_LEAST = 2000


@dataclass(frozen=True, slots=True)
class PlannedItems:
    """Items of one class of animals, source and modality that a plan takes.

    Attributes
    ----------
    class_
        The taxonomic class; ``unknown`` where the source states none.
    bytes
        As the sources state it; an estimate where they state nothing.
    """

    class_: str
    source: str
    modality: str
    species: int
    items: int
    bytes: int


@dataclass(frozen=True, slots=True)
class LeftOutRows:
    """How many records of one source a plan leaves out for one reason."""

    source: str
    reason: str
    rows: int


@dataclass(frozen=True)
class Selection:
    """What the plan gives, before anything is fetched."""

    plan: Plan
    names: NameChoice
    connection: duckdb.DuckDBPyConnection
    views: tuple[SourceViews, ...]
    labels: tuple[str, ...]

    def summary(self) -> tuple[PlannedItems, ...]:
        """Return what the plan takes, by class, source and modality."""
        rows = self.connection.sql(
            """select coalesce(t.class, 'unknown') as "class", l.label as source, modality,
            count(distinct c.taxon) as species, count(*) as items, sum(c.bytes)::bigint as bytes
            from chosen c join plan_taxa t on t.taxon = c.taxon join labels l on l.source = c.source
            group by all order by all"""
        )
        return tuple(PlannedItems(*row) for row in rows.fetchall())

    def left_out(self) -> tuple[LeftOutRows, ...]:
        """Return how many records of each source the plan leaves out for each reason; rejected rows are none."""
        rejected = " or ".join(
            f"(source = {number} and reason in {among(views.problems)})"
            for number, views in enumerate(self.views)
            if views.problems
        )
        rows = self.connection.sql(
            f"""select l.label as source, reason, sum(rows)::bigint as rows from (
                select source, reason, count(*) as rows from candidates
                    where reason is not null and not ({rejected or "false"}) group by all
                union all select c.source, case when {_over_limit("c", self.plan)} then 'over-limit'
                    else 'over-budget' end, count(*)
                from ranked c anti join chosen d using (source, modality, source_id) group by all
                union all select source, 'over-limit', count(*) from candidates c
                    anti join ranked d using (source, modality, source_id) where c.reason is null group by all
                ) join labels l using (source) group by all order by all"""
        )
        return tuple(LeftOutRows(*row) for row in rows.fetchall())

    def records(self) -> Iterator[pa.RecordBatch]:
        """Yield the chosen records and the spare ones, as `CANDIDATES`: by species, modality and order of choice."""
        columns = ", ".join(f"r.{identifier(name)}" for name in RECORDS.names)
        sources = " union all ".join(
            f"""select {columns}, t.taxon_id, c.number, c.places, c.found, c.limited, c.bytes as about_bytes,
                c.beyond, c.taxon from {views.records} r
                join kept c on c.source = {number} and c.modality = r.modality and c.source_id = r.source_id
                    and c.row = r.row
                join plan_taxa t on t.taxon = c.taxon"""
            for number, views in enumerate(self.views)
        )
        return self._batches(f"select * from ({sources}) order by taxon, modality, number", CANDIDATES)

    def omitted(self) -> Iterator[pa.RecordBatch]:
        """Yield the records that the plan leaves out, but for those of taxa or modalities that it does not ask for."""
        from biovita.dataset.schema import OMITTED

        return self._batches(omitted_query(self.views, _limit(self.plan)), OMITTED)

    def rejected(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows that the sources rejected, in the schema of ``rejected.parquet``."""
        from biovita.dataset.schema import REJECTED

        for views in self.views:
            yield from self._batches(f"from {views.rejected} order by file, row, path, reason", REJECTED)

    def _batches(self, query: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        for batch in self.connection.sql(query).to_arrow_reader(10_000):
            yield pa.RecordBatch.from_arrays(
                [batch.column(field.name).cast(field.type) for field in schema], schema=schema
            )


@contextmanager
def select(
    plan: Plan,
    *,
    scratch_in: Path | None = None,
    listing: bool = False,
    ask: Ask | None = None,
) -> Iterator[Selection]:
    """Read the sources and choose; the selection can be asked while the block lasts.

    What DuckDB cannot hold in the memory that is set goes to a temporary directory.

    Parameters
    ----------
    scratch_in
        Where that is made; the system's place where it is not given.
    listing
        Keep what `Selection.records` and `Selection.omitted` tell; without it there are only counts.
    ask
        Tells what lies at addresses of which nothing else does, as `biovita.collect.kinds.ask_kinds`; without it such
        records are left out.

    Raises
    ------
    DatasetError
        Where a source cannot be read.
    """
    import duckdb

    if scratch_in is not None and "?" in str(scratch_in.absolute()):
        scratch_in = None  # DuckDB does not find its log where a path has a question mark
    with _told(duckdb), tempfile.TemporaryDirectory(prefix="biovita-plan-", dir=scratch_in) as folder:
        scratch = Path(folder).absolute()
        with duckdb.connect(str(scratch / "plan.duckdb")) as connection:
            connection.execute(
                f"set memory_limit = '{memory_mib(MEMORY_MIB)}MiB'; "
                f"set temp_directory = {sql_text(scratch / 'spill')}; "
                "set enable_progress_bar = false"
            )
            views = tuple(source.views(connection, scratch) for source in plan.sources)
            names = choose_names([_names(connection, each, plan) for each in views], plan.taxa)
            labels = tuple(source.label for source in plan.sources)
            _register(connection, names, labels)
            if ask is not None:
                views = settled(connection, plan, views, ask, spares=SPARES)
            with watched(connection):
                _gather(connection, plan, views, listing=listing)
            _choose(connection, plan)
            if listing:
                _keep(connection, plan)
            yield Selection(plan, names, connection, views, labels)


@contextmanager
def _told(duckdb: Any) -> Iterator[None]:
    """Tell what DuckDB finds in a damaged table as an error that a user can mend."""
    try:
        yield
    except duckdb.Error as error:
        said = " ".join(str(error).split())
        raise DatasetError(f"a source cannot be read: {said[:400]}") from None


def _names(connection: duckdb.DuckDBPyConnection, views: SourceViews, plan: Plan) -> pa.Table:
    """Return the names that can be wanted: of species, and of the clades where a class is given."""
    columns = ", ".join(identifier(column) for column in NAME_COLUMNS)
    where = f"(rank is null or lower(rank) in {_SPECIES_RANKS})"
    if plan.taxa.clades and not plan.taxa.species and plan.taxa.checklist is None:
        clades = ", ".join(sql_text(name.lower()) for name in plan.taxa.clades)
        ranks = ("kingdom", "phylum", "class", "order", "family", "genus")
        within = " or ".join(f"lower({identifier(rank)}) in ({clades})" for rank in ranks)
        where += f' and ("class" is null or {within})'
    return connection.sql(
        f"select name_key, {columns} from {views.names} where {where} order by name, name_key"
    ).to_arrow_table()


def _register(connection: duckdb.DuckDBPyConnection, names: NameChoice, labels: tuple[str, ...]) -> None:
    """Make tables of the taxa, of what each name stands for, and of the sources."""
    keys = [*names.meaning, *names.refused]
    wanted = pa.table(  # noqa: F841 - DuckDB finds it by its name
        {
            "source": pa.array([source for source, _ in keys], pa.int8()),
            "name_key": pa.array([key for _, key in keys], pa.int64()),
            "taxon": pa.array([*names.meaning.values(), *[None] * len(names.refused)], pa.int32()),
            "reason": pa.array([*[None] * len(names.meaning), *names.refused.values()], pa.string()),
        }
    )
    taxa = pa.table(  # noqa: F841 - DuckDB finds it by its name
        {
            "taxon": pa.array(range(len(names.taxa)), pa.int32()),
            "taxon_id": pa.array([taxon.id for taxon in names.taxa], pa.string()),
            "class": pa.array([taxon.class_ for taxon in names.taxa], pa.string()),
        }
    )
    sources = pa.table({"source": pa.array(range(len(labels)), pa.int8()), "label": list(labels)})  # noqa: F841 - see above
    connection.execute("create table wanted as from wanted")
    connection.execute("create table plan_taxa as from taxa")
    connection.execute("create table labels as from sources")


def _gather(
    connection: duckdb.DuckDBPyConnection, plan: Plan, views: tuple[SourceViews, ...], *, listing: bool
) -> None:
    """Read each source once: what the choice needs of a candidate, or why a record is none."""
    connection.execute(
        """create table candidates (source tinyint, reason varchar, modality varchar, source_id varchar, taxon integer,
        row bigint, draw ubigint, file ubigint, item_group ubigint, observer ubigint, place integer, season tinyint,
        bytes bigint)"""
    )
    if listing:
        connection.execute(
            "alter table candidates add column name_key bigint; alter table candidates add column detail varchar"
        )
    told = f"reason is null or (problem is null and reason not in {NOT_LISTED})" if listing else "reason is null"
    for number, (source, each) in enumerate(zip(plan.sources, views, strict=True)):
        seed = sql_text(f"{plan.seed}:{source.label}:")
        connection.execute(
            f"""insert into candidates
            select {number}, reason, case when {told} then modality end,
                case when {told} then source_id end, case when {told} then taxon end,
                case when reason is null then row end,
                case when reason is null then md5_number_lower({seed} || modality || source_id) end,
                case when reason is null then {_file(source.kind)} end,
                case when reason is null then hash("group") end, case when reason is null then hash(observer) end,
                case when reason is null then coalesce((floor(latitude) + 90) * 360 + floor(longitude) + 180, -1) end,
                case when reason is null then coalesce(try_cast(substr(recorded_at, 6, 2) as tinyint) // 3 % 4, -1) end,
                case when reason is null then {_BYTES} end
                {f", case when {told} then name_key end, {DETAIL}" if listing else ""}
            from (select r.*, w.taxon, {why_not(plan, source.kind)} as reason from {each.records} r
                left join (select * from wanted where source = {number}) w on w.name_key = r.name_key)"""
        )
    _leave_out_repeated(connection, "source, modality, source_id", "id", listing=listing)
    if len({source.label for source in plan.sources}) < len(plan.sources):
        connection.execute(
            f"""update candidates set reason = 'twice'{", detail = 'another source has it too'" if listing else ""}
            where rowid in (
            select rowid from (select c.rowid, row_number() over
                (partition by l.label, modality, source_id order by c.source, c.rowid) as number
                from candidates c join labels l using (source) where reason is null) where number > 1)"""
        )
    _leave_out_repeated(connection, "modality, file", "file", listing=listing)


def _file(kind: str) -> str:
    """Return the expression that is the same for the same file; null where the id tells, as that of a photograph."""
    return "null" if kind == "inaturalist" else "hash(coalesce(path, url))"


def _leave_out_repeated(connection: duckdb.DuckDBPyConnection, shared: str, what: str, *, listing: bool) -> None:
    """Keep the first of the records that share an id or a file, or none where their species differ."""
    among = "reason is null" if what == "id" else "reason is null and file is not null"
    ((repeated,),) = connection.execute(
        f"select count(*) - count(distinct hash({shared})) from candidates where {among}"
    ).fetchall()
    if not repeated:
        return
    species = "if(why = 'ambiguous', ', of another species', '')"
    detail = f", detail = 'there is another record with its {what}' || {species}"
    connection.execute(
        f"""update candidates set reason = why{detail if listing else ""} from (
            select rowid as its, case when min(taxon) over same < max(taxon) over same then 'ambiguous'
                when row_number() over (same order by source, row, rowid) > 1 then 'duplicate' end as why
            from candidates where {among} window same as (partition by {shared})
        ) where its = candidates.rowid and why is not null"""
    )


def _limit(plan: Plan) -> str:
    """Return the expression of the limit for a modality; a number beyond all where there is none."""
    beyond = 1 << 40
    audio, image = (plan.limits.of(modality) for modality in ("audio", "image"))
    audio, image = (beyond if limit is None else limit for limit in (audio, image))
    return f"case when modality = 'audio' then {audio} else {image} end"


def _over_limit(alias: str, plan: Plan) -> str:
    return f"{alias}.number > ({_limit(plan)})"


def _choose(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Rank each species' candidates for variety, and take as many as limits and budget allow.

    A second item of an observation comes after the first of every other; then a second of an observer, of a place (a
    degree of latitude and longitude), of a season (a quarter of the year). What is left equal is settled by a number
    that seed, source and id give. Of species with very many candidates, those with the least numbers are looked at.
    """
    limit = _limit(plan)
    connection.execute(
        f"""create table pool as select c.* exclude (reason) from candidates c join (
            select taxon, modality, count(*) as found from candidates where reason is null group by all
        ) n using (taxon, modality)
        where c.reason is null
            and c.draw / {float(1 << 64)} <= greatest({_POOL} * ({limit})::double, {_POOL_LEAST}) / n.found"""
    )
    ranks = {"g": "item_group", "o": "g, observer", "p": "g, o, place", "s": "g, o, p, season"}
    inner = "pool"
    if plan.limits.audio_per_species is not None or plan.limits.images_per_species is not None:
        for name, within in ranks.items():
            inner = (
                f"(select *, row_number() over (partition by taxon, modality, {within} order by draw, source_id) "
                f"as {name} from {inner})"
            )
        order = "g, o, p, s, draw, source, source_id"
    elif plan.budget.items is not None or plan.budget.bytes is not None:
        order = "draw, source, source_id"
    else:
        order = "source, source_id"
    connection.execute(
        f"""create table ranked as select source, modality, source_id, taxon, row, bytes, draw,
        row_number() over (partition by taxon, modality order by {order}) as number from {inner}"""
    )
    budget = plan.budget
    if budget.items is None and budget.bytes is None:
        connection.execute(f"create table chosen as select * from ranked where number <= ({limit})")
        return
    affordable = [f"place <= {budget.items}"] if budget.items is not None else []
    affordable += [f"total <= {budget.bytes}"] if budget.bytes is not None else []
    connection.execute(
        f"""create table chosen as select * exclude (place, total) from (
            select *, row_number() over turn as place, sum(bytes) over (turn rows unbounded preceding) as total
            from ranked where number <= ({limit})
            window turn as (order by number, draw, source, modality, source_id))
        where {" and ".join(affordable)}"""
    )


def _keep(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Keep what is chosen, and of the candidates that come next as many again, at least `SPARES`.

    Those chosen of a species are always the first ones in the order of choice: limits cut that order, and a budget
    takes first ones of all species before second ones.
    """
    budgeted = plan.budget.items is not None or plan.budget.bytes is not None
    limited = [each for each in ("audio", "image") if budgeted or plan.limits.of(each) is not None]
    connection.execute(
        """create table shares as select taxon, modality, count(*) as found, count(c.source_id) as places
        from ranked left join chosen c using (source, modality, source_id, taxon) group by all"""
    )
    connection.execute(
        f"""create table kept as select r.source, r.modality, r.source_id, r.taxon, r.row, r.bytes, r.number,
            s.places, s.found,
            {f"modality in {among(limited)}" if limited else "false"} as limited,
            case when r.number > s.places then
                case when {_over_limit("r", plan)} then 'over-limit' else 'over-budget' end end as beyond
        from ranked r join shares s using (taxon, modality)
        where s.places > 0 and r.number <= s.places + greatest(s.places, {SPARES})"""
    )
