"""What a PyTorch module does with an image: the operators that it runs, recorded while it runs once.

torch's own dispatcher tells which operators are executed, whatever Python code calls them: modules that slice their
weights, choose blocks by attributes, or change tensors in place are recorded like any other.
``docs/how-to/quantise.md`` weighs this against ``torch.export`` and an ONNX file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.files.wanted import one_line
from sim.quantise.errors import ModelError, need_torch

Tensor = Any
"""A torch.Tensor; torch has no type information where it is not installed."""

IMAGES = 2
"""Images that a module is run on, so that the axis of images is told from those of size 1."""


@dataclass(frozen=True)
class Ref:
    """The result of an operator of the trace, by its number; -1 is the image."""

    number: int


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor that does not depend on the image.

    Attributes
    ----------
    tensor : its numbers.
    origin : the parameter or buffer that it is made of, or "".
    """

    tensor: Tensor
    origin: str


@dataclass(frozen=True, eq=False)
class Node:
    """One operator on something that depends on the image.

    Attributes
    ----------
    op : torch's name of it, without overload and without the mark of an operator in place, such as ``"relu"``.
    call : the operator itself.
    args : its arguments, tensors as :class:`Ref` or :class:`Constant`.
    kwargs : by name.
    shape : of its result.
    module : the path of the module that ran it, "" for the outermost.
    """

    op: str
    call: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    shape: tuple[int, ...]
    module: str

    @property
    def label(self) -> str:
        """For the middle of an error."""
        return f"{self.op} in module {self.module}" if self.module else self.op


@dataclass(frozen=True, eq=False)
class Trace:
    """A module's operators.

    Attributes
    ----------
    nodes : in the order in which they ran.
    result : number of the one whose result the module returns.
    images : with which it ran.
    output : that result.
    """

    nodes: tuple[Node, ...]
    result: int
    images: Tensor
    output: npt.NDArray[np.float32]


def trace_module(module: Any, shape: Sequence[int], seed: int = 0) -> Trace:
    """Run a module on random images and record what it does.

    Parameters
    ----------
    module : a ``torch.nn.Module`` in eval mode, of one tensor (N, C, H, W) that gives one tensor.
    shape : (C, H, W) of an image.
    seed : of the images, uniform in 0..1.

    Raises
    ------
    ModelError
        It is no module, fails, or gives something else than a tensor that depends on the image.
    """
    torch = need_torch()
    if not isinstance(module, torch.nn.Module):
        raise ModelError(f"it is of type {type(module).__name__}; give a torch.nn.Module")
    if module.training:
        raise ModelError("it is in training mode; give it in eval mode (module.eval())")
    rng = np.random.default_rng(seed)
    images = torch.from_numpy(rng.random((IMAGES, *shape), np.float32))
    recorder, kept = _recorder(torch, module, images), images.clone()
    try:
        with torch.no_grad(), _modules(torch, module, recorder), recorder:
            output = module(images)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"it fails on images of {tuple(shape)}: {type(error).__name__}: {one_line(error)}") from None
    if not isinstance(output, torch.Tensor):
        raise ModelError(f"it gives a {type(output).__name__}; let it give one tensor, the logits")
    found = recorder.number_of(output)
    if found is None:
        raise ModelError("what it gives does not depend on the image; let it give the logits")
    return Trace(tuple(recorder.nodes), found, kept, output.detach().numpy().astype(np.float32))


class _Place:
    """Where the run is: the path of the innermost module."""

    def __init__(self) -> None:
        self.stack: list[str] = []

    @property
    def path(self) -> str:
        return self.stack[-1] if self.stack else ""


class _Names:
    """Parameters and buffers by the tensors that hold them."""

    def __init__(self, module: Any) -> None:
        tensors = [*module.named_parameters(), *module.named_buffers()]
        self._kept = [tensor for _, tensor in tensors]
        self._by_id = {id(tensor): name for name, tensor in tensors}

    def of(self, tensor: Tensor) -> str:
        name: str = self._by_id.get(id(tensor), "")
        return name


def _modules(torch: Any, module: Any, recorder: Any) -> Any:
    """A context in which the recorder knows which module runs."""
    from contextlib import ExitStack

    stack, hooks = ExitStack(), torch.nn.modules.module
    paths = {id(one): path for path, one in module.named_modules()}

    def enter(one: Any, _inputs: Any) -> None:
        recorder.place.stack.append(paths.get(id(one), type(one).__name__))

    def leave(_one: Any, _inputs: Any, _output: Any) -> None:
        recorder.place.stack.pop()

    for handle in (hooks.register_module_forward_pre_hook(enter), hooks.register_module_forward_hook(leave)):
        stack.callback(handle.remove)
    return stack


def _recorder(torch: Any, module: Any, images: Tensor) -> Any:
    """The dispatch mode that records; its class exists only where torch is."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Recorder(TorchDispatchMode):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.nodes: list[Node] = []
            self.place, self.names = _Place(), _Names(module)
            self._held: dict[int, Tensor] = {}  # kept, so that no other tensor gets the id of a dead one
            self._numbers: dict[int, int | None] = {}
            self._origins: dict[int, str] = {}
            self._set(images, -1)

        def number_of(self, tensor: Tensor) -> int | None:
            return self._numbers.get(id(tensor))

        def _set(self, tensor: Tensor, number: int) -> None:
            self._held[id(tensor)], self._numbers[id(tensor)] = tensor, number

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            tensors = [one for one in _flat((args, kwargs)) if isinstance(one, torch.Tensor)]
            depends = any(id(one) in self._numbers for one in tensors)
            recorded = self._recorded((args, kwargs)) if depends else None
            result = func(*args, **kwargs)
            first = result[0] if isinstance(result, tuple | list) else result
            if not isinstance(first, torch.Tensor):
                return result
            if recorded is None:
                self._held[id(first)] = first
                if tensors:
                    self._origins[id(first)] = self._origin(tensors[0])
                return result
            name = func._schema.name.partition("::")[2]
            in_place = name.endswith("_") and not name.endswith("__")
            if in_place:
                self._changed(first)
            op, (arguments, keywords) = name.rstrip("_") if in_place else name, recorded
            node = Node(op, func, arguments, keywords, tuple(first.shape), self.place.path)
            self.nodes.append(node)
            self._set(first, len(self.nodes) - 1)
            return result

        def _changed(self, tensor: Tensor) -> None:
            """Whoever else sees the memory that an operator writes to sees something that was not recorded."""
            memory = tensor.untyped_storage().data_ptr()
            for number, other in self._held.items():
                if number in self._numbers and other is not tensor and other.untyped_storage().data_ptr() == memory:
                    self._numbers[number] = None

        def _origin(self, tensor: Tensor) -> str:
            return self._origins.get(id(tensor)) or self.names.of(tensor)

        def _recorded(self, value: Any) -> Any:
            if isinstance(value, torch.Tensor):
                if id(value) not in self._numbers:
                    return Constant(value.detach(), self._origin(value))
                number = self._numbers[id(value)]
                if number is None:
                    where = f" in module {self.place.path}" if self.place.path else ""
                    raise ModelError(f"a tensor{where} was changed in place after another view of it was made")
                return Ref(number)
            if isinstance(value, tuple | list):
                return type(value)(self._recorded(one) for one in value)
            if isinstance(value, dict):
                return {key: self._recorded(one) for key, one in value.items()}
            return value

    return Recorder()


def _flat(value: Any) -> list[Any]:
    if isinstance(value, tuple | list):
        return [one for item in value for one in _flat(item)]
    if isinstance(value, dict):
        return [one for item in value.values() for one in _flat(item)]
    return [value]
