"""Files and directories that are written whole or not at all, and locks."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from biovita.errors import DatasetError
from biovita.files import (
    full_disk,
    locked,
    make_directory,
    new_directory,
    replacing,
    require_file,
    require_possible,
    require_replaceable,
    write_whole,
)


def listing(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): path.read_text() if path.is_file() else "" for path in sorted(root.rglob("*"))
    }


def write(path: Path, text: str, *, error: BaseException | None = None, **options: Any) -> None:
    with new_directory(path, **options) as directory:
        (directory / "a").write_text(text)
        if error is not None:
            raise error


def test_a_new_directory_is_there_at_the_end(tmp_path: Path) -> None:
    write(tmp_path / "x" / "y" / "z", "1")
    assert listing(tmp_path) == {"x": "", "x/y": "", "x/y/z": "", "x/y/z/a": "1"}
    with pytest.raises(DatasetError, match="already exists"):
        write(tmp_path / "x" / "y" / "z", "2")
    write(tmp_path / "x" / "y" / "z", "2", replace=True)
    assert listing(tmp_path / "x" / "y") == {"z": "", "z/a": "2"}
    (tmp_path / "x" / "y" / "z" / "kept").mkdir()
    write(tmp_path / "x" / "y" / "z", "3", replace=True, keep=["kept", "none"])
    assert listing(tmp_path / "x" / "y") == {"z": "", "z/a": "3", "z/kept": ""}
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty", "4")


def test_only_what_is_of_its_kind_is_replaced(tmp_path: Path) -> None:
    write(tmp_path / "mine", "my notes")
    (tmp_path / "file").write_text("my file")
    before = listing(tmp_path)
    with pytest.raises(DatasetError, match=r"mine is not replaced: it has no config\.json"):
        write(tmp_path / "mine", "2", replace=True, marker="config.json")
    with pytest.raises(DatasetError, match="is a file, and is not replaced by a directory"):
        write(tmp_path / "file", "2", replace=True, marker="config.json")
    assert listing(tmp_path) == before
    write(tmp_path / "mine", "2", replace=True, marker="a")
    assert listing(tmp_path / "mine") == {"a": "2"}


def test_others_may_read_what_the_umask_lets_them(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with new_directory(tmp_path / "x") as directory:
            (directory / "weights").touch(0o600)
        assert (tmp_path / "x" / "weights").stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)


@pytest.mark.parametrize("error", [ValueError(), KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_whatever_stops_it_nothing_is_left(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)):
        write(tmp_path / "x" / "y" / "z", "1", error=error)
    assert listing(tmp_path) == {}
    write(tmp_path / "z", "1")
    with pytest.raises(type(error)):
        write(tmp_path / "z", "2", replace=True, error=error)
    assert listing(tmp_path) == {"z": "", "z/a": "1"}


def test_a_replacement_that_cannot_be_put_in_place_brings_the_old_one_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "z", "1")
    (tmp_path / "z" / "kept").mkdir()
    rename = Path.rename

    def once(self: Path, target: Path) -> Path:
        if target == tmp_path / "z" and (self / "a").is_file() and (self / "a").read_text() == "2":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", once)
    with pytest.raises(OSError, match="Input/output"):
        write(tmp_path / "z", "2", replace=True, keep=["kept"])
    assert listing(tmp_path) == {"z": "", "z/a": "1", "z/kept": ""}


def test_a_file_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="not a directory"):
        write(tmp_path / "file" / "z", "1")


@pytest.mark.parametrize("shared", [False, True])
def test_a_file_is_replaced_at_the_end_of_the_block(tmp_path: Path, shared: bool) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    with replacing(file, shared=shared) as scratch:
        scratch.write_text("new")
        assert file.read_text() == "old"
        assert scratch.parent == tmp_path  # the same file system
    assert listing(tmp_path) == {"a.txt": "new"}


@pytest.mark.parametrize("error", [ValueError(), KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_whatever_stops_it_the_file_is_as_it_was(tmp_path: Path, error: BaseException) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")

    def stopped() -> None:
        with replacing(file) as scratch:
            scratch.write_text("half")
            raise error

    with pytest.raises(type(error)):
        stopped()
    assert listing(tmp_path) == {"a.txt": "old"}


def test_a_disk_that_takes_no_more_is_told_of_by_number_or_text() -> None:
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        says = os.strerror(number)
        for error in (
            OSError(number, "x"),
            ValueError(f"LanceError(IO): {says}"),
            OSError(f"IO: {says} (os error)"),
        ):
            assert full_disk(error) == number
    for other in (OSError(errno.EIO, "No space left on device"), ValueError("No"), KeyboardInterrupt()):
        assert full_disk(other) is None


def _write_much(folder: Path) -> None:
    """Write within a limit on the size of files, as ``ulimit -f`` sets it, and tell what was raised."""
    import resource

    import pyarrow as pa
    import pyarrow.parquet as pq

    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    much = pa.table({"a": pa.array(os.urandom(8) for _ in range(4000))})
    written = {
        "text.csv": lambda scratch: scratch.write_text("a" * 10_000),
        "table.parquet": lambda scratch: pq.write_table(much, scratch),
    }
    for name, write in written.items():
        with pytest.raises(OSError, match="File too large") as caught, replacing(folder / name) as scratch:
            write(scratch)
        assert caught.value.errno == errno.EFBIG
        assert caught.value.filename == str(folder / name)
    with pytest.raises(OSError, match="File too large") as caught, new_directory(folder / "ds") as directory:
        (directory / "a.wav").write_bytes(bytes(10_000))
    assert caught.value.filename == str(folder / "ds")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits are those of POSIX systems")
def test_a_limit_on_file_sizes_names_the_file_and_leaves_none(tmp_path: Path) -> None:
    (tmp_path / "text.csv").write_text("old")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _write_much(tmp_path)
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert listing(tmp_path) == {"text.csv": "old"}


def test_a_link_in_the_place_of_the_temporary_file_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    (tmp_path / ".a.txt.part").symlink_to(precious)
    write_whole(tmp_path / "a.txt", "new")
    assert listing(tmp_path) == {"a.txt": "new", "precious.txt": "mine"}


def test_processes_that_share_a_file_do_not_write_into_one_another(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    with replacing(file, shared=True) as first, replacing(file, shared=True) as second:
        first.write_text("first")
        second.write_text("second")
    assert listing(tmp_path) == {"a.txt": "first"}  # the outer block ends last


def test_text_is_written_with_the_same_bytes_on_every_system(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.csv", "name\r\nGrünspecht\n")
    assert (tmp_path / "a.csv").read_bytes() == b"name\r\nGr\xc3\xbcnspecht\n"


_HOLD = """
import pathlib, sys
from biovita.files import full_disk, locked
with locked(pathlib.Path(sys.argv[1]), "busy"):
    print("in", flush=True)
    sys.stdin.read()
