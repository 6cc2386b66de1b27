"""Training projections of frozen towers: what each stage draws from, and the gate."""

from __future__ import annotations

import pytest
import torch

from biovita.dataset import Modality
from biovita.errors import BiovitaError
from biovita.taxonomy import Taxon
from biovita.train import FrozenRecipe, recipe
from biovita.train.items import Pool
from biovita.train.loop import Aligned, TrainingSet, _mixed, align, untrained
from biovita.train.recipe import GateSettings
from biovita.train.schedule import Gate, guard

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
    assert {name for values in after.history for name in values} == {"loss", "names", "logit_scale"}
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


def test_a_gate_that_never_shuts_changes_no_weight() -> None:
    data = _data()
    plain, gated = _recipe(2), _recipe(2, gate=GateSettings(upper=1e6, guard=2.0).model_dump())
    begin = untrained(data, plain)
    ours, theirs = align(data, plain, begin), align(data, gated, begin)
    for modality in Modality:
        assert torch.equal(ours.projections[modality].linear.weight, theirs.projections[modality].linear.weight)


def test_the_gate_shuts_off_the_terms_with_photographs_as_the_schedule_says() -> None:
    data = _data()
    settings = GateSettings(patience=3)
    # On projections that are aligned well a high rate makes ATC worse, and then better again.
    begin = align(data, _recipe(2), untrained(data, _recipe(2)))
    chosen = _recipe(2, learning_rate=0.3, steps=100, gate=settings.model_dump())
    history = align(data, chosen, begin).history
    base = history[0]["atc_base"]
    gate = Gate.at(base)
    states = []
    for values in history:
        states.append(gate.open)
        assert ("aic" in values, "itc" in values) == (gate.open, gate.open)
        assert values["guard"] == pytest.approx(guard(values["atc"], gate, settings)[0], rel=1e-5)
        weighted = values["atc"] + values["names"] + values["guard"] + values.get("aic", 0) + values.get("itc", 0)
        assert values["loss"] == pytest.approx(weighted, rel=1e-5)
        gate = gate.after(values["atc"], settings)
    assert set(states) == {True, False}, "this run shuts the gate and opens it again"
    assert states.index(False) < len(states) - states[::-1].index(True)


def test_the_gate_needs_the_term_it_watches() -> None:
    with pytest.raises(BiovitaError, match=r"gate = .*weights\.atc is 0"):
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
