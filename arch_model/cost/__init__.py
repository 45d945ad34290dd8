"""What a Program and a machine cost: activity, energy, resources, area."""
