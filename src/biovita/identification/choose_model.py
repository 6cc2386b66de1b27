"""The best model on this machine for a question, and why."""

from __future__ import annotations

from collections.abc import Collection

from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.model.describe import describe
from biovita.weights.hub_models import HUB_MODELS

__all__ = ["choose_model"]

_PUBLISHED = "biovita"
_PICTURES = "bioclip-2"


def choose_model(name: str, modalities: Collection[Modality]) -> tuple[ModelCard, str]:
    """Return the card of a model, and a sentence that says which it is and why.

    ``auto`` is the published BioVITA where its weights are on this machine; for photographs alone BioCLIP 2 where its
    are; ``starter`` otherwise. Nothing is fetched.

    Parameters
    ----------
    name
        ``auto``, or a name or directory as `biovita.describe` takes it.
    modalities
        Of the question.

    Raises
    ------
    ModelError
        Where there is no such model.
    """
    if name != "auto":
        return describe(name), f"model: {name}"
    if HUB_MODELS[_PUBLISHED].here() is not None:
        return describe(_PUBLISHED), f"model: {_PUBLISHED}, the best one whose weights are on this machine"
    if set(modalities) == {Modality.IMAGE} and HUB_MODELS[_PICTURES].here() is not None:
        return describe(_PICTURES), f"model: {_PICTURES}, the best one for photographs that is on this machine"
    lacking = f"the weights of {_PUBLISHED} are not on this machine (biovita models fetch {_PUBLISHED})"
    return describe("starter"), f"model: starter, for {lacking}"
