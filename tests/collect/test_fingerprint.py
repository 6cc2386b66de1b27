from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from biovita.collect.build import build
from biovita.collect.fingerprint import SAME, Fingerprinter, Fingerprints, decoded, distance, encoded
from biovita.dataset import Dataset
from biovita.media import resample
from support.collected_media import observation, write_plan
from support.media_servers import MediaServer, Resource, media_server

Sound = tuple[np.ndarray, int]


def words_of(samples: np.ndarray, rate: int, block: int = 1 << 16) -> np.ndarray:
    fingerprinter = Fingerprinter(rate)
    for start in range(0, len(samples), block):
        fingerprinter.add(samples[start : start + block, None])
    return fingerprinter.words()


@pytest.fixture(scope="module")
def recordings(shared_data: Path) -> list[tuple[str, Sound]]:
    """The real recordings, each with the id of what it is cut from."""
    folder = shared_data / "field-sample"
    with (folder / "audio.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [(row["source_id"], soundfile.read(folder / row["file"], dtype="float32")) for row in rows]


@pytest.fixture(scope="module")
def fingerprints(recordings: list[tuple[str, Sound]]) -> list[np.ndarray]:
    return [words_of(*sound) for _, sound in recordings]


def encode(samples: np.ndarray, rate: int, codec: str, kind: str, bit_rate: int) -> Sound:
    """Return what comes back from an encoder of FFmpeg."""
    import av

    stream = io.BytesIO()
    with av.open(stream, "w", format=kind) as container:
        out = container.add_stream(codec, rate=rate)
        out.bit_rate, out.layout = bit_rate, "mono"
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        for packet in [*out.encode(frame), *out.encode(None)]:
            container.mux(packet)
    stream.seek(0)
    with av.open(stream) as container:
        frames = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return np.concatenate(frames).astype(np.float32), rate


def variants(samples: np.ndarray, rate: int) -> Iterator[tuple[str, Sound]]:
    yield "mp3 at 64 kbit/s", encode(samples, rate, "libmp3lame", "mp3", 64_000)
    yield "mp3 at 32 kbit/s", encode(samples, rate, "libmp3lame", "mp3", 32_000)
    yield "at 22.05 kHz, softer by 12 dB", (resample(samples * 0.25, rate, 22_050), 22_050)
    part = samples[round(0.237 * rate) :][: round(0.6 * len(samples))]
    yield "a part, as aac at 96 kbit/s", encode(resample(part, rate, 44_100), 44_100, "aac", "mp4", 96_000)


@pytest.mark.slow
def test_encoded_anew_and_cut_recordings_are_found(
    recordings: list[tuple[str, Sound]], fingerprints: list[np.ndarray]
) -> None:
    """Each one of some is found among all there are, and taken for no other."""
    known, ids = Fingerprints(), [source_id for source_id, _ in recordings]
    for words in fingerprints:
        known.add(words)
    long = [(i, s) for i, s in recordings if len(s[0]) > 4 * s[1] and np.mean(s[0] == 0) < 0.5][::48]
    assert len(long) > 6
    for source_id, (samples, rate) in long:
        for name, sound in variants(samples, rate):
            found = known.find(words_of(*sound))
            assert found is not None, (source_id, name)
            assert ids[found] == source_id, (source_id, name)


@pytest.mark.slow
def test_no_two_different_recordings_are_called_the_same(
    recordings: list[tuple[str, Sound]], fingerprints: list[np.ndarray]
) -> None:
    known, ids = Fingerprints(), []
    for (source_id, _), words in zip(recordings, fingerprints, strict=True):
        found = known.find(words)
        assert found is None or ids[found] == source_id, (source_id, ids[found])
        known.add(words)
        ids.append(source_id)


def test_a_fingerprint_does_not_depend_on_blocks_and_survives_being_text() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 50_000).astype(np.float32)
    whole = words_of(samples, 8000)
    assert np.array_equal(words_of(samples, 8000, block=777), whole)
    assert np.array_equal(decoded(encoded(whole)), whole)
    assert len(words_of(samples[:2000], 8000)) == 0
    assert distance(whole, whole, 0) == 0.0
    other = words_of(np.random.default_rng(1).normal(0, 0.1, 50_000).astype(np.float32), 8000)
    assert all(distance(whole, other, start) > SAME for start in range(-60, 60))


def test_what_says_too_little_is_never_the_same() -> None:
    times = np.arange(5 * 8000) / 8000
    known = Fingerprints()
    for pitch in (440.0, 441.0, 880.0):
        words = words_of(0.3 * np.sin(2 * np.pi * pitch * times).astype(np.float32), 8000)
        assert known.find(words) is None
        known.add(words)
    noise = np.random.default_rng(0).normal(0, 0.1, 3 * 8000).astype(np.float32)
    known.add(words_of(noise, 8000))
    assert known.find(words_of(noise, 8000)) == 3
    assert known.find(words_of(noise[: round(8000 * 1.9)], 8000)) is None  # shorter than the least in common


@pytest.mark.slow
def test_many_recordings_are_searched_as_one_by_one() -> None:
    """The index of words against every lag of every recording, for each third of them."""
    rng = np.random.default_rng(3)
    sounds = [rng.normal(0, 0.1, rng.integers(4, 9) * 8000).astype(np.float32) for _ in range(21)]
    known, prints = Fingerprints(), [words_of(sound, 8000) for sound in sounds]
    for words in prints:
        known.add(words)
    for number, sound in enumerate(sounds):
        part = words_of(sound[700 : 700 + round(0.7 * len(sound))], 8000)
        assert known.find(part) == number
        if number % 3:
            continue
        lags = range(-len(part), max(map(len, prints)))
        near = [at for at, words in enumerate(prints) if min(distance(words, part, lag) for lag in lags) <= SAME]
        assert near == [number]


@pytest.fixture
def server() -> Iterator[MediaServer]:
    with media_server() as running:
        yield running


def test_a_build_lists_the_recording_that_another_one_sounds_like(server: MediaServer, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 0.1, 4 * 16_000).astype(np.float32)
    other = rng.normal(0, 0.1, 4 * 16_000).astype(np.float32)
    for number, (samples, kind) in enumerate([(noise, "WAV"), (other, "WAV"), (noise / 2, "OGG")], start=1):
        stream = io.BytesIO()
        soundfile.write(stream, samples, 16_000, format=kind)
        server.resources[f"/{number}"] = Resource(stream.getvalue())
    plan = write_plan(tmp_path, [observation(n, server.url(f"/{n}"), "audio") for n in (1, 2, 3)])
    report = build(plan, tmp_path / "data", backoff_s=0.01)
    (rejected,) = Dataset.open(tmp_path / "data").rejected.to_pylist()
    assert (rejected["reason"], rejected["detail"]) == ("near-duplicate", "sounds the same as iNaturalist 1")
    assert report.audio == 2
