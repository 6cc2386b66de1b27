"""Augmentations of what a trained audio tower hears: gain, other recordings as noise, masks in time and frequency."""

from __future__ import annotations

import torch

from biovita.training.recipe import Augment

__all__ = ["mask_mel", "vary_sounds"]


def vary_sounds(sounds_bn: torch.Tensor, settings: Augment, seed: int) -> torch.Tensor:
    """Return sounds at another level, each with another of the batch under it, ``(B, samples)``.

    The level changes by up to ``gain_db`` either way. The noise is that far below the sound in power as ``noise_db``
    says; a silent sound stays as it is. Everything is drawn from ``seed`` on the CPU, so it does not depend on the
    device.
    """
    generator = torch.Generator().manual_seed(seed)
    count = len(sounds_bn)
    level = (2 * torch.rand(count, generator=generator) - 1) * settings.gain_db
    other = (torch.arange(count) + torch.randint(1, max(2, count), (count,), generator=generator)) % count
    if settings.noise_db is not None and count > 1:
        noise = sounds_bn[other.to(sounds_bn.device)]
        power, of_noise = (x.square().mean(dim=1, keepdim=True) for x in (sounds_bn, noise))
        factor = (power / of_noise.clamp_min(1e-12)).sqrt() * 10 ** (-settings.noise_db / 20)
        sounds_bn = sounds_bn + noise * torch.where(of_noise > 1e-12, factor, 0.0)
    return sounds_bn * (10 ** (level / 20)).to(sounds_bn)[:, None]


def mask_mel(mel: torch.Tensor, settings: Augment, seed: int) -> torch.Tensor:
    """Return spectrograms ``(B, 1, frames, bands)`` with a stretch of frames and one of bands at the clip's mean.

    Each is of random length, up to a share of all (Park et al. 2019, SpecAugment).
    """
    generator = torch.Generator().manual_seed(seed)
    masked = torch.zeros(mel.shape, dtype=torch.bool)
    for axis, share in ((2, settings.time_mask), (3, settings.frequency_mask)):
        size = mel.shape[axis]
        length = (torch.rand(len(mel), generator=generator) * share * size).long()
        start = (torch.rand(len(mel), generator=generator) * (size - length + 1)).long()
        at = torch.arange(size)[None]
        inside = (at >= start[:, None]) & (at < (start + length)[:, None])
        masked |= inside[:, None, :, None] if axis == 2 else inside[:, None, None, :]
    return torch.where(masked.to(mel.device), mel.mean(dim=(2, 3), keepdim=True), mel)
