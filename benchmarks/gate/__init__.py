"""The gate on speed: hot paths as ratios, to the numpy reference and to another commit."""
