"""What training writes opens in a new process, from another directory, and after it was moved with its towers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from biovita import load_model
from biovita.cli import main
from biovita.errors import ModelError
from biovita.model import Model, describe, write_model
from biovita.model.projection import Projection
from support.forked import call
from support.opened import opened
from support.published_layouts import make, write_published
from support.tiny_training import write_tiny

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TEXTS = ["Genus0 species1", "Bird 3"]


def write_own(place: Path) -> Path:
    return write_model(load_model(write_published(make(), place.with_name("source")), "cpu"), place)


def write_hub(cache: Path) -> str:
    """Write a repository as the hub's library keeps it on a machine."""
    repository = cache / "models--some--towers"
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    write_published(make(), snapshot)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    return "hf-hub:some/towers"


TOWERS: dict[str, Callable[[Path], str]] = {
    "starter": lambda _: "starter",
    "own": lambda place: str(write_own(place / "towers")),
    "published": lambda place: str(write_published(make(), place / "towers")),
    "hub": lambda place: write_hub(place / "cache" / "hub"),
}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a hub's local copy for this process and those that it starts; the network is not tried."""
    home = tmp_path / "both" / "cache"
    monkeypatch.setenv("HF_HOME", str(home))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr("huggingface_hub.file_download.HF_HUB_CACHE", str(home / "hub"), raising=False)
    return home


def run(*arguments: object) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([*map(str, arguments)])
    assert stopped.value.code == 0


def check_opens_in_a_new_process(made: Model, cwd: Path, cache: Path, *places: Path | str) -> None:
    """Check that another process opens a model at some places as it is."""
    found = call(opened, cwd, [str(place) for place in places], TEXTS, cache)
    assert len(found) == len(places)
    for revision, vectors in found:
        assert revision == made.card.revision
        np.testing.assert_allclose(vectors, made.embed_texts(TEXTS), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("towers", TOWERS)
def test_a_trained_model_opens_in_a_new_process(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], towers: str
) -> None:
    both, elsewhere = tmp_path / "both", tmp_path / "elsewhere"
    for place in (both, elsewhere):
        place.mkdir(exist_ok=True)
    name = TOWERS[towers](both)
    data = write_tiny(tmp_path / "birds", species=4, each=1, unseen=1).path
    monkeypatch.chdir(both)
    given = "towers" if (both / "towers").exists() else name  # a relative path, as people type it
    run("embed", data, "--model", given, "--device", "cpu")
    settings = (f"model={given}", "dim=8", "steps=2", "weights.names=0")
    run("train", "starter/stage1", "--data", data, "--out", "model", "--device", "cpu", "--set", *settings)
    made = load_model(both / "model", device="cpu")
    assert made.card.towers.revision == describe(name).towers.revision
    capsys.readouterr()
    run("embed", data, "--model", "model", "--device", "cpu")
    assert "0 new" in capsys.readouterr().out, "the vectors of its towers are there already"

    if towers in {"starter", "hub"}:
        check_opens_in_a_new_process(made, elsewhere, cache, both / "model")
        return
    shutil.copytree(both / "model", elsewhere / "alone" / "model")
    check_opens_in_a_new_process(made, elsewhere, cache, both / "model", "alone/model")
    monkeypatch.chdir(elsewhere)
    both.rename(tmp_path / "moved")
    check_opens_in_a_new_process(made, elsewhere, cache, tmp_path / "moved" / "model")


def write_aligned(directory: Path, **config: Any) -> Path:
    """Write projections of published towers by hand, as another version or a stranger may."""
    directory.mkdir(parents=True)
    state = Projection(48, 4).state_dict()
    save_file({f"text.{key}": value.numpy() for key, value in state.items()}, directory / "model.safetensors")
    content = {"name": "x", "dim": 4, "logit_scale": 9.5, "record": {}, **config}
    (directory / "config.json").write_text(json.dumps(content))
    return directory


@pytest.fixture
def towers(tmp_path: Path) -> Path:
    return write_published(make(), tmp_path / "towers")


def refs(towers: Path) -> dict[str, Any]:
    card = describe(towers)
    return {"text": {"name": f"{card.name}-text", "revision": card.revision, "dim": 48}}


def test_a_model_of_format_1_opens_by_the_names_of_known_towers(tmp_path: Path, starter: Model) -> None:
    """As c419d3d wrote it: of towers that are known by name, nothing else is needed."""
    directory = tmp_path / "model"
    directory.mkdir()
    state = Projection(384, 4).state_dict()
    save_file({f"text.{key}": value.numpy() for key, value in state.items()}, directory / "model.safetensors")
    info = starter.tower("text").card  # type: ignore[arg-type]  # a Modality is its text
    config = {
        "format": 1,
        "name": "starter/stage1",
        "dim": 4,
        "logit_scale": 9.5,
        "towers": {"text": {"name": info.name, "revision": info.revision, "dim": info.dim}},
        "record": {"recipe": {"name": "starter/stage1", "model": "starter"}},
    }
    (directory / "config.json").write_text(json.dumps(config))
    model = load_model(directory, "cpu")
    assert model.name == "starter/stage1"
    assert model.card.towers.name == "starter"
    assert model.embed_texts(TEXTS).shape == (2, 4)


