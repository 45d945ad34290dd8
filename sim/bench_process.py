"""The process between a :class:`sim.bench.Bench` and its simulator: cocotb's runner waits for the simulator here.

It ends the simulator when the Bench's process goes away, however that goes. Its one argument is JSON: that
process's number, the simulator's name, and what the runner's ``test`` takes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time


def main() -> None:
    """Run the simulation that the argument describes."""
    parent, kind, options = json.loads(sys.argv[1])
    threading.Thread(target=_outlive_not, args=(parent,), daemon=True).start()

    from cocotb_tools.runner import get_runner

    get_runner(kind).test(**options)


def _outlive_not(parent: int) -> None:
    """End this process's whole group once ``parent`` is its parent no more."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
