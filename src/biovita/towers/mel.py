"""The mel spectrogram that CLAP's audio tower reads, on torch: batched, and on the device of the model.

The transform is that of ``laion/clap-htsat-unfused`` (and, with the HTK bank, of the fused checkpoints): frames of
1024 samples every 480 with a periodic Hann window and reflected edges, 64 triangular mel bands, power in decibels
with a floor of 1e-10, so -100 dB.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from biovita.media.mel_scale import hz_to_mel, mel_to_hz
from biovita.towers.mel_config import MelConfig

__all__ = ["MelSpectrogram", "mel_bank"]

_FLOOR = 1e-10  # power; -100 dB
_CPU_FRAMES = 64  # a block of frames that stays in the cache of one core
_DEVICE_CLIPS = 32  # clips of 10 s a block elsewhere: under a gigabyte


def mel_bank(config: MelConfig) -> np.ndarray:
    """Return the triangular filters, ``(window // 2 + 1, bands)``, float64.

    Mel scales are Slaney's (`biovita.media.mel_scale`) and O'Shaughnessy's (1987), the formula of HTK.
    """
    if config.scale == "htk":
        low, high = (2595 * np.log10(1 + hz / 700) for hz in (config.low_hz, config.high_hz))
        corners = 700 * (10 ** (np.linspace(low, high, config.bands + 2) / 2595) - 1)
    else:
        corners = mel_to_hz(np.linspace(hz_to_mel(config.low_hz), hz_to_mel(config.high_hz), config.bands + 2))
    bins = np.linspace(0, config.sample_rate / 2, config.window // 2 + 1)
    left, centre, right = corners[:-2], corners[1:-1], corners[2:]
    rising = (bins[:, None] - left) / (centre - left)
    falling = (right - bins[:, None]) / (right - centre)
    bank = np.maximum(0, np.minimum(rising, falling))
    return bank if config.scale == "htk" else bank * 2 / (right - left)


class MelSpectrogram(nn.Module):
    """Waveforms to mel spectrograms in decibels.

    The transform runs in float64 where the device has it (all but Apple's), since a quiet band beside a loud one is
    lost in the rounding of a float32 transform. Turning the module to half precision is neither needed nor useful.

    Examples
    --------
    >>> MelSpectrogram()(torch.zeros(2, 480_000)).shape
    torch.Size([2, 1, 1001, 64])
    """

    bank: torch.Tensor

    def __init__(self, config: MelConfig | None = None) -> None:
        super().__init__()
        self.config = config or MelConfig()
        bank = mel_bank(self.config)
        used = np.flatnonzero(bank.any(axis=1))
        self._bins = slice(int(used[0]), int(used[-1]) + 1)
        # Real and imaginary parts lie side by side, so each filter is written twice: one product sums both.
        doubled = torch.from_numpy(bank[self._bins]).repeat_interleave(2, dim=0).float()
        self.register_buffer("bank", doubled, persistent=False)

    @torch.no_grad()
    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Return ``(batch, 1, 1 + samples // hop, bands)``, float32 decibels, of ``(batch, samples)``.

        Raises
        ------
        ValueError
            Where the waveforms are not two-dimensional or have no more than ``window // 2`` samples.
        """
        size, hop = self.config.window, self.config.hop
        if waveforms.ndim != 2 or waveforms.shape[1] <= size // 2:
            raise ValueError(
                f"waveforms have shape {tuple(waveforms.shape)}; they have to be (batch, samples) "
                f"with more than {size // 2} samples"
            )
        device, edge = waveforms.device, size // 2
        precise = torch.float32 if device.type == "mps" else torch.float64
        window = torch.hann_window(size, periodic=True, dtype=precise, device=device)
        clips, count = len(waveforms), 1 + waveforms.shape[1] // hop
        clip_step, frame_step = (1, _CPU_FRAMES) if device.type == "cpu" else (_DEVICE_CLIPS, count)
        mel = torch.zeros(clips, count, self.config.bands, device=device)
        padded, windowed = (torch.empty(0, dtype=precise, device=device) for _ in range(2))  # written over
        for clip in range(0, clips, clip_step):
            part = waveforms[clip : clip + clip_step]
            edges = part[:, 1 : edge + 1].flip(1), part[:, -edge - 1 : -1].flip(1)
            torch.cat([edges[0], part, edges[1]], dim=1, out=padded.resize_(len(part), part.shape[1] + size))
            frames = padded.unfold(1, size, hop)  # (clips of the block, frames, window), a view
            for frame in range(0, count, frame_step):
                block = frames[:, frame : frame + frame_step]
                heard = slice(frame * hop, (frame + block.shape[1] - 1) * hop + size)
                if device.type == "cpu" and not padded[:, heard].any():  # what fills up a short clip
                    continue
                torch.mul(block, window, out=windowed.resize_(block.shape))
                spectrum = torch.view_as_real(torch.fft.rfft(windowed)[..., self._bins])
                power = spectrum.float().square_().flatten(-2)
                mel[clip : clip + clip_step, frame : frame + frame_step] = power @ self.bank
        return mel.clamp_min_(_FLOOR).log10_().mul_(10)[:, None]
