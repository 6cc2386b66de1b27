"""Windowed-sinc resampling as the published model has it: Hann window, six zero crossings, cut-off at 0.99.

The formula is that of ``torchaudio.functional.resample`` with its defaults (Smith, *Digital Audio Resampling*): every
output sample is the sum of the input weighted by a sinc of 0.99 times the lower of the two Nyquist rates, under a
cosine-squared window.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch

__all__ = ["sinc_resample"]

_CROSSINGS = 6
_ROLLOFF = 0.99
_LARGEST_BANK = 2**22  # weights; past that each output sample computes its own
_FEWEST_PHASES = 32  # outputs a span: a product with fewer columns is slower than one with needless zeros
_OUTPUTS, _WEIGHTS = 2**16, 2**22  # of those, at a time, and the weights of all of them at most


def sinc_resample(waveforms: torch.Tensor, rate: int, wanted: int) -> torch.Tensor:
    """Return ``waveforms``, ``(..., samples)`` at ``rate`` hertz, at ``wanted`` hertz.

    The result has ``ceil(samples * wanted / rate)`` samples, of the same float type and on the same device. Silence is
    taken to lie on both sides.

    Raises
    ------
    ValueError
        Where a rate is not a positive whole number.
    """
    if rate != int(rate) or wanted != int(wanted) or rate <= 0 or wanted <= 0:
        raise ValueError(
            f"the sample rates are {rate} and {wanted}; they have to be positive whole numbers of hertz"
        )
    if rate == wanted:
        return waveforms
    common = math.gcd(int(rate), int(wanted))
    rate, wanted = int(rate) // common, int(wanted) // common
    length = math.ceil(waveforms.shape[-1] * wanted / rate)
    flat = waveforms.reshape(-1, waveforms.shape[-1])
    if wanted * (2 * _reach(rate, wanted) + rate) <= _LARGEST_BANK:
        resampled = _by_bank(flat, rate, wanted)
    else:
        resampled = _by_gathering(flat, rate, wanted, length)
    return resampled[:, :length].reshape(*waveforms.shape[:-1], length)


def _reach(rate: int, wanted: int) -> int:
    """Return how many input samples the window spans to each side."""
    return math.ceil(_CROSSINGS * rate / (min(rate, wanted) * _ROLLOFF))


def _kernel(seconds: torch.Tensor, rate: int, wanted: int) -> torch.Tensor:
    """Return the weight of an input sample this far from an output sample; rates and times are in reduced units."""
    cutoff = min(rate, wanted) * _ROLLOFF
    position = (seconds * cutoff).clamp_(-_CROSSINGS, _CROSSINGS)
    window = torch.cos(position * math.pi / _CROSSINGS / 2).square_()
    angle = position * math.pi
    return torch.where(angle == 0, 1.0, angle.sin() / angle) * (window * (cutoff / rate))


@lru_cache(maxsize=16)
def _bank(rate: int, wanted: int, dtype: torch.dtype) -> torch.Tensor:
    """Return the weights ``(2 * reach + rate, wanted)`` that make ``wanted`` output samples of a span of input.

    In float32 the times are rounded as the published code rounds them: 1e-5 of a zero crossing, which is a noise at
    -88 dB that the published model's spectrograms have.
    """
    reach = _reach(rate, wanted)
    taps = torch.arange(-reach, reach + rate, dtype=dtype) / rate
    phases = torch.arange(0, -wanted, -1, dtype=dtype) / wanted
    bank = _kernel(phases + taps[:, None], rate, wanted)
    repeats = max(1, _FEWEST_PHASES // wanted)
    repeated = bank.new_zeros(2 * reach + rate * repeats, wanted * repeats)
    for number in range(repeats):
        repeated[number * rate : number * rate + len(bank), number * wanted : (number + 1) * wanted] = bank
    return repeated


def _by_bank(waves: torch.Tensor, rate: int, wanted: int) -> torch.Tensor:
    """Multiply overlapping spans of the input by the bank."""
    reach = _reach(rate, wanted)
    bank = _bank(rate, wanted, waves.dtype)
    step = len(bank) - 2 * reach
    padded = torch.nn.functional.pad(waves, (reach, reach + step))
    return (padded.unfold(1, len(bank), step) @ bank.to(waves.device)).flatten(1)


def _by_gathering(waves: torch.Tensor, rate: int, wanted: int, length: int) -> torch.Tensor:
    """Weigh the neighbourhood of each output sample: for rates with so little in common that a bank is too large."""
    reach = _reach(rate, wanted)
    padded = torch.nn.functional.pad(waves, (reach, reach + 1))
    offsets = torch.arange(-reach, reach + 2)
    out = waves.new_empty(len(waves), length)
    at_once = min(_OUTPUTS, max(1, _WEIGHTS // len(offsets)))
    for start in range(0, length, at_once):
        # Whole numbers up to length * rate, which float64 would round for long recordings.
        scaled = torch.arange(start, min(length, start + at_once)) * rate
        nearest, fraction = scaled // wanted, (scaled % wanted).double() / wanted
        weights = _kernel((offsets - fraction[:, None]) / rate, rate, wanted).to(
            device=waves.device, dtype=waves.dtype
        )
        index = (nearest[:, None] + offsets + reach).clamp_(max=padded.shape[1] - 1).to(waves.device)
        out[:, start : start + len(scaled)] = (padded[:, index] * weights).sum(-1)
    return out
