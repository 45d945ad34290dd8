"""``fastswitch verify``: an ONNX model's results in onnxruntime, in the NumPy reference and on the RTL, compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.errors import FastSwitchError
from arch_model.files.npz_file import read_npz
from arch_model.files.shown import plain
from arch_model.files.wanted import Wanted, one_line
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT
from mapper.importers import GRAPHS, Network, NetworkError, read_onnx
from mapper.importers.network import TensorQuant
from mapper.importers.onnx.model import with_results
from mapper.importers.onnx.walk import SKIP_HINT
from mapper.search.policy import Policy, fit_for, map_network
from sim.api.beside_machine import host_results, machine_image, model_images, with_handed
from sim.integers.random_weights import imported_weights
from sim.integers.reference import run_layers
from sim.rtl_bench.bench import Bench, build
from sim.rtl_bench.simulators import Simulator
from sim.serving.session import Session

Image = npt.NDArray[Any]


@dataclass(frozen=True)
class Difference:
    """The first value that differs.

    The tensor is the first of the file's int8 tensors that differs, in the order of the layers; or the result, if what
    comes before it is equal or real. Where onnxruntime fuses operators, they may round in other places once it has to
    give the tensors between them.

    Attributes
    ----------
    graph : onnxruntime's optimisation level.
    image : its number, from 0.
    layer : the layer that makes the tensor.
    tensor : its name in the file.
    place : indices into the tensor.
    expected, got : onnxruntime's value and the reference's.
    """

    graph: str
    image: int
    layer: str
    tensor: str
    place: tuple[int, ...]
    expected: float
    got: float

    @property
    def text(self) -> str:
        where = ", ".join(map(str, self.place))
        return (
            f"image {self.image}, layer {self.layer}, tensor {self.tensor} at ({where}): {self.graph} has "
            f"{self.expected:g}, the reference {self.got:g}"
        )


@dataclass(frozen=True)
class RtlRun:
    """What the RTL made of the same images.

    Attributes
    ----------
    bit_exact : no integer of any layer differs from the reference's, and each image took the cycles predicted.
    predicted_cycles, simulated_cycles : of one image, the last.
    mismatches : integers that differ.
    images : how many were run.
    """

    bit_exact: bool
    predicted_cycles: int
    simulated_cycles: int
    mismatches: int
    images: int


@dataclass(frozen=True)
class Verification:
    """What became of a model's images.

    Attributes
    ----------
    graphs : those of onnxruntime's graphs that the reference was compared with: the proven ones, or the unoptimised.
    claim : ``"exact"`` if the integers are proven to be those of a graph for every image, else ``"not exact"``.
    images : how many were run.
    equal : how many of them gave the same result in every graph that is compared.
    max_difference : the greatest difference, in steps of the result.
    first_difference : None if there is none.
    rtl : None if it was not asked for.
    network : its name.
    reasons : if nothing is proven, why not, a line for each layer.
    """

    network: str
    graphs: tuple[str, ...]
    claim: str
    images: int
    equal: int
    max_difference: int
    first_difference: Difference | None
    reasons: tuple[str, ...] = ()
    rtl: RtlRun | None = field(default=None)

    @property
    def status(self) -> int:
        """0: proven, and all equal; 1: a claim did not hold, or the RTL differs; 3: nothing is proven."""
        wrong_rtl = self.rtl is not None and not self.rtl.bit_exact
        if self.claim == "exact":
            return int(wrong_rtl or self.equal < self.images)
        return 1 if wrong_rtl else 3


def verify(
    model: str | Path,
    images: str | Path | None = None,
    count: int = 8,
    seed: int = 0,
    rtl: tuple[Accelerator, Simulator] | None = None,
    on_image: Callable[[int], None] = lambda done: None,
) -> Verification:
    """Run images through onnxruntime, the reference and, with ``rtl``, the generated hardware.

    Parameters
    ----------
    model : a quantised ONNX file.
    images : an npz file with ``images`` (N, C, H, W): real numbers, or uint8 pixels, which a model that reads real
        numbers gets as 0..1. None: ``count`` images of every kind, drawn from ``seed``.
    count : images to draw if none are given.
    seed : of the images drawn.
    rtl : the machine and the simulator to run it on.
    on_image : called with the number of images that are compared.

    Returns
    -------
    Verification

    Raises
    ------
    FastSwitchError
        The model is refused or has layers without integers, onnxruntime is not installed or does not run the model,
        or the images are of another shape.
    NetworkError
        The model is refused or has layers without integers.
    """
    try:
        network = read_onnx(model)
    except NetworkError as error:  # what import can leave out, nobody could compare
        raise NetworkError(str(error).removesuffix(SKIP_HINT)) from None
    if not network.runnable:
        lacking = [layer.name for layer in network.subnet.layers if layer.name not in network.quant]
        why = next(
            (note for note in network.notes if f"layer {lacking[0]} " in note), f"layer {lacking[0]} is not int8"
        )
        raise NetworkError(f"{model}: it has no int8 integers of every layer ({why}); give a quantised model")
    graphs = network.bit_exact or GRAPHS[:1]
    data = with_handed(model, network)
    sessions = {graph: _session(model, graph, data) for graph in graphs}
    (value, *_) = next(iter(sessions.values())).get_inputs()
    stored = value.type != "tensor(float)"
    given: Iterator[tuple[npt.NDArray[np.int8], Image | None]]
    if images is not None:
        given = _read(images, network, stored)
    elif network.prologue:
        given = model_images(network, count, seed, stored)
    else:
        given = _drawn(network, count, seed)
    made: list[npt.NDArray[np.int8]] = []
    equal, far, first = 0, 0, None
    for number, (image, theirs) in enumerate(given):
        made.append(image)
        fed = theirs if theirs is not None else _fed(network, image, stored)
        alike = True
        for graph, session in sessions.items():
            found = _compare(network, image, _run(session, value.name, fed, model), graph, number)
            if found is not None:
                first = first or first_inner(model, network, graph, number, image, fed) or found[0]
                far, alike = max(far, found[1]), False
        equal += alike
        on_image(number + 1)
    reasons = () if network.bit_exact else tuple(f"{name}: {why}" for name, why in _unproven(network).items())
    run = None if rtl is None else _on_rtl(network, made, seed, *rtl)
    claim = "exact" if network.bit_exact else "not exact"
    return Verification(network.subnet.name, graphs, claim, len(made), equal, far, first, reasons, run)


def _unproven(network: Network) -> dict[str, str]:
    return dict(network.unproven.get(GRAPHS[0], {}))


def first_inner(
    model: str | Path, network: Network, graph: str, number: int, image: npt.NDArray[np.int8], fed: Image
) -> Difference | None:
    """The first int8 tensor inside a model that differs, with onnxruntime made to give them all; None if none does.

    Parameters
    ----------
    model : the ONNX file.
    network : what import read of it.
    graph : the optimisation level.
    number : the image's, for the answer.
    image, fed : int8 (C, H, W), and the same as the model reads it.
    """
    names = [
        (layer.name, network.stored[layer.name]) for layer in network.subnet.layers if layer.name in network.stored
    ]
    session = _session(model, graph, with_results(model, dict(names).values()))
    made = run_layers(network.subnet.layers, network.weights, network.quant, image)
    try:
        theirs = session.run([name for _, name in names], {session.get_inputs()[0].name: fed[None]})
    except Exception:  # an optimisation may need the results that the file names, and no others
        return None
    for (layer, name), tensor in zip(names, theirs, strict=True):
        ours = network.tensors[layer].to_stored(made[layer]).reshape(tensor.shape)
        if not np.array_equal(ours, tensor):
            place = tuple(int(axis) for axis in np.argwhere(ours != tensor)[0])
            return Difference(graph, number, layer, plain(name), place, float(tensor[place]), float(ours[place]))
    return None


def _session(model: str | Path, graph: str, data: bytes | None = None) -> Any:
    """onnxruntime with a model's file, or ``data`` in its place."""
    try:
        import onnxruntime
    except ImportError:
        raise FastSwitchError(
            f'{model}: verify runs it in onnxruntime, which is not installed; pip install "fastswitch[verify]"'
        ) from None
    failed: Exception | None = None
    # With this the integers are those of CPUs with VNNI on all; but onnxruntime does not load every int8 model with it.
    for precise in ("1", "0"):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, graph)
        options.intra_op_num_threads, options.log_severity_level = 1, 4
        options.add_session_config_entry("session.x64quantprecision", precise)
        try:
            return onnxruntime.InferenceSession(data or str(model), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # of the C++ side, which has no common class
            failed = error
    assert failed is not None
    raise NetworkError(f"{model}: onnxruntime does not load it: {one_line(failed)}")


def _run(session: Any, name: str, image: Image, model: str | Path) -> dict[str, Image]:
    names = [value.name for value in session.get_outputs()]
    try:
        return dict(zip(names, map(np.asarray, session.run(None, {name: image[None]})), strict=True))
    except Exception as error:
        raise NetworkError(f"{model}: onnxruntime does not run it: {one_line(error)}") from None


def _fed(network: Network, image: npt.NDArray[np.int8], stored: bool) -> Image:
    meaning = network.tensors[INPUT]
    return meaning.to_stored(image) if stored else meaning.dequantize(image)


def _compare(
    network: Network, image: npt.NDArray[np.int8], found: Mapping[str, Image], graph: str, number: int
) -> tuple[Difference, int] | None:
    """The first value that differs and how many steps the greatest difference has; None if all are equal.

    What the host computes of the machine's tensors is compared when these are equal.
    """
    tensors = run_layers(network.subnet.layers, network.weights, network.quant, image)
    if not network.epilogue:
        name, theirs = next(iter(found.items()))
        return _compare_tensor(network, network.subnet.layers[-1].name, tensors, (name, theirs), graph, number)
    for name, one in network.handed.items():
        apart = _compare_tensor(network, one.layer, tensors, (name, found[name]), graph, number)
        if apart is not None:
            return apart
    for name, ours in host_results(network, tensors).items():
        theirs = found[name]
        if not np.allclose(ours, theirs, rtol=1e-4, atol=1e-6):
            place = tuple(int(axis) for axis in np.argwhere(~np.isclose(ours, theirs, rtol=1e-4, atol=1e-6))[0])
            last = network.subnet.layers[-1].name
            return Difference(graph, number, last, plain(name), place, float(theirs[place]), float(ours[place])), 1
    return None


def _compare_tensor(
    network: Network,
    last: str,
    tensors: Mapping[str, npt.NDArray[np.int8]],
    result: tuple[str, Image],
    graph: str,
    number: int,
) -> tuple[Difference, int] | None:
    """The same of one layer's tensor, which is ``result`` in the model."""
    made, (name, theirs) = tensors[last], result
    one = network.handed.get(name)
    made = made if one is None or one.layer != last else one.seen(made)
    meaning, real = network.tensors[last], theirs.dtype.kind == "f"
    if last in network.rounded:  # as a QuantizeLinear of the scale that was chosen for it would make it
        theirs, real = meaning.quantize(theirs), False
        meaning = TensorQuant(meaning.scale, meaning.zero_point)
    ours = (meaning.dequantize(made) if real else meaning.to_stored(made)).reshape(theirs.shape)
    apart = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
    if not apart.any():
        return None
    place = tuple(int(axis) for axis in np.argwhere(apart)[0])
    steps = round(float(apart.max()) / (float(meaning.scale) if real else 1))
    return Difference(graph, number, last, plain(name), place, float(theirs[place]), float(ours[place])), max(1, steps)


def _shape(network: Network) -> tuple[int, int, int]:
    first = next(layer for layer in network.subnet.layers if INPUT in layer.inputs)
    return first.C, first.H, first.W


def _drawn(network: Network, count: int, seed: int) -> Iterator[tuple[npt.NDArray[np.int8], None]]:
    """Images of every kind: the ends of the range, the zero point, a checkerboard, then random ones."""
    shape, zero, rng = _shape(network), network.tensors[INPUT].zero_point, np.random.default_rng(seed)
    plain_ones = [np.full(shape, value, np.int8) for value in (-128, 127, zero)]
    plain_ones.append(np.where(np.indices(shape).sum(axis=0) % 2, 127, -128).astype(np.int8))
    for number in range(count):
        if number < len(plain_ones):
            yield plain_ones[number], None
        elif number % 2:
            near = np.rint(rng.normal(zero, 2.0 ** rng.uniform(2, 6), shape))
            yield np.clip(near, -128, 127).astype(np.int8), None
        else:
            yield rng.integers(-128, 128, shape, dtype=np.int8), None


def _read(path: str | Path, network: Network, stored: bool) -> Iterator[tuple[npt.NDArray[np.int8], Image]]:
    """The images of a file: as the network has them, and as the model reads them."""
    wanted = Wanted(f"{path}: no images: it", "an npz file with images (N, C, H, W)", FastSwitchError)
    images, meaning = read_npz(path, wanted, ("images",))["images"], network.tensors[INPUT]
    shape = network.image[1][1:] if network.prologue else _shape(network)
    if images.shape[1:] != shape or not len(images):
        raise wanted.wrong(f"its images are {images.shape}", right=f"(N, {', '.join(map(str, shape))})")
    if images.dtype.kind == "f" and np.isfinite(images).all():
        real = images.astype(np.float32)
    elif images.dtype == np.uint8:
        real = (images / np.float32(255)).astype(np.float32)
    else:
        raise wanted.wrong(f"its images are {images.dtype}", right="uint8 pixels or finite real numbers")
    for number, image in enumerate(real):
        if network.prologue:
            theirs = images[number] if stored else image
            yield machine_image(network, theirs), theirs
        elif not stored:
            yield meaning.quantize(image), image
        elif images.dtype == np.uint8 and meaning.offset:
            yield meaning.from_stored(images[number]), images[number]
        else:
            ours = meaning.quantize(image)
            yield ours, meaning.to_stored(ours)


def _on_rtl(
    network: Network, images: Sequence[npt.NDArray[np.int8]], seed: int, machine: Accelerator, tool: Simulator
) -> RtlRun:
    """Every image on the generated hardware, every integer beside the reference's."""
    network = network.fitted(machine, fit_for(network.subnet, machine))
    net, supernet = network.subnet, network.supernet
    session = Session(supernet, imported_weights(network, seed), machine, {net.name: net})
    empty = session.resident
    tilings = map_network(net, machine, empty, Policy.BEST).tilings
    exact, mismatches, cycles = True, 0, (0, 0)
    with Bench(build(machine, tool)) as bench:
        for image in images:
            outcome = session.run(bench, net.name, empty.subgraph, image, tilings)
            cycles = outcome.predicted.cycles, outcome.result.cycles
            mismatches += outcome.mismatches
            exact = exact and not outcome.mismatches and cycles[0] == cycles[1]
    return RtlRun(exact, *cycles, mismatches, len(images))
