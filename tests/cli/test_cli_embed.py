from __future__ import annotations

import json
from pathlib import Path

import pytest

from biovita.cli import main
from biovita.model import describe
from support.plain_model import Builder
from support.published_layouts import make, write_published


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    return stopped.value.code


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    builder = Builder(tmp_path / "birds")
    (builder.path / "media").mkdir(parents=True)
    builder.add_photograph("one", 1)
    builder.add_photograph("two", 2)
    (builder.path / "media" / "two.png").write_bytes(b"<!DOCTYPE html><html></html>")
    return builder.write().path


@pytest.mark.slow
def test_embed_counts_and_lists(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("embed", str(dataset), "--modality", "image", "--device", "cpu") == 0
    out = capsys.readouterr().out
    assert "image  efficientnet-lite2: 1 new (" in out
    assert "is made of the towers of" not in out
    assert "0 kept, 1 failed" in out
    assert "two: not-image: " in out
    assert str(dataset / "embeddings" / "starter" / "failed.parquet") in out

    assert run("embed", str(dataset), "--modality", "image", "--modality", "text", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert [(part["modality"], part["new"], part["kept"]) for part in report["parts"]] == [
        ("image", 0, 1),
        ("text", 14, 0),
    ]
    assert report["parts"][0]["failed"][0]["id"] == "two"
    assert report["path"] == str(dataset / "embeddings" / "starter")


@pytest.mark.slow
def test_embed_exits_with_1_where_nothing_is_left(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (dataset / "media" / "one.png").write_bytes(b"")
    assert run("embed", str(dataset), "--modality", "image") == 1
    assert "0 new, 0 kept, 2 failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere does not exist"),
        (["{}", "--model", "startr"], "Did you mean 'starter'"),
        (["{}", "--modality", "audio"], "has no audio items"),
        (["{}", "--batch-size", "0"], "batch_size is 0"),
        (["{}", "--modality", "image", "--device", "gpu"], "Use one of auto, cpu, cuda"),
    ],
)
def test_mistakes_are_told_without_a_traceback(
    dataset: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run("embed", *(argument.format(dataset) for argument in arguments)) == 1
    assert message in capsys.readouterr().err
    assert not (dataset / "embeddings").exists()


def test_models_prints_the_registry(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models") == 0
    out = capsys.readouterr().out
    for info in describe("starter").encoders.values():
        for text in (info.name, str(info.dim), info.source, info.revision, info.license, info.notice or ""):
            assert text in out
    assert run("models", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert [tower["name"] for tower in rows["starter"]["towers"]] == [
        "birdnet-2.4",
        "efficientnet-lite2",
        "minilm-l6-v2",
    ]


def test_any_model_is_shown_without_being_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = write_published(make(), tmp_path / "BioVITA")
    monkeypatch.setattr("torch.load", lambda *_, **__: pytest.fail("weights were opened"))
    card = describe(place)
    assert run("models", "describe", str(place)) == 0
    out = capsys.readouterr().out
    for text in (
        card.name,
        "published",
        str(place),
        card.revision,
        "48 numbers",
        f"{card.name}-audio",
        "not stated",
    ):
        assert text in out
    assert run("models", "describe", "starter", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["name"], shown["format"], shown["dim"]) == ("starter", "projections", 256)
    assert (shown["base"]["name"], shown["base"]["format"], shown["base"]["dim"]) == ("starter", "installed", None)
    assert [tower["dim"] for tower in shown["towers"]] == [1024, 1280, 384]
    assert run("models", "describe", "startr") == 1
    assert "Did you mean 'starter'" in capsys.readouterr().err
