"""Fits the preset sushi-zcu104 to the published FPGA design's measured 3 x 3 layers, and says how good the fit is.

    FASTSWITCH_PUBLISHED_TABLES=FOLDER python bench/fit_sushi_zcu104.py            # print the tables
    python bench/fit_sushi_zcu104.py --write    # and write the preset
    python bench/fit_sushi_zcu104.py --check    # status 1 unless the preset is what --write would write

The latency is linear in the constants, so a fit is one least-squares problem, in relative errors. What counts is the
error on networks that a fit has not seen: each network is predicted with constants fitted on the other two.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from arch_model import Accelerator, FastSwitchError, Layer, LayerError, get_space
from arch_model.files.published import VARIABLE, published
from arch_model.machine.measured import MeasuredMachine
from arch_model.spaces.ofa_resnet50 import PUBLISHED, published_table

ROOT = Path(__file__).parents[1]
PRESET = ROOT / "arch_model" / "presets" / "measured" / "sushi-zcu104.yaml"
MEASURED, LAYERS = "zcu104_measured_3x3_nets_0_2_4.csv", "ofa_resnet50_six_subnets_layers.csv"
LAYERS_SHA256 = "b5c5194c5aebb4312d5b9f52c1684747974bdbf4eb5c6a2e302bbc513ef30e30"
"""Of the published table of layers; its rows are rebuilt here, from the SubNets' configurations."""
KP, CP, CLOCK_HZ = 16, 9, 100_000_000
SILICON_MS = {"0": 7.20, "1": 9.93, "2": 18.09, "3": 24.56, "4": 34.86, "5": 35.63}
"""Measured totals of the 3 x 3 layers; of networks 1, 3 and 5 there is nothing else, and no fit sees them."""

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Samples:
    """Layers with what alternatives are made of; times in microseconds, bytes in thousands."""

    networks: npt.NDArray[np.str_]
    layers: tuple[Layer, ...]
    us: Floats
    """The measured latency."""
    sweep: Floats
    """(H + 1)(W + 1) cycles a pass, that is for each tile of KP x CP."""
    pixels: Floats
    """H * W cycles a pass."""
    out_sweep: Floats
    """(P + 1)(Q + 1) cycles a pass."""
    tiles: Floats
    """Weights in whole tiles of 9 * KP * CP."""
    groups: Floats
    """Inputs in whole groups of CP channels."""
    weights: Floats
    inputs: Floats
    outputs: Floats
    traffic: Floats
    """Inputs and outputs."""

    @classmethod
    def of(cls, networks: list[str], layers: list[Layer], us: list[float]) -> Samples:
        K, C, H, W, P, Q = np.array([(i.K, i.C, i.H, i.W, i.P, i.Q) for i in layers], np.float64).T
        passes = np.ceil(K / KP) * np.ceil(C / CP)
        pass_us = passes * 1e6 / CLOCK_HZ
        return cls(
            networks=np.array(networks),
            layers=tuple(layers),
            us=np.array(us),
            sweep=pass_us * (H + 1) * (W + 1),
            pixels=pass_us * H * W,
            out_sweep=pass_us * (P + 1) * (Q + 1),
            tiles=passes * 9 * KP * CP / 1e3,
            groups=np.ceil(C / CP) * CP * H * W / 1e3,
            weights=9 * K * C / 1e3,
            inputs=C * H * W / 1e3,
            outputs=K * P * Q / 1e3,
            traffic=(C * H * W + K * P * Q) / 1e3,
        )

    def columns(self, *names: str) -> Floats:
        """A column of ones and then those named, as features of a fit."""
        return np.stack([np.ones_like(self.us), *(getattr(self, name) for name in names)], 1)


Predictor = Callable[[Samples, Mask], Floats]
"""Fits on the rows of a mask and predicts every row."""


def solve(features: Floats, target: Floats, scale: Floats) -> Floats:
    """The coefficients with the least sum of squares of (features @ coefficients - target) / scale."""
    return np.asarray(np.linalg.lstsq(features / scale[:, None], target / scale, rcond=None)[0])


