"""Every command with paths that lead to nothing, to something else, or where nothing can be written."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import get_type_hints

import pytest

from support.aligned_stub import stubs_known
from support.commands import Printed, all_commands, run_command
from support.folders import make_folder

COMMANDS = dict(all_commands())
GIVEN = {
    "archive create": "{new} {src} --model aligned-stub",
    "archive add": "{arch} {src}",
    "archive refresh": "{arch} {src}",
    "archive drop": "{arch} {src}",
    "archive info": "{arch}",
    "archive export": "{arch} --out {new}",
    "bench detect": "{src} --annotations {names} --format csv --run {void} --out {new}",
    "bench build": "{birds} --out {new}",
    "bench verify": "{bench}",
    "bench run": "{bench} --model random:4 --out {new}",
    "bench compare": "{bench} {bench} --out {new}",
    "bench traits": "{birds} --model starter",
    "bench export-mteb": "{bench} --out {new}",
    "bench run-mteb": "{bench} --model starter",
    "data import folder": "{src} --out {new}",
    "data split": "{birds} --unseen-list {names}",
    "data plan": "{plan}",
    "data build": "{plan} --out {new}",
    "data pack": "{birds} --out {new} --allow-outside",
    "data unpack": "{birds} --out {new}",
    "data card": "{birds}",
    "data export release": "{birds} --out {new} --allow-outside",
    "data export hub": "{birds} --out {new} --allow-outside",
    "data show": "{birds}",
    "data check": "{birds} --out {new}.parquet",
    "data relink": "{birds} {void} {src}",
    "demo": "--data {src} --out {new}",
    "embed": "{birds} --modality text",
    "identify": "{src} --out {new}",
    "identify calibrate": "{src} --out {new}",
    "models describe": "{void}",
    "models fetch": "{void}",
    "models export": "starter --out {new} --layout own",
    "search": "{arch} --image {picture} --out {new}.csv",
    "simulate": "--out {new} --species 2 --workers 1",
    "simulate embeddings": "--out {new} --species 4 --audio 8 --images 8 --dim 4",
    "simulate soundscape": "{birds} --backgrounds {src} --out {new} --any-background",
    "taxonomy backbone": "{taxa} --out {new}.parquet",
    "taxonomy match": "{names} --backbone {taxa} --out {new}.csv",
    "train": "starter/stage1 --data {birds} --out {new} --exclude {names} --set steps=1 weights.names=0",
    "traits import": "{birds} --csv {traits} --backbone {taxa}",
    "traits coverage": "{birds}",
    "traits predict": "{src} --data {birds} --out {new}.csv",
}
WITHOUT_PLACES = {"doctor", "models"}
READ_FIRST = {"bench compare"}  # two runs are read in no time, and nothing is computed before the page is written
LONG_IMPORTS = {"bench run-mteb", "train"}
# What takes folders, and files of any kind, one by one.
TAKING = ("identify", "identify calibrate", "archive create", "archive add", "archive refresh")
FINE = {(command, kind) for command in TAKING for kind in ("file", "empty")}
NAMES = {("train", "names", "file")}  # one word is a list of one name
LATE = {("bench detect", "src"), ("data split", "names")}  # only asked for once something else is found


@pytest.fixture(scope="module", autouse=True)
def model() -> Iterator[None]:
    with stubs_known():
        yield


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What commands take, and by other names what they do not."""
    root = tmp_path_factory.mktemp("places")
    names = ("src", "birds", "bench", "plan", "names", "taxa", "traits", "new", "void", "file", "empty", "folder")
    found = {name: root / name for name in names}
    make_folder(found["src"], 4)
    found |= {"arch": root / "arch", "picture": next(found["src"].rglob("*.png"))}
    found["plan"].write_text('name = "p"\n[[sources]]\nkind = "folder"\npath = "src"\n', encoding="utf-8")
    found["names"].write_text("name,class\nPica pica,Aves\n", encoding="utf-8")
    found["taxa"].write_text("taxonID,scientificName,taxonRank\n1,Pica pica,species\n", encoding="utf-8")
    found["traits"].write_text("name,label,value,class\nPica pica,diurnal,1,Aves\n", encoding="utf-8")
    found["file"].write_text("hello\n", encoding="utf-8")
    found["empty"].touch()
    (found["folder"] / "within").mkdir(parents=True)
    (found["folder"] / "notes.txt").write_text("mine\n", encoding="utf-8")
    for step in (
        ("data", "import", "folder", found["src"], "--out", found["birds"]),
        ("data", "split", found["birds"], "--unseen", 2),
        ("bench", "build", found["birds"], "--out", found["bench"]),
        ("archive", "create", found["arch"], found["birds"], "--model", "aligned-stub"),
    ):
        assert run_command(*step).code == 0
    return found


