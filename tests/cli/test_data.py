"""``biovita data`` as a user runs it: output, exit codes, and what is left after it was stopped."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from biovita.cli import main
from biovita.dataset import Dataset
from support.folders import append, make_folder


@pytest.fixture
def src(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "src")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "ds"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as exited:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return int(exited.value.code or 0), captured.out, captured.err


def test_import_show_check(src: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text, _ = run(capsys, "data", "import", "folder", src, "--out", out)
    assert code == 0
    assert text == f"{out}: 6 recordings and 6 photographs of 3 taxa\nnone rejected\n"
    code, text, _ = run(capsys, "data", "show", out)
    assert code == 0
    assert (
        text.splitlines()[0]
        == f"{out.name} version 1: 3 taxa in 3 families, 3 of them with recordings and photographs"
    )
    assert any(line.split() == ["Aves", "1", "1", "2", "2", "0", "min", "02", "s"] for line in text.splitlines())
    assert any(line.split() == ["CC0-1.0", "6", "6"] for line in text.splitlines())
    code, text, _ = run(capsys, "data", "check", out, "--hashes")
    assert (code, text) == (0, f"{out}: nothing is wrong\n")


def test_json(src: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    append(src / "audio.csv", "audio/none.wav,Pica pica,,,,,,,,")
    code, text, _ = run(capsys, "data", "import", "folder", src, "--out", out, "--json")
    report = json.loads(text)
    assert (code, report["audio"], report["rejected"], report["reasons"]) == (0, 6, 1, {"missing": 1})
    _, text, _ = run(capsys, "data", "show", out, "--json")
    assert json.loads(text)["classes"][0]["name"] in {"Aves", "Amphibia", "Mammalia"}
    (src / "images" / "Pica_pica_0.png").unlink()
    code, text, _ = run(capsys, "data", "check", out, "--json")
    assert code == 1
    assert [problem["code"] for problem in json.loads(text)] == ["missing-file"]


def test_rejected_records_are_counted_and_strict_exits_with_1(
    src: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    append(src / "audio.csv", "audio/none.wav,Pica pica,,,,,,,,", "audio/Pica_pica_0.wav,,,,,,,,,")
    arguments = ("data", "import", "folder", src, "--out", out)
    code, text, _ = run(capsys, *arguments)
    assert code == 0
    assert f"2 rejected: 1 missing, 1 missing-name. Each is listed in {out / 'rejected.parquet'}" in text
    code, text, _ = run(capsys, *arguments, "--strict", "--overwrite")
    assert code == 1
    assert "2 rejected" in text
    assert Dataset.open(out).audio.num_rows == 6


def test_problems_are_named_one_a_line(src: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "data", "import", "folder", src, "--out", out)
    for name in ("Pica_pica_0", "Rana_temporaria_1"):
        (src / "audio" / f"{name}.wav").unlink()
    code, text, _ = run(capsys, "data", "check", out)
    assert code == 1
    lines = text.splitlines()
    assert len(lines) == 3
    assert "Pica_pica_0.wav: there is no such file [missing-file]" in lines[0]
    assert lines[2] == f"{out}: 2 problems"


def test_columns_by_other_names(src: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for table in ("audio.csv", "images.csv"):
        text = (src / table).read_text().replace("file,scientific_name", "path,species", 1)
        (src / table).write_text(text)
    arguments = ("data", "import", "folder", src, "--out", out)
    code, _, error = run(capsys, *arguments)
    assert code == 1
    assert "give --column file=path scientific_name=species" in error
    code, text, _ = run(capsys, *arguments, "--column", "file=path", "--column", "scientific_name=species")
    assert code == 0
    assert "6 recordings" in text
    for wrong, said in (("file", "FIELD=COLUMN"), ("file=", "FIELD=COLUMN"), ("fiel=path", "Did you mean 'file'")):
        code, _, error = run(capsys, *arguments, "--column", wrong)
        assert code == 1
        assert said in error
    code, _, error = run(capsys, *arguments, "--column", "file=path", "--column", "file=species")
    assert code == 1
    assert "already" in error


def test_split_belongs_to_the_group(src: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "data", "import", "folder", src, "--out", out)
    code, _, _ = run(capsys, "data", "split", out, "--unseen", "1", "--held-out", "0.5", "--json")
    assert code == 0
    code, text, _ = run(capsys, "data", "show", out)
    assert any(line.split() == ["unseen", "2", "2"] for line in text.splitlines())
    assert run(capsys, "data", "check", out)[0] == 0


# --- what goes wrong


def test_wrong_places_are_said_in_one_line(src: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ("data", "import", "folder", src / "no", "--out", out),
        ("data", "import", "folder", src / "images.csv", "--out", out),
        ("data", "import", "folder", src, "--out", src / "audio.csv" / "x"),
        ("data", "import", "folder", src, "--out", src / "audio"),
        ("data", "show", out),
        ("data", "show", src),
        ("data", "check", src / "audio.csv"),
    ):
        code, text, error = run(capsys, *arguments)
        assert code == 1
        assert text == ""
        assert error.startswith("biovita: ")
        assert error.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize("copy", [False, True])
def test_a_full_disk_leaves_nothing(
    src: Path, out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, copy: bool
) -> None:
    def full(_: object, target: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))

    monkeypatch.setattr(*((shutil, "copyfile") if copy else (pq, "write_table")), full)
    before = sorted(src.parent.rglob("*"))
    code, _, error = run(capsys, "data", "import", "folder", src, "--out", out, *(["--copy"] if copy else []))
    assert code == 1
    assert error.startswith("biovita: No space left on device: ")
    assert sorted(src.parent.rglob("*")) == before


def test_a_full_disk_leaves_the_old_dataset(
    src: Path, out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(capsys, "data", "import", "folder", src, "--out", out)
    before = {file: file.read_bytes() for file in sorted(out.rglob("*"))}
    monkeypatch.setattr(Path, "write_text", lambda *_, **__: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    code, _, _ = run(capsys, "data", "import", "folder", src, "--out", out, "--overwrite")
    assert code == 1
    assert {file: file.read_bytes() for file in sorted(out.rglob("*"))} == before
    assert sorted(path.name for path in out.parent.iterdir()) == ["ds", "src"]


# Runs ``biovita`` as on a disk that takes half a second a recording.
SLOWLY = """
import sys, time
from biovita.cli import main
from biovita.sources import inspect
look = inspect.probe_audio
inspect.probe_audio = lambda *file: (time.sleep(0.5), look(*file))[1]
main(sys.argv[1:])
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
@pytest.mark.parametrize("existing", [False, True])
def test_ctrl_c_leaves_nothing_half_written(
    src: Path, out: Path, capsys: pytest.CaptureFixture[str], existing: bool
) -> None:
    if existing:
        run(capsys, "data", "import", "folder", src, "--out", out)
    before = {file.name: file.read_bytes() for file in out.iterdir()} if existing else None
    command = [sys.executable, "-c", SLOWLY, "data", "import", "folder", str(src), "--out", str(out)]
    process = subprocess.Popen(
        [*command, "--workers", "1", *(["--overwrite"] if existing else [])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not any(path.name.startswith(".ds.") for path in out.parent.iterdir()):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    text, error = process.communicate(timeout=60)
    # Where the interrupt came while Python ran a text as code, as dataclasses do when they are imported, Python ends by
    # the signal itself after all was handled. A shell says 130 of both.
    assert process.returncode in {130, -signal.SIGINT}, error
    assert text == ""
    assert error.startswith("biovita: Stopped")
    assert "Traceback" not in error
    assert sorted(path.name for path in out.parent.iterdir()) == (["ds", "src"] if existing else ["src"])
    if existing:
        assert {file.name: file.read_bytes() for file in out.iterdir()} == before


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="pipes as POSIX has them")
def test_a_reader_that_has_gone_is_no_error(src: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "data", "import", "folder", src, "--out", out)
    for arguments in (["show", str(out), "--json"], ["check", str(out)]):
        read, write = os.pipe()
        os.close(read)
        command = [sys.executable, "-m", "biovita", "data", *arguments]
        done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
        os.close(write)
        assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--help"], ["data", "--help"], ["data", "import", "folder", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    heavy = "torch", "transformers", "open_clip", "timm", "pyarrow", "matplotlib", "lance", "soundfile", "PIL"
    code = (
        "import sys\nfrom biovita.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        f"sys.exit(','.join(name for name in {heavy!r} if name in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_bounded_number_of_problems_is_printed(
    src: Path, out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run(capsys, "data", "import", "folder", src, "--out", out)
    shutil.rmtree(src)
    monkeypatch.setattr("biovita.dataset.problems._SHOWN", 5)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code, text, notes = run(capsys, "data", "check", out)
    assert code == 1
    assert text.splitlines()[5:] == ["and 7 more, in all 12 missing-file", f"{out}: 12 problems"]
    (listed,) = tmp_path.glob("biovita-problems-*.parquet")
    assert f"{listed} lists all problems: 12" in notes
    assert "12 files are missing. If they were moved" in notes
    _, text, _ = run(capsys, "data", "check", out, "--json", "--out", tmp_path / "all.parquet")
    assert len(json.loads(text)) == 5
    assert pq.read_table(tmp_path / "all.parquet").equals(pq.read_table(listed))
