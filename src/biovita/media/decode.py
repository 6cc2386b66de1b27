"""Sound files opened for reading from any sample on: soundfile, and PyAV for what it refuses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from biovita.errors import MediaError
from biovita.media import mp3
from biovita.media.containers import check_complete
from biovita.media.decoder_notes import decoder_notes
from biovita.media.file_window import FileWindow
from biovita.media.packed_files import MediaPath, on_disk
from biovita.media.patience import Patience
from biovita.media.sniff import FileKind, kind_of, read_head
from biovita.media.sound_bytes import TRUNCATION_TOLERANCE_S, SoundBytes, truncated

__all__ = ["ACCEPTED", "SAMPLE_RATES", "SoundReader", "open_on_disk", "open_sound"]

ACCEPTED = "wav, aiff, flac, mp3, ogg (vorbis, opus), m4a and aac"

SAMPLE_RATES = (1_000, 1_000_000)  # hertz; outside lies no recording of an animal, but a header that is wrong

_BLOCK = 1 << 16  # samples decoded at a time
_SOUNDFILE_FORMATS = {"WAV": "wav", "WAVEX": "wav", "RF64": "wav", "AIFF": "aiff", "FLAC": "flac", "MP3": "mp3"}
_AV_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,aac"  # none that names further files or addresses, as playlists do
# Vorbis needs the block before the first one wanted, at most 8192 samples; after a seek libsndfile lacks it.
_VORBIS_PREROLL = 1 << 14
# AAC overlaps two frames of 1024 or 2048 samples, and spectral band replication looks further back.
_AV_PREROLL = 1 << 13


class SoundReader(Protocol):
    """An open sound file; `frames` is its length in samples, and `states_length` whether it says so itself."""

    path: Path
    sample_rate: int
    channels: int
    frames: int
    states_length: bool
    format: str
    warnings: tuple[str, ...]

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Yield float32 ``(samples, channels)`` from ``start`` to ``stop``; once for each opening."""
        ...


@contextmanager
def open_sound(path: MediaPath) -> Iterator[SoundReader]:
    """Open a sound file, whatever its name says.

    Raises
    ------
    MediaError
        With the reasons of `biovita.media.probe_audio`, as far as they show without decoding.
    """
    with on_disk(path) as file, open_on_disk(file) as reader:
        yield reader


@contextmanager
def open_on_disk(path: Path) -> Iterator[SoundReader]:
    """Open a sound file that lies on the disk, as `open_sound` does."""
    head = read_head(path)
    kind = kind_of(head, path)
    if kind.family in {"image", "other"}:
        raise MediaError(
            "not-audio", f"{path}: the file is {kind.description}, not sound. biovita reads {ACCEPTED}"
        )
    found = check_complete(path, head)
    opened = _open_soundfile(path, kind, found) or _open_av(path, kind, found.warnings)
    with opened as reader:
        low, high = SAMPLE_RATES
        if not low <= reader.sample_rate <= high:
            raise MediaError(
                "undecodable",
                f"{path}: the file states a sample rate of {reader.sample_rate} Hz; it has to be {low} to {high}",
            )
        yield reader


