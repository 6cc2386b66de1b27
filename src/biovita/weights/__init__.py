"""Files of weights: found in packages and on the hub, and read so that nothing in them can run."""
