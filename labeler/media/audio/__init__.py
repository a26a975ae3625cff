"""Sound files: what they are, decoding and encoding block by block."""
