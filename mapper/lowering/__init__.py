"""From a layer to commands: tilings, weight tiles, streams of commands and the order in which they are issued."""
