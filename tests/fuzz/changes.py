"""Changes that know the form of a file: bytes changed anywhere would seldom get past its outermost checks."""

from __future__ import annotations

import io
import json
import random
import struct
import tomllib
import warnings
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

from fuzz.targets import joined, parted

__all__ = ["changed"]

Bytes = Callable[[bytes], bytes]  # changes bytes of no known form
_VALUES: list[Any] = [
    None, True, 0, -1, 7, 1.5, -0.0, 1e308, 10**18, 2**63, -(2**64), 10**400, [], [None], [[]], {}, {"x": 1},
    "", "x", "0", "-1", "1e999", "nan", "NULL", "\u2028", "\x00", "\x1b[31m", "a\nb", "é", "\ud800", "../x", "/etc",
    "~nobody", "http://[", "http://x:y/z", "1:2:3", "Pica pica", "CC BY-NC", "2020-13-45", "9999-12-31", "x" * 3000,
]  # fmt: skip
_MARKS = ['"', '""', "\n", "\r", "\r\n", ",", ";", "\t", "|", "=1+1", "'", "\\", " ", "\ufeff", "\x85", "\x0c"]
_TEXTS = [*_MARKS, *(value for value in _VALUES if isinstance(value, str))]
_INTEGERS = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]

# What the readers of forms raise for a file that has it no more.
_DAMAGED = (
    ValueError,
    LookupError,
    OSError,
    EOFError,
    RuntimeError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
    OverflowError,
)


def changed(data: bytes, drawn: random.Random, plain: Bytes) -> bytes:
    """Return a file with one part of it changed, of the same form where its form is known."""
    if drawn.random() < 0.2:
        return plain(data)
    try:
        return _of_its_form(data, drawn, plain)
    except _DAMAGED:
        return plain(data)


def _of_its_form(data: bytes, drawn: random.Random, plain: Bytes) -> bytes:
    if data[:4] == b"--- ":
        return joined(_part_changed(parted(data), drawn, plain))
    if data[:2] == b"PK":
        return _zip(data, drawn, plain)
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return _png(data, drawn, plain)
    if data[:4] == b"OggS":
        return _ogg(data, drawn, plain)
    if data[8:9] == b"{":
        return _safetensors(data, drawn)
    if b"\0" in data[:200]:
        return _numbers(data, drawn) if drawn.random() < 0.5 else plain(data)
    if data[:1] in b"{[" and data:
        return json.dumps(_node(json.loads(data), drawn)).encode()
    text = data.decode("utf-8")
    if "[[sources]]" in text:
        return _toml(text, drawn)
    return _text(text, drawn).encode("utf-8", "surrogatepass")


def _part_changed(parts: dict[str, bytes], drawn: random.Random, plain: Bytes) -> dict[str, bytes]:
    name = drawn.choice(list(parts))
    kind = drawn.random()
    if kind < 0.05:
        return {each: content for each, content in parts.items() if each != name}
    if kind < 0.1:
        other = drawn.choice(list(parts))
        return {**parts, name: parts[other]}
    return {**parts, name: changed(parts[name], drawn, plain)}


def _node(value: Any, drawn: random.Random) -> Any:
    """Return a value of JSON or TOML with one node of it deleted, doubled or replaced."""
    if isinstance(value, dict | list) and value and drawn.random() < 0.85:
        key = drawn.choice(list(value)) if isinstance(value, dict) else drawn.randrange(len(value))
        with_: Any = value.copy()
        kind = drawn.random()
        if kind < 0.08:
            del with_[key]
        elif kind < 0.12 and isinstance(value, list):
            with_.append(value[key])
        elif kind < 0.16 and isinstance(value, dict):
            with_[str(drawn.choice(_VALUES))[:20]] = with_.pop(key)
        else:
            with_[key] = _node(value[key], drawn)
        return with_
    if isinstance(value, str) and value and drawn.random() < 0.5:
        return _text(value, drawn)
    if isinstance(value, int | float) and drawn.random() < 0.5:
        return drawn.choice([-value, value + 1, value * 1000, str(value)])
    return drawn.choice(_VALUES)


def _text(text: str, drawn: random.Random) -> str:
    """Return a text with a span of it deleted, repeated, moved or replaced."""
    start = drawn.randrange(len(text) + 1)
    stop = min(len(text), start + drawn.choice([0, 1, 1, 2, 5, 20]))
    span = text[start:stop]
    other = drawn.choice(_TEXTS)
    place = drawn.randrange(len(text) + 1)
    word = text[place : place + drawn.randrange(1, 20)]
    new = drawn.choice(["", span * 2, span.swapcase(), other, other, word, span[::-1], f'"{span}"'])
    return text[:start] + new + text[stop:]


def _toml(text: str, drawn: random.Random) -> bytes:
    import tomli_w

    try:
        return tomli_w.dumps(_node(tomllib.loads(text), drawn)).encode()
    except (TypeError, AttributeError):  # TOML has no null, and is a table
        return _text(text, drawn).encode("utf-8", "surrogatepass")


def _numbers(data: bytes, drawn: random.Random) -> bytes:
    """Return bytes with one number of the first of them changed; headers come first, and have the most of them."""
    width, order = drawn.choice([1, 2, 4, 4, 8]), drawn.choice("<>")
    at = drawn.randrange(min(len(data), drawn.choice([64, 400, 1 << 20])))
    number = drawn.choice([*_INTEGERS, drawn.randrange(1 << 32)]) & ((1 << 8 * width) - 1)
    return data[:at] + struct.pack(order + {1: "B", 2: "H", 4: "I", 8: "Q"}[width], number) + data[at + width :]


def _zip(data: bytes, drawn: random.Random, plain: Bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {member.filename: (member, archive.read(member)) for member in archive.infolist()}
    contents = {name: content for name, (_, content) in members.items()}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive, warnings.catch_warnings():
        for name, content in _part_changed(contents, drawn, plain).items():
            kept = zipfile.ZipInfo(name)
            kept.compress_type = members[name][0].compress_type
            archive.writestr(kept, content)
    return file.getvalue()


def _png(data: bytes, drawn: random.Random, plain: Bytes) -> bytes:
    """Return a PNG with one chunk changed and its checksum right."""
    chunks, at = [], 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    number = drawn.randrange(len(chunks))
    kind, content = chunks[number]
    chunks[number] = (kind, _numbers(content, drawn) if content and drawn.random() < 0.7 else plain(content))
    if drawn.random() < 0.1:
        chunks.insert(number, drawn.choice(chunks))
    return data[:8] + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def _crc_of_ogg(page: bytes) -> int:
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1) ^ (0x104C11DB7 if crc & 0x80000000 else 0)
    return crc


def _ogg(data: bytes, drawn: random.Random, plain: Bytes) -> bytes:
    """Return an Ogg file with one page changed and its checksum right."""
    pages = [b"OggS" + page for page in data.split(b"OggS")[1:]]
    number = drawn.randrange(len(pages))
    page = _numbers(pages[number], drawn) if drawn.random() < 0.6 else plain(pages[number])
    page = page[:22] + bytes(4) + page[26:]
    pages[number] = page[:22] + struct.pack("<I", _crc_of_ogg(page)) + page[26:]
    return b"".join(pages)


def _safetensors(data: bytes, drawn: random.Random) -> bytes:
    length = int.from_bytes(data[:8], "little")
    header = json.dumps(_node(json.loads(data[8 : 8 + length]), drawn)).encode()
    return struct.pack("<Q", len(header)) + header + data[8 + length :]