"""


def test_a_lock_is_held_by_one_and_a_killed_process_holds_none(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "in\n"
        for wait_s in (0.0, 0.1):
            with pytest.raises(DatasetError, match="busy"), locked(lock, "busy", wait_s=wait_s):
                pass
        holder.kill()
    with locked(lock, "busy"), pytest.raises(DatasetError, match="busy"), locked(lock, "busy"):
        pass
    with locked(lock, "busy"):
        pass


def test_a_lock_leaves_the_content_of_its_file_and_follows_no_link(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.write_text("mine")
    with locked(lock, "busy"):
        assert lock.read_text() == "mine"
    (tmp_path / "led").symlink_to(lock)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for link in ("led", "dangling"):
        refused = pytest.raises(DatasetError, match="is a link, and biovita locks regular files only")
        with refused, locked(tmp_path / link, "busy"):
            pass
    assert not (tmp_path / "nowhere").exists()


def test_what_cannot_be_made_is_said_before_anything_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "lost").symlink_to(tmp_path / "nowhere")
    for place, says in {
        "file": r"file cannot be made: .*file is not a directory\. Choose",
        "file/a/b": r"b cannot be made: .*file is not a directory\. Choose",
        "lost/a": r"lost is a link to .*nowhere, which does not exist",
        f"new/{'ü' * 130}": "a name in it has 260 bytes, and 240 are the most",
        "a\0b": "which no path can hold",
    }.items():
        with pytest.raises(DatasetError, match=says):
            require_possible(tmp_path / place)
        with pytest.raises(DatasetError):
            make_directory(tmp_path / place)
    require_possible(tmp_path / "new" / "x" / "y")
    require_possible(tmp_path)
    before = listing(tmp_path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(DatasetError, match=r"you may not write in .*\. Choose another place"):
        require_possible(tmp_path / "new")
    assert listing(tmp_path) == before


def test_overwrite_is_advised_only_where_it_helps(tmp_path: Path) -> None:
    write(tmp_path / "made", "1")
    (tmp_path / "file").touch()
    for place, marker in (("made", "config.json"), ("made", None), ("file", "a")):
        with pytest.raises(DatasetError, match=r"Choose another place$") as caught:
            require_replaceable(tmp_path / place, marker=marker)
        assert "already exists" in str(caught.value)
        with pytest.raises(DatasetError, match=r"Choose another place$"):
            write(tmp_path / place, "2", replace=True, marker=marker)
    with pytest.raises(DatasetError, match="or give --overwrite to replace it"):
        require_replaceable(tmp_path / "made", marker="a")
    assert require_replaceable(tmp_path / "made", marker="a", replace=True) == tmp_path / "made"
    assert require_replaceable(tmp_path / "new") == tmp_path / "new"


def test_a_folder_where_a_file_is_meant_is_called_one(tmp_path: Path) -> None:
    for place, what in ((tmp_path, "is a folder"), (tmp_path / "none", "does not exist")):
        with pytest.raises(DatasetError, match=rf"{what}\. Give a list$"):
            require_file(place, "Give a list")
