"""What layers and SubNets cost on a machine."""
