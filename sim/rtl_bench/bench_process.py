"""The process between this project and a simulator: cocotb's runner compiles, or waits for the simulator, here.

:mod:`sim.rtl_bench.bench` and :mod:`sim.rtl_bench.bench_build` start it supervised, so that it ends with them and the
simulator with it. Its one argument is JSON: the simulator's name, ``build`` or ``test``, and what that method of the
runner takes.
"""

from __future__ import annotations

import json
import logging
import sys

from cocotb_tools.runner import get_runner


def main() -> None:
    """Build or run the simulation that the argument describes."""
    kind, step, options = json.loads(sys.argv[1])
    runner = get_runner(kind)
    if step == "build":
        logging.getLogger(type(runner).__name__).setLevel(logging.WARNING)
        runner.log.setLevel(logging.WARNING)
    getattr(runner, step)(**options, **({"always": True} if step == "build" else {}))


if __name__ == "__main__":
    main()
