"""What the command line says of consoles, odd names of files and full disks; and what it leaves behind."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from biovita.cli import app
from support.commands import run_command
from support.folders import make_folder

ODD = os.fsdecode(b"d\xe4mmerung")  # "dämmerung" in Latin-1


@pytest.fixture(scope="module")
def src(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_folder(tmp_path_factory.mktemp("console") / "src", per_species=1)
    for table in ("audio", "images"):
        file = folder / f"{table}.csv"
        file.write_text(file.read_text(encoding="utf-8").replace("Eurasian Magpie", "Skjære 🐦"), encoding="utf-8")
    return folder


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp932"])
def test_no_encoding_of_a_console_ends_a_command(src: Path, tmp_path: Path, encoding: str) -> None:
    out = tmp_path / "Waldkäuze ū"
    made = run_command("data", "import", "folder", src, "--out", out, encoding=encoding)
    assert made.code == 0
    assert "uze \\u016b: 3 recordings" in made.out
    failed = run_command("data", "check", out / "nothing", encoding=encoding)
    assert failed.code == 1
    assert failed.err.startswith("biovita: ")
    assert "\\u016b/nothing" in failed.err
    assert run_command("data", "--help", encoding=encoding).code == 0
    assert run_command("data", "show", "--ū", encoding=encoding).code == 2


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_json_is_the_same_on_every_console(src: Path, tmp_path: Path, encoding: str) -> None:
    out = tmp_path / "Waldkäuze ū 🐦"
    assert run_command("data", "import", "folder", src, "--out", out).code == 0
    plain, other = (run_command("data", "show", out, "--json", encoding=e).out for e in ("utf-8", encoding))
    assert json.loads(plain) == json.loads(other)
    assert json.loads(other)["name"] == out.name
    assert (out / "dataset.toml").read_text(encoding="utf-8")


def test_a_name_that_is_not_utf_8_is_said_and_nothing_is_left(src: Path, tmp_path: Path) -> None:
    odd = tmp_path / ODD
    os.rename(make_folder(tmp_path / "plain", per_species=1), odd)  # noqa: PTH104 - the name is bytes
    before = sorted(tmp_path.iterdir())
    for arguments in (
        ("data", "import", "folder", odd, "--out", tmp_path / "ds", "--copy"),
        ("data", "import", "folder", odd, "--out", tmp_path / "ds"),
        ("data", "show", tmp_path / f"not-{ODD}"),
    ):
        printed = run_command(*arguments)
        assert printed.code == 1
        assert printed.err.count("\n") == 1, printed.err
        assert "d\\udce4mmerung" in printed.err
    said = run_command("data", "import", "folder", odd, "--out", tmp_path / "ds").err
    assert "mmerung/audio/Pica_pica_0.wav holds bytes that are not UTF-8" in said
    assert "Rename the file or folder" in said
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("number", "mend"), [(errno.ENOSPC, "Make room"), (errno.EDQUOT, "quota"), (errno.EFBIG, "ulimit -f")]
)
@pytest.mark.parametrize("form", ["system", "text"])
def test_a_disk_that_takes_no_more_is_said_with_the_way_out(
    src: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, mend: str, form: str
) -> None:
    """As the system says it, and as Lance, DuckDB and safetensors do."""
    import pyarrow.parquet as pq

    says = os.strerror(number)
    error = OSError(number, says) if form == "system" else RuntimeError(f"IO Error: {says} (os error {number})")
    monkeypatch.setattr(pq, "write_table", lambda *_, **__: (_ for _ in ()).throw(error))
    printed = run_command("data", "import", "folder", src, "--out", tmp_path / "ds")
    assert printed.code == 1
    assert printed.err.startswith(f"biovita: {says}: {tmp_path / 'ds'}")
    assert mend in printed.err
    assert list(tmp_path.iterdir()) == []


def test_other_errors_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (RuntimeError("a fault of ours"), UnicodeEncodeError("ascii", "ü", 0, 1, "no"), OSError("odd")):
        monkeypatch.setattr(app, "_run", lambda _, error=error: (_ for _ in ()).throw(error))
        with pytest.raises(type(error)):
            run_command("models")


def test_another_encoding_of_names_of_files_starts_python_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(os, "execve", lambda _, arguments, env: started.append((arguments, env)))
    monkeypatch.delenv("PYTHONIOENCODING", raising=False)
    monkeypatch.setenv("PYTHONUTF8", "0")
    app._begin_in_utf8()
    assert started == []
    monkeypatch.setattr(app.sys, "getfilesystemencoding", lambda: "iso8859-1")
    app._begin_in_utf8()
    ((arguments, env),) = started
    assert arguments[1:] == app.sys.orig_argv[1:]
    assert env["PYTHONUTF8"] == "1"
    assert env["PYTHONIOENCODING"]
    monkeypatch.setenv("PYTHONUTF8", "1")
    app._begin_in_utf8()
    assert len(started) == 1, "not a second time"
