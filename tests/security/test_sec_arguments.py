"""Arguments: settings that all commands share, and places that are not what a command needs."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from biovita.dataset.dataset import write_dataset
from biovita.dataset.schema import IMAGES
from support.forked import tell_each
from support.hostile import biovita, call_watched

COMMANDS = """
bench build X
bench verify X
bench run X --model random
bench compare X X
bench traits X --model random
bench export-mteb X --out Y
data import folder X --out Y
data show X
data check X
data split X --unseen 1
data plan X
data build X --out Y
data pack X --out Y
data unpack X --out Y
data card X
data export release X --out Y
data export hub X --out Y
demo --data X --out Y
doctor --nope
embed X
models --json
models fetch X
models export X --out Y
simulate --species 0 --out Y
simulate embeddings --species 0 --out Y
taxonomy match X --backbone X --out Y
train X
traits coverage X
traits import X --csv X
""".strip().splitlines()


def many(cases: list[list[str]], cwd: Path) -> list[list]:
    said = call_watched(cwd, tell_each, cases, cwd, seconds=120, mib=1500)
    return json.loads(said.splitlines()[-1])


@pytest.mark.slow
def test_shared_settings_work_before_and_after_every_command(tmp_path: Path) -> None:
    before = [["--memory", "70", "--offline", "--limit=rows=5", *command.split()] for command in COMMANDS]
    after = [[*command.split(), "--limit", "rows=5", "--memory=70", "--offline"] for command in COMMANDS]
    for arguments, code, trouble, out, err, settings in many(before + after, tmp_path):
        assert not trouble, (arguments, trouble)
        assert settings == {"BIOVITA_MEMORY": "70", "BIOVITA_LIMIT_ROWS": "5", "HF_HUB_OFFLINE": "1"}, arguments
        assert code == (2 if "doctor" in arguments else 0 if "--json" in arguments else 1), (arguments, err)
        assert "--memory" not in out + err


def test_shared_settings_without_sense_are_said_plainly(tmp_path: Path) -> None:
    cases = {
        "data show X --memory": "--memory needs a value",
        "--limit": "--limit needs a value",
        "data show X --memory=": "whole number",
        "--memory -5 data show X": "whole number",
        "--memory 1e3 data show X": "whole number",
        "--memory 99999999999999999999999 data show X": "whole number",
        "--memory --offline data show X": "whole number",
        "data show X --limit rows": "whole number",
        "data show X --limit =5": "unknown limit",
        "data show X --limit rowz=5": "Did you mean 'rows'",
        "data show X --limit rows=\u0665": "whole number",
        "data show X\0": "NUL",
    }
    results = many([case.split(" ") for case in cases], tmp_path)
    for (arguments, code, trouble, _, err, _), says in zip(results, cases.values(), strict=True):
        assert (code, trouble) == (1, ""), arguments
        assert err.startswith("biovita: "), err
        assert says in err
    biovita("data", "show", "X", "--memory", cwd=tmp_path).failed_plainly()


@pytest.mark.slow
def test_places_that_are_something_else_are_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "binary").write_bytes(bytes(range(256)) * 20)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere" / "x")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "names.csv").write_text("name\nPica pica\n")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "dataset.toml").write_text("format = 1\nname = 'x'\nversion = '1'\n[counts]\ntaxa = 0\n")
    (tmp_path / "bad" / "taxa.parquet").write_bytes(b"PAR1" + bytes(100) + b"PAR1")
    source = tmp_path / "source"
    source.mkdir()
    (source / "audio.csv").write_bytes(bytes(range(256)))
    (source / "images.csv").write_text("file,scientific_name\n")
    (tmp_path / "plan.toml").write_text("name = 'x'\n[[sources]]\nkind = 'folder'\npath = 'empty'\n")
    read = [command for command in COMMANDS if " X" in command and not command.startswith(("train", "models"))]
    written = (
        *("data import folder source --out P", "data build plan.toml --out P", "data export hub bad --out P"),
        *("simulate --species 4 --recordings 0 --photographs 0 --workers 1 --out P",),
        *("simulate embeddings --species 4 --audio 8 --images 8 --dim 4 --out P",),
        *(
            "taxonomy match names.csv --backbone names.csv --out P",
            "bench build bad --out P",
            "data pack bad --out P",
        ),
    )
    cases = [
        [*(place if word in {"X", "P"} else word for word in command.split())]
        for place in ("empty", "binary", "dangling", "loop", "binary/x", "l" * 300, "bad")
        for command in (*read, *(written if place not in {"empty", "bad"} else ()))
    ]
    for arguments, code, trouble, _, err, _ in many(cases, tmp_path):
        assert not trouble, (arguments, trouble)
        assert code in {0, 1, 2}
        if code == 1 and "check" not in arguments:
            assert "biovita: " in err, (arguments, err)
    outcome = biovita("data", "build", "plan.toml", "--out", "dangling", cwd=tmp_path).failed_plainly()
    assert "dangling" in outcome.err


def test_a_card_of_a_dataset_that_lacks_a_taxon_is_no_traceback(tmp_path: Path) -> None:
    photograph = {
        "id": "i",
        "taxon_id": "t\x1b[2J",
        "path": "i.png",
        "width": 1,
        "height": 1,
        "sha256": "0",
        "group_id": "g",
    }
    (tmp_path / "data").mkdir()
    tables = {"images": pa.Table.from_pylist([photograph], schema=IMAGES)}
    write_dataset(tmp_path / "data", tables, {"name": "x", "version": "1", "made": {"by": "a test"}})
    assert "which taxa.parquet lacks" in biovita("data", "card", "data", cwd=tmp_path).failed_plainly().err
