"""Which files are of one recording by their names, and which only look alike."""

from __future__ import annotations

from biovita.modality import Modality
from biovita.sources.recording_pieces import Recording, recordings_of


def of(*files: str, modality: Modality = Modality.AUDIO) -> list[Recording | None]:
    """Return the recordings of files in folders of taxa, so that no folder is a site."""
    return recordings_of([(modality, file) for file in files], [()] * len(files))


def test_numbers_of_collections() -> None:
    assert of("a/XC12.mp3", "b/Parus major - xc12.wav", "ML7.mp3", "XC1 and XC2.mp3", "site_ML3_x.wav") == [
        ("xeno-canto", "XC12"),
        ("xeno-canto", "XC12"),
        ("Macaulay Library", "ML7"),
        None,
        None,
    ]


def test_spans_in_seconds_are_of_the_recording_before_them() -> None:
    whole, apart = (None, "REC"), (None, "REC2")
    files = ("a/REC_0.0s_3.0s.wav", "b/REC_3.0s_6.0s.wav", "a/REC.wav", "a/REC2_0-3s.wav", "a/REC3.wav")
    assert of(*files) == [whole, whole, whole, apart, None]
    # as BirdNET names its segments: confidence and number stand first
    assert of("a/0.812_1_REC_0.0s_3.0s.wav", "b/0.700_12_REC_3.0s_6.0s.wav") == [whole, whole]


def test_numbered_pieces_count_only_where_the_recording_is_named() -> None:
    stamped = of(
        "a/S1_20240501_051500_clip1.wav", "a/S1_20240501_051500 part 2.wav", "a/S1_20240501_061500_clip1.wav"
    )
    assert stamped == [(None, "S1_20240501_051500")] * 2 + [(None, "S1_20240501_061500")]
    assert of("a/Parus_major_clip1.wav", "a/Parus_major_clip2.wav", "a/x_1.wav", "a/x_2.wav") == [None] * 4


def test_another_ending_is_the_same_recording_in_one_folder() -> None:
    assert of("a/x.wav", "a/x.mp3", "b/x.wav") == [(None, "x"), (None, "x"), None]
    mixed = recordings_of([(Modality.AUDIO, "a/x.wav"), (Modality.IMAGE, "a/x.jpg")], [(), ()])
    assert mixed == [None, None]


def test_sites_are_kept_apart() -> None:
    files = [(Modality.AUDIO, f"{site}/Parus major/REC_0s_3s.wav") for site in ("north", "south")]
    assert recordings_of(files, [("north",), ("south",)]) == [(None, "north/REC"), (None, "south/REC")]
