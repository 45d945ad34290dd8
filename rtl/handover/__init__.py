"""What a user of the hardware receives: Verilog, registers, constraints, cores, a bench without Python, a README."""
