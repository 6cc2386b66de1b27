"""Foreign weights: read so that nothing in them can run, and loaded whole or not at all."""

from __future__ import annotations

import io
import pickle
import pickletools
import re
import struct
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from biovita import jsonfile
from biovita.errors import ModelError

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = [
    "UNBUILDABLE",
    "check_fit",
    "is_whole",
    "load_strictly",
    "read_checkpoint",
    "read_json",
    "read_state",
    "tensors_of",
    "under",
    "without_wrappers",
]

_SHOWN = 5
# What open_clip, timm and transformers raise for numbers of a configuration that do not go together.
UNBUILDABLE = (
    TypeError,
    LookupError,
    ValueError,
    RuntimeError,
    AssertionError,
    AttributeError,
    ArithmeticError,
    MemoryError,
    ImportError,
)
_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")  # in torch's message, beside advice to run it
# What torch lets a pickle call, and no state dict needs: a number or a text of a few bytes becomes gigabytes.
_GROW = frozenset({"bytearray", "encode"})
_MOST_PICKLE = 64 << 20  # bytes; a thousand tensors take 200 KB
_LEGACY_PICKLES = 5  # that lie before the numbers in the format before torch 1.6
# What torch raises for bytes that are not as they were written, by where in the file they are.
_DAMAGED = (
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    struct.error,
    zipfile.BadZipFile,
)


def read_checkpoint(path: str | Path) -> Any:
    """Return what a ``.safetensors`` file or a torch checkpoint holds, on the CPU.

    Torch checkpoints are read with ``weights_only``: tensors and plain containers, nothing that runs code.

    Raises
    ------
    ModelError
        Where the file is missing, cut short, no checkpoint, or holds anything else than those.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(path)
    if not path.exists():
        raise ModelError(f"{path} does not exist")
    if not path.is_file():
        raise ModelError(f"{path} is not a regular file")
    if path.stat().st_size == 0:
        raise ModelError(f"{path} is empty")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        # Mapped into memory: a checkpoint of gigabytes is not held twice. The format before torch 1.6 cannot be.
        zipped = zipfile.is_zipfile(path)
        if zipped:
            _check_stored(path)
        _check_calls(path, zipped=zipped)
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except ModelError:
        raise
    except pickle.UnpicklingError as error:
        if (found := _GLOBAL.search(str(error))) is None:
            raise ModelError(f"{path} is refused: it is damaged, or holds more than tensors") from error
        raise ModelError(
            f"{path} is refused: it holds more than tensors. It holds {found[1]}, which was not run. "
            "Ask its author for safetensors, or for a checkpoint of a plain state dict"
        ) from error
    except SafetensorError as error:
        raise ModelError(f"{path} is cut short or is not a safetensors file: {error}") from error
    except _DAMAGED as error:
        reason = re.split(r"\n|\. ", str(error), maxsplit=1)[0] or type(error).__name__
        raise ModelError(f"{path} is cut short or is not a checkpoint: {reason}") from error


def _check_stored(path: Path) -> None:
    """Raise a `ModelError` where a zip file is none of torch's, which packs nothing."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    if any(
        member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size
        for member in members
    ):
        raise ModelError(f"{path} is refused: its parts are compressed, which torch never does")
    if sum(member.file_size for member in members) > path.stat().st_size:
        raise ModelError(f"{path} is refused: its parts overlap")


def _check_calls(path: Path, *, zipped: bool) -> None:
    """Raise a `ModelError` where a pickle of a checkpoint calls what makes more of it than it is."""
    if zipped:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.filename.endswith(".pkl") and member.file_size > _MOST_PICKLE:
                    raise ModelError(
                        f"{path} is refused: it describes its tensors in {member.file_size:,} bytes; "
                        f"at most {_MOST_PICKLE:,} are accepted"
                    )
                content = archive.read(member) if member.filename.endswith(".pkl") else b""
                if any(f"{name}\n".encode() in content for name in _GROW):  # going through it all takes a second
                    _check_pickle(io.BytesIO(content), path)
        return
    with path.open("rb") as stream:
        begin = io.BytesIO(stream.read(_MOST_PICKLE))
    for _ in range(_LEGACY_PICKLES):
        _check_pickle(begin, path)


