"""Which channels of a network stay digital, and what of them the accelerator holds."""
