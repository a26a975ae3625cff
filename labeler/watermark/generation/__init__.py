"""Generation-time text watermarks: keyed sampling by whoever owns the sampling, and its detectors.

Pure numpy, no model and no tokenizer. A pipeline calls `choose` per step (or one of the adapters), and a
verifier gives the token ids to a detector. See ``docs/text-watermark.md``.
"""

from __future__ import annotations

from labeler.watermark.generation.adapters import HuggingFaceProcessor, LlamaCppProcessor, vllm_config
from labeler.watermark.generation.candidates import Candidates, Warp, top_candidates
from labeler.watermark.generation.detectors import (
    Detection,
    GreenListDetector,
    GumbelDetector,
    TextVerdict,
    TournamentDetector,
    detect_any,
)
from labeler.watermark.generation.finding import detect_tokens, read_tokens
from labeler.watermark.generation.multibit import MultibitGumbelDetector, MultibitGumbelSampler, message_of
from labeler.watermark.generation.philox import generation_key
from labeler.watermark.generation.samplers import (
    GreenListSampler,
    GumbelSampler,
    Sampler,
    TournamentSampler,
    choose,
)

__all__ = [
    "Candidates",
    "Detection",
    "GreenListDetector",
    "GreenListSampler",
    "GumbelDetector",
    "GumbelSampler",
    "HuggingFaceProcessor",
    "LlamaCppProcessor",
    "MultibitGumbelDetector",
    "MultibitGumbelSampler",
    "Sampler",
    "TextVerdict",
    "TournamentDetector",
    "TournamentSampler",
    "Warp",
    "choose",
    "detect_any",
    "detect_tokens",
    "generation_key",
    "message_of",
    "read_tokens",
    "top_candidates",
    "vllm_config",
]
