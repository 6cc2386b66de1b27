"""What all commands share: flags of one meaning, results on standard output, everything else on standard error."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from biovita.cli import kit
from biovita.cli.app import command_line
from support.commands import Printed, all_commands, run_command
from support.folders import append, make_folder
from support.published_layouts import make, write_published

SHARED = {
    "as_json": kit.Json,
    "device": kit.Device,
    "overwrite": kit.Overwrite,
    "seed": kit.Seed,
    "workers": kit.Workers,
    "allow_outside": kit.AllowOutside,
    "media_root": kit.MediaRoot,
}
DEFAULTS = {"device": "auto", "seed": 0, "workers": None, "media_root": None}  # of the others: False
PLACES = {"out": {Path, Path | None, str}}  # str: it may be an address of object storage


COMMANDS = dict(all_commands())


def test_all_commands_are_walked() -> None:
    expected = {
        "data import folder",
        "data export hub",
        "bench run",
        "models describe",
        "simulate embeddings",
        "doctor",
    }
    assert expected <= set(COMMANDS)
    assert len(COMMANDS) > 25


def test_the_list_of_commands_says_what_they_say_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    listed = dict(re.findall(r"│ ([a-z]+) +(\S.*?) +│", run_command("--help").out))
    own = {name: each for name, each in command_line().resolved_commands().items() if not name.startswith("-")}
    assert listed == {name: each.help.split("\n\n")[0] for name, each in own.items()}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_shared_flag_means_the_same_everywhere(command: str) -> None:
    function = COMMANDS[command]
    hints = get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        if name in SHARED:
            assert hints[name] == SHARED[name], name
            assert parameter.default == DEFAULTS.get(name, False), name
            assert parameter.kind == inspect.Parameter.KEYWORD_ONLY
        if name in PLACES:
            assert hints[name] in PLACES[name]
    assert "as_json" in hints
    assert not {"json", "json_"} & set(hints)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_no_negative_flags_and_one_sentence_a_shared_flag(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    shown = run_command(*command.split(), "--help")
    assert shown.code == 0
    assert not re.findall(r"--(?:no|empty)-[a-z-]+", shown.out)
    assert "default: False" not in shown.out
    assert not shown.err
    for name in inspect.signature(COMMANDS[command]).parameters:
        if name in SHARED:
            (about,) = (each.help for each in get_args(SHARED[name])[1:])
            assert about in shown.out, name


@pytest.mark.parametrize("option", ["--no-json", "--no-overwrite", "--empty-column"])
def test_negatives_are_unknown_options(option: str) -> None:
    assert run_command("data", "import", "folder", "src", "--out", "out", option).code == 2


TRAITS = "name,label,value,class\nPica pica,diurnal,1,Aves\nNonsensia ficta,diurnal,1,Aves\n"


def steps(root: Path) -> Iterator[tuple[str, ...]]:
    """Give commands, each on what those before it made, below a folder whose name few encodings have."""
    src, birds, bench, model = (root / name for name in ("src", "birds", "bench", "model"))
    make_folder(src, 4)
    append(src / "audio.csv", "audio/none-鳥.wav,Pica pica,čáp,,,,,,,")
    (root / "plan.toml").write_text('name = "p"\n[[sources]]\nkind = "folder"\npath = "src"\n', encoding="utf-8")
    (root / "names.csv").write_text("name,class\nPica pica,Aves\nNonsensia fictá,Aves\n", encoding="utf-8")
    (root / "taxa.csv").write_text("taxonID,scientificName,taxonRank\n1,Pica pica,species\n", encoding="utf-8")
    (root / "traits.csv").write_text(TRAITS, encoding="utf-8")
    for each in (
        ("data import folder", src, "--out", birds),
        ("data show", birds),
        ("data check", birds),
        ("data split", birds, "--unseen", 2),
        ("data plan", root / "plan.toml"),
        ("data build", root / "plan.toml", "--out", root / "built"),
        ("data card", birds),
        ("data export release", birds, "--out", root / "release", "--allow-outside"),
        ("data export hub", birds, "--out", root / "hub", "--allow-outside"),
        ("data pack", birds, "--out", root / "birds.lance", "--allow-outside"),
        ("data unpack", root / "birds.lance", "--out", birds),
        ("traits import", birds, "--csv", root / "traits.csv"),
        ("traits coverage", birds),
        ("taxonomy backbone", root / "taxa.csv", "--out", root / "backbone.parquet"),
        ("taxonomy match", root / "names.csv", "--backbone", root / "taxa.csv", "--out", root / "decisions.csv"),
        ("bench build", birds, "--out", bench),
        ("bench verify", bench),
        ("bench run", bench, "--model", "random:4"),
        ("bench run", bench, "--model", "random:8"),
        ("bench compare", bench / "runs" / "random-4", bench / "runs" / "random-8", "--out", root / "compared"),
        ("models",),
        ("models describe", write_published(make(), model)),
        ("models export", model, "--out", root / "exported"),
        ("models fetch", "starter"),
        ("train", "--list"),
        ("train starter/stage1", "--print"),
        (
            "simulate",
            "--species",
            2,
            "--recordings",
            1,
            "--photographs",
            1,
            "--workers",
            1,
            "--out",
            root / "fauna",
        ),
        (
            "simulate embeddings",
            "--species",
            4,
            "--audio",
            8,
            "--images",
            8,
            "--dim",
            4,
            "--out",
            root / "vectors",
        ),
        ("doctor",),
    ):
        command, *rest = map(str, each)
        yield (*command.split(), *rest)


NOT_RUN = {
    "traits predict",
    "archive create",
    "archive add",
    "archive refresh",
    "archive drop",
    "archive info",
    "archive export",
    "search",
    "demo",
    "embed",
    "data relink",
    "bench traits",
    "bench export-mteb",
    "bench run-mteb",
    "identify",
    "identify calibrate",
    "bench detect",
    "simulate soundscape",
}  # they take long; their own tests do


def test_the_steps_are_all_commands(tmp_path: Path) -> None:
    lines = [" ".join(step) for step in steps(tmp_path)]
    assert {each for each in COMMANDS if not any(line.startswith(each) for line in lines)} == NOT_RUN


def run_steps(root: Path, *more: str, encoding: str = "utf-8") -> Iterator[tuple[str, Printed]]:
    root.mkdir()
    for step in steps(root):
        printed = run_command(*step, *more, encoding=encoding)
        assert printed.code == 0, (step, printed)
        yield " ".join(step[:3]), printed


@pytest.mark.slow
def test_with_json_standard_output_is_json_and_nothing_else(tmp_path: Path) -> None:
    for command, printed in run_steps(tmp_path / "vögel-鳥", "--json"):
        assert printed.json() or command.startswith("data check"), command
        assert printed.out.count("\n") == 1 or '\n  "' in printed.out or "\n  {" in printed.out, command


@pytest.mark.slow
def test_what_the_console_cannot_show_is_replaced(tmp_path: Path) -> None:
    texts = {}
    for command, printed in run_steps(tmp_path / "vögel-鳥", encoding="ascii"):
        assert printed.out, command
        assert "Traceback" not in printed.err, command
        texts[command] = printed
    assert sum("v\\u00f6gel-\\u9ce5" in printed.out for printed in texts.values()) > 10
    assert "1 rejected: 1 missing" in texts["data import folder"].out
    assert "lists what was left out" in texts[f"bench build {tmp_path / 'vögel-鳥' / 'birds'}"].err
    assert "data unpack does not write files outside" in "".join(printed.err for printed in texts.values())


def test_what_the_console_can_show_is_left_as_it_is(tmp_path: Path) -> None:
    _, printed = next(run_steps(tmp_path / "vögel-鳥", encoding="cp1252"))
    assert "vögel-\\u9ce5" in printed.out


def test_notes_go_to_standard_error(tmp_path: Path) -> None:
    src = make_folder(tmp_path / "src")
    lines = (src / "audio.csv").read_text(encoding="utf-8").splitlines()
    told = [f"{line},{'weather' if place == 0 else 'rain'}" for place, line in enumerate(lines)]
    (src / "audio.csv").write_text("\n".join(told) + "\n", encoding="utf-8")
    printed = run_command("data", "import", "folder", src, "--out", tmp_path / "birds")
    assert "columns not used: audio.csv: weather" in printed.err
    assert printed.out == f"{tmp_path / 'birds'}: 6 recordings and 6 photographs of 3 taxa\nnone rejected\n"


def test_a_table_has_a_line_a_row_and_numbers_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    kit.print_table(["name", "count", "share"], [["鳥", 1234, "+1.5"], ["x" * 200, 5, ""], ["a\nb", 6, "-"]])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[0].endswith("count  share")
    assert lines[1] == "鳥" + " " * 198 + "  1,234   +1.5"
    assert lines[2] == "x" * 200 + "      5"
    assert lines[3].split() == ["a\\nb", "6", "-"]


def test_json_says_what_dataclasses_and_paths_are(capsys: pytest.CaptureFixture[str]) -> None:
    kit.print_json({"path": Path("a"), "row": Printed(0, "ü", "")})
    assert capsys.readouterr().out == (
        '{\n  "path": "a",\n  "row": {\n    "code": 0,\n    "out": "ü",\n    "err": ""\n  }\n}\n'
    )
    with pytest.raises(TypeError, match="a result holds a set"):
        kit.print_json({1, 2})
