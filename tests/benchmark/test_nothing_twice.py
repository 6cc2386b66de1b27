"""From `embed` to a benchmark's report, each command a process of its own: what is decoded, and what is encoded."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from biovita.dataset import split_dataset
from support.counted import count
from support.forked import finish, start
from support.tiny_training import write_tiny


class Log:
    """What was decoded and encoded, command by command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *command: str | Path) -> tuple[Counter[str], Counter[str]]:
        """Run a command of biovita; return how often it decoded each file, and encoded each item."""
        file = self.folder / "log.txt"
        file.write_text("")
        said = self.folder / "said.txt"
        assert finish(start(command, said, first=partial(count, file))) == 0, said.read_text()
        lines = file.read_text().splitlines()
        found = [Counter(line for line in lines if line.startswith(kind)) for kind in ("decoded ", "encoded ")]
        return Counter({line.removeprefix("decoded "): n for line, n in found[0].items()}), found[1]


@pytest.mark.slow
def test_no_file_is_decoded_twice_and_no_item_encoded_twice(tmp_path: Path) -> None:
    dataset = write_tiny(tmp_path / "birds", species=8, each=4)
    split_dataset(dataset, unseen=3, seed=0)
    birds, log = dataset.path, Log(tmp_path)
    rows = [row for table in (dataset.audio, dataset.images) for row in table.to_pylist()]
    media = {Path(row["path"]).name: row["split"] for row in rows}
    assert set(media.values()) == {"train", "seen", "unseen"}

    decoded, embedded = log.run("embed", birds, "--device", "cpu")
    assert decoded == dict.fromkeys(media, 1)
    assert set(embedded.values()) == {1}

    settings = ("--set", "steps=2", "weights.names=0")
    run = ("train", "starter/stage1", "--data", birds, "--out", tmp_path / "run", "--device", "cpu", *settings)
    assert log.run(*run) == (Counter(), Counter())
    assert log.run("bench", "build", birds) == (Counter(), Counter())

    run = ("bench", "run", birds / "bench" / "standard", "--model", tmp_path / "run", "--out", tmp_path / "out")
    shown, encoded = log.run(*run, "--device", "cpu")
    assert not encoded
    assert set(shown.values()) == {1}, "a report reads what it shows, once"
    assert {media[name] for name in shown} == {"unseen"}, "and nothing else: its examples are of unseen species"
    assert not (tmp_path / "out" / "vectors").exists()
    assert (tmp_path / "out" / "report.html").is_file()
