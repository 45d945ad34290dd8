"""Programs on the RTL: the simulator, its build, the bench and the DRAM around the accelerator."""
