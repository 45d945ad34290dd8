"""Where data lie: tensors and weights in DRAM, weight tiles in the Persistent Buffer."""
