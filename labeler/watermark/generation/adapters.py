"""Hooks for Hugging Face transformers and llama-cpp-python, and vLLM's configuration.

The two processors make the whole choice themselves: they apply temperature, top-k and top-p, choose by the
scheme, and return logits in which only the chosen token is left. So it does not matter which other steps the
framework runs after them (both run custom processors before temperature, top-k and top-p): call ``generate``
with ``do_sample=False`` (transformers) or ``temperature=0`` (llama-cpp-python), and set temperature, top-k
and top-p here. Beam search cannot be marked.

vLLM owns its sampling and marks natively (``--watermark-config``, algorithm ``gumbel``); only its detector
side and its configuration are needed.

Nothing is imported before a processor is made; neither package is a dependency of labeler.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import numpy.typing as npt

from labeler.errors import DependencyMissing, UsageError
from labeler.watermark.generation.candidates import Warp, top_candidates
from labeler.watermark.generation.philox import Ints
from labeler.watermark.generation.samplers import GumbelSampler, Sampler, choose

__all__ = ["HuggingFaceProcessor", "LlamaCppProcessor", "vllm_config"]


def _import(name: str, package: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise DependencyMissing(
            f"the Python package {package} is not installed.", remedy=f"Run: pip install {package}"
        ) from error


class _Stepper:
    """One step on arrays: find where the prompt ends, choose, and leave only the choice."""

    def __init__(
        self,
        sampler: Sampler | None,
        warp: Warp,
        *,
        prompt_length: int | None,
        seed: int | None,
        deduplicate: bool,
        free_start: bool,
    ) -> None:
        if prompt_length is not None and prompt_length < 0:
            raise UsageError(f"a prompt has at least 0 tokens, not {prompt_length}.")
        self._sampler = sampler
        self._warp = warp
        self._fixed = prompt_length
        self._start: int | None = prompt_length
        self._expected = -1
        self._rng = np.random.default_rng(seed)
        self._options = {"deduplicate": deduplicate, "free_start": free_start}

    def reset(self) -> None:
        """Forget the text: the next call begins a new one."""
        self._start = self._fixed
        self._expected = -1

    def step(self, ids: Ints, scores: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.floating[Any]]:
        """Ids with the prompt, shape (B, L), and logits (B, V), to logits with one finite entry a row."""
        length = ids.shape[1]
        if self._fixed is None and (self._start is None or length != self._expected):
            self._start = length  # the first call of a text sees its prompt
        self._expected = length + 1
        generated = np.asarray(ids[:, self._start :], np.int64)
        tokens = choose(
            self._sampler,
            top_candidates(scores, self._warp),
            generated,
            rng=self._rng,
            deduplicate=self._options["deduplicate"],
            free_start=self._options["free_start"],
        )
        out = np.full_like(scores, -np.inf)
        np.put_along_axis(out, tokens[:, None], scores.dtype.type(0), axis=1)
        return out


class HuggingFaceProcessor:
    """A ``LogitsProcessor`` for transformers' ``generate``: pass it in ``logits_processor=processor.as_list()``.

    Works on any device; the logits of a step are copied to the host. One processor serves one call of
    ``generate`` at a time. It finds the end of the prompt by itself: a call whose ids are not one longer than
    at the call before begins a new text; call `reset` between texts to be sure.

    Args:
        sampler: the scheme, or None to sample without a mark.
        warp: temperature, top-k, top-p.
        prompt_length: tokens of the prompt, padding included, if it is to be fixed.
        seed: of the choices that the key does not decide; None: from the system.
        deduplicate: see `choose`.
        free_start: see `choose`.

    Raises:
        DependencyMissing: torch is not installed.
    """

    def __init__(
        self,
        sampler: Sampler | None,
        *,
        warp: Warp | None = None,
        prompt_length: int | None = None,
        seed: int | None = None,
        deduplicate: bool = True,
        free_start: bool = False,
    ) -> None:
        self._torch = _import("torch", "torch")
        self._stepper = _Stepper(
            sampler,
            warp or Warp(),
            prompt_length=prompt_length,
            seed=seed,
            deduplicate=deduplicate,
            free_start=free_start,
        )

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Tensors (B, L) and (B, V) to a tensor (B, V) like the scores."""
        ids = input_ids.detach().cpu().numpy()
        logits = scores.detach().to(dtype=self._torch.float32).cpu().numpy()
        out = self._stepper.step(ids, logits)
        return self._torch.from_numpy(out).to(device=scores.device, dtype=scores.dtype)

    def reset(self) -> None:
        """Forget the text: the next call begins a new one."""
        self._stepper.reset()

    def as_list(self) -> Any:
        """``transformers.LogitsProcessorList`` with this processor alone."""
        return _import("transformers", "transformers").LogitsProcessorList([self])


class LlamaCppProcessor:
    """A ``logits_processor`` for ``llama_cpp.Llama``: a callable of ids (L,) and logits (V,).

    Args:
        sampler: the scheme, or None to sample without a mark.
        warp: temperature, top-k, top-p.
        prompt_length: tokens of the prompt, if it is to be fixed.
        seed: of the choices that the key does not decide; None: from the system.
        deduplicate: see `choose`.
        free_start: see `choose`.
    """

    def __init__(
        self,
        sampler: Sampler | None,
        *,
        warp: Warp | None = None,
        prompt_length: int | None = None,
        seed: int | None = None,
        deduplicate: bool = True,
        free_start: bool = False,
    ) -> None:
        self._stepper = _Stepper(
            sampler,
            warp or Warp(),
            prompt_length=prompt_length,
            seed=seed,
            deduplicate=deduplicate,
            free_start=free_start,
        )

    def __call__(
        self, input_ids: npt.NDArray[np.intc], scores: npt.NDArray[np.single]
    ) -> npt.NDArray[np.single]:
        """Ids (L,) and logits (V,) to logits (V,) of which one is finite."""
        ids = np.asarray(input_ids, np.int64)[None, :]
        out = self._stepper.step(ids, np.asarray(scores, np.single)[None, :])
        return np.asarray(out[0], np.single)

    def reset(self) -> None:
        """Forget the text: the next call begins a new one."""
        self._stepper.reset()

    def as_list(self) -> Any:
        """``llama_cpp.LogitsProcessorList`` with this processor alone.

        Raises:
            DependencyMissing: llama-cpp-python is not installed.
        """
        return _import("llama_cpp", "llama-cpp-python").LogitsProcessorList([self])


def vllm_config(sampler: GumbelSampler) -> dict[str, str | int]:
    """The object of vLLM's ``--watermark-config`` that marks as this sampler does.

    The key is in it: keep it out of logs and shell histories (vLLM reads it from a ``--config`` file too).

    >>> vllm_config(GumbelSampler(key=42))
    {'algorithm': 'gumbel', 'key': 42, 'context_width': 4, 'prf': 'philox'}
    """
    return {
        "algorithm": "gumbel",
        "key": sampler.key,
        "context_width": sampler.context_width,
        "prf": "philox",
    }
