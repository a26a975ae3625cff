from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from labeler.errors import DependencyMissing, UsageError
from labeler.watermark.generation.adapters import HuggingFaceProcessor, LlamaCppProcessor, vllm_config
from labeler.watermark.generation.candidates import Warp
from labeler.watermark.generation.detectors import GumbelDetector
from labeler.watermark.generation.samplers import GumbelSampler

SAMPLER = GumbelSampler(key=77)
PROMPT = [3, 1, 4, 1, 5]


def _llama_text(
    processor: LlamaCppProcessor, *, tokens: int, seed: int = 0, prompt: list[int] = PROMPT
) -> list[int]:
    """What llama-cpp-python does: logits of the step through the processor, then greedy."""
    rng = np.random.default_rng(seed)
    ids = list(prompt)
    for _ in range(tokens):
        logits = rng.normal(0, 1.5, 2000).astype(np.single)
        out = processor(np.array(ids, np.intc), logits)
        assert out.shape == logits.shape
        assert out.dtype == np.single
        assert np.isfinite(out).sum() == 1
        ids.append(int(out.argmax()))
    return ids[len(prompt) :]


def test_llama_cpp_texts_are_marked_from_the_end_of_the_prompt() -> None:
    processor = LlamaCppProcessor(SAMPLER, warp=Warp(top_k=40), seed=1)
    first = _llama_text(processor, tokens=120)
    assert GumbelDetector(key=77).detect(first).log10_p < -20
    again = _llama_text(processor, tokens=120, prompt=[9] * 30)  # another prompt: a new text by itself
    assert again == first  # same logits, same key, contexts without the prompt
    processor.reset()
    assert _llama_text(processor, tokens=5, seed=0) == first[:5]
    fixed = LlamaCppProcessor(SAMPLER, warp=Warp(top_k=40), prompt_length=len(PROMPT), seed=1)
    assert _llama_text(fixed, tokens=20) == first[:20]


def test_without_a_sampler_nothing_is_marked() -> None:
    text = _llama_text(LlamaCppProcessor(None, seed=1), tokens=120)
    assert GumbelDetector(key=77).detect(text).log10_p > -4


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torch", "transformers", "llama_cpp"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(DependencyMissing, match="torch"):
        HuggingFaceProcessor(SAMPLER)
    with pytest.raises(DependencyMissing, match="pip install llama-cpp-python"):
        LlamaCppProcessor(SAMPLER).as_list()
    with pytest.raises(UsageError, match="prompt"):
        LlamaCppProcessor(SAMPLER, prompt_length=-1)


class _Tensor:
    """As much of torch.Tensor as the adapter touches."""

    device = "cpu"

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.dtype = array.dtype

    def detach(self) -> _Tensor:
        return self

    def cpu(self) -> _Tensor:
        return self

    def to(self, *, device: str = "cpu", dtype: object = None) -> _Tensor:
        return _Tensor(self.array.astype(dtype))

    def numpy(self) -> np.ndarray:
        return self.array


def test_hugging_face_batches_through_a_stand_in_for_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = types.SimpleNamespace(float32=np.float32, from_numpy=_Tensor)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "transformers", types.SimpleNamespace(LogitsProcessorList=list))
    processor = HuggingFaceProcessor(SAMPLER, warp=Warp(top_k=40), seed=1)
    assert processor.as_list() == [processor]
    rng = np.random.default_rng(0)
    ids = np.tile(PROMPT, (3, 1))
    for _ in range(100):
        out = processor(_Tensor(ids), _Tensor(rng.normal(0, 1.5, (3, 2000)).astype(np.float16)))
        assert out.dtype == np.float16
        ids = np.concatenate([ids, out.array.argmax(axis=1)[:, None]], axis=1)
    for row in ids[:, len(PROMPT) :]:
        assert GumbelDetector(key=77).detect(row).log10_p < -15
    processor.reset()
    out = processor(_Tensor(ids[:1, :9]), _Tensor(np.zeros((1, 2000), np.float32)))
    assert np.isfinite(out.array).sum() == 1


def test_the_configuration_for_vllm() -> None:
    config = vllm_config(GumbelSampler(key=2**64 - 1, context_width=2))
    assert config == {"algorithm": "gumbel", "key": 2**64 - 1, "context_width": 2, "prf": "philox"}