def serial(fixed: str | None, *free: str) -> Predictor:
    """start + ``fixed`` + a coefficient times each of ``free``."""

    def predict(samples: Samples, rows: Mask) -> Floats:
        offset = getattr(samples, fixed) if fixed else np.zeros_like(samples.us)
        features = samples.columns(*free)
        return np.asarray(offset + features @ solve(features[rows], (samples.us - offset)[rows], samples.us[rows]))

    return predict


def behind(hidden: str, *free: str) -> Predictor:
    """start + max(sweep, a coefficient times ``hidden``) + a coefficient times each of ``free``.

    Given the coefficient inside, the rest is linear; that one is scanned in steps of 1.5 %.
    """

    def predict(samples: Samples, rows: Mask) -> Floats:
        features, best = samples.columns(*free), (np.inf, samples.us)
        for rate in np.geomspace(0.05, 20, 400):
            offset = np.maximum(samples.sweep, rate * getattr(samples, hidden))
            predicted = offset + features @ solve(features[rows], (samples.us - offset)[rows], samples.us[rows])
            loss = float(np.sum((predicted / samples.us - 1)[rows] ** 2))
            best = min(best, (loss, predicted), key=lambda pair: pair[0])
        return best[1]

    return predict


CHOSEN = "start + sweep + weight tiles + input groups"
ALTERNATIVES = {
    "start + sweep": (1, serial("sweep")),
    "start + sweep + weight tiles": (2, serial("sweep", "tiles")),
    "start + sweep + input groups": (2, serial("sweep", "groups")),
    CHOSEN: (3, serial("sweep", "tiles", "groups")),
    "  exact weight and input bytes": (3, serial("sweep", "weights", "inputs")),
    "  exact bytes, inputs and outputs": (3, serial("sweep", "weights", "traffic")),
    "  sweep of H W cycles": (3, serial("pixels", "tiles", "groups")),
    "  sweep of output pixels": (3, serial("out_sweep", "tiles", "groups")),
    "  weights hidden behind the sweep": (3, behind("tiles", "groups")),
    "  inputs hidden behind the sweep": (3, behind("groups", "tiles")),
    "  + outputs": (4, serial("sweep", "tiles", "groups", "outputs")),
    "  + the clock": (4, serial(None, "sweep", "tiles", "groups")),
    "  + the clock, sweep of H W cycles": (4, serial(None, "pixels", "tiles", "groups")),
}


def held_out(predict: Predictor, samples: Samples) -> Floats:
    """Each network's rows as predicted from the other networks'."""
    predicted = np.zeros_like(samples.us)
    for network in np.unique(samples.networks):
        unseen = samples.networks == network
        predicted[unseen] = predict(samples, ~unseen)[unseen]
    return predicted


def errors(predicted: Floats, measured: Floats) -> dict[str, float]:
    """The mean and largest absolute relative error and Spearman's rank correlation (ties share their mean rank)."""
    off = np.abs(predicted / measured - 1)
    rank = np.corrcoef(pd.Series(predicted).rank(), pd.Series(measured).rank())[0, 1]
    return {"mean": float(off.mean()), "maximum": float(off.max()), "rank_correlation": float(rank)}


def three_by_three() -> list[tuple[str, str, Layer]]:
    """All 3 x 3 layers of the six published SubNets: network, layer index, layer; as the table of layers has them."""
    space = get_space("ofa-resnet50")
    nets = [space.subnet(name) for name in PUBLISHED]
    rows = published_table(nets)
    return [
        (str(row.network), str(row.layer_index), nets[row.network].layer(row.name))
        for row in rows[rows["R"] == 3].itertuples(index=False)
    ]


