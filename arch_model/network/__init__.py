"""What is computed: layers, SuperNets and their SubNets, weights and integers."""
