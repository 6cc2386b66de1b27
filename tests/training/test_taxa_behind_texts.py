"""Aligned models that know of taxa: trained, written, opened elsewhere, and what of the unseen never enters them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch

from biovita.cli.app import main
from biovita.dataset import Dataset
from biovita.dataset.dataset import write_table
from biovita.dataset.schema import TRAITS
from biovita.embedding import embed, texts_of, vectors
from biovita.errors import BiovitaError, ModelError
from biovita.media.inputs import Clip
from biovita.modality import MEDIA, Modality
from biovita.model import Model, describe, load_model, write_model
from biovita.model.formats.projections_config import read_config
from biovita.report.training import write_training_page
from biovita.taxonomy import Taxon, Taxonomy, prompts
from biovita.taxonomy.known_taxa import KnownTaxa
from biovita.taxonomy.taxon_features import Feature
from biovita.towers.encoder import Classes
from biovita.training import FrozenRecipe, recipe
from biovita.training.projections.names_without_media import NamedClasses
from biovita.training.projections.pool import Pool
from biovita.training.projections.training_set import training_set
from biovita.training.run import run_recipe
from biovita.trait_labels import LABELS
from biovita.traits.book import book_of
from support.forked import call
from support.plain_model import know, plain_towers
from support.reopened import plain_vectors_of
from support.tiny_training import write_tiny

AUDIO, IMAGE, TEXT = Modality.AUDIO, Modality.IMAGE, Modality.TEXT
BOTH: tuple[Feature, ...] = ("lineage", "traits")
SMALL = {"model": "plain", "steps": 3, "dim": 4}
UNSEEN = ("Genus2 species5", "Altus quintus", "Altus posterior")  # the last is its synonym in the dataset alone


@pytest.fixture
def birds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """Return six species with traits, the last held out, and towers with a classifier that has a class of it."""
    towers = plain_towers()
    know("plain", towers, monkeypatch.setitem)
    dataset = write_tiny(tmp_path / "birds", unseen=1)
    rows = [
        {"taxon_id": f"t{number}", "label": LABELS[label], "value": (number + label) % 2 == 0, "source": "a test"}
        for number in range(6)
        for label in range(number, 8)
    ]
    write_table(pa.Table.from_pylist(rows, schema=TRAITS), dataset.path / "traits.parquet")
    decided = {"name": [*UNSEEN[1:]], "parsed": [*UNSEEN[1:]], "species_id": ["t5", "t5"]}
    pq.write_table(pa.table(decided), dataset.path / "taxonomy_decisions.parquet")
    names = (UNSEEN[0], UNSEEN[1], "Genus2 species8", "Genus9 species9")
    taxa = tuple((Taxon(name, name, class_="Aves", family="F", genus=name.partition(" ")[0]),) for name in names)
    texts = tuple((name,) for name in names)
    weights = np.random.default_rng(0).standard_normal((len(names), 3)).astype(np.float32)
    classes = NamedClasses(AUDIO, texts, texts, weights, taxa)
    own = Classes(texts, weights, np.zeros(len(names), np.float32), len(names), scientific=False)
    monkeypatch.setattr(towers[AUDIO], "classes", lambda: own)
    monkeypatch.setattr(
        "biovita.training.projections.training_set.named_classes",
        lambda tower: classes if tower.card.modality == AUDIO else None,
    )
    dataset = Dataset.open(dataset.path)
    embed(dataset, model="plain", progress=False)
    return dataset


Train = Callable[..., Path]


@pytest.fixture
def trained(birds: Dataset, tmp_path: Path) -> Train:
    """Return a function that trains a stage of three steps and returns where its model is."""

    def run(stage: int, out: str, start: Path | None = None, **settings: Any) -> Path:
        if stage == 2 and start is None:
            start = run(1, f"{out}-start", **settings)
        chosen = recipe(f"starter/stage{stage}", {**SMALL, **settings}, FrozenRecipe)
        page, place, data = write_training_page, tmp_path / out, Dataset.open(birds.path)
        return run_recipe(chosen, data, place, page=page, start=start, device="cpu", progress=False).model

    return run


def by_encoder(model: Model, modality: Modality, items: list[object]) -> np.ndarray:
    encoder = model.encoder(modality)
    return encoder.encode([encoder.load(item) for item in items])


STRANGE = ["a loud song", "?", "Pica pica", "Eurasian magpie", "Corvidae"]  # the package knows some of them


@pytest.mark.slow
def test_a_text_has_one_vector_whichever_way_it_is_asked(birds: Dataset, trained: Train) -> None:
    path = trained(2, "model")
    model = load_model(path)
    texts = [*texts_of(birds.taxonomy), *STRANGE]
    table = vectors(birds, path, TEXT, ids=texts)
    assert list(table.ids) == texts
    asked = model.knowing(book_of(birds))
    for found in (
        vectors(birds, model, TEXT, ids=texts).array,
        vectors(birds, describe(path), TEXT, ids=texts).array,
        asked.embed_texts(texts),
        by_encoder(asked, TEXT, [*texts]),
        np.concatenate([asked.embed_texts([text]) for text in texts]),
    ):
        np.testing.assert_allclose(found, table.array, atol=1e-6)
    alone = dict(zip(texts, model.embed_texts(texts), strict=True))
    np.testing.assert_allclose(by_encoder(model, TEXT, [*texts]), list(alone.values()), atol=1e-6)
    same = {text for text in texts if np.abs(alone[text] - table[text]).max() < 1e-6}
    seen = [taxon for taxon in birds.taxonomy.taxa if taxon.id != "t5"]
    assert same >= {*STRANGE, *(text for taxon in seen for text in prompts(taxon).values())}
    assert not same & set(prompts(birds.taxonomy["t5"]).values()), "only the dataset knows an unseen species"


def test_media_have_one_vector_whichever_way_they_are_asked(birds: Dataset, trained: Train) -> None:
    path = trained(2, "model")
    model = load_model(path)
    clips = [Clip(birds.locate(file), 0.0, 1.0) for file in birds.audio["path"].to_pylist()]
    photographs = [birds.path / file for file in birds.images["path"].to_pylist()]
    for modality, items, ours in (
        (AUDIO, clips, model.embed_audio(clips)),
        (IMAGE, photographs, model.embed_images(photographs)),
    ):
        np.testing.assert_allclose(vectors(birds, path, modality).array, ours, atol=1e-6)
        np.testing.assert_allclose(by_encoder(model, modality, [*items]), ours, atol=1e-5)


@pytest.mark.slow
def test_a_copy_that_another_process_opens_gives_the_same_vectors(
    birds: Dataset, trained: Train, tmp_path: Path
) -> None:
    path = trained(2, "model")
    texts = [text for text in texts_of(birds.taxonomy) if text] + ["Pica pica", "a loud song"]
    shutil.copytree(path, tmp_path / "elsewhere" / "copy")
    rows = np.arange(30, dtype=np.float32).reshape(10, 3) + 1
    found = call(plain_vectors_of, tmp_path / "elsewhere" / "copy", texts, rows)
    model = load_model(path)
    want = [model.embed_texts(texts), *(model.project(modality, rows) for modality in (AUDIO, IMAGE))]
    for ours, theirs in zip(want, found, strict=True):
        np.testing.assert_allclose(theirs, ours, atol=1e-6)


def test_what_is_written_gives_the_vectors_of_the_model_in_memory(
    birds: Dataset, trained: Train, tmp_path: Path
) -> None:
    first = load_model(trained(1, "first"))
    assert first.knowledge is not None
    again = load_model(write_model(first, tmp_path / "again"))
    assert again.card.revision == first.card.revision
    assert (tmp_path / "again" / "landmarks.parquet").read_bytes() == (
        tmp_path / "first" / "landmarks.parquet"
    ).read_bytes()
    texts = [*texts_of(birds.taxonomy), *STRANGE]
    np.testing.assert_array_equal(again.embed_texts(texts), first.embed_texts(texts))


def test_nothing_of_an_unseen_species_is_trained_on_or_saved(birds: Dataset, trained: Train) -> None:
    data = training_set(birds, load_model("plain"), features=BOTH)
    assert "t5" not in {taxon.id for taxon in data.taxa}
    assert {len(data.items[modality].vectors) for modality in MEDIA} == {15}
    kept = data.class_taxa[AUDIO]
    assert [taxon.scientific_name for taxon in kept if taxon] == ["Genus2 species8", "Genus9 species9"]
    forms = [*prompts(birds.taxonomy["t5"]).values(), *UNSEEN]
    own = vectors(birds, "plain", TEXT, ids=forms, space="tower").array
    for pool in (data.items[TEXT], data.class_names[AUDIO]):
        near = np.abs(pool.vectors[:, None, :3].numpy() - own).max(axis=2)
        assert near.min() > 1e-4, "no row is that of a text of the unseen species"
    path = trained(2, "model")
    for file in ("landmarks.parquet", "met.parquet"):
        said = str(pq.read_table(path / file).to_pydict()).lower()
        assert "genus2 species4" in said, "this file names what was met"
        assert not [name for name in (*UNSEEN, "Bird 5", "'t5'") if name.lower() in said]


def mean_direction(rows: np.ndarray) -> np.ndarray:
    mean = (rows / np.linalg.norm(rows, axis=1)[:, None]).mean(axis=0)
    return mean / np.linalg.norm(mean)


@pytest.mark.parametrize("stage", [1, 2])
def test_landmarks_are_where_names_media_and_classes_lie(birds: Dataset, trained: Train, stage: int) -> None:
    model = load_model(trained(stage, "model"))
    assert model.knowledge is not None
    landmarks, data = model.knowledge.landmarks, training_set(birds, load_model("plain"), features=BOTH)
    projected = {
        modality: [
            model.projections[modality](pool.vectors[start : start + count]).numpy().astype(np.float64)
            for start, count in zip(pool.start.tolist(), pool.count.tolist(), strict=True)
        ]
        for modality, pool in data.items.items()
    }
    heard = (AUDIO, IMAGE) if stage == 2 else (AUDIO,)
    for number, taxon in enumerate(data.taxa):
        assert landmarks.taxa[number].scientific_name == taxon.scientific_name
        np.testing.assert_allclose(landmarks.names[number], mean_direction(projected[TEXT][number]), atol=2e-3)
        places = np.stack([mean_direction(projected[modality][number]) for modality in heard])
        np.testing.assert_allclose(landmarks.media[number], mean_direction(places), atol=2e-3)
    rows = model.projections[AUDIO].linear(data.classes[AUDIO]).numpy()
    assert landmarks.trained == len(data.taxa) == 5
    for row, place in zip(rows, landmarks.media[5:], strict=True):
        np.testing.assert_allclose(place, mean_direction(row[None]), atol=2e-3)
    names = model.projections[TEXT](data.class_names[AUDIO].vectors).numpy()
    np.testing.assert_allclose(landmarks.names[5:], [mean_direction(row[None]) for row in names], atol=2e-3)


def test_the_mean_of_a_species_without_items_is_zero() -> None:
    vectors = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    pool = Pool.of(vectors, [2, 0, 2], 3)
    assert pool.means(lambda x: 2 * x).tolist() == [[6, 8], [0, 0], [6, 8]]


def test_the_media_of_an_unseen_species_change_nothing(birds: Dataset, trained: Train) -> None:
    first = trained(2, "first")
    kept = {
        modality: birds.media(modality).filter((pc.field("taxon_id") != "t5") | (pc.field("id") == "t5-0"))
        for modality in MEDIA
    }
    for modality, name in ((AUDIO, "audio"), (IMAGE, "images")):
        assert len(kept[modality]) == 16
        write_table(kept[modality], birds.path / f"{name}.parquet")
    second = trained(2, "second")
    for file in ("model.safetensors", "landmarks.parquet"):
        assert (first / file).read_bytes() == (second / file).read_bytes()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_files_and_another_does_not(trained: Train) -> None:
    one, two, three = trained(2, "one"), trained(2, "two"), trained(2, "three", seed=1)
    for file in ("model.safetensors", "landmarks.parquet"):
        assert (one / file).read_bytes() == (two / file).read_bytes()
        assert (one / file).read_bytes() != (three / file).read_bytes()


def test_a_stage_keeps_the_features_of_its_start_and_refuses_others(trained: Train) -> None:
    first = trained(1, "first", **{"text.features": ["lineage"]})
    second = read_config(trained(2, "second", first, **{"text.features": ["lineage"]}))
    assert second.knowledge is not None
    assert second.knowledge.features == ("lineage",)
    with pytest.raises(
        ModelError,
        match=r"first was trained with lineage behind its texts, and the recipe has lineage and traits\. Set "
        r'text\.features=\["lineage"\]',
    ):
        trained(2, "third", first)
    bare = trained(1, "bare", **{"text.features": []})
    with pytest.raises(ModelError, match=r"bare was trained with nothing behind .*Set text\.features=\[\]"):
        trained(2, "fourth", bare)
    assert trained(2, "fifth", bare, **{"text.features": []}).is_dir()


def test_a_model_that_knows_nothing_of_taxa_has_no_landmarks(trained: Train) -> None:
    path = trained(1, "plainly", **{"text.features": "none", "pull": "{}"})
    config = read_config(path)
    assert (config.format, config.knowledge) == (2, None)
    assert not (path / "landmarks.parquet").exists()
    assert describe(path).knows == ()
    model = load_model(path)
    assert model.projections[TEXT].linear.in_features == 3
    assert model.knowing(KnownTaxa(Taxonomy.of(()), {})) is model
    assert read_config(trained(1, "drawn", **{"text.features": "none"})).format == 3


def test_settings_of_the_text_side_are_given_as_a_name_a_list_or_none() -> None:
    def features(value: object) -> tuple[str, ...]:
        return recipe("starter/stage1", {"text.features": value}, FrozenRecipe).text.features

    assert features("lineage") == ("lineage",)
    assert features('["traits", "lineage", "traits"]') == BOTH
    assert features(["traits"]) == ("traits",)
    assert features("none") == features("[]") == features(()) == ()
    for value in ("voice", '["lineage", "voice"]', "[1]", "7"):
        with pytest.raises(BiovitaError, match=r"recipe 'starter/stage1': text\.features"):
            features(value)
    chosen = recipe("starter/stage2", {"pull.items": "0.25", "text.hidden": "0.5"}, FrozenRecipe)
    assert (chosen.pull.items, chosen.text.hidden) == (0.25, 0.5)
    for name, value in (
        ("pull.names", "-1"),
        ("pull.sharpness", "0"),
        ("text.hidden", "1"),
        ("pull.items", "nan"),
    ):
        with pytest.raises(BiovitaError, match=name.replace(".", r"\.")):
            recipe("starter/stage2", {name: value}, FrozenRecipe)


def test_the_command_line_sets_them_and_says_what_a_model_knows(
    birds: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["train", "starter/stage1", "--data", str(birds.path), "--out", str(out), "--device", "cpu", "--set"]
    command += [f"{name}={value}" for name, value in SMALL.items()]
    with pytest.raises(SystemExit) as stopped:
        main([*command, "text.features=lineage", "pull.classes=0.3", "pull.items=0"])
    assert stopped.value.code == 0
    config = read_config(out)
    assert config.knowledge is not None
    assert config.knowledge.features == ("lineage",)
    assert (config.knowledge.classes, config.knowledge.items) == (0.3, 0)
    said = ["Of a name: its words and its lineage.", "A new name is drawn to classes of relatives by 0.3."]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert all(sentence in page for sentence in said)
    capsys.readouterr()
    for more in ([], ["--json"]):
        with pytest.raises(SystemExit):
            main(["models", "describe", str(out), *more])
        printed = capsys.readouterr().out
        assert all(sentence in printed for sentence in said)
    assert json.loads(printed)["knows"][:2] == said


def test_other_layouts_have_no_place_for_what_a_model_knows(trained: Train, tmp_path: Path) -> None:
    model = load_model(trained(1, "model"))
    for layout in ("own", "published"):
        with pytest.raises(ModelError, match="cannot be written in this layout, which holds one open_clip model"):
            write_model(model, tmp_path / layout, layout=layout)
        assert not (tmp_path / layout).exists()


def edit(path: Path, **changes: object) -> None:
    file = path / "config.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    content["knowledge"] |= changes
    file.write_text(json.dumps(content), encoding="utf-8")


HOSTILE: dict[str, tuple[dict[str, object], str]] = {
    "a feature that there is not": ({"features": ["voice"]}, r"config\.json: knowledge\.features\.0"),
    "fewer features": (
        {"features": ["lineage"]},
        r"does not fit .*text\.linear\.weight is \(4, 293\), not \(4, 259\)",
    ),
    "no number": ({"names": "much"}, r"knowledge\.names"),
    "below zero": ({"classes": -1}, r"knowledge\.classes"),
    "beyond all": ({"sharpness": 1e9}, r"knowledge\.sharpness"),
    "no hash": ({"table": "../../etc"}, r"knowledge\.table"),
    "more fields": ({"code": "import os"}, r"knowledge\.code"),
}


def test_a_configuration_of_a_stranger_is_refused_by_its_field(trained: Train, tmp_path: Path) -> None:
    path = trained(1, "model")
    for number, (changes, said) in enumerate(HOSTILE.values()):
        copy = shutil.copytree(path, tmp_path / f"copy{number}")
        edit(copy, **changes)
        with pytest.raises(ModelError, match=said):
            load_model(copy)
    (path / "landmarks.parquet").unlink()
    with pytest.raises(ModelError, match=r"It has no landmarks\.parquet"):
        load_model(path)


def test_another_table_of_taxa_is_said(trained: Train, caplog: pytest.LogCaptureFixture) -> None:
    path = trained(1, "model")
    load_model(path)
    assert "another version of the package's table" not in caplog.text
    edit(path, table="0" * 16)
    load_model(path)
    assert "another version of the package's table of taxa" in caplog.text
