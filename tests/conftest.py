"""What several test modules need."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from biovita.modality import Modality
from biovita.model import Model, describe, load_model
from biovita.simulation import simulate_media
from biovita.towers import Encoder
from biovita.towers.minilm import MiniLM
from biovita.training.projections.names_without_media import NamedClasses
from support.forked import call
from support.known_texts import KnownTexts
from support.page_steps import steps_not_run
from support.page_worlds import write_world

gc.disable()  # until all tests are collected


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: at the end no process is left alone with it while the others have no work.

    The tests of a module stay together, so that what they share is made once.
    """
    slow = {item.path for item in items if "slow" in item.keywords}
    items.sort(key=lambda item: (not item.path.name.startswith("test_demo"), item.path not in slow))


def pytest_collection_finish() -> None:
    """Let what was imported lie: it stays to the end, and need not be looked through again and again."""
    gc.freeze()
    gc.enable()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how much of the pages was not run, and why, wherever pages were followed."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, ())]
    if any("test_docs_run.py" in report.nodeid for report in reports):
        terminalreporter.section("not run of the pages")
        terminalreporter.write("\n".join(steps_not_run()) + "\n")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real test data beside the repository, or skip."""
    root = Path(os.environ.get("BIOVITA_SHARED", Path(__file__).parents[1].parent / "shared")) / "data"
    if not root.is_dir():
        pytest.skip(f"the real test data are not here: {root} (set BIOVITA_SHARED to the folder that has them)")
    return root


@pytest.fixture(scope="session")
def starter() -> Model:
    """Return the model of the three towers that install from the registry, open on the CPU."""
    return load_model(describe("starter").towers, "cpu")


@pytest.fixture(scope="session")
def starter_towers(starter: Model) -> Mapping[Modality, Encoder]:
    """Return its towers."""
    return starter.towers


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that the processes of a run of the tests share."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "common"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def fauna(common: Path) -> Path:
    """Return a simulated fauna as a dataset, which takes a minute to make; tests write to copies of it."""
    with FileLock(common / "fauna.lock"):
        if not (common / "fauna").exists():
            simulate_media(common / "fauna", 60, recordings=4, photographs=6, workers=1, progress=False)
    return common / "fauna"


@pytest.fixture(scope="session")
def world(common: Path) -> Path:
    """Return the small world in which the pages are followed, which takes half a minute to make; it is only read."""
    with FileLock(common / "world.lock"):
        if not (common / "world").exists():
            call(write_world, common / "making")
            (common / "making").rename(common / "world")
    return common / "world"


@pytest.fixture(scope="session")
def known_texts(common: Path) -> KnownTexts:
    """Return where `a_tenth_of_the_names` keeps vectors."""
    (common / "texts").mkdir(exist_ok=True)
    return KnownTexts(common / "texts")


@pytest.fixture(scope="module")
def a_tenth_of_the_names(known_texts: KnownTexts) -> Iterator[None]:
    """Let training know every tenth name of the classifiers, and MiniLM encode each once: all take two minutes."""
    from biovita.training.projections import training_set

    encode, named = MiniLM.encode, training_set.named_classes

    def tenth(tower: Encoder) -> NamedClasses | None:
        known = named(tower)
        if known is None:
            return None
        return NamedClasses(known.modality, known.names[::10], known.texts[::10], known.weights[::10])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_set, "named_classes", tenth)
        patch.setattr(
            MiniLM, "encode", lambda tower, batch: known_texts.encode(lambda new: encode(tower, new), batch)
        )
        yield