def listing(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*")}


def is_said(printed: Printed) -> bool:
    """Return whether a command ended with one sentence, or with how it is used."""
    last = printed.err.splitlines()[-1:]
    return (printed.code == 1 and last[0].startswith("biovita: ")) or (
        printed.code == 2 and "Error" in printed.err
    )


def words(command: str, places: dict[str, Path]) -> list[str]:
    return GIVEN[command].format(**places).split()


def taken(command: str) -> Iterator[int]:
    """Yield the places in a command's words where a path is read."""
    given = GIVEN[command].split()
    for at, word in enumerate(given):
        if word.startswith("{") and given[at - 1] != "--out" and word != "{new}":
            yield at


def test_every_command_is_walked() -> None:
    assert set(GIVEN) == set(COMMANDS) - WITHOUT_PLACES
    for command, function in COMMANDS.items():
        takes_out = "out" in get_type_hints(function)
        assert takes_out == ("--out" in GIVEN.get(command, "")), command
        parameters = inspect.signature(function).parameters.values()
        if any(each.kind == each.POSITIONAL_ONLY and "Path" in str(each.annotation) for each in parameters):
            assert list(taken(command)), command


@pytest.mark.parametrize(
    "command",
    [pytest.param(each, marks=pytest.mark.slow if each in LONG_IMPORTS else ()) for each in sorted(GIVEN)],
)
def test_a_path_to_nothing_or_to_something_else_is_said(command: str, places: dict[str, Path]) -> None:
    root = places["src"].parent
    wrong = {
        "folder": places["folder"],
        "file": places["file"],
        "missing": places["void"],
        "empty": places["empty"],
    }
    before = listing(root)
    for at in taken(command):
        for kind, place in wrong.items():
            given = words(command, places)
            if (command, kind) in FINE or given[at] == str(place) or GIVEN[command].split()[at] == "{void}":
                continue
            asked = GIVEN[command].split()[at].strip("{}")
            if ((command, asked) in LATE and kind != "missing") or (command, asked, kind) in NAMES:
                continue
            given[at] = str(place)
            printed = run_command(*command.split(), *given)
            assert is_said(printed), (given, printed)
            assert "overwrite" not in printed.err
            if kind == "folder":
                assert f"{place} does not exist" not in printed.err
    assert listing(root) == before


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(each, marks=pytest.mark.slow if each in LONG_IMPORTS else ())
        for each in sorted(GIVEN)
        if "--out" in GIVEN[each] and each not in READ_FIRST
    ],
)
def test_an_out_that_cannot_be_is_said_and_nothing_is_touched(command: str, places: dict[str, Path]) -> None:
    root = places["src"].parent
    before = listing(root)
    endings = {"taxonomy match": ".csv", "taxonomy backbone": ".parquet", "data check": ".parquet"}
    ending = {**endings, "traits predict": ".csv", "search": ".csv"}.get(command, "")
    for kind, place in {
        "below": places["file"] / f"below{ending}",
        "further below": places["file"] / "below" / f"further{ending}",
        "long": root / f"{'x' * 300}{ending}",
        "nul": f"{root}/a\0b",
        "file": places["file"],
        "folder": places["folder"],
    }.items():
        if ending and kind in {"file", "folder"}:  # its name has to end so
            continue
        if kind == "folder" and command in MADE_IN_PLACE:
            continue
        given = words(command, places)
        given[given.index("--out") + 1] = str(place)
        printed = run_command(*command.split(), *given)
        assert is_said(printed), (kind, printed)
        assert printed.code == 1
        assert printed.err.count("\n") == 1, printed.err
        assert "--overwrite" not in printed.err, printed.err
        assert any(advice in printed.err for advice in ADVICE), (kind, printed.err)
    assert places["file"].read_text(encoding="utf-8") == "hello\n"
    assert listing(root) == before


# They write some files into a folder that may hold others.
MADE_IN_PLACE = {"bench compare", "bench run", "bench detect", "data unpack", "demo", "identify calibrate"}
ADVICE = ("Choose", "no name or path can hold")
