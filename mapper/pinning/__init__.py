"""What to pin: the SubGraph that the Persistent Buffer holds."""
