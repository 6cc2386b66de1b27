"""CLAP's audio tower (Wu et al. 2023, arXiv:2211.06687; HTS-AT), run with transformers, with or without an adapter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from biovita.compute.cores import cpu_count
from biovita.compute.device import Device, batch_size_for
from biovita.compute.transfer import encode_in_batches
from biovita.errors import ModelError
from biovita.media.inputs import AudioItem
from biovita.towers.audio_windows import AudioInput
from biovita.towers.clap_config import check_clap_config, read_clap_config
from biovita.towers.encoder import EncoderCard, EncoderDefaults, Windowing
from biovita.towers.long_recordings import LongWindows, mean_over_windows
from biovita.towers.mel_config import MelConfig
from biovita.weights.state_dicts import UNBUILDABLE, check_fit, load_strictly, read_state
from biovita.weights.undrawn import undrawn

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import ClapModel

__all__ = ["BUFFERS", "WEIGHT_FILES", "ClapAudio", "clap_network", "read_clap"]

WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")  # in the order they are looked for
# Counters without weights, which some versions of transformers store and others do not.
BUFFERS = ("text_model.embeddings.position_ids", "text_model.embeddings.token_type_ids")
_CLIP_BYTES = 80 << 20  # of one clip in float32 at the first, widest stage: attention and its intermediate layer
_ON_A_CORE = 2
_CHANNELS_IF_FUSED = 4


class ClapAudio(EncoderDefaults):
    """CLAP's audio vectors, of length 1, or what an adapter makes of them.

    A fused checkpoint reads every window as its authors' code reads a recording of up to 10 s.

    Parameters
    ----------
    network
        Its audio parts are moved to the device; what it has for text stays where it is.
    listen
        How a recording becomes windows. Where there are several, their vectors are averaged.
    adapter
        ``(dim, projection_dim)``, a linear map without a bias; None leaves CLAP's own vectors.
    """

    def __init__(
        self,
        card: EncoderCard,
        network: ClapModel,
        device: Device,
        *,
        listen: AudioInput,
        mel: MelConfig | None = None,
        adapter: torch.Tensor | None = None,
    ) -> None:
        from biovita.towers.mel import MelSpectrogram

        self.network = network.eval()
        self.device = device
        self.tolerance = device.tolerance
        self.listen = listen
        self.fused = bool(network.config.audio_config.enable_fusion)
        self.mel = MelSpectrogram(mel or MelConfig(scale="htk" if self.fused else "slaney")).to(device.name)
        for part in (network.audio_model, network.audio_projection):
            part.to(device.name)
        self.adapter: nn.Linear | None = None
        self.dim = int(network.config.projection_dim)
        if adapter is not None:
            self.adapter = _linear(adapter, self.dim).to(device.name)
            self.dim = int(adapter.shape[0])
        self.card = replace(card, dim=self.dim, preprocessing=listen.describe())
        self.batch_size = batch_size_for(device, _CLIP_BYTES, on_cpu=2 * _ON_A_CORE * cpu_count())

    def listening(self, **changes: Any) -> Self:
        """Return the tower with another way to read recordings: fields of `AudioInput`. The weights are shared.

        Raises
        ------
        ModelError
            Where a field's value is not accepted.
        """
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        try:
            other.listen = replace(self.listen, **changes)
        except ValueError as error:
            raise ModelError(str(error)) from error
        other.card = replace(self.card, preprocessing=other.listen.describe())
        return other

    def cutting(self, overlap: float = 0.0) -> Self:
        """Return the tower as it reads all windows of a recording."""
        return self.listening(window="all", overlap=overlap)

    @property
    def loader(self) -> AudioInput:
        """How a recording becomes windows."""
        return self.listen

    @property
    def windows(self) -> Windowing:
        """How long they are and how far apart."""
        return Windowing(self.listen.seconds, self.listen.hop / self.listen.sample_rate)

    def load(self, item: AudioItem) -> np.ndarray | LongWindows:
        """Return the windows of a recording, ``(windows, samples)``, float32; of a long one as they are read."""
        return self.listen(item)

    def encode(self, batch: Sequence[np.ndarray | LongWindows]) -> np.ndarray:
        """Return one vector a recording, ``(len(batch), dim)``: the mean over its windows."""
        if not batch:
            return np.empty((0, self.dim), np.float32)
        return mean_over_windows(batch, self.encode_windows)

    def encode_windows(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """Return one vector a window, ``(len(windows), dim)``, of windows of ``(samples,)``."""
        return encode_in_batches(
            windows, self.dim, self.device, self.forward, size=self.batch_size, part=_ON_A_CORE
        )

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Return ``(batch, dim)`` of ``(batch, samples)``, both on the device."""
        return self.forward_mel(self.mel(waveforms))

    def forward_mel(self, mel: torch.Tensor) -> torch.Tensor:
        """Return ``(batch, dim)`` of mel spectrograms, ``(batch, 1, frames, bands)``."""
        import torch

        options = {}
        if self.fused:
            mel = mel.expand(-1, _CHANNELS_IF_FUSED, -1, -1)
            options["is_longer"] = torch.zeros(len(mel), 1, dtype=torch.bool, device=mel.device)
        vectors = pooled(self.network.get_audio_features(input_features=mel, **options))
        return vectors if self.adapter is None else self.adapter(vectors)