def _check_pickle(stream: IO[bytes], path: Path) -> None:
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name in {"GLOBAL", "INST"} and str(argument).rpartition(" ")[2] in _GROW:
                raise ModelError(
                    f"{path} is refused: it holds more than tensors. It holds {argument}, which was not run"
                )
    except ModelError:
        raise
    except (*_DAMAGED, MemoryError, ArithmeticError) as error:
        raise ModelError(f"{path} is refused: it is damaged, or holds more than tensors") from error


def read_json(file: Path) -> dict[str, Any]:
    """Return the JSON object that a file holds.

    Raises
    ------
    ModelError
        Where it is missing or holds anything else; as `biovita.jsonfile.read_json`.
    """
    content = jsonfile.read_json(file, ModelError)
    if not isinstance(content, dict):
        raise ModelError(f"{file} does not hold a JSON object")
    return content


def read_state(path: str | Path) -> dict[str, torch.Tensor]:
    """Return the flat state dict of a file: what lies under ``state_dict``, where there is one, without wrappers.

    Raises
    ------
    ModelError
        As `read_checkpoint`, and where the file holds no flat mapping from names to tensors.
    """
    content = read_checkpoint(path)
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    return without_wrappers(tensors_of(content, str(path)))


def tensors_of(content: Any, where: str) -> dict[str, torch.Tensor]:
    """Return a mapping of names to tensors as a dict.

    Raises
    ------
    ModelError
        Where it is anything else.
    """
    import torch

    if not isinstance(content, Mapping) or not content:
        raise ModelError(f"{where} holds a {type(content).__name__}; it has to hold a state dict")
    odd = [str(name) for name, value in content.items() if not isinstance(value, torch.Tensor)]
    if odd:
        raise ModelError(f"{where} does not hold a state dict: {_some(odd)} are not tensors")
    if strange := [str(name) for name, value in content.items() if not is_whole(value)]:
        raise ModelError(
            f"{where} does not hold a state dict: {_some(strange)} have fewer numbers in the file than they state"
        )
    if unreal := [str(name) for name, value in content.items() if value.is_complex()]:
        raise ModelError(f"{where} does not hold the state dict of a model: {_some(unreal)} are complex numbers")
    return {str(name): value for name, value in content.items()}


def is_whole(tensor: torch.Tensor) -> bool:
    """Return whether a tensor is a plain one on the CPU whose every number lies in memory of its own.

    One of a gigantic shape over a single number would take the memory of its shape as soon as it is copied.
    """
    import torch

    return (
        tensor.layout == torch.strided
        and tensor.device.type == "cpu"
        and not tensor.is_quantized
        and not tensor.is_nested
        and tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()
    )


def without_wrappers(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return a state dict without the ``module.`` that parallel training leaves in its names."""
    return {".".join(part for part in name.split(".") if part != "module"): value for name, value in state.items()}


def under(state: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Return what a state dict has under a prefix, without the prefix."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def load_strictly(
    module: nn.Module, state: Mapping[str, torch.Tensor], where: str, *, ignore: Iterable[str] = ()
) -> None:
    """Load a state dict that fits a module exactly.

    Parameters
    ----------
    where
        Names the source in the error.
    ignore
        Names that the state may have, or lack, though the module does not, or does: buffers without weights that
        came and went with versions of a library.

    Raises
    ------
    ModelError
        Naming what is missing, unexpected and of another shape. The module is as it was.
    """
    own = module.state_dict()
    ignored = set(ignore)
    check_fit({name: value for name, value in own.items() if name not in ignored}, state, where, ignore=ignored)
    module.load_state_dict({name: value for name, value in state.items() if name in own}, strict=not ignored)


def check_fit(
    wanted: Mapping[str, torch.Tensor],
    state: Mapping[str, torch.Tensor],
    where: str,
    *,
    ignore: Iterable[str] = (),
) -> None:
    """Raise a `ModelError` where the names and shapes of ``state`` are not those of ``wanted``."""
    missing = [name for name in wanted if name not in state]
    unexpected = [name for name in state if name not in wanted and name not in set(ignore)]
    shapes = [
        f"{name} {tuple(state[name].shape)} in place of {tuple(value.shape)}"
        for name, value in wanted.items()
        if name in state and state[name].shape != value.shape
    ]
    problems = [
        f"{len(names)} {kind}: {_some(names)}"
        for kind, names in (("missing", missing), ("unexpected", unexpected), ("of another shape", shapes))
        if names
    ]
    if problems:
        raise ModelError(f"{where} does not fit this architecture. Its weights: {'; '.join(problems)}")


def _some(names: list[str]) -> str:
    rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + rest