@dataclass
class _SoundfileReader:
    path: Path
    source: Any  # what soundfile opens: the path's bytes, or a window
    file: Any
    format: str
    warnings: tuple[str, ...]

    def __post_init__(self) -> None:
        self._said: list[str] = []
        self.sample_rate: int = self.file.samplerate
        self.channels: int = self.file.channels
        self.frames: int = self.file.frames
        self.states_length = True

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        return Patience(self.path).over(self._decoded(start, stop))

    def _decoded(self, start: int, stop: int | None) -> Iterator[np.ndarray]:
        import soundfile

        stop = self.frames if stop is None else min(stop, self.frames)
        first = max(0, start - _VORBIS_PREROLL) if self.format == "vorbis" else start
        size = max(1024, _BLOCK // self.channels)
        done = first
        try:
            if first:
                # libsndfile can land a block aside when it seeks in Vorbis a second time: one opening, one seek.
                with self._listening():
                    self.file.seek(first)
            while done < stop:
                with self._listening():
                    block = self.file.read(min(size, stop - done), dtype="float32", always_2d=True)
                if not len(block):
                    return
                done += len(block)
                block = block[max(0, start - (done - len(block))) :]
                if len(block):
                    yield block
        except soundfile.LibsndfileError as error:
            raise self._why(done, error) from None
        finally:
            if self._said:
                self.warnings = (
                    *self.warnings,
                    f"its decoder says: {self._said[0]}; {len(self._said)} such lines",
                )

    def _listening(self) -> AbstractContextManager[None]:
        return decoder_notes.of(self.path, self._said) if self.format == "mp3" else nullcontext()

    def _why(self, done: int, error: Exception) -> MediaError:
        """Return `truncated` where the end that the header states is not there, `undecodable` where it is."""
        import soundfile

        try:
            if isinstance(self.source, FileWindow):
                self.source.seek(0)
            with soundfile.SoundFile(self.source) as file:
                file.seek(self.frames - 1)
                if len(file.read(1)):
                    reason = str(error).strip().rstrip(".") or "the decoder stopped"
                    place = done / self.sample_rate
                    return MediaError(
                        "undecodable", f"{self.path}: the file is damaged after {place:.1f} s: {reason}"
                    )
        except soundfile.LibsndfileError:
            pass
        stated = self.frames / self.sample_rate
        return truncated(self.path, f"it states {stated:.2f} s, and its end cannot be read")


def _open_soundfile(path: Path, kind: FileKind, found: SoundBytes) -> AbstractContextManager[SoundReader] | None:
    """Return the opened file; None where it is in no format that soundfile reads and we accept."""
    import soundfile

    layout = mp3.scan(path) if kind.family == "unknown" or kind.description == "MP3 sound" else None
    if layout is not None:
        return _open_mp3(path, layout)
    opened = ExitStack()
    source = found.window(opened.enter_context(path.open("rb"))) if found.header else os.fsencode(path)
    try:
        file = opened.enter_context(soundfile.SoundFile(source))  # a name need not be UTF-8
    except soundfile.LibsndfileError:
        opened.close()
        return None
    name = file.subtype.lower() if file.format == "OGG" else _SOUNDFILE_FORMATS.get(file.format)
    if name is None or name == "mp3" or file.channels < 1 or file.samplerate < 1:
        opened.close()
        return None
    return _closing(opened, _SoundfileReader(path, source, file, name, found.warnings))


@contextmanager
def _closing(opened: ExitStack, reader: SoundReader) -> Iterator[SoundReader]:
    with opened:
        yield reader


@contextmanager
def _open_mp3(path: Path, layout: mp3.Mp3Layout) -> Iterator[SoundReader]:
    import soundfile

    if layout.missing_s > TRUNCATION_TOLERANCE_S:
        raise truncated(path, f"its header states {layout.stated} frames, and {layout.frames} are there")
    if layout.damage is not None:
        offset, length = layout.damage
        raise MediaError("undecodable", f"{path}: {length} bytes from byte {offset} on are not MP3 frames")
    if layout.frames == 0:
        raise MediaError("no-samples", f"{path}: the file has an MP3 header and no frames of sound")
    with path.open("rb") as raw:
        source = os.fsencode(path) if layout.is_plain else layout.window(raw)
        try:
            with decoder_notes.of(path, []):
                file = soundfile.SoundFile(source)
        except soundfile.LibsndfileError as error:
            raise MediaError("undecodable", f"{path}: its MP3 frames cannot be decoded: {error}") from None
        with file:
            yield _SoundfileReader(path, source, file, "mp3", _mp3_warnings(path, layout))


def _mp3_warnings(path: Path, layout: mp3.Mp3Layout) -> tuple[str, ...]:
    warnings = []
    if layout.stated is not None and layout.frames > layout.stated + 1:
        warnings.append(f"the header states {layout.stated} frames, and {layout.frames} are there and used")
    elif layout.stated is not None and layout.frames < layout.stated:
        warnings.append(f"the header states {layout.stated} frames, and {layout.frames} are there")
    if layout.gaps:
        skipped = sum(end - begin for begin, end in layout.gaps)
        warnings.append(
            f"{skipped:,} bytes between its frames, the first at byte {layout.gaps[0][0]:,}, are no frames and are "
            "left out"
        )
    if layout.cut:
        warnings.append("the last frame is cut and left out")
    elif layout.trailing:
        with path.open("rb") as file:
            file.seek(layout.end)
            tail = file.read(4096)
        known = {b"TAG": "ID3v1 tag", b"APE": "APE tag", b"LYR": "Lyrics3 tag", b"ID3": "ID3v2 tag"}
        if tail[:3] not in known:
            warnings.append(
                f"{layout.trailing} bytes follow the last frame and are not used: {kind_of(tail).description}"
            )
    return tuple(warnings)


@dataclass
class _AvReader:
    path: Path
    container: Any
    stream: Any
    format: str
    warnings: tuple[str, ...]

    def __post_init__(self) -> None:
        self.sample_rate: int = self.stream.codec_context.sample_rate
        self.channels: int = self.stream.codec_context.layout.nb_channels
        self.seeks = self.container.format.name != "aac"  # in ADTS a seek goes by guessed bit rate
        stated = self.stream.duration if self.seeks else None  # a fragmented file states 0 or nothing
        self.states_length = bool(stated)
        self.frames: int = self._samples(stated) if stated else self._samples(_end_of_packets(self.path))

    def _samples(self, time: int) -> int:
        return round(time * self.stream.time_base * self.sample_rate)

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        return Patience(self.path).over(self._decoded(start, stop))

    def _decoded(self, start: int, stop: int | None) -> Iterator[np.ndarray]:
        import av

        stop = self.frames if stop is None else min(stop, self.frames)
        first = max(0, start - _AV_PREROLL)
        if self.seeks and first:
            self.container.seek(int(first / self.sample_rate / self.stream.time_base), stream=self.stream)
        position: int | None = None
        failed: av.FFmpegError | None = None
        for packet in _packets(self.container, self.stream):
            if packet.pts is not None and self._samples(packet.pts + (packet.duration or 0)) < first:
                continue
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                if isinstance(error, av.EOFError):
                    return
                failed = failed or error
                continue
            for frame in frames:
                if failed is not None:
                    where = (position or 0) / self.sample_rate
                    raise MediaError(
                        "undecodable", f"{self.path}: the file is damaged after {where:.1f} s: {failed}"
                    )
                block = self._array(frame)
                if position is None:
                    position = self._samples(frame.pts or 0)
                wanted = block[max(0, start - position) : max(0, stop - position)]
                position += len(block)
                if len(wanted):
                    yield wanted
                if position >= stop:
                    return

    def _array(self, frame: Any) -> np.ndarray:
        """Return float32 ``(samples, channels)``."""
        if frame.sample_rate != self.sample_rate or frame.layout.nb_channels != self.channels:
            raise MediaError(
                "undecodable",
                f"{self.path}: the file changes from {self.sample_rate} Hz, {self.channels} channels to "
                f"{frame.sample_rate} Hz, {frame.layout.nb_channels} channels",
            )
        data = frame.to_ndarray()
        samples = data.T if frame.format.is_planar else data.reshape(-1, self.channels)
        if samples.dtype == np.uint8:
            return (samples.astype(np.float32) - 128) / 128
        if samples.dtype.kind == "i":
            return samples.astype(np.float32) / np.float32(-float(np.iinfo(samples.dtype).min))
        return samples.astype(np.float32)


def _end_of_packets(path: Path) -> int:
    """Return where the last packet ends, in the stream's time base, without decoding any."""
    stat = path.stat()
    return _end_of_unchanged(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=64)
def _end_of_unchanged(path: Path, _size: int, _mtime_ns: int) -> int:
    with _av_container(path) as container:  # an own one: going back would skip the first frame of MP4
        timely = Patience(path).over(_packets(container, container.streams.audio[0]))
        packets = (packet for packet in timely if packet.pts is not None)
        return max((packet.pts + (packet.duration or 0) for packet in packets), default=0)


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    """Yield packets, the flushing one last, up to the end or to where nothing more can be told apart."""
    import av

    try:
        yield from container.demux(stream)
    except av.FFmpegError:
        return


def _av_container(path: Path) -> Any:
    import av

    return av.open(f"file:{path}", options={"format_whitelist": _AV_FORMATS, "protocol_whitelist": "file"})


@contextmanager
def _open_av(path: Path, kind: FileKind, warnings: tuple[str, ...]) -> Iterator[SoundReader]:
    import av

    try:
        container = _av_container(path)
    except (av.FFmpegError, UnicodeError) as error:
        if kind.family == "audio":
            raise MediaError("undecodable", f"{path}: no decoder reads it: {error}") from None
        raise MediaError(
            "not-audio", f"{path}: the file is in no known format. biovita reads {ACCEPTED}"
        ) from None
    with container:
        if not container.streams.audio:
            raise MediaError("not-audio", f"{path}: the file is a film or picture without sound")
        stream = container.streams.audio[0]
        codec = stream.codec_context
        if codec is None or not codec.sample_rate or not codec.layout.nb_channels or not stream.time_base:
            raise MediaError("undecodable", f"{path}: its sound states no known codec, sample rate or channels")
        yield _AvReader(path, container, stream, stream.codec_context.name, warnings)
