"""Training projections of frozen towers: what each stage draws from, and the gate."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch

from biovita.cli.app import main
from biovita.dataset import Dataset
from biovita.dataset.dataset import replace_tables
from biovita.embedding import LanceStore, embed, embeddings_directory
from biovita.errors import BiovitaError, DatasetError, ModelError
from biovita.modality import MEDIA, Modality
from biovita.model import load_model
from biovita.model.formats.projections_config import read_config
from biovita.report.training import write_training_page
from biovita.taxonomy import Taxon
from biovita.training import FrozenRecipe, recipe
from biovita.training.gate import Gate, guard
from biovita.training.projections.align import Aligned, TrainingSet, _mixed, align, untrained
from biovita.training.projections.names_without_media import NamedClasses
from biovita.training.projections.pool import Pool
from biovita.training.projections.training_set import training_set
from biovita.training.recipe import GateSettings
from biovita.training.run import run_recipe
from support.plain_model import know, plain_towers
from support.tiny_training import write_tiny

AUDIO, IMAGE, TEXT = Modality.AUDIO, Modality.IMAGE, Modality.TEXT
DIM = {AUDIO: 24, IMAGE: 20, TEXT: 16}
SPECIES, CLASSES = 12, 40


def _data(seed: int = 0) -> TrainingSet:
    """Return species and named classes whose vectors are linear views of one hidden vector each."""
    generator = torch.Generator().manual_seed(seed)
    views = {modality: torch.randn(8, DIM[modality], generator=generator) for modality in Modality}

    def pool(modality: Modality, hidden: torch.Tensor, each: int) -> Pool:
        vectors = (hidden @ views[modality]).repeat_interleave(each, dim=0)
        vectors = vectors + 0.3 * torch.randn(vectors.shape, generator=generator)
        return Pool.of(vectors, [n for n in range(len(hidden)) for _ in range(each)], len(hidden))

    species = torch.randn(SPECIES, 8, generator=generator)
    classes = {modality: torch.randn(CLASSES, 8, generator=generator) for modality in (AUDIO, IMAGE)}
    taxa = tuple(Taxon(f"t{n}", f"Genus{n // 2} species{n}", genus=f"Genus{n // 2}") for n in range(SPECIES))
    return TrainingSet(
        {modality: pool(modality, species, 3) for modality in Modality},
        {modality: hidden @ views[modality] for modality, hidden in classes.items()},
        {modality: pool(TEXT, hidden, 2) for modality, hidden in classes.items()},
        taxa,
    )


def _recipe(stage: int, **settings: object) -> FrozenRecipe:
    small = {"steps": 60, "dim": 16, "noise": 0.5, "names_noise": 0, "positives": "species", "learning_rate": 1e-2}
    small |= settings
    return recipe(f"starter/stage{stage}", small, FrozenRecipe)


def _rows_to_names(data: TrainingSet, aligned: Aligned, modality: Modality) -> float:
    """Return how often a classifier row is nearest to a text of its own class."""
    rows = torch.nn.functional.normalize(aligned.projections[modality].linear(data.classes[modality]), dim=1)
    texts = torch.nn.functional.normalize(aligned.projections[TEXT](data.class_names[modality].vectors), dim=1)
    return float(((rows @ texts.T).argmax(dim=1) // 2 == torch.arange(CLASSES)).float().mean())


def test_stage_0_aligns_rows_with_names_of_both_classifiers() -> None:
    data, chosen = _data(), _recipe(0)
    before = untrained(data, chosen)
    after = align(data, chosen, before)
    assert {name for came in after.history for name in came.as_json()} == {"loss", "names", "logit_scale"}
    for modality in (AUDIO, IMAGE):
        assert _rows_to_names(data, before, modality) < 0.3
        assert _rows_to_names(data, after, modality) > 0.8


def test_stage_0_learns_from_no_recording_photograph_or_prompt() -> None:
    data, chosen = _data(), _recipe(0, steps=5)
    other = _data(seed=1)
    begin = untrained(data, chosen)
    ours = align(data, chosen, begin)
    theirs = align(TrainingSet(other.items, data.classes, data.class_names, data.taxa), chosen, begin)
    for modality in Modality:
        assert torch.equal(ours.projections[modality].linear.weight, theirs.projections[modality].linear.weight)


def test_stage_1_leaves_the_photographs_alone() -> None:
    data, chosen = _data(), _recipe(1, steps=5, weight_decay=0)
    begin = untrained(data, chosen)
    after = align(data, chosen, begin)
    moved = {
        modality: not torch.equal(
            begin.projections[modality].linear.weight, after.projections[modality].linear.weight
        )
        for modality in Modality
    }
    assert moved == {AUDIO: True, IMAGE: False, TEXT: True}


@pytest.mark.slow
def test_a_gate_that_never_shuts_changes_no_weight() -> None:
    data = _data()
    plain, gated = _recipe(2), _recipe(2, gate=GateSettings(upper=1e6, guard=2.0).model_dump())
    begin = untrained(data, plain)
    ours, theirs = align(data, plain, begin), align(data, gated, begin)
    for modality in Modality:
        assert torch.equal(ours.projections[modality].linear.weight, theirs.projections[modality].linear.weight)


@pytest.mark.slow
def test_the_gate_shuts_off_the_terms_with_photographs_as_the_schedule_says() -> None:
    data = _data()
    settings = GateSettings(patience=3)
    # On projections that are aligned well a high rate makes ATC worse, and then better again.
    begin = align(data, _recipe(2), untrained(data, _recipe(2)))
    chosen = _recipe(2, learning_rate=0.3, steps=100, gate=settings.model_dump())
    history = align(data, chosen, begin).history
    base = history[0].atc_base
    assert base is not None
    gate = Gate.at(base)
    states = []
    for values in (came.as_json() for came in history):
        states.append(gate.open)
        assert ("aic" in values, "itc" in values) == (gate.open, gate.open)
        assert values["guard"] == pytest.approx(guard(values["atc"], gate, settings)[0], rel=1e-5)
        weighted = values["atc"] + values["names"] + values["guard"] + values.get("aic", 0) + values.get("itc", 0)
        assert values["loss"] == pytest.approx(weighted, rel=1e-5)
        gate = gate.after(values["atc"], settings)
    assert set(states) == {True, False}, "this run shuts the gate and opens it again"
    assert states.index(False) < len(states) - states[::-1].index(True)


def test_the_gate_needs_the_term_it_watches() -> None:
    with pytest.raises(BiovitaError, match=r"gate.*weights\.atc is 0"):
        recipe("starter/stage2", {"gate": "{}", "weights.atc": 0})
    chosen = recipe("starter/stage2", {"gate": "{}"}, FrozenRecipe)
    assert chosen.gate == GateSettings()
    assert recipe("starter/stage2", {"gate": "none"}, FrozenRecipe).gate is None


def test_rows_of_other_classes_are_mixed_in_as_strongly_as_asked() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(400, 30, generator=generator) @ torch.randn(30, 30, generator=generator)
    drawn = torch.arange(50)
    plain, mixed = _recipe(0, names_noise=0), _recipe(0, names_noise=1.5)
    assert torch.equal(_mixed(rows, drawn, plain, generator), rows[drawn])
    added = torch.cat([_mixed(rows, drawn, mixed, generator) - rows[drawn] for _ in range(400)])
    second = rows.T @ rows / len(rows)
    assert torch.dist(added.T @ added / len(added), 1.5**2 * second) < 0.03 * torch.linalg.norm(1.5**2 * second)
    assert added.mean(dim=0).abs().max() < 0.03 * added.std()


def test_without_a_classifier_stage_0_is_refused_and_other_stages_say_what_they_leave_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bare = replace(_data(), classes={}, class_names={})
    with pytest.raises(
        ModelError, match=r"starter/stage0: weights\.names is 1, .*'starter'.*starter, leave this stage out"
    ):
        align(bare, _recipe(0), untrained(bare, _recipe(0)))
    assert not caplog.records
    for stage, which in ((1, "no audio tower"), (2, "no audio or image tower")):
        caplog.clear()
        history = align(bare, _recipe(stage, steps=2), untrained(bare, _recipe(stage))).history
        assert "names" not in history[0].losses
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert f"starter/stage{stage}: weights.names is 1, and {which}" in caplog.text
        assert "Training goes on without this term" in caplog.text
    caplog.clear()
    align(bare, _recipe(2, steps=1, **{"weights.names": 0}), untrained(bare, _recipe(2)))
    assert not caplog.records


def test_a_classifier_of_photographs_is_none_for_stage_1(caplog: pytest.LogCaptureFixture) -> None:
    data = _data()
    pictures = replace(data, classes={IMAGE: data.classes[IMAGE]}, class_names={IMAGE: data.class_names[IMAGE]})
    align(pictures, _recipe(1, steps=1), untrained(pictures, _recipe(1)))
    assert "no audio tower" in caplog.text


@pytest.fixture
def birds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """Return six species, the last held out, embedded by the model ``plain``, which has no classifier."""
    know("plain", plain_towers(), monkeypatch.setitem)
    dataset = write_tiny(tmp_path / "birds", unseen=1)
    embed(dataset, model="plain", progress=False)
    return dataset


Train = Callable[..., Path]


@pytest.fixture
def trained(birds: Dataset, tmp_path: Path) -> Train:
    """Return a function that trains a stage of three steps and returns where its model is."""

    def run(stage: int, out: str, start: Path | None = None, **settings: object) -> Path:
        chosen = _recipe(stage, model="plain", steps=3, dim=4, **settings)
        return run_recipe(
            chosen, birds, tmp_path / out, page=write_training_page, start=start, device="cpu", progress=False
        ).model

    return run


def test_a_class_under_a_synonym_of_an_unseen_species_is_not_trained_on(
    birds: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("Altus quintus", "Genus2 species5", "Altus primus")
    classes = NamedClasses(
        AUDIO, tuple((n,) for n in names), tuple((n,) for n in names), np.eye(3, dtype=np.float32)
    )
    monkeypatch.setattr(
        "biovita.training.projections.training_set.named_classes",
        lambda tower: classes if tower.card.modality == AUDIO else None,
    )
    base = load_model("plain", "cpu")
    assert len(training_set(birds, base).classes[AUDIO]) == 2
    decisions = {"name": ["Altus quintus"], "parsed": ["Altus quintus"], "species_id": ["t5"]}
    pq.write_table(pa.table(decisions), birds.path / "taxonomy_decisions.parquet")
    data = training_set(birds, base)
    assert len(data.classes[AUDIO]) == 1
    assert int(data.class_names[AUDIO].count.sum()) == 1


def test_the_record_and_the_page_say_what_the_makers_of_an_encoder_had_classes_for(
    trained: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_config(trained(1, "none")).record["encoders_know"] == {}
    names = (("Genus2 species5",), ("Genus0 species0",))
    monkeypatch.setattr(
        "biovita.training.projections.encoders_know.named_classes",
        lambda tower: NamedClasses(AUDIO, names, names, np.eye(2)) if tower.card.modality == AUDIO else None,
    )
    model = trained(1, "one")
    (known,) = read_config(model).record["encoders_know"].values()
    assert known == {"count": 1, "unseen": 1, "taxa": ["Genus2 species5"]}
    page = (model / "report.html").read_text(encoding="utf-8")
    assert "had a class for 1 of the 1 unseen taxa." in page


def test_training_rows_without_vectors_are_embedded_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    know("plain", plain_towers(), monkeypatch.setitem)
    dataset, base = write_tiny(tmp_path / "birds", unseen=1), load_model("plain", "cpu")
    data = training_set(dataset, base)
    for modality in MEDIA:
        table = LanceStore(embeddings_directory(dataset, "plain")).table(modality)
        rows = dataset.media(modality).filter(pc.field("split") == "train")
        assert sorted(table.snapshot().state(["id"])["id"].to_pylist()) == sorted(rows["id"].to_pylist())
    embed(dataset, model="plain", progress=False)
    again = training_set(dataset, base)
    for modality, pool in data.items.items():
        assert torch.equal(pool.vectors, again.items[modality].vectors)
        assert torch.equal(pool.count, again.items[modality].count)


def test_a_directory_that_exists_is_refused_before_any_work(
    birds: Dataset, trained: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = trained(1, "there")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["birds", "there"]
    files = sorted(path.name for path in there.iterdir())
    assert files == [
        "config.json",
        "landmarks.parquet",
        "losses.jsonl",
        "met.parquet",
        "model.safetensors",
        "report.html",
    ]

    def worked(*_: object) -> None:
        raise AssertionError("the towers were opened")

    monkeypatch.setattr("biovita.training.projections.train_projections.load_model", worked)
    with pytest.raises(DatasetError, match=r"there already exists\. .*--overwrite"):
        trained(1, "there")
    assert sorted(path.name for path in there.iterdir()) == files
    with pytest.raises(DatasetError, match=r"birds is not replaced: it has no config\.json"):
        run_recipe(
            _recipe(1, model="plain"),
            birds,
            birds.path,
            page=write_training_page,
            device="cpu",
            overwrite=True,
            progress=False,
        )


def test_overwrite_replaces_the_model_that_is_gone_on_from(birds: Dataset, trained: Train) -> None:
    out = trained(1, "model")
    before = (out / "model.safetensors").read_bytes()
    chosen = _recipe(2, model="plain", steps=3, dim=4)
    report = run_recipe(
        chosen, birds, out, page=write_training_page, start=out, device="cpu", overwrite=True, progress=False
    )
    assert (out / "model.safetensors").read_bytes() != before
    assert read_config(report.model).name == "starter/stage2"


def test_a_stage_goes_on_from_the_learned_scale_and_refuses_another(trained: Train) -> None:
    first = trained(1, "first", logit_scale=30)
    learned = read_config(first).logit_scale
    second = trained(2, "second", first)
    history = [json.loads(line) for line in (second / "losses.jsonl").read_text().splitlines()]
    assert history[0]["logit_scale"] == pytest.approx(learned)
    with pytest.raises(
        ModelError, match=r"logit_scale = 25 would change nothing: .*first has learned .*Set logit_scale only"
    ):
        trained(2, "third", first, logit_scale=25)


def test_the_cli_refuses_a_scale_that_was_asked_for_though_it_is_the_default(
    birds: Dataset, trained: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start, out = trained(1, "first"), tmp_path / "out"
    command = ["train", "starter/stage2", "--data", str(birds.path), "--out", str(out), "--start", str(start)]
    command += ["--device", "cpu", "--set", "model=plain", "dim=4", "steps=2"]
    with pytest.raises(SystemExit) as stopped:
        main([*command, "logit_scale=20"])
    assert stopped.value.code == 1
    assert "logit_scale = 20 would change nothing" in capsys.readouterr().err
    assert not out.exists()
    with pytest.raises(SystemExit) as stopped:
        main(command)
    assert stopped.value.code == 0
    assert read_config(out).name == "starter/stage2"


def test_the_learned_bias_of_the_sigmoid_loss_is_kept_and_gone_on_from(
    trained: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, first = trained(1, "plain"), trained(1, "first", loss="sigmoid", logit_bias=-4)
    assert "logit_bias" not in read_config(plain).record
    learned = read_config(first).record["logit_bias"]
    assert learned != -4
    begun = []

    def spied(data: TrainingSet, chosen: FrozenRecipe, start: Aligned, **options: object) -> Aligned:
        begun.append(start.logit_bias)
        return align(data, chosen, start, **options)  # type: ignore[arg-type]  # on_step

    monkeypatch.setattr("biovita.training.projections.train_projections.align", spied)
    trained(2, "second", first, loss="sigmoid")
    trained(2, "third", plain, loss="sigmoid", logit_bias=-4)
    assert begun == [learned, None]
    with pytest.raises(ModelError, match="logit_bias = -4 would change nothing"):
        trained(2, "fourth", first, loss="sigmoid", logit_bias=-4)


@pytest.mark.slow
def test_what_the_dataset_has_none_of_is_not_needed_unless_a_term_asks_for_it(
    birds: Dataset, trained: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, alone, first in (("images", "audio", {}), ("audio", "image", {"weights.atc": 0, "weights.itc": 1})):
        kept = pq.read_table(birds.path / f"{name}.parquet")
        replace_tables(birds, {name: kept.slice(0, 0)}, {})
        model = trained(1, f"without {name}", **first)
        assert sorted(read_config(model).towers) == [alone, "text"]
        with monkeypatch.context() as patch:
            patch.setattr("biovita.training.projections.train_projections.load_model", None)
            with pytest.raises(DatasetError, match=r"has none\. .* trained on alone with starter/stage1"):
                trained(2, "second", model)
        replace_tables(birds, {name: kept}, {})
        with pytest.raises(ModelError, match="was trained without"):
            trained(2, "second", model)
    assert not (tmp_path / "second").exists()
