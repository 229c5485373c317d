"""What a config asks to be made, held to the memory of the machine before it is taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from mua_decode.limits import GIB, check_memory

# What layers of torch make their weights with.
_MAKERS = {torch.empty, torch.zeros, torch.ones, torch.full}


class WithinMemory(TorchFunctionMode):
    """Add up the tensors that a network is made of, and refuse it before it fills the memory.

    A system that lends more than it has would end the process when the weights are drawn.

    Raises InputError naming ``name``, its size and that of the memory.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name, self._taken = name, 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Plan a tensor without memory first."""
        options = dict(kwargs or {})
        if func in _MAKERS and "out" not in options:
            planned = func(*args, **(options | {"device": "meta", "pin_memory": False}))
            self._taken += planned.nbytes
            if self._taken > GIB:
                check_memory(self._taken, self._name)
        return func(*args, **options)
