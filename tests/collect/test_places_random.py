"""Places against made-up outcomes: however much was known before, the same candidates end up in the same places."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from biovita.collect.ledger import Entry, Ledger, key_of
from biovita.collect.phash import NEAR, distance
from biovita.collect.places import Places
from biovita.collect.select import CANDIDATES

SPECIES, PLACES, FOUND = 6, 5, 12


def candidates(file: Path) -> list[dict[str, Any]]:
    rows = []
    for species in range(SPECIES):
        for number in range(1, FOUND + 1):
            row: dict[str, Any] = dict.fromkeys(CANDIDATES.names)
            row |= {
                "modality": "image", "name": "x", "name_key": species, "source": "s", "group": "g", "file": "f",
                "source_id": f"{species}-{number}", "row": number, "taxon_id": f"t{species}", "number": number,
                "places": PLACES, "found": FOUND, "limited": True, "about_bytes": 10 + number % 3,
            }  # fmt: skip
            rows.append(row)
    pq.write_table(pa.Table.from_pylist(rows, schema=CANDIDATES), file)
    return rows


def outcomes(rows: list[dict[str, Any]], draw: random.Random) -> dict[str, Entry]:
    """Files that are gone, alike within a species though not all with all, or the same under several species."""
    found = {}
    for row in rows:
        key, kind = key_of(row), draw.random()
        if kind < 0.2:
            found[key] = Entry(key, "u", "rejected", reason="gone")
            continue
        content = str(draw.randrange(20)) if kind < 0.5 else key
        looks = draw.getrandbits(64)
        if draw.random() < 0.5:  # of three places, those beside each other are near, the outer ones are not
            looks = 0b111111 << draw.randrange(3) * 2
        digest = content.encode().hex().ljust(64, "0")[:64]
        info = {"phash": f"{looks:016x}", "width": 1, "height": 1}
        found[key] = Entry(key, "u", "ready", path="x", sha256=digest, bytes=1, info=info)
    return found


def filled(file: Path, known: dict[str, Entry], all_: dict[str, Entry], budget: int | None, folder: Path) -> Any:
    """Fill the places; what is not known yet is `fetched` when it is asked for."""
    folder.mkdir()
    ledger = Ledger(folder / "ledger")
    for entry in known.values():
        ledger.put(entry)
    places = Places(file, ledger, budget)
    rows = pq.read_table(file).to_pylist()
    asked = set()
    for _ in range(100):
        fresh = [key_of(row) for row in rows if places.is_fresh(row)]
        assert len(fresh) == places.to_fetch
        for key in fresh:
            asked.add(key)
            ledger.put(all_[key])
        if not places.judge():
            break
    else:
        raise AssertionError("it never ends")
    looked = {key_of(row) for row in rows if places.is_looked_at(row)}
    assert looked == asked
    taken = [
        row
        for row in rows
        if (key := key_of(row)) in looked - places.beyond - set(places.refused) and all_[key].state != "rejected"
    ]
    ledger.close()
    return [row["source_id"] for row in taken], looked, places.refused, places.refilled(), places.empty()


def judged(rows: list[dict[str, Any]], all_: dict[str, Entry], looked: set[str]) -> list[str]:
    """Return who gets the places, plainly: the first that can be used, in the order of choice."""
    species_of: dict[str, set[str]] = {}
    for row in rows:
        if key_of(row) in looked and (digest := all_[key_of(row)].sha256):
            species_of.setdefault(digest, set()).add(row["taxon_id"])
    taken: dict[str, list[tuple[str, Entry]]] = {}
    for row in rows:
        entry, group = all_[key_of(row)], taken.setdefault(row["taxon_id"], [])
        if key_of(row) not in looked or entry.info is None or len(species_of[entry.sha256 or ""]) > 1:
            continue
        looks = [int(each.info["phash"], 16) for _, each in group if each.info is not None]
        is_new = all(distance(one, int(entry.info["phash"], 16)) > NEAR for one in looks)
        if is_new and entry.sha256 not in {each.sha256 for _, each in group} and len(group) < PLACES:
            group.append((row["source_id"], entry))
    return [source_id for group in taken.values() for source_id, _ in group]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("budget", [None, SPECIES * PLACES * 11 - 20])
def test_what_was_known_before_changes_nothing(tmp_path: Path, seed: int, budget: int | None) -> None:
    draw = random.Random(seed)
    file = tmp_path / "chosen.parquet"
    rows = candidates(file)
    all_ = outcomes(rows, draw)
    first = filled(file, {}, all_, budget, tmp_path / "none")
    part = {key: entry for key, entry in all_.items() if draw.random() < 0.5}
    assert filled(file, part, all_, budget, tmp_path / "half") == first
    assert filled(file, all_, all_, budget, tmp_path / "all") == first
    taken, looked, _, refilled, empty = first
    assert taken == judged(rows, all_, looked)
    per_species = [sum(each.startswith(f"{species}-") for each in taken) for species in range(SPECIES)]
    assert max(per_species) <= PLACES
    assert sum(empty.values()) == sum(PLACES - each for each in per_species)
    assert refilled == sum(int(each.split("-")[1]) > PLACES for each in taken)
    size = {row["source_id"]: row["about_bytes"] for row in rows}
    left = None if budget is None else budget - sum(size[each] for each in taken)
    for species in range(SPECIES):
        reach = sum(key_of(row) in looked for row in rows if row["taxon_id"] == f"t{species}")
        if per_species[species] < PLACES and reach < FOUND:
            assert left is not None
            assert size[f"{species}-{reach + 1}"] > left
