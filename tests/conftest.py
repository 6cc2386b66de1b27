"""What several test modules need."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from biovita.modality import Modality
from biovita.model import Model, describe, load_model
from biovita.towers import Encoder
from biovita.towers.minilm import MiniLM
from support.known_texts import KnownTexts


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: at the end no process is left alone with it while the others have no work."""
    items.sort(key=lambda item: (not item.path.name.startswith("test_demo"), "slow" not in item.keywords))


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
def known_texts(tmp_path_factory: pytest.TempPathFactory) -> KnownTexts:
    """Return where `each_text_once` keeps vectors; the processes of a run of the tests share the folder."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "texts"
    folder.mkdir(exist_ok=True)
    return KnownTexts(folder)


@pytest.fixture(scope="module")
def each_text_once(known_texts: KnownTexts) -> Iterator[None]:
    """Let MiniLM encode each text once: all datasets learn the names of the classifiers, a minute's work."""
    encode = MiniLM.encode
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            MiniLM, "encode", lambda tower, batch: known_texts.encode(lambda new: encode(tower, new), batch)
        )
        yield