def pooled(features: Any) -> torch.Tensor:
    """Return the vectors in what ``ClapModel.get_audio_features`` returns: an object from transformers 5 on."""
    return getattr(features, "pooler_output", features)


def _linear(weight: torch.Tensor, inputs: int) -> nn.Linear:
    import torch

    if weight.ndim != 2 or weight.shape[1] != inputs:
        raise ModelError(f"the audio adapter has the shape {tuple(weight.shape)}; it has to be (dim, {inputs})")
    linear = torch.nn.Linear(inputs, weight.shape[0], bias=False)
    with torch.no_grad():
        linear.weight.copy_(weight)
    return linear.requires_grad_(requires_grad=False)


def clap_network(state: dict[str, torch.Tensor], where: str, config: dict[str, Any] | None = None) -> ClapModel:
    """Return a `ClapModel` with these weights.

    Parameters
    ----------
    state
        The whole state dict of a `ClapModel`.
    where
        Names the source in an error.
    config
        That of the checkpoint. None is the published architecture, fused where the weights are.

    Raises
    ------
    ModelError
        Where the weights do not fit the architecture.
    """
    import torch
    from transformers import ClapConfig, ClapModel

    if config is None:
        fused = any(".patch_embed.mel_conv2d." in name for name in state)
        config = {"audio_config": {"enable_fusion": fused}}
    config = check_clap_config(config, where)
    try:
        with torch.device("meta"):  # without memory: whether the weights fit is known before any is taken
            shapes = ClapModel(ClapConfig.from_dict(config)).state_dict()
        wanted = {name: value for name, value in shapes.items() if name not in BUFFERS}
        check_fit(wanted, state, where, ignore=BUFFERS)
        with undrawn():
            network = ClapModel(ClapConfig.from_dict(config))
    except ModelError:
        raise
    except UNBUILDABLE as error:
        raise ModelError(
            f"{where}: transformers cannot build the architecture in the configuration: {error}"
        ) from error
    load_strictly(network, state, where, ignore=BUFFERS)
    return network.eval().requires_grad_(requires_grad=False)


def read_clap(directory: Path) -> ClapModel:
    """Return the `ClapModel` of a directory that transformers wrote: ``config.json`` and the weights.

    Raises
    ------
    ModelError
        Where a file is missing, cannot be read or does not fit.
    """
    config = read_clap_config(directory)
    file = next((directory / name for name in WEIGHT_FILES if (directory / name).is_file()), None)
    if file is None:
        raise ModelError(f"{directory} has no weights. It needs {' or '.join(WEIGHT_FILES)}")
    return clap_network(read_state(file), str(file), config)
