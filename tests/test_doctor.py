from __future__ import annotations

import importlib.metadata

import pytest

from biovita import doctor
from biovita.cli.app import main


@pytest.fixture(autouse=True)
def no_models(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.file_download.HF_HUB_CACHE", str(tmp_path), raising=False)


def test_everything_needed_is_here_and_formats_decode():
    checkup = doctor.examine()
    assert checkup.well, [check for check in (*checkup.packages, *checkup.formats) if not check.well]
    assert {"torch", "soundfile", "numpy"} <= {check.name for check in checkup.packages}
    assert {"wav", "flac", "mp3", "ogg vorbis", "m4a (aac)", "jpeg"} <= {check.name for check in checkup.formats}
    assert [check.name for check in checkup.models if not check.well] == [
        "biovita",
        "bioclip-2",
        "bioclip-2.5",
        "clap",
    ]
    assert (checkup.models[0].name, checkup.models[0].well) == ("starter", True)
    assert "256 numbers" in checkup.models[0].found
    assert "float" in checkup.device


def test_what_is_missing_is_named_with_what_mends_it(monkeypatch, capsys):
    real = importlib.metadata.version

    def version(name: str) -> str:
        if name in {"soxr", "mteb"}:
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(doctor, "version", version)
    with pytest.raises(SystemExit) as stop:
        main(["doctor"])
    assert stop.value.code == 1
    text = capsys.readouterr().out
    assert "not installed: pip install 'soxr>=" in text
    assert "mteb not installed: pip install 'biovita[mteb]' (for running models under mteb" in text
    assert "Something that biovita needs is missing" in text


def test_a_version_outside_the_range_is_named(monkeypatch):
    real = importlib.metadata.version
    monkeypatch.setattr(doctor, "version", lambda name: "4.40.0" if name == "transformers" else real(name))
    checkup = doctor.examine()
    [found] = [check for check in checkup.packages if check.name == "transformers"]
    assert not checkup.well
    assert found.found.startswith("4.40.0, wanted >=4.57: pip install 'transformers>=4.57")


def test_a_format_that_does_not_decode_is_named(monkeypatch):
    def refuse(path):
        raise OSError("no such codec")

    monkeypatch.setattr(doctor, "_write_aac", lambda path, tone: refuse(path))
    checkup = doctor.examine()
    [aac] = [check for check in checkup.formats if check.name == "m4a (aac)"]
    assert not aac.well
    assert not checkup.well
    assert "no such codec" in aac.found
