"""Many files: which inputs become which outputs, and a pool that outlives a crashing worker."""
