"""The invisible watermark: a keyed, blind mark in the samples."""
