"""Machines that tests share: the simulation of each is built once."""

from arch_model.machine.accelerator import Accelerator

TINY = Accelerator.load("tiny")
# The same machine with other numbers: KP > CP and not a multiple, beats wider than a pixel and over two ports, those of
# weights over four, one a cycle, four pixels a word, and a DRAM far away.
WIDE = TINY.replace(
    name="wide",
    array={"kp": 6, "cp": 4},
    axi={"data_bits": 64, "max_burst": 8, "stripes": 2, "weight_stripes": 4, "pixels": 4},
    dram={"cycles_per_beat": 1, "latency_cycles": 40},
    buffers={"pb_bytes": 4_500, "db_bytes": 5_400, "sb_bytes": 18_432, "zsb_bytes": 2_560},
)
