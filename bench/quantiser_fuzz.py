"""Networks through real quantisers, and whether what `import` claims of them holds.

    python bench/quantiser_fuzz.py --count 2400 --seed 1 [--nets FOLDER] [--mutant NAME]

Each network is read, and where its integers are claimed to be those of a graph of onnxruntime's,
`sim.integers.reference` and onnxruntime compute some images, extreme ones among them: one value that differs is a
broken claim. Where nothing is claimed the results must still be near, or the file was misread. `--nets` is a folder of
what `bench/quantiser_tools.py` wrote with Quark, Brevitas and PT2E. `--mutant` spoils the importer in one way, to see
that the fuzz finds it. Exits 1 if a claim is broken or a file was misread.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnxruntime
from quantised_networks import MAKERS

from mapper.importers import GRAPHS, Network, NetworkError, read_onnx
from sim.integers.reference import run_layers

COLUMNS = ("networks", *GRAPHS, "no claim", "no integers", "refused", "broken", "misread", "onnxruntime fails")


RUNTIME_ERRORS = tuple(
    getattr(onnxruntime.capi.onnxruntime_pybind11_state, name)
    for name in ("Fail", "NotImplemented", "InvalidGraph", "RuntimeException")
)


@dataclass(frozen=True)
class Verdict:
    """What became of one file: claims held (by graph), or one of the other columns; ``text`` says more."""

    columns: tuple[str, ...]
    text: str = ""

    @property
    def is_bad(self) -> bool:
        return bool({"broken", "misread"} & set(self.columns))


def session(path: Path, graph: str) -> onnxruntime.InferenceSession:
    """onnxruntime on one thread with that optimisation level."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, graph)
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def images(network: Network, rng: np.random.Generator, count: int) -> Iterator[np.ndarray]:
    """int8 images of a network: the ends of the range, its zero point, checkers, dots and random ones."""
    first = network.subnet.layers[0]
    shape = (first.C, first.H, first.W)
    zero = network.tensors["input"].zero_point
    yield from (np.full(shape, value, np.int8) for value in (-128, 127, zero))
    yield np.where(np.indices(shape).sum(axis=0) % 2, 127, -128).astype(np.int8)
    yield np.where(rng.random(shape) < 0.5, 127, -128).astype(np.int8)
    for place in range(count):
        if place % 2:
            yield np.clip(np.rint(rng.normal(zero, 2.0 ** rng.uniform(2, 6), shape)), -128, 127).astype(np.int8)
        else:
            yield rng.integers(-128, 128, shape).astype(np.int8)


def differences(network: Network, path: Path, graph: str, pictures: list[np.ndarray]) -> tuple[int, int]:
    """How many values differ from onnxruntime's, and by how many steps at most."""
    runtime = session(path, graph)
    (value,) = runtime.get_inputs()
    meaning, last = network.tensors["input"], network.subnet.layers[-1].name
    result, wrong, far = network.tensors[last], 0, 0
    for image in pictures:
        given = meaning.to_stored(image) if value.type != "tensor(float)" else meaning.dequantize(image)
        if not np.array_equal(meaning.quantize(meaning.dequantize(image)), image):
            raise AssertionError("an image does not survive its own scale")
        theirs = np.asarray(runtime.run(None, {value.name: given[None]})[0])
        made = run_layers(network.subnet.layers, network.weights, network.quant, image)[last]
        real = theirs.dtype == np.float32
        if last in network.rounded:  # as a QuantizeLinear of the scale that was chosen would make it
            theirs, ours, real = result.quantize(theirs), made, False
        else:
            ours = result.dequantize(made) if real else result.to_stored(made)
        apart = np.abs(ours.astype(np.float64).ravel() - theirs.astype(np.float64).ravel())
        wrong += int(np.count_nonzero(apart))
        far = max(far, round(apart.max() / (float(result.scale) if real else 1)))
    return wrong, far


def judge(path: Path, rng: np.random.Generator, count: int = 8) -> Verdict:
    """Read a file and hold what is claimed of it against onnxruntime."""
    try:
        network = read_onnx(path)
    except NetworkError as error:
        return Verdict(("refused",), str(error).removeprefix(f"{path}: "))
    if not network.runnable:
        return Verdict(("no integers",), "; ".join(network.notes))
    pictures = list(images(network, rng, count))
    columns, found = [], []
    for graph in GRAPHS:
        claimed = graph in network.bit_exact
        if not claimed and graph != GRAPHS[0]:
            continue
        try:
            wrong, far = differences(network, path, graph, pictures)
        except RUNTIME_ERRORS as error:
            columns.append("onnxruntime fails")
            found.append(f"{graph}: {' '.join(str(error).split())[:200]}")
            continue
        if claimed:
            columns.append("broken" if wrong else graph)
        elif far > 3 * len(network.subnet.layers):
            columns.append("misread")
        if wrong:
            found.append(f"{graph}: {wrong} values differ, by up to {far}")
    return Verdict(tuple(columns) or ("no claim",), "; ".join(found))


