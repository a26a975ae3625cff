"""What is video's own in the watermark: the mask over time, evidence summed over frames, search, strength."""