def read(path: Path) -> tuple[Samples, dict[str, list[Layer]]]:
    """The measured layers joined with their shapes, and all 3 x 3 layers by network."""
    table = three_by_three()
    shapes = {(network, index, layer.name): layer for network, index, layer in table}
    try:
        measured = pd.read_csv(path, dtype={"network": str, "layer_index": str, "name": str})
        keys = list(zip(measured["network"], measured["layer_index"], measured["name"], strict=True))
        us = [1e6 * float(value) for value in measured["latency_s"]]
    except (OSError, ValueError, KeyError) as error:
        raise LayerError(f"{path}: {error}; give network,layer_index,name,latency_s") from None
    for key in keys:
        if key not in shapes:
            raise LayerError(f"{path}: the six SubNets have no 3 x 3 layer {','.join(map(str, key))}")
    every: dict[str, list[Layer]] = {}
    for network, _, layer in table:
        every.setdefault(network, []).append(layer)
    return Samples.of([key[0] for key in keys], [shapes[key] for key in keys], us), every


def preset(samples: Samples, path: Path) -> str:
    """The preset's text: constants fitted on every sample, to four digits, and where they come from."""
    features = samples.columns("tiles", "groups")
    start, tile, group = solve(features, samples.us - samples.sweep, samples.us)
    constants = {"start_s": start / 1e6, "weight_bytes_per_s": 1e9 / tile, "input_bytes_per_s": 1e9 / group}
    constants = {key: float(f"{value:.3e}") for key, value in constants.items()}
    written = (1e6 * constants["start_s"], 1e9 / constants["weight_bytes_per_s"], 1e9 / constants["input_bytes_per_s"])
    fitted = samples.sweep + features @ np.array(written)
    unseen = held_out(ALTERNATIVES[CHOSEN][1], samples)
    sha256 = {MEASURED: hashlib.sha256(path.read_bytes()).hexdigest(), LAYERS: LAYERS_SHA256}
    networks = ", ".join(f'"{network}"' for network in np.unique(samples.networks))

    def section(values: dict[str, float]) -> str:
        return "".join(f"    {key}: {value:.4f}\n" for key, value in values.items())

    return f"""\
# The published SubGraph-Stationary FPGA design on the AMD ZCU104, as it was measured: its array sweeps input pixels.
# It predicts the latency of 3 x 3 convolutions and nothing else (docs/studies/measured.md).
# Written by bench/fit_sushi_zcu104.py --write; a change by hand is lost.
name: sushi-zcu104
model: input-sweep

array:
  kp: {KP} # filters worked on at once
  cp: {CP} # channels worked on at once; 9 * kp * cp = {9 * KP * CP} multipliers

clock_hz: {CLOCK_HZ:_} # hertz

constants: # fitted; the array's cycles are not
  start_s: {constants["start_s"]:.3e} # seconds a layer: the host starts it and polls for its end
  weight_bytes_per_s: {constants["weight_bytes_per_s"]:.3e} # bytes a second, weights in whole tiles
  input_bytes_per_s: {constants["input_bytes_per_s"]:.3e} # bytes a second, inputs in whole groups of channels

provenance:
  source: FEATHER artifact (GitHub maeri-project/FEATHER), a descendant of SushiAccel; each latency a mean of 200 runs
  measured: {MEASURED}
  measured_sha256: "{sha256[MEASURED]}"
  layers: {LAYERS}
  layers_sha256: "{sha256[LAYERS]}"
  networks: [{networks}]
  points: {samples.us.size} # layers
  command: python bench/fit_sushi_zcu104.py --write
  residuals: # of the layers fitted: relative errors as fractions, and Spearman's rank correlation
{section(errors(fitted, samples.us))}\
  held_out: # the same with each network predicted from the others
{section(errors(unseen, samples.us))}"""


def show_layers(samples: Samples, machine: MeasuredMachine) -> None:
    unseen = held_out(ALTERNATIVES[CHOSEN][1], samples)
    fitted = 1e6 * machine.cost(samples.layers).latency_s
    print("Layers, in microseconds: measured, predicted by the preset, and by a fit on the other networks\n")
    print("net name         K    C   H  stride  measured    preset  error  held out  error")
    for i, layer in enumerate(samples.layers):
        us = samples.us[i]
        print(
            f"{samples.networks[i]:>3} {layer.name:11s} {layer.K:3d} {layer.C:4d} {layer.H:3d} {layer.stride:7d}"
            f" {us:9.1f} {fitted[i]:9.1f} {fitted[i] / us - 1:+6.1%} {unseen[i]:9.1f} {unseen[i] / us - 1:+6.1%}"
        )


