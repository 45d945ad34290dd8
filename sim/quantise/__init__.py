"""From an elastic PyTorch model to integers: shared weights once, and what each SubNet has of its own."""