def fuzz(names: list[str], count: int, seed: int, folder: Path, images: int = 8) -> Iterator[tuple[str, Verdict]]:
    """Make and judge networks, by turns: pairs of the quantiser (with options) and what became of its network."""
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        path, options = MAKERS[names[number % len(names)]](rng, folder)
        verdict = judge(path, rng, images)
        if verdict.is_bad:
            path = path.replace(folder / f"bad_{seed}_{number}.onnx")
        yield options, Verdict(verdict.columns, f"{path.name}: {verdict.text}")


def made_before(folder: Path, seed: int, images: int) -> Iterator[tuple[str, Verdict]]:
    """Judge the files that `bench/quantiser_tools.py` wrote."""
    for number, path in enumerate(sorted(folder.glob("*.onnx"))):
        options = path.with_suffix(".txt").read_text().strip()
        verdict = judge(path, np.random.default_rng([seed, number]), images)
        yield options, Verdict(verdict.columns, f"{path.name}: {verdict.text}")


def mutants() -> dict[str, tuple[Any, str, Any]]:
    """Faults to put into the importer: an object, its attribute, and what takes its place."""
    from mapper.importers.onnx import integers, network, ops, proof, walk, weighted

    def uint8_always(self: Any, node: Any) -> Any:
        return np.dtype(np.uint8) if node.op == "QuantizeLinear" and not node.input(2) else stored_type(self, node)

    def without_zero(array: Any, zero: Any, axis: int) -> Any:
        return np.asarray(array, np.int64)

    def one_scale(self: Any, axis: int) -> Any:
        return np.full(self.steps.shape[axis], self.scale.flat[0], np.float32)

    def no_bound(self: Any, lo: float, hi: float) -> None:
        return None

    stored_type = walk.Walk._stored_type
    integer = proof.Arithmetic.INTEGER
    return {
        "the scale of a bias is the product's": (weighted, "_SAME_SCALE", np.inf),
        "output_dtype is not read": (walk.Walk, "_stored_type", uint8_always),
        "zero points of weights are 0": (walk, "steps_of", without_zero),
        "one scale for all channels": (ops.Dequantized, "scale_along", one_scale),
        "ReLU and Clip do nothing": (ops.Operator, "clip", no_bound),
        "every QDQ form is fused": (network, "arithmetic", lambda model, op: integer),
        "float32 is exact": (proof, "float_wrong", lambda op, quant: 0),
        "float32 sums never round": (proof, "_MANTISSA", 1 << 60),
        "no step of float32 is tried": (proof, "wrong_steps", lambda first, *rest: np.zeros(len(first), np.int64)),
        "no pair of float32 is tried": (proof, "wrong_pairs", lambda *rest: 0),
        "integer operators have no wrong step": (
            network,
            "integers",
            lambda op: (integers.integers(op)[0], 0),
        ),
    }


def table(rows: dict[str, Counter[str]]) -> str:
    """The counts as Markdown, with a row for all."""
    total = sum(rows.values(), Counter())
    lines = ["| quantiser | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, counts in [*sorted(rows.items()), ("**all**", total)]:
        lines.append(f"| {name} | " + " | ".join(f"{counts[column]:,}" for column in COLUMNS) + " |")
    return "\n".join(lines)


@click.command()
@click.option("--count", default=2400, show_default=True, help="Networks of onnxruntime's tools and of styles by hand.")
@click.option("--seed", default=1, show_default=True)
@click.option(
    "--images", default=40, show_default=True, help="Random images for each network, beside five extreme ones."
)
@click.option("--only", multiple=True, type=click.Choice(list(MAKERS)), help="These quantisers alone.")
@click.option("--nets", type=click.Path(path_type=Path, exists=True), help="A folder of files to judge as well.")
@click.option("--keep", type=click.Path(path_type=Path), help="A folder for the files of broken claims.")
@click.option("--mutant", type=click.Choice(list(mutants())), help="A fault to put into the importer.")
@click.option("--verbose", is_flag=True, help="A line for each network.")
def main(count: int, seed: int, images: int, only: tuple[str, ...], **options: Any) -> None:
    """Look for a claim that does not hold."""
    rows: dict[str, Counter[str]] = {}
    if options["mutant"]:
        setattr(*mutants()[options["mutant"]])
    with tempfile.TemporaryDirectory() as scratch:
        folder = options["keep"] or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        judged = fuzz([name for name in MAKERS if not only or name in only], count, seed, folder, images)
        for name, verdict in chain(judged, made_before(options["nets"], seed, images) if options["nets"] else ()):
            rows.setdefault(name, Counter()).update(("networks", *verdict.columns))
            if options["verbose"] or verdict.is_bad:
                print(f"{name}: {', '.join(verdict.columns)} {verdict.text}", file=sys.stderr)
    print(table(rows))
    total = sum(rows.values(), Counter())
    sys.exit(1 if total["broken"] or total["misread"] else 0)


if __name__ == "__main__":
    main()