def show_errors(samples: Samples) -> None:
    print("\nNetworks that the fit has not seen\n")
    print(f"{'network':10s} layers    mean  largest  rank correlation")
    unseen = held_out(ALTERNATIVES[CHOSEN][1], samples)
    for network in [*np.unique(samples.networks), "all"]:
        rows = (samples.networks == network) | (network == "all")
        print(f"{network:10s} {rows.sum():6d}  {_row(errors(unseen[rows], samples.us[rows]))}")
    table = pd.DataFrame({"us": samples.us, "layer": [(i.K, i.C, i.H, i.stride) for i in samples.layers]})
    spread = table.groupby("layer")["us"].agg(lambda us: us.max() / us.min() - 1)
    again = spread[table.groupby("layer").size() > 1]
    print(f"\n{again.size} shapes were measured repeatedly: slowest over fastest by {again.mean():.2%} in the mean")
    print(f"and {again.max():.2%} at most. What knows the shape alone errs by half of that in one of them.")


def show_alternatives(samples: Samples) -> None:
    print("\nAlternatives, on networks that the fit has not seen\n")
    print(f"{'latency':48s} constants    mean  largest  rank correlation  lowest of a network")
    for name, (constants, predict) in ALTERNATIVES.items():
        unseen = held_out(predict, samples)
        split = [samples.networks == network for network in np.unique(samples.networks)]
        lowest = min(errors(unseen[rows], samples.us[rows])["rank_correlation"] for rows in split)
        print(f"{name:48s} {constants:9d}  {_row(errors(unseen, samples.us))} {lowest:20.4f}")


def _row(off: dict[str, float]) -> str:
    return f"{off['mean']:6.2%} {off['maximum']:8.2%} {off['rank_correlation']:17.4f}"


def show_networks(every: dict[str, list[Layer]], machine: MeasuredMachine) -> None:
    ours = Accelerator.load("zcu104")
    print("\nAll 3 x 3 layers of each network, in ms; fitted on " + ", ".join(machine.provenance.networks) + " alone\n")
    print("network  layers  sushi-zcu104  measured  error  zcu104 tile bound  measured / bound  without starts")
    for network, layers in sorted(every.items()):
        ms = 1e3 * float(machine.cost(layers).latency_s.sum())
        passes = sum(-(-i.K // ours.kp) * -(-i.C // ours.cp) * i.P * i.Q for i in layers)
        bound, measured = 1e3 * passes / ours.clock_hz, SILICON_MS[network]
        starts = 1e3 * machine.constants.start_s * len(layers)
        print(
            f"{network:7s} {len(layers):7d} {ms:13.2f} {measured:9.2f} {ms / measured - 1:+6.1%}"
            f" {bound:18.2f} {measured / bound:17.2f} {(measured - starts) / bound:15.2f}"
        )


def main() -> int:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--data", type=Path, help=f"folder of {MEASURED}; without it where {VARIABLE} says")
    what = arguments.add_mutually_exclusive_group()
    what.add_argument("--write", action="store_true", help="write the preset")
    what.add_argument("--check", action="store_true", help="status 1 unless the preset is what --write would write")
    options = arguments.parse_args()
    try:
        path = options.data / MEASURED if options.data else published(MEASURED)
        samples, every = read(path)
    except FastSwitchError as error:
        print(error, file=sys.stderr)
        return 2
    text = preset(samples, path)
    machine = MeasuredMachine.parse(text, PRESET.name)
    show_layers(samples, machine)
    show_errors(samples)
    show_alternatives(samples)
    show_networks(every, machine)
    print()
    for key, value in machine.constants.model_dump().items():
        print(f"{key} {value:.4g}")
    if options.write:
        PRESET.write_text(text, encoding="utf-8")
        print(f"wrote {PRESET.relative_to(ROOT)}")
    if options.check and PRESET.read_text(encoding="utf-8") != text:
        print(f"{PRESET.relative_to(ROOT)} is not what this fit gives; --write writes it", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
