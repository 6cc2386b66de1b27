"""What another process finds when it opens models."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from biovita import load_model


def opened(cwd: Path, places: Sequence[str], texts: Sequence[str], home: Path) -> list[tuple[str, np.ndarray]]:
    """Return the revision of the model at each place, and its vectors of texts; places may be relative to ``cwd``.

    The hub's library, which reads at import where its files are, finds them at ``home`` and tries no network.
    """
    import huggingface_hub

    huggingface_hub.constants.HF_HUB_CACHE = str(home / "hub")
    huggingface_hub.constants.HF_HUB_OFFLINE = True
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.chdir(cwd)
    models = [load_model(place, device="cpu") for place in places]
    return [(model.card.revision, model.embed_texts(texts)) for model in models]
