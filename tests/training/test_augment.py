"""What augmentations do to sounds and spectrograms."""

from __future__ import annotations

import pytest
import torch

from biovita.training import TowersRecipe, recipe
from biovita.training.recipe import Augment
from biovita.training.towers.augment import mask_mel, vary_sounds

SOUNDS = torch.randn(4, 8000, generator=torch.Generator().manual_seed(0)) * torch.tensor(
    [[0.1], [0.5], [1.0], [2.0]]
)


@pytest.mark.parametrize("name", ["paper/stage1", "paper/stage2"])
def test_the_published_recipes_have_none(name: str) -> None:
    assert recipe(name, None, TowersRecipe).augment == Augment()


def test_nothing_asked_for_changes_nothing() -> None:
    torch.testing.assert_close(vary_sounds(SOUNDS, Augment(), 3), SOUNDS)
    mel = torch.randn(2, 1, 20, 8)
    assert torch.equal(mask_mel(mel, Augment(), 3), mel)


def test_gain_stays_within_its_bound_and_differs_between_sounds() -> None:
    varied = vary_sounds(SOUNDS, Augment(gain_db=6), 3)
    change = 20 * torch.log10(varied.norm(dim=1) / SOUNDS.norm(dim=1))
    assert change.abs().max() <= 6.001
    assert len({round(float(x), 3) for x in change}) == 4
    assert torch.equal(varied, vary_sounds(SOUNDS, Augment(gain_db=6), 3))
    assert not torch.equal(varied, vary_sounds(SOUNDS, Augment(gain_db=6), 4))


def test_the_noise_is_another_recording_and_as_far_below_as_asked() -> None:
    added = vary_sounds(SOUNDS, Augment(noise_db=10), 3) - SOUNDS
    below = 20 * torch.log10(SOUNDS.norm(dim=1) / added.norm(dim=1))
    torch.testing.assert_close(below, torch.full((4,), 10.0), atol=1e-3, rtol=0)
    unit = torch.nn.functional.normalize
    likeness = unit(added, dim=1) @ unit(SOUNDS, dim=1).T
    assert (likeness.argmax(dim=1) != torch.arange(4)).all()
    assert (likeness.max(dim=1).values > 0.999).all()


def test_masks_cover_a_stretch_of_frames_and_of_bands() -> None:
    mel = torch.randn(50, 1, 100, 40, generator=torch.Generator().manual_seed(1))
    changed = (mask_mel(mel, Augment(time_mask=0.3, frequency_mask=0.2), 5) != mel)[:, 0]
    frames, bands = changed.all(dim=2).sum(dim=1), changed.all(dim=1).sum(dim=1)
    assert 0 < frames.float().mean() < 30
    assert frames.max() <= 30
    assert 0 < bands.float().mean() < 8
    assert bands.max() <= 8
