"""A small real study in a folder: ``python tests/sim/explore/make_study.py DIR``."""

import sys

from arch_model.spaces import get_space
from sim.explore import explore

if __name__ == "__main__":
    fashion = get_space("fashion")
    nets = [fashion.subnet(name) for name in ("fashion-d111-w222", "fashion-d222-w444")]
    vary = "KP=2,4,8 CP=3,5 PB=0:96KB:48KB SB=1,4,54KB DRAM=600,1200MB/s"
    print(explore("fashion", nets, vary, out=sys.argv[1], accelerator="tiny"))