def test_a_model_of_format_1_of_other_towers_opens_where_its_recipe_names_them(
    tmp_path: Path, towers: Path
) -> None:
    of_old = {"format": 1, "towers": refs(towers)}
    model = write_aligned(tmp_path / "model", **of_old, record={"recipe": {"model": str(towers)}})
    assert load_model(model, "cpu").embed_texts(TEXTS).shape == (2, 4)
    for number, record in enumerate(({}, {"recipe": 1}, {"recipe": {"model": 1}}, {"recipe": {"model": "a\0b"}})):
        model = write_aligned(tmp_path / f"model{number}", **of_old, record=record)
        with pytest.raises(ModelError, match=r"config\.json"):
            describe(model)


def test_towers_that_are_not_where_they_were_are_told_with_what_mends_it(tmp_path: Path, towers: Path) -> None:
    base = {"path": "../gone", "absolute": str(tmp_path / "also gone"), "revision": describe(towers).revision}
    model = write_aligned(tmp_path / "model", format=2, base=base, towers=refs(towers))
    with pytest.raises(
        ModelError,
        match=r"model/config\.json: its towers, with the weights sha256:.*gone; .*also gone\. Put them at",
    ):
        describe(model)
    towers.rename(tmp_path / "gone")
    assert load_model(model, "cpu").embed_texts(TEXTS).shape == (2, 4)
    write_published(make(seed=1), tmp_path / "gone")
    with pytest.raises(ModelError, match=r"gone holds another model, whose revision is sha256:"):
        describe(model)


@pytest.mark.parametrize(
    ("base", "why"),
    [
        ({"name": "starter"}, "made with starter at"),
        ({"name": "somebody"}, "neither a known model nor a commit"),
        ({"name": "hf-hub:some/towers"}, "neither a known model nor a commit"),
        (
            {"name": "hf-hub:some/towers", "revision": COMMIT},
            "some/towers@0123456789ab is missing: it is not on this",
        ),
        ({"name": "hf-hub:../x", "revision": COMMIT}, "Write hf-hub:owner/repository"),
        ({"name": "starter", "path": "towers"}, "either name, or path or absolute"),
        ({}, "either name, or path or absolute"),
        ({"path": "../model"}, "holds no model"),
        ({"absolute": "towers"}, "are not where they were"),
        ({"absolute": "/dev/zero"}, "holds no model"),
        ({"absolute": "hf-hub:some/towers"}, "are not where they were"),
        ({"path": "x" * 4000}, "there is nothing at"),
    ],
)
def test_what_a_stranger_may_say_of_the_towers(
    tmp_path: Path, towers: Path, monkeypatch: pytest.MonkeyPatch, base: dict[str, str], why: str
) -> None:
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("the network was asked"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.file_download.HF_HUB_CACHE", str(tmp_path / "hub"), raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    base = {"revision": describe(towers).revision, **base}
    model = write_aligned(tmp_path / "model", format=2, base=base, towers=refs(towers))
    with pytest.raises(ModelError, match=why) as error:
        load_model(model, "cpu")
    assert "config.json" in str(error.value) or "hf-hub" in str(error.value)


def test_of_a_model_that_is_not_the_one_wanted_nothing_is_read_but_its_hash(
    tmp_path: Path, towers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "epoch001.pth").write_bytes(b"secret")
    base = {"absolute": str(tmp_path / "epoch001.pth"), "revision": describe(towers).revision}
    model = write_aligned(tmp_path / "model", format=2, base=base, towers=refs(towers))
    monkeypatch.setattr("torch.load", lambda *_, **__: pytest.fail("it was opened"))
    monkeypatch.setattr("biovita.model.formats.published_files.read_state", lambda _: pytest.fail("it was opened"))
    with pytest.raises(ModelError, match=r"epoch001\.pth holds another model, whose revision is sha256:"):
        describe(model)


def test_towers_in_memory_alone_are_not_named_by_a_model(tmp_path: Path, towers: Path) -> None:
    from biovita.modality import Modality
    from biovita.model.formats.projections import aligned_model

    base = Model.of_towers("mine", {Modality.TEXT: load_model(towers, "cpu").tower(Modality.TEXT)})
    model = aligned_model("x", base, {Modality.TEXT: Projection(48, 4)})
    with pytest.raises(ModelError, match="the towers of 'mine' are in memory alone"):
        write_model(model, tmp_path / "model")
    assert not (tmp_path / "model").exists()
