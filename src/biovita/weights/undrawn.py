"""Networks built to be given weights: none are drawn at random first, which takes seconds for a large network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["undrawn"]

_DRAWING = {  # methods of tensors, and functions of torch.nn.init
    *("normal_", "uniform_", "erfinv_", "trunc_normal_"),
    *("kaiming_normal_", "kaiming_uniform_", "xavier_normal_", "xavier_uniform_"),
}


@contextmanager
def undrawn() -> Iterator[None]:
    """Leave out what draws weights at random while the block builds a network: all of them are loaded afterwards.

    Until then weights are whatever the memory holds; all else, such as buffers of positions, is as ever.
    """
    from torch.overrides import TorchFunctionMode

    class Undrawn(TorchFunctionMode):
        def __torch_function__(
            self, function: Any, _: object, arguments: tuple[Any, ...] = (), options: dict[str, Any] | None = None
        ) -> Any:
            options = options or {}
            if function.__name__ in _DRAWING:
                return arguments[0] if arguments else options["tensor"]
            return function(*arguments, **options)

    with Undrawn():
        yield
