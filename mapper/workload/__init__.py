"""What the machine is asked to run: steps of a network, and layers as text."""
