"""Generation-time text watermarks: keyed sampling by whoever owns the sampling, and its detectors.

Pure numpy, no model and no tokenizer. A pipeline calls `choose` per step (or one of the adapters), and a
verifier gives the token ids to a detector. See ``docs/text-watermark.md``.
"""
