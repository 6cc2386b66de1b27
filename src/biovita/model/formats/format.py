"""What a layout of models has to say, and what several of them share."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from biovita.compute.device import choose_device
from biovita.errors import ModelError
from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.model.identity import revision_of
from biovita.model.model import Model
from biovita.towers.encoder import Encoder, EncoderCard

if TYPE_CHECKING:
    import torch
    from transformers import ClapModel

    from biovita.towers.audio_windows import AudioInput
    from biovita.towers.mel_config import MelConfig
    from biovita.towers.open_clip import ClipNetwork

__all__ = ["Format", "NotWritten", "Origin", "joined_model", "short_name", "towers_card", "weight_files"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a model's files are from, and which they are.

    Attributes
    ----------
    title
        What its name is made from: a directory's or a repository's name.
    place, revision
        As in `ModelCard`.
    size_bytes
        Of the files of weights; None where they are not here yet.
    """

    title: str
    place: str
    revision: str
    size_bytes: int | None = None

    @property
    def name(self) -> str:
        """Fit for a directory's name, and another for other weights."""
        return f"{short_name(self.title)}-{self.revision.removeprefix('sha256:')[:8]}"

    @classmethod
    def of(cls, path: Path, weights: Sequence[Path]) -> Origin:
        """Return the origin of files on this machine."""
        size = sum(file.stat().st_size for file in weights)
        return cls(path.resolve().name, str(path.absolute()), revision_of(weights), size)


class Format(Protocol):
    """A layout of models: how one is recognised, described, opened and written.

    Attributes
    ----------
    files
        In words, what shows the layout.
    weights
        For each file of weights, the names that it may have; the first that is there counts.
    extras
        Files that a repository on a hub may have beside them.
    """

    name: str
    files: str

    @property
    def weights(self) -> Sequence[Sequence[str]]:
        """For each file of weights, the names that it may have."""
        ...

    @property
    def extras(self) -> Sequence[str]:
        """Files that a repository may have beside them."""
        ...

    def matches(self, path: Path) -> bool:
        """Return whether a directory or file is in this layout.

        Raises
        ------
        ModelError
            Where its configuration is no JSON.
        """
        ...

    def describe(self, path: Path, origin: Origin) -> ModelCard:
        """Return what is known of the model there; its weights are not opened.

        Raises
        ------
        ModelError
            Where its configuration cannot be read.
        """
        ...

    def load(self, card: ModelCard, path: Path, device: str, modalities: Collection[Modality]) -> Model:
        """Return the model of a card whose files lie at ``path``, with the towers of some modalities.

        Raises
        ------
        ModelError
            Where a file is missing, damaged or refused, or there is no such device.
        """
        ...

    def save(self, model: Model, out: Path, *, overwrite: bool = False) -> Path:
        """Write a model in this layout, whole or not at all, and return where it is.

        Raises
        ------
        ModelError
            Where the layout has no place for such a model, or nothing is written in it.
        DatasetError
            Where ``out`` exists and ``overwrite`` was not asked for.
        """
        ...


class NotWritten:
    """A layout that is only read."""

    name: str

    def save(self, model: Model, out: Path, *, overwrite: bool = False) -> Path:  # noqa: ARG002
        """Raise a `ModelError`."""
        raise ModelError(
            f"models cannot be written in the layout {self.name!r}. Choose published, own or projections"
        )


def short_name(title: str) -> str:
    """Return a title as a part of a file's name."""
    return re.sub(r"[^\w.-]+", "-", title).strip("-.") or "model"


def weight_files(form: Format, path: Path) -> list[Path]:
    """Return the files of weights of a model on this machine.

    Raises
    ------
    ModelError
        Where one is missing.
    """
    if path.is_file():
        return [path]
    found = []
    for names in form.weights:
        there = [path / name for name in names if (path / name).is_file()]
        if not there:
            raise ModelError(f"{path} has no weights. It should have {' or '.join(names)}")
        found.append(there[0])
    return found


def towers_card(
    form: str, origin: Origin, towers: Sequence[tuple[Modality, int, str]], *, about: str = ""
) -> ModelCard:
    """Return the card of a model of others in one space: of each tower its modality, dimension and preprocessing."""
    encoders = {
        modality: EncoderCard(
            name=f"{origin.name}-{modality}",
            modality=modality,
            dim=dim,
            source=origin.place,
            revision=origin.revision,
            license="not stated",
            preprocessing=preprocessing,
            size_bytes=origin.size_bytes,
        )
        for modality, dim, preprocessing in towers
    }
    return ModelCard(
        origin.name, about or origin.place, form, origin.place, origin.revision, encoders, towers[0][1]
    )


def joined_model(
    card: ModelCard,
    device: str,
    modalities: Collection[Modality],
    *,
    read_clip: Callable[[], ClipNetwork],
    read_audio: Callable[[], tuple[ClapModel, torch.Tensor]] | None = None,
    listen: AudioInput | None = None,
    mel: MelConfig | None = None,
) -> Model:
    """Return the model of towers in one space: CLAP's with an adapter, and those of one open_clip model.

    Where neither images nor texts are asked for, the open_clip model is not read, and the logit scale is 1.

    Raises
    ------
    ModelError
        Where the adapter leads into another space.
    """
    from biovita.towers.audio_windows import AudioInput
    from biovita.towers.clap import ClapAudio
    from biovita.towers.open_clip import OpenClipImage, OpenClipText

    chosen = choose_device(device)
    towers: dict[Modality, Encoder] = {}
    if read_audio is not None and Modality.AUDIO in modalities:
        network, adapter = read_audio()
        info = card.encoder(Modality.AUDIO)
        if adapter.shape[0] != info.dim:
            raise ModelError(
                f"{card.place}: the audio adapter makes vectors of {adapter.shape[0]} numbers, and the image and text "
                f"towers make vectors of {info.dim}. They have to be of one length"
            )
        listen = listen or AudioInput()
        towers[Modality.AUDIO] = ClapAudio(info, network, chosen, listen=listen, mel=mel, adapter=adapter)
    if not {Modality.IMAGE, Modality.TEXT} & set(modalities):
        return Model(card.name, card, towers)
    clip = read_clip()
    for modality, kind in ((Modality.IMAGE, OpenClipImage), (Modality.TEXT, OpenClipText)):
        if modality in modalities:
            towers[modality] = kind(card.encoder(modality), clip, chosen)
    return Model(card.name, card, towers, logit_scale=clip.logit_scale)
