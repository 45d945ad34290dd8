"""How fast the noise engines are, on a SubNet: `python bench/harmonica.py [--subnet largest] [--repeats 5]`.

CPU time an image on one core, the least of some repeats: the noiseless int8 forward, the fast engine, the bit-serial
one with an 8-bit ADC on every slice. What they find is the study of `fastswitch hybrid`; bench/harmonica.md has both.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: products are small, processes share the cores

import time
from collections.abc import Iterator
from typing import Any

import click

from arch_model.analog import Crossbar, Encoding, Variation
from arch_model.network.weights import load_weights
from sim.noise.engine.bit_serial import BitSerialEngine
from sim.noise.engine.calibration import calibrate_adcs
from sim.noise.engine.chip import Chip
from sim.noise.engine.digital import Digital
from sim.noise.engine.effective_weight import FastEngine
from sim.noise.engine.hybrid import Hybrid
from sim.noise.engine.network import Network

VARIATION = Variation.parse("lognormal:0.5")
SEED = 1


def least_ms(network: Network, images: Any, engine: Any, repeats: int) -> float:
    """CPU milliseconds an image, the least of ``repeats``."""
    spent = []
    for _ in range(repeats):
        start = time.process_time()
        network.predict(images, engine)
        spent.append(time.process_time() - start)
    return 1000 * min(spent) / len(images)


def rows(subnet: str, repeats: int) -> Iterator[dict[str, Any]]:
    """One engine and encoding a row."""
    weights = load_weights()
    network, images = Network.of_subnet(subnet, weights), weights.images[:256]
    forward = least_ms(network, images, Digital(network), repeats)
    yield {"engine": "noiseless int8 forward", "encoding": "", "adc_bits": "", "ms": forward, "times": 1.0}
    for encoding in Encoding:
        for kind, crossbar, count in (
            (FastEngine, Crossbar(encoding=encoding), 256),
            (FastEngine, Crossbar(encoding=encoding, adc_bits=6), 256),
            (BitSerialEngine, Crossbar(encoding=encoding, adc_bits=8, conversion="slice"), 64),
        ):
            hybrid = Hybrid(network, crossbar)
            adcs = calibrate_adcs(hybrid, VARIATION, images)
            each = least_ms(network, images[:count], kind(hybrid, VARIATION, Chip(SEED, 0), adcs), repeats)
            about = {"engine": kind.__name__, "encoding": encoding, "adc_bits": crossbar.adc_bits or "ideal"}
            yield {**about, "ms": each, "times": each / forward}


@click.command()
@click.option("--subnet", default="largest", show_default=True)
@click.option("--repeats", default=5, show_default=True)
def main(subnet: str, repeats: int) -> None:
    """Print one row an engine and encoding."""
    print("| engine | encoding | ADC bits | ms an image | times the forward |\n|---|---|---|---|---|", flush=True)
    for row in rows(subnet, repeats):
        cells = (row["engine"], row["encoding"], row["adc_bits"], f"{row['ms']:.2f}", f"{row['times']:.2f}")
        print("|", " | ".join(map(str, cells)), "|", flush=True)


if __name__ == "__main__":
    main()
