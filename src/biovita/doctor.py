"""What is installed, what the device is, which formats decode, which models are here, and what is missing for what."""

from __future__ import annotations

import platform
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import numpy as np
from packaging.requirements import Requirement

from biovita.errors import MediaError, ModelError
from biovita.version import __version__

__all__ = ["Check", "Checkup", "examine"]

_RATE = 44_100
_EXTRAS = {
    "docs": "making the site of the documentation",
    "mteb": "running models under mteb, and its BioVITA tasks",
    "tensorboard": "curves of a training run in TensorBoard",
    "test": "the tests of biovita itself",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: whether it is well, and in words what was found or what mends it."""

    name: str
    well: bool
    found: str


@dataclass(frozen=True, slots=True)
class Checkup:
    """All that was looked at.

    Attributes
    ----------
    packages, formats
        What biovita cannot do without.
    extras
        Optional parts: not well means not installed.
    models
        The starter model, and those on the hub: not well means not on this machine.
    device
        The one that ``auto`` takes, and why.
    """

    system: str
    device: str
    packages: tuple[Check, ...]
    formats: tuple[Check, ...]
    extras: tuple[Check, ...]
    models: tuple[Check, ...]

    @property
    def well(self) -> bool:
        """Whether nothing is missing that biovita cannot do without."""
        return all(check.well for check in (*self.packages, *self.formats))


def examine() -> Checkup:
    """Look at everything. Each sound and image format is written and read once, in a temporary directory."""
    needed, extras = _requirements()
    return Checkup(
        system=f"biovita {__version__}, Python {platform.python_version()}, {platform.platform()}",
        device=_device(),
        packages=tuple(_installed(name) for name in needed),
        formats=(*_sounds(), *_images()),
        extras=tuple(_extra(name, parts) for name, parts in sorted(extras.items())),
        models=_models(),
    )


def _requirements() -> tuple[list[Requirement], dict[str, list[Requirement]]]:
    """Return the distributions that biovita requires on this system, and those of each extra."""
    needed: list[Requirement] = []
    extras: dict[str, list[Requirement]] = {}
    for requirement in map(Requirement, requires("biovita") or ()):
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", str(requirement.marker))
        if requirement.marker is not None and not requirement.marker.evaluate(
            {"extra": extra[1] if extra else ""}
        ):
            continue
        (extras.setdefault(extra[1], []) if extra else needed).append(requirement)
    return needed, extras


def _installed(wanted: Requirement) -> Check:
    mend = f"pip install '{wanted.name}{wanted.specifier}'"
    try:
        found = version(wanted.name)
    except PackageNotFoundError:
        return Check(wanted.name, well=False, found=f"not installed: {mend}")
    if not wanted.specifier.contains(found, prereleases=True):
        return Check(wanted.name, well=False, found=f"{found}, wanted {wanted.specifier}: {mend}")
    return Check(wanted.name, well=True, found=found)


def _extra(name: str, parts: list[Requirement]) -> Check:
    purpose = f" (for {_EXTRAS[name]})" if name in _EXTRAS else ""
    lacking = [
        f"{check.name} {check.found.partition(':')[0]}" for check in map(_installed, parts) if not check.well
    ]
    if lacking:
        return Check(name, well=False, found=f"{', '.join(lacking)}: pip install 'biovita[{name}]'{purpose}")
    return Check(name, well=True, found=f"installed{purpose}")


def _device() -> str:
    from biovita.compute.device import choose_device

    try:
        return str(choose_device())
    except ImportError as error:
        return f"none: torch cannot be imported ({error})"


def _sounds() -> list[Check]:
    tone = (0.5 * np.sin(2 * np.pi * 1000 * np.arange(_RATE) / _RATE)).astype(np.float32)
    writers: dict[str, Callable[[Path], None]] = {
        name: lambda path, kind=kind: _write_sound(path, tone, *kind)  # type: ignore[misc]
        for name, kind in {
            "wav": ("WAV", "PCM_16"),
            "flac": ("FLAC", "PCM_16"),
            "mp3": ("MP3", None),
            "ogg vorbis": ("OGG", "VORBIS"),
            "aiff": ("AIFF", "PCM_16"),
        }.items()
    }
    writers["m4a (aac)"] = lambda path: _write_aac(path, tone)
    return [_decodes(name, write) for name, write in writers.items()]


def _decodes(name: str, write: Callable[[Path], None]) -> Check:
    from biovita.media import probe_audio

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tone"
        try:
            write(path)
            probe = probe_audio(path)
        except (MediaError, OSError, ImportError, RuntimeError, ValueError) as error:
            return Check(name, well=False, found=f"does not decode: {error}")
    return Check(name, well=abs(probe.duration_s - 1) < 0.1, found=f"decodes ({probe.duration_s:.2f} s of 1 s)")


def _write_sound(path: Path, samples: np.ndarray, container: str, subtype: str | None) -> None:
    import soundfile

    soundfile.write(path, samples, _RATE, format=container, subtype=subtype)


def _write_aac(path: Path, samples: np.ndarray) -> None:
    import av

    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=_RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate = _RATE
        container.mux([*stream.encode(frame), *stream.encode(None)])


def _images() -> list[Check]:
    from PIL import Image

    from biovita.media import read_image

    checks = []
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 32, 3), dtype=np.uint8))
    for name in ("jpeg", "png", "webp", "tiff", "gif"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "picture"
            try:
                noise.save(path, format=name)
                size = read_image(path).size
            except (MediaError, OSError, KeyError, ValueError) as error:
                checks.append(Check(name, well=False, found=f"does not decode: {error}"))
                continue
        checks.append(Check(name, well=size == (32, 24), found="decodes"))
    return checks


def _models() -> tuple[Check, ...]:
    from biovita.weights.hub_models import HUB_MODELS

    hub = (
        Check(name, well=True, found=f"here: {place}")
        if (place := model.here()) is not None
        else Check(name, well=False, found=f"not on this machine: biovita models fetch {name}")
        for name, model in HUB_MODELS.items()
    )
    return (_starter(), *hub)


def _starter() -> Check:
    from biovita.model.describe import describe

    try:
        card = describe("starter")
    except ModelError as error:
        return Check("starter", well=False, found=str(error))
    return Check("starter", well=True, found=f"here: installed with biovita, in one space of {card.dim} numbers")
