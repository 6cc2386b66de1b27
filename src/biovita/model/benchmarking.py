"""Our models under mteb: on its tasks of sound, image and text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from biovita.directions import unit
from biovita.errors import MissingExtraError, ModelError
from biovita.media.inputs import Sound
from biovita.modality import Modality
from biovita.model.model import Model

if TYPE_CHECKING:
    from mteb.models.abs_encoder import AbsEncoder

__all__ = ["for_mteb"]


def for_mteb(model: Model) -> AbsEncoder:
    """Return a model as mteb takes it: ``mteb.evaluate(for_mteb(model), tasks)``.

    Rows with several modalities get the normalised sum of their embeddings, as mteb's own wrapper of the published
    model has it; modalities that the model has no tower for are an error, not a zero vector.

    Raises
    ------
    MissingExtraError
        Where mteb is not installed.
    """
    try:
        from mteb.models.abs_encoder import AbsEncoder
        from mteb.models.model_meta import ModelMeta, ScoringFunction
    except ImportError as error:
        raise MissingExtraError("mteb", "running a model under mteb") from error

    embed: dict[Modality, Callable[..., np.ndarray]] = {
        Modality.TEXT: lambda values: model.embed_texts([str(value) for value in values]),
        Modality.IMAGE: model.embed_images,
        Modality.AUDIO: lambda values: model.embed_audio([_sound(value) for value in values]),
    }
    dims = {model.dim(modality) for modality in model.towers}
    if len(dims) != 1:
        raise ModelError(f"the towers of {model.name!r} are not in one space. Their dimensions are {sorted(dims)}")

    class Encoder(AbsEncoder):
        """The encoder that mteb calls."""

        def __init__(self) -> None:
            self.model = model
            self.mteb_model_meta = ModelMeta.create_empty(
                {
                    "name": f"biovita/{model.card.name}",
                    "revision": model.card.revision,
                    "embed_dim": dims.copy().pop(),
                    "modalities": [str(modality) for modality in model.towers],
                    "languages": ["eng-Latn"],
                    "similarity_fn_name": ScoringFunction.COSINE,
                    "framework": ["PyTorch"],
                    "use_instructions": False,
                }
            )

        def encode(self, inputs: Any, **_: Any) -> np.ndarray:
            """Return the embeddings ``(rows, dim)`` of a data loader's rows."""
            columns = set(inputs.dataset.features)
            present = [modality for modality in embed if str(modality) in columns]
            if not present:
                raise ModelError(
                    f"the rows have the columns {', '.join(sorted(columns))}. They need text, image or audio"
                )
            inputs.collate_fn = _collate
            parts = []
            for batch in inputs:
                vectors = np.sum([embed[modality](batch[str(modality)]) for modality in present], axis=0)
                parts.append(unit(vectors, "sums of vectors"))
            return np.concatenate(parts)

    return Encoder()


def _collate(rows: list[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {key: [row[key] for row in rows] for key in rows[0]}


def _sound(value: Mapping[str, Any]) -> Sound:
    """Return mteb's sound, whose channels come first."""
    samples = np.asarray(value["array"], dtype=np.float32)
    return Sound(samples.T if samples.ndim == 2 else samples, int(value["sampling_rate"]))
