"""Claim: planning over 20 million photographs takes at most 2 GB and at most 3 times what reading them takes.

The tables are made up in the form of iNaturalist's open data (photos, observations, taxa, observers; gzip). Compared
with `zcat` of photos and observations plus DuckDB's count of their rows, in the same run. A second row is what a build
does before it fetches: planning, and writing the candidates and the list of all that the plan leaves out.

    python benchmarks/plan_open_data.py [--photos 20000000] [--keep DIRECTORY]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LICENSES = ["CC-BY-NC", "CC-BY-NC", "CC-BY-NC", "CC-BY", "CC0", "CC-BY-NC-SA", "CC-BY-NC-ND", "CC-BY-SA"]
GRADES = ["research", "research", "research", "needs_id", "casual"]
PLAN = """
name = "open data"
[[sources]]
kind = "inaturalist"
path = "{path}"
[taxa]
clades = ["Aves", "Mammalia", "Amphibia", "Insecta"]
[quality]
inaturalist = ["research"]
[limits]
images_per_species = 100
"""


def generate(directory: Path, photos: int) -> None:
    """Write tables with two photographs an observation; species are uneven, the commonest with a twentieth."""
    import duckdb

    connection = duckdb.connect()
    connection.execute("set memory_limit = '3GB'; set threads = 2; set enable_progress_bar = false")
    connection.execute("set preserve_insertion_order = false")
    how = "(delim '\t', header, quote '', compression gzip)"
    observations, species, observers = photos // 2, max(photos // 300, 500), max(photos // 100, 50)
    connection.execute(
        f"create macro species_of(i) as (1000 + floor({species} * pow((hash(i) % 1000003) / 1000003.0, 3)))::int; "
        "create macro word(i) as translate(i::varchar, '0123456789', 'abcdefghij'); "
        "create macro one_of(list, i) as list[(1 + hash(i, 2) % length(list))::int]"
    )
    connection.execute(
        f"""copy (
        select md5('p' || i)::uuid as photo_uuid, i as photo_id, md5('o' || (i // 2))::uuid as observation_uuid,
            (hash(i // 2, 1) % {observers})::int as observer_id, 'jpg' as extension,
            one_of({LICENSES}, i) as license, 2048 as width, 1536 as height, i % 2 as position
        from range({photos}) t(i)) to '{directory}/photos.csv.gz' {how}"""
    )
    connection.execute(
        f"""copy (
        select md5('o' || i)::uuid as observation_uuid, (hash(i, 1) % {observers})::int as observer_id,
            round(-60 + (hash(i, 3) % 1300000) / 10000.0, 10) as latitude,
            round(-180 + (hash(i, 4) % 3600000) / 10000.0, 10) as longitude,
            (hash(i, 5) % 1000)::int as positional_accuracy, species_of(i) as taxon_id,
            one_of({GRADES}, i + 7) as quality_grade, date '2010-01-01' + (hash(i, 7) % 5000)::int as observed_on
        from range({observations}) t(i)) to '{directory}/observations.csv.gz' {how}"""
    )
    connection.execute(
        f"""copy (
        select * from (values (1, '48460', 70, 'kingdom', 'Animalia', true),
            (2, '48460/1', 60, 'phylum', 'Chordata', true), (3, '48460/1/2', 50, 'class', 'Aves', true),
            (4, '48460/1/2', 50, 'class', 'Mammalia', true), (5, '48460/1/2', 50, 'class', 'Amphibia', true),
            (6, '48460/1', 50, 'class', 'Insecta', true), (7, '48460', 50, 'class', 'Magnoliopsida', true))
            t(taxon_id, ancestry, rank_level, rank, name, active)
        union all select 100000000 + g, '48460/1/2/' || (3 + g % 5), 20, 'genus', 'Genus' || word(g), true
        from range({species // 5 + 1}) t(g)
        union all select 1000 + s, '48460/1/2/' || (3 + (s // 5) % 5) || '/' || (100000000 + s // 5), 10, 'species',
            'Genus' || word(s // 5) || ' species' || word(s), true
        from range({species + 1}) t(s)) to '{directory}/taxa.csv.gz' {how}"""
    )
    connection.execute(
        f"copy (select i as observer_id, 'user' || i as login, 'User ' || i as name from range({observers}) t(i)) "
        f"to '{directory}/observers.csv.gz' {how}"
    )


def read_only(directory: Path) -> float:
    """Return the seconds that zcat and a DuckDB count take on photos and observations."""
    files = [directory / "photos.csv.gz", directory / "observations.csv.gz"]
    start = time.perf_counter()
    for file in files:
        subprocess.run(f"zcat {file} > /dev/null", shell=True, check=True)
    count = "import duckdb; c = duckdb.connect(); c.execute('set threads = 2')\n" + "\n".join(
        f"print(c.execute(\"select count(*) from read_csv('{file}', delim='\\t', quote='')\").fetchone())"
        for file in files
    )
    subprocess.run([sys.executable, "-c", count], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


LISTING = """
import sys
from pathlib import Path
import pyarrow.parquet as pq
from biovita.collect.plan import read_plan
from biovita.collect.select import CANDIDATES, select
from biovita.dataset.schema import OMITTED
with select(read_plan(sys.argv[1]), listing=True) as selection:
    for name, batches, schema in ("kept", selection.records(), CANDIDATES), ("omitted", selection.omitted(), OMITTED):
        rows = 0
        with pq.ParquetWriter(Path(sys.argv[1]).with_name(name), schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
                rows += batch.num_rows
        print(f"{rows:,} {name}")
"""


def measured(command: list[str]) -> tuple[float, float]:
    """Return the seconds and gigabytes (peak resident) of a command."""
    start = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, status
    return time.perf_counter() - start, usage.ru_maxrss / (1 << 20)


def main() -> None:
    """Generate, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=20_000_000)
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        directory = arguments.keep or Path(scratch)
        directory.mkdir(exist_ok=True, parents=True)
        if not (directory / "observers.csv.gz").exists():
            generate(directory, arguments.photos)
        file = Path(scratch) / "plan.toml"
        file.write_text(PLAN.format(path=directory))
        base = read_only(directory)
        runs = {
            "plan": measured([sys.executable, "-m", "biovita", "data", "plan", str(file)]),
            "plan and list": measured([sys.executable, "-c", LISTING, str(file)]),
        }
    print(f"{arguments.photos:,} photographs; zcat and count {base:.1f} s")
    print("| | s | ratio (at most 3 for plan) | peak GB (at most 2) |")
    print("| --- | ---: | ---: | ---: |")
    for name, (seconds, gigabytes) in runs.items():
        print(f"| {name} | {seconds:.1f} | {seconds / base:.2f} | {gigabytes:.2f} |")


if __name__ == "__main__":
    main()
