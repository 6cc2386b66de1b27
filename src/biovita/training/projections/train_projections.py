"""A run that trains projections of frozen towers: from a dataset's vectors to a model, its losses and its page."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from biovita.dataset import Dataset
from biovita.errors import DatasetError, ModelError
from biovita.files import write_whole
from biovita.modality import MEDIA, Modality
from biovita.model import Model, describe, load_model, write_model
from biovita.model.describe import met_of
from biovita.model.formats.projections import aligned_model, read_projections
from biovita.model.formats.projections_config import CONFIG, Config, read_config
from biovita.model.met import Met
from biovita.progress import progress_bar
from biovita.training.exclusion import Exclusion
from biovita.training.log_lines import PageWriter, StepLine
from biovita.training.projections.align import Aligned, AlignStep, align, untrained
from biovita.training.projections.encoders_know import encoders_know
from biovita.training.projections.known_places import knowledge_of
from biovita.training.projections.species_batches import SpeciesBatches
from biovita.training.projections.training_set import TrainingSet, training_set
from biovita.training.recipe import TERMS, FrozenRecipe
from biovita.training.run_record import RunRecord, met_in_run

__all__ = ["check_items", "check_start", "model_of", "train_projections"]

_MOST_BIAS = 1_000_000
_ALONE = {  # what trains without a modality
    Modality.AUDIO: "starter/stage1 --set weights.atc=0 weights.itc=1",
    Modality.IMAGE: "starter/stage1",
}


def train_projections(
    recipe: FrozenRecipe,
    dataset: Dataset,
    out: Path,
    record: RunRecord,
    exclude: Exclusion,
    *,
    page: PageWriter,
    start: Path | None,
    device: str,
    progress: bool,
) -> tuple[AlignStep, ...]:
    """Write the model, its losses and its page into ``out``, which is empty; return what each step came to.

    Parameters
    ----------
    record
        What `record_of` returns of the run.
    """
    base = load_model(describe(recipe.model).towers, device)
    data = training_set(
        dataset,
        base,
        names=recipe.weights.names > 0,
        features=recipe.text.features,
        exclude=exclude,
        needed=recipe.weights.modalities,
        progress=progress,
    )
    if start is None:
        begin = untrained(data, recipe)
    else:
        config = read_config(start)
        begin = Aligned(read_projections(start, config), config.logit_scale, (), _bias(start, config))
    with progress_bar(recipe.name, SpeciesBatches.of(data, recipe).steps, shown=progress) as advance:
        aligned = align(data, recipe, begin, on_step=advance)
    before = base.met if start is None else met_of(start)
    met = met_in_run(record, dataset, data.taxa, labels=data.labels, start=start, before=before)
    model = model_of(aligned, recipe, base, dataset=dataset, data=data, record=record, met=met)
    write_model(model, out)
    lines = [json.dumps({"step": step, **came.as_json()}) for step, came in enumerate(aligned.history)]
    write_whole(out / "losses.jsonl", "\n".join(lines) + "\n")
    drawn = [
        StepLine(recipe.name, 0, step, step, came.losses, 1 / came.logit_scale)
        for step, came in enumerate(aligned.history)
    ]
    page(out, drawn, model.record, files=("losses.jsonl", "config.json"))
    return aligned.history


def check_items(recipe: FrozenRecipe, dataset: Dataset) -> None:
    """Raise a `DatasetError` where a recipe has a term of recordings or photographs, and the dataset has none."""
    for modality in MEDIA:
        if modality not in recipe.weights.modalities or dataset.media(modality).num_rows:
            continue
        terms = [term for term, weight in recipe.weights.of_terms.items() if weight and modality in TERMS[term]]
        (other,) = set(MEDIA) - {modality}
        raise DatasetError(
            f"{recipe.name} trains on {modality.plural} ({', '.join(f'weights.{term}' for term in terms)}), and "
            f"{dataset.path} has none. {other.plural.capitalize()} and names are trained on alone with "
            f"{_ALONE[modality]}"
        )


def model_of(
    aligned: Aligned,
    recipe: FrozenRecipe,
    base: Model,
    *,
    dataset: Dataset,
    data: TrainingSet,
    record: RunRecord,
    met: Met | None,
) -> Model:
    """Return the model of trained projections of the towers of ``base``.

    Its record says what made it, for which of the unseen taxa the makers of its encoders had a class, and which bias it
    learned, if any.
    """
    stated = record.as_json() | {"encoders_know": encoders_know(base, dataset)}
    if aligned.logit_bias is not None:
        stated["logit_bias"] = aligned.logit_bias
    knowledge = knowledge_of(aligned, data, recipe)
    return aligned_model(
        recipe.name, base, aligned.projections, aligned.logit_scale, stated, met=met, knowledge=knowledge
    )


def _bias(path: Path, config: Config) -> float | None:
    """Return the bias that a model has learned, if any."""
    bias = config.record.get("logit_bias")
    if bias is not None and (type(bias) not in {int, float} or not abs(bias) <= _MOST_BIAS):
        raise ModelError(
            f"{path / CONFIG}: record.logit_bias has to be a number from -{_MOST_BIAS:,} to {_MOST_BIAS:,}"
        )
    return None if bias is None else float(bias)


def _named(features: Collection[str]) -> str:
    return " and ".join(features) or "nothing"


def check_start(path: Path, recipe: FrozenRecipe, given: Collection[str]) -> None:
    """Raise a `ModelError` where a model cannot be gone on from.

    It was trained on other towers or with other features of taxa, or has learned a factor that was asked for.
    """
    config = read_config(path)
    if config.dim != recipe.dim:
        raise ModelError(
            f"{path} has {config.dim} dimensions, and the recipe has dim = {recipe.dim}. Set dim={config.dim}"
        )
    for modality, tower in describe(recipe.model).encoders.items():
        ref = config.towers.get(modality)
        if ref is None and modality in MEDIA:
            raise ModelError(
                f"{path} was trained without {modality.plural}, and the recipe needs them. Train its stage 1 on a "
                "dataset that has them"
            )
        if ref is None or (ref.revision, ref.dim) != (tower.revision, tower.dim):
            found = "missing" if ref is None else f"{ref.name} of {ref.dim} numbers at {ref.revision}"
            raise ModelError(
                f"{path} was not trained on the towers of {recipe.model!r}: its {modality} tower is {found}, and the "
                f"recipe's is {tower.name} of {tower.dim} numbers at {tower.revision}. Name the model that it was "
                "trained on with --set model=..."
            )
    begun, asked = () if config.knowledge is None else config.knowledge.features, recipe.text.features
    if set(begun) != set(asked):
        raise ModelError(
            f"{path} was trained with {_named(begun)} behind its texts, and the recipe has {_named(asked)}. Set "
            f"text.features={json.dumps(begun, separators=(',', ':'))}"
        )
    brought = {"logit_scale": config.logit_scale, "logit_bias": _bias(path, config)}
    for name, learned in brought.items():
        factor = getattr(recipe, name)
        if learned is not None and (name in given or factor != FrozenRecipe.model_fields[name].default):
            raise ModelError(
                f"{name} = {factor:g} would change nothing: {path} has learned {learned:.4g}, and training goes on "
                f"from there. Set {name} only for a run without a start"
            )
