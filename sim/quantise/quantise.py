"""``fastswitch.quantise``: from an elastic PyTorch model and calibration images to a SuperNet's weights archive."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.errors import FastSwitchError
from arch_model.files.names import why_no_name
from arch_model.files.shown import plain, shown
from arch_model.network.fixed_supernet import fixed_supernet
from arch_model.network.layer import Layer
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.network.weights import OpQuant, QuantizedSubNet, SuperNetWeights
from arch_model.spaces import load_supernet
from arch_model.spaces.chosen import choose_subnets
from sim.integers.batch import run_batch
from sim.integers.reference import run_layers
from sim.quantise.errors import ModelError, need_torch
from sim.quantise.floats import FloatRun, check_reading, spans, top1
from sim.quantise.images import Images, Labelled, Pixels, calibration, labelled
from sim.quantise.integers import integers_of
from sim.quantise.layers import Float, FloatNet
from sim.quantise.match import match_layers
from sim.quantise.model import Config, Model, check_configs, load_model, module_of
from sim.quantise.read import read_layers
from sim.quantise.share import SharedLayer, greatest_first, kept_once, shared_weights
from sim.quantise.trace import trace_module

AT_ONCE = 200
"""Images of which the integers are computed at once."""

KEPT = 1_000
"""Test images that the archive holds."""


def quantise(
    model: Model,
    images: Images,
    subnets: str | Path | Sequence[str] | Sequence[SubNet] | Mapping[str, Config],
    space: SuperNet | str | Path | None = None,
    *,
    test: Labelled | None = None,
    recalibrate: bool = False,
    scale: float = 1 / 255,
    zero: int = 0,
    name: str = "model",
    kept: int = KEPT,
    seed: int = 0,
    on_subnet: Callable[[QuantizedSubNet], None] = lambda subnet: None,
) -> SuperNetWeights:
    """Make an elastic PyTorch model int8: shared weights once, and each SubNet's own integers.

    Each SubNet's module is run once and its layers are read from what it does. Batch normalisation goes into the
    SubNet's multipliers and biases, never into the weights, which all SubNets share; that they do is checked.

    Parameters
    ----------
    model : a function ``model(**config)`` that gives the ``torch.nn.Module`` of a SubNet in eval mode, its weights
        slices of the largest ones; a module with a method ``set_active_subnet(**config)`` (once-for-all's); or
        ``"MODULE:OBJECT"`` or ``"FILE.py:OBJECT"``.
    images : for calibration, (N, C, H, W) or (N, H, W), or an npz file that has them as ``images``. uint8 pixels, which
        the model reads as ``(pixel - zero) * scale``; or real numbers, which it reads as they are.
    subnets : with ``space``: names, SubNets, a file or how many to draw, as ``--subnets`` takes them; their ``config``
        is what ``model`` is called with. Without: the config of each SubNet by its name.
    space : the SuperNet whose SubNets these are, by value, name or file; layers are matched by what they compute and
        read. None: a SuperNet is made of the SubNets as they are; its layers have the names of the model's modules.
    test : images and labels, or an npz file with ``images`` and ``labels``, for accuracies. None: they are not known.
    recalibrate : take the statistics of batch normalisation from ``images``, for each SubNet anew.
    scale, zero : what uint8 pixels mean to the model.
    name : of the SuperNet that is made if ``space`` is None.
    kept : test images that the result holds, at most.
    seed : of the draw, if ``subnets`` says how many.
    on_subnet : called with each SubNet when it is done.

    Returns
    -------
    SuperNetWeights
        What ``fastswitch.save_weights`` writes and every function takes as ``weights``; ``supernet`` is the SuperNet
        that was made, if it was.

    Raises
    ------
    ModelError
        The model fails, has an operator that no layer stands for, is not the SuperNet's, or SubNets do not share
        weights: names the SubNet and the layer or module. torch is not installed.
    SpaceError, WeightsError
        There is no such SuperNet or SubNet.

    Examples
    --------
    >>> weights = quantise(my_model, pixels, "20", "fashion", recalibrate=True)  # doctest: +SKIP
    >>> {net.name: net.top1 for net in weights.subnets.values()}  # doctest: +SKIP
    """
    function = load_model(model)
    pixels = calibration(images, scale, zero)
    given = None if test is None else labelled(test, pixels)
    supernet, wanted = _wanted(subnets, space, seed)
    nets, largest = {}, dict[str, Float]()
    for one, (config, subnet) in wanted.items():
        nets[one] = kept_once(read_subnet(function, one, config, pixels.images.shape[1:], subnet), largest)
    if supernet is None:
        supernet = made_supernet(name, nets)
    shared = shared_weights(supernet.layers, greatest_first(nets))
    made = {}
    for one, net in nets.items():
        made[one] = _subnet(net, shared, pixels, given, recalibrate)
        on_subnet(made[one])
    return _archive(supernet, space is None, made, shared, pixels, given, kept, recalibrate)


def read_subnet(
    model: Callable[..., Any], name: str, config: Config, shape: Sequence[int], subnet: SubNet | None
) -> FloatNet:
    """A SubNet's layers as PyTorch has them.

    Parameters
    ----------
    model : a function of the choices that gives the module.
    name : the SubNet's.
    config : its choices.
    shape : (C, H, W) of an image.
    subnet : the SuperNet's SubNet, whose layer names are taken; None: the module's own.

    Raises
    ------
    ModelError
        The module cannot be built or read, or is not the SubNet; the line has the SubNet's name.
    """
    module = module_of(model, name, config)
    try:
        trace = trace_module(module, shape)
        net = replace(read_layers(trace, name), config=dict(config))
        check_reading(net, trace)
        return net if subnet is None else match_layers(net, subnet)
    except FastSwitchError as error:
        raise ModelError(f"SubNet {plain(name)}: {error}") from None


def made_supernet(name: str, nets: Mapping[str, FloatNet]) -> SuperNet:
    """The SuperNet of SubNets that were read without one.

    Parameters
    ----------
    name : of the SuperNet.
    nets : layers of each SubNet.

    Raises
    ------
    ModelError
        The name is no name.
    """
    if why := why_no_name(name):
        raise ModelError(f"name of the SuperNet is {shown(name)}: {why}; give another")
    subnets = [
        SubNet(net.name, name, tuple(one.layer for one in net.layers), tuple(net.config.items()))
        for net in nets.values()
    ]
    return fixed_supernet(subnets, name=name)


def _wanted(
    subnets: Any, space: SuperNet | str | Path | None, seed: int
) -> tuple[SuperNet | None, dict[str, tuple[Config, SubNet | None]]]:
    """By name, what the model is called with and, of a SuperNet that is given, the SubNet."""
    if space is None:
        return None, {name: (config, None) for name, config in check_configs(subnets).items()}
    supernet = load_supernet(space)
    chosen = choose_subnets(subnets, supernet, seed).subnets
    return supernet, {net.name: (dict(net.config), net) for net in chosen}


def _subnet(
    net: FloatNet,
    shared: Mapping[str, SharedLayer],
    pixels: Pixels,
    given: tuple[Pixels, npt.NDArray[np.uint8]] | None,
    recalibrate: bool,
) -> QuantizedSubNet:
    """A SubNet's integers, and its accuracy before and after."""
    try:
        real = pixels.real
        statistics = FloatRun(net).recalibrate(real) if recalibrate else {}
        run = FloatRun(net, statistics)
        ops = integers_of(net, shared, pixels.meaning, spans(run, real), statistics)
    except ModelError as error:
        raise ModelError(f"SubNet {plain(net.name)}: {error}") from None
    layers = [one.layer for one in net.layers]
    accuracy, first, before = float("nan"), float("nan"), float("nan")
    if given is not None:
        tests, labels = given
        before = top1(run, tests.real, labels)
        right = integer_classes(layers, {name: one.weights for name, one in shared.items()}, ops, tests.int8) == labels
        accuracy, first = float(right.mean()), float(right[:KEPT].mean())
    macs = sum(layer.macs for layer in layers)
    return QuantizedSubNet(net.name, (), (), macs, accuracy, first, before, ops, tuple(net.config.items()))


def integer_classes(
    layers: Sequence[Layer],
    weights: Mapping[str, npt.NDArray[np.int8]],
    ops: Mapping[str, OpQuant],
    images: npt.NDArray[np.int8],
) -> npt.NDArray[np.int64]:
    """The class of each image by the integers, the first of equal logits; PyTorch adds up what cannot round.

    The first image is compared with the reference, integer for integer.

    Parameters
    ----------
    layers : of the SubNet.
    weights : int8 (K, C / groups, R, S) by layer.
    ops : integers by operator.
    images : int8 (N, C, H, W).

    Raises
    ------
    AssertionError
        The first image's integers are not the reference's.
    """
    logits = np.concatenate(
        [
            run_batch(layers, weights, ops, images[at : at + AT_ONCE], torch_convolve).reshape(
                len(images[at : at + AT_ONCE]), -1
            )
            for at in range(0, len(images), AT_ONCE)
        ]
    )
    reference = run_layers(layers, weights, ops, images[0])[layers[-1].name].reshape(-1)
    if not np.array_equal(reference, logits[0]):
        raise AssertionError("the sums of this PyTorch are rounded: its integers are not the reference's")
    classes: npt.NDArray[np.int64] = logits.argmax(1)
    return classes


def torch_convolve(x: npt.NDArray[Any], weights: npt.NDArray[Any], layer: Layer) -> npt.NDArray[Any]:
    """A convolution by PyTorch, a :data:`sim.integers.batch.Convolve`; without the transforms of NNPACK, which round.

    Parameters
    ----------
    x : (N, C, H, W).
    weights : (K, C / groups, R, S), of the same type.
    layer : whose stride, padding and groups are taken.
    """
    torch = need_torch()
    with torch.no_grad(), torch.backends.nnpack.flags(enabled=False):
        sums = torch.nn.functional.conv2d(
            torch.from_numpy(x), torch.from_numpy(weights), None, layer.stride, layer.padding, 1, layer.groups
        )
    made: npt.NDArray[Any] = sums.numpy()
    return made


def _archive(
    supernet: SuperNet,
    is_made: bool,
    made: Mapping[str, QuantizedSubNet],
    shared: Mapping[str, SharedLayer],
    pixels: Pixels,
    given: tuple[Pixels, npt.NDArray[np.uint8]] | None,
    kept: int,
    recalibrated: bool,
) -> SuperNetWeights:
    tests, labels = given or (
        Pixels(pixels.images[:16], pixels.meaning),
        np.zeros(min(16, len(pixels.images)), np.uint8),
    )
    sample = Pixels(tests.images[:kept], tests.meaning)
    metadata = {
        "made": "quantised",
        "network": supernet.name,
        "input": {"scale": pixels.meaning.scale, "zero_point": pixels.meaning.zero + 128},
        "calibration_images": len(pixels.images),
        "recalibrated": recalibrated,
        "test_images": 0 if given is None else len(tests.images),
        "torch": str(need_torch().__version__),
        "numpy": np.__version__,
    }
    by_size = sorted(made.values(), key=lambda net: (net.macs, net.name))
    return SuperNetWeights(
        MappingProxyType({name: one.weights for name, one in shared.items()}),
        MappingProxyType({net.name: net for net in by_size}),
        sample.stored,
        labels[:kept],
        metadata,
        supernet.name,
        supernet if is_made else None,
    )
