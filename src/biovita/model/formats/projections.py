"""An aligned model of ours: projections over frozen towers, which are named in ``config.json`` and not copied."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biovita.errors import ModelError
from biovita.files import new_directory, write_whole
from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.model.formats.format import Origin, weight_files
from biovita.model.formats.installed import log_notices
from biovita.model.formats.own_files import check_table
from biovita.model.formats.projections_config import (
    CONFIG,
    Config,
    KnowledgeRef,
    TowerRef,
    base_card,
    base_ref,
    read_config,
)
from biovita.model.knowledge import Knowledge, in_words
from biovita.model.landmarks import LANDMARKS, landmarks_bytes, read_landmarks
from biovita.model.lookup import PROJECTIONS_FILES, open_towers
from biovita.model.met import Met, read_met, write_met
from biovita.model.model import Model
from biovita.taxonomy.known_taxa import table_hash
from biovita.taxonomy.taxon_features import feature_count
from biovita.weights.state_dicts import read_checkpoint, read_json

if TYPE_CHECKING:
    from torch import nn

    from biovita.model.projection import Projection

__all__ = ["WEIGHTS", "Projections", "aligned_model", "read_projections"]

WEIGHTS = "model.safetensors"


class Projections:
    """Projections into one space, and the towers of another model."""

    name = "projections"
    files = PROJECTIONS_FILES
    weights = ((WEIGHTS,),)
    extras = ()

    def matches(self, path: Path) -> bool:
        """Return whether the configuration names towers."""
        file = path / CONFIG
        if not file.is_file():
            return False
        content = read_json(file)
        return "towers" in content and content.get("kind") is None

    def describe(self, path: Path, origin: Origin) -> ModelCard:
        """Return what the configuration says; the model that has the towers is looked for.

        Raises
        ------
        ModelError
            Where a field is not as it has to be, or the towers are not found as they were.
        """
        config = read_config(path)
        card = _card(config.name, config.dim, list(config.towers), base_card(path, config), origin)
        ref = config.knowledge
        if ref is None:
            return replace(card, record=config.record)
        said = in_words(ref.features, ref.pull)
        return replace(card, record=config.record, features=ref.features, knows=said)

    def files_of(self, path: Path) -> list[Path]:
        """Return the files that make the model what it is: its weights, and the landmarks where it has some."""
        landmarks = path / LANDMARKS
        return [*weight_files(self, path), *([landmarks] if landmarks.is_file() else [])]

    def load(self, card: ModelCard, path: Path, device: str, modalities: Collection[Modality]) -> Model:
        """Return the model; the notices of all towers are logged, for projections are derived from each of them."""
        config = read_config(path)
        log_notices(card.encoders.values())
        assert card.base is not None
        projections = read_projections(path, config)  # before the towers, which take longer to open
        knowledge = _read_knowledge(path, config)
        towers = open_towers(card.base, device, modalities).towers
        return Model(
            config.name, card, towers, projections, config.logit_scale, config.record, read_met(path), knowledge
        )

    def save(self, model: Model, out: Path, *, overwrite: bool = False) -> Path:
        """Write the projections, where their towers are, and what made them."""
        dim = model.card.dim
        if model.card.base is None or dim is None:
            raise ModelError(
                f"the model {model.name!r} has no projections. Write it in the layout own or published"
            )
        base = base_ref(model.card.base, out)
        with new_directory(out, replace=overwrite, marker=CONFIG) as scratch:
            config = Config(
                format=2 if model.knowledge is None else 3,
                name=model.name,
                dim=dim,
                logit_scale=model.logit_scale,
                base=base,
                towers={
                    modality: TowerRef(name=info.name, revision=info.revision, dim=info.dim)
                    for modality, info in model.card.encoders.items()
                    if modality in model.projections
                },
                knowledge=None if model.knowledge is None else _knowledge_ref(model.knowledge),
                record={**model.record, **write_met(model.met, scratch)},
            )
            if model.knowledge is not None:
                (scratch / LANDMARKS).write_bytes(landmarks_bytes(model.knowledge.landmarks))
            (scratch / WEIGHTS).write_bytes(_as_bytes(model.projections))
            write_whole(scratch / CONFIG, config.model_dump_json(indent=2, exclude_none=True) + "\n")
        return out


def aligned_model(
    name: str,
    base: Model,
    projections: Mapping[Modality, Projection],
    logit_scale: float = 1.0,
    record: Mapping[str, Any] | None = None,
    *,
    met: Met | None = None,
    knowledge: Knowledge | None = None,
) -> Model:
    """Return the model of projections of the towers of ``base`` that were trained just now.

    Its revision is that of the directory that `Projections.save` writes.
    """
    files = [_as_bytes(projections), *([] if knowledge is None else [landmarks_bytes(knowledge.landmarks)])]
    revision = "sha256:" + ",".join(hashlib.sha256(content).hexdigest()[:16] for content in files)
    dim = next(iter(projections.values())).linear.out_features
    card = _card(name, dim, list(projections), base.card.towers, Origin(name, "", revision))
    if knowledge is not None:
        said = in_words(knowledge.features, knowledge.pull)
        card = replace(card, features=knowledge.features, knows=said)
    return Model(name, card, base.towers, projections, logit_scale, dict(record or {}), met, knowledge)


def read_projections(path: Path, config: Config) -> dict[Modality, Projection]:
    """Return the projections of a directory.

    Raises
    ------
    ModelError
        Where the weights are missing or damaged, or do not fit the configuration.
    """
    import torch

    file = path / WEIGHTS
    if not file.is_file():
        raise ModelError(f"{path} is not a complete model directory. It has no {file.name}")
    try:
        tensors = read_checkpoint(file)
    except ModelError as error:
        raise ModelError(f"{file} is damaged: {error}") from error
    with torch.device("meta"):  # without memory: whether the weights fit is known before any is taken
        shapes = _projections(config)
    expected = {
        f"{modality}.{key}": value
        for modality, projection in shapes.items()
        for key, value in projection.state_dict().items()
    }
    problems = [f"missing {key}" for key in expected.keys() - tensors.keys()]
    problems += [f"unexpected {key}" for key in tensors.keys() - expected.keys()]
    problems += [
        f"{key} is {tuple(tensors[key].shape)}, not {tuple(value.shape)}"
        for key, value in expected.items()
        if key in tensors and tensors[key].shape != value.shape
    ]
    if problems:
        raise ModelError(f"{file} does not fit its {CONFIG}: {'; '.join(sorted(problems))}")
    projections = _projections(config)
    for modality, projection in projections.items():
        projection.load_state_dict(
            {
                key.removeprefix(f"{modality}."): value
                for key, value in tensors.items()
                if key.startswith(f"{modality}.")
            }
        )
        projection.eval().requires_grad_(requires_grad=False)
    return projections


def _projections(config: Config) -> dict[Modality, Projection]:
    """Return the projections of a configuration, untrained."""
    from biovita.model.projection import Projection

    known = 0 if config.knowledge is None else feature_count(config.knowledge.features)
    facts = {modality: known if modality == Modality.TEXT else 0 for modality in config.towers}
    return {
        modality: Projection(ref.dim + facts[modality], config.dim, facts[modality])
        for modality, ref in config.towers.items()
    }


def _knowledge_ref(knowledge: Knowledge) -> KnowledgeRef:
    return KnowledgeRef(features=knowledge.features, table=table_hash(), **asdict(knowledge.pull))


def _read_knowledge(path: Path, config: Config) -> Knowledge | None:
    ref = config.knowledge
    if ref is None:
        return None
    check_table(path, ref.table)
    return Knowledge(ref.features, ref.pull, read_landmarks(path, config.dim))


def _card(title: str, dim: int, modalities: Sequence[Modality], base: ModelCard, origin: Origin) -> ModelCard:
    return ModelCard(
        origin.name,
        f"{title}: projections of {base.name} into {dim} numbers",
        Projections.name,
        origin.place,
        f"{origin.revision}+{base.revision}",
        {modality: base.encoder(modality) for modality in modalities},
        dim,
        base,
    )


def _as_bytes(projections: Mapping[Modality, nn.Module]) -> bytes:
    """Return the content of the file of weights: the same for the same numbers."""
    from safetensors.torch import save

    return save(
        {
            f"{modality}.{key}": value.detach().cpu().contiguous()
            for modality, projection in projections.items()
            for key, value in projection.state_dict().items()
        }
    )
