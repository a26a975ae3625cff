from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeler.errors import UsageError
from labeler.watermark.generation.candidates import Candidates, Warp, log_softmax, top_candidates
from labeler.watermark.generation.contexts import all_contexts, as_tokens, last_context, repeated
from labeler.watermark.generation.detectors import (
    GreenListDetector,
    GumbelDetector,
    TextVerdict,
    TournamentDetector,
    detect_any,
)
from labeler.watermark.generation.multibit import (
    MultibitGumbelDetector,
    MultibitGumbelSampler,
    best_message,
    crc8,
    message_of,
    runner_up,
)
from labeler.watermark.generation.philox import TokenPRF
from labeler.watermark.generation.samplers import (
    GreenListSampler,
    GumbelSampler,
    Sampler,
    TournamentSampler,
    choose,
)

KEY = 0x1234_5678_9ABC_DEF0
MARK_ID = "a3f19c00000001"
SAMPLERS: list[Sampler] = [
    GumbelSampler(key=KEY),
    TournamentSampler(key=KEY),
    GreenListSampler(key=KEY, delta=4.0),
    MultibitGumbelSampler(key=KEY, mark_id=MARK_ID),
]
DETECTORS = [
    GumbelDetector(key=KEY),
    TournamentDetector(key=KEY),
    GreenListDetector(key=KEY),
    MultibitGumbelDetector(key=KEY),
]
PAIRS = list(zip(SAMPLERS, DETECTORS, strict=True))


def _write(
    sampler: Sampler | None, *, tokens: int, texts: int = 1, choices: int = 12, seed: int = 1
) -> np.ndarray:
    """Texts of uniform choices among a dozen of 5,000 tokens, other ones at every step."""
    rng = np.random.default_rng(seed)
    out = np.zeros((texts, 0), np.int64)
    for _ in range(tokens):
        logits = np.full((texts, 5000), -np.inf, np.float32)
        allowed = rng.integers(0, 5000, (texts, choices))
        np.put_along_axis(logits, allowed, np.float32(1.0), axis=1)
        token = choose(sampler, top_candidates(logits, Warp(top_k=20)), out, rng=rng)
        out = np.concatenate([out, token[:, None]], axis=1)
    return out


def _candidates(logits: np.ndarray) -> Candidates:
    ids = np.broadcast_to(np.arange(logits.shape[-1]), logits.shape)
    return Candidates(ids=ids, logits=np.asarray(logits, np.float64))


@pytest.mark.parametrize(("sampler", "detector"), PAIRS, ids=lambda x: type(x).__name__)
def test_a_marked_text_is_found_and_only_by_its_key(sampler: Sampler, detector: GumbelDetector) -> None:
    ids = _write(sampler, tokens=250)[0]
    found = detector.detect(ids)
    assert (found.verdict, found.tokens, found.scored) == (TextVerdict.MARKED, 250, 250)
    assert found.log10_p < -15
    assert found.verdict == "marked"
    other = type(detector)(key=KEY + 1).detect(ids)
    assert other.verdict is TextVerdict.NOT_DETECTED
    assert other.message == ""
    assert type(detector)(key=KEY, context_width=3).detect(ids).verdict is TextVerdict.NOT_DETECTED


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda x: type(x).__name__)
def test_short_and_empty_texts_are_too_short(detector: GumbelDetector) -> None:
    for count in (0, 1, 20):
        found = detector.detect(np.arange(count))
        assert found.verdict is TextVerdict.TOO_SHORT
        assert found.scored == count
    assert detector.detect([]).log10_p == 0.0


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda x: type(x).__name__)
def test_repetition_is_no_evidence(detector: GumbelDetector) -> None:
    found = detector.detect([5, 6, 7, 8, 9] * 2000)
    assert found.tokens == 10_000
    assert found.scored == 9  # four contexts with the beginning in them, and five more
    assert found.verdict is TextVerdict.TOO_SHORT


@pytest.mark.parametrize("bad", [[1.5, 2.0], [[1, 2]], ["a"], [-1], [1 << 32], 7])
def test_what_is_no_token_sequence_is_refused(bad: object) -> None:
    with pytest.raises(UsageError, match="token id"):
        as_tokens(bad)  # type: ignore[arg-type]


def test_an_edited_text_is_still_found_and_looking_for_edits_costs_little() -> None:
    ids = _write(GumbelSampler(key=KEY), tokens=400)[0]
    both, plain = GumbelDetector(key=KEY), GumbelDetector(key=KEY, edits=False)
    for every in (400, 20, 9, 6):
        cut = ids.copy()
        cut[::every] = 4999
        assert plain.detect(cut).log10_p < -6
        assert both.detect(cut).log10_p <= plain.detect(cut).log10_p + np.log10(2)
        assert both.detect(cut).score == plain.detect(cut).score


def test_several_keys_cost_a_correction() -> None:
    ids = _write(GumbelSampler(key=KEY), tokens=120)[0]
    detectors = [GumbelDetector(key=KEY + 1), GumbelDetector(key=KEY), TournamentDetector(key=KEY)]
    index, found = detect_any(ids, detectors)
    assert index == 1
    assert found.log10_p == pytest.approx(detectors[1].detect(ids).log10_p + np.log10(3))
    just = GumbelDetector(key=KEY, threshold=detectors[1].detect(ids).log10_p + 0.1)
    assert just.detect(ids).verdict is TextVerdict.MARKED
    assert detect_any(ids, [just, detectors[0]])[1].verdict is TextVerdict.NOT_DETECTED
    with pytest.raises(UsageError, match="no detector"):
        detect_any(ids, [])


@pytest.mark.parametrize("sampler", [s for s in SAMPLERS if not isinstance(s, GreenListSampler)], ids=repr)
def test_the_distribution_is_unchanged_over_contexts(sampler: Sampler) -> None:
    share = np.array([0.45, 0.25, 0.15, 0.1, 0.04, 0.01])
    count = 40_000
    rng = np.random.default_rng(2)
    candidates = _candidates(np.broadcast_to(np.log(share), (count, share.size)))
    generated = rng.integers(0, 1 << 20, (count, 4))
    tokens = choose(sampler, candidates, generated, rng=rng)
    seen = np.bincount(tokens, minlength=share.size)
    assert ((seen - count * share) ** 2 / (count * share)).sum() < 20.5  # chi-square, 5 degrees, p = 0.001


def test_a_tournament_keeps_probabilities_normalised_and_prefers_ones() -> None:
    candidates = _candidates(np.log(np.full((50, 8), 0.125)))
    contexts = np.arange(200).reshape(50, 4)
    logs = TournamentSampler(key=KEY, depth=1).scores(candidates, contexts)
    assert np.exp(logs).sum(axis=1) == pytest.approx(np.ones(50))
    assert set(np.round(np.exp(logs) * 64).astype(int).ravel() % 1) == {0}
    logs = TournamentSampler(key=KEY).scores(candidates, contexts)
    assert np.exp(logs).sum(axis=1) == pytest.approx(np.ones(50))


def test_a_repeated_context_is_not_marked() -> None:
    generated = np.array([[1, 2, 3, 4, 9, 1, 2, 3, 4], [1, 2, 3, 4, 9, 1, 2, 3, 5]])
    assert repeated(generated, 4).tolist() == [True, False]
    assert repeated(generated, 4, max_history=4).tolist() == [False, False]
    assert repeated(np.zeros((2, 0), np.int64), 4).tolist() == [False, False]
    candidates = _candidates(np.zeros((2, 50)))
    runs = [
        choose(GumbelSampler(key=KEY), candidates, generated, rng=np.random.default_rng(seed))
        for seed in range(20)
    ]
    first, second = np.array(runs).T
    assert len(set(first)) > 5
    assert len(set(second)) == 1
    always = choose(
        GumbelSampler(key=KEY), candidates, generated, rng=np.random.default_rng(3), deduplicate=False
    )
    assert always[1] == second[0]


def test_a_free_start_leaves_the_first_tokens_to_chance() -> None:
    candidates = _candidates(np.zeros((1, 100)))
    none = np.zeros((1, 0), np.int64)
    sampler = GumbelSampler(key=KEY)
    keyed = {int(choose(sampler, candidates, none, rng=np.random.default_rng(s))[0]) for s in range(10)}
    free = {
        int(choose(sampler, candidates, none, rng=np.random.default_rng(s), free_start=True)[0])
        for s in range(10)
    }
    assert len(keyed) == 1
    assert len(free) > 3


@given(tokens=st.lists(st.integers(0, 6), max_size=30), width=st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_contexts_and_repeats_as_a_plain_loop_finds_them(tokens: list[int], width: int) -> None:
    padded = [-1] * width + tokens
    expected = [tuple(padded[at : at + width]) for at in range(len(tokens) + 1)]
    ids = np.array(tokens, np.int64)
    assert [tuple(row) for row in all_contexts(ids, width).tolist()] == expected[:-1]
    assert tuple(last_context(ids[None], width)[0].tolist()) == expected[-1]
    assert bool(repeated(ids[None], width)[0]) == (expected[-1] in expected[:-1])
    assert GumbelDetector(key=KEY, context_width=width).detect(ids).scored == len(set(expected[:-1]))


# --- candidates ------------------------------------------------------------------------------------------


def test_top_candidates_are_the_largest_in_order_with_temperature_and_nucleus() -> None:
    logits = np.log(np.array([[0.05, 0.5, 0.15, 0.3], [0.7, 0.1, 0.1, 0.1]]))
    top = top_candidates(logits, Warp(top_k=3))
    assert top.ids[0].tolist() == [1, 3, 2]
    assert np.allclose(top_candidates(logits, Warp(top_k=3, temperature=2.0)).logits, top.logits / 2)
    nucleus = top_candidates(logits, Warp(top_p=0.75))
    assert np.isfinite(nucleus.logits).tolist() == [[True, True, False, False], [True, True, False, False]]
    assert np.exp(log_softmax(nucleus.logits)).sum(axis=1) == pytest.approx([1, 1])


@pytest.mark.parametrize("options", [{"temperature": 0.0}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.5}])
def test_bad_warps_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        Warp(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [-np.inf, np.nan])
def test_a_row_without_a_token_is_refused(value: float) -> None:
    with pytest.raises(UsageError, match="no token to choose"):
        top_candidates(np.full((1, 300), value, np.float32), Warp())


def test_forbidden_tokens_are_never_chosen() -> None:
    logits = np.full((64, 300), -np.inf)
    logits[:, 7] = 0.0
    generated = np.random.default_rng(0).integers(0, 99, (64, 6))
    for sampler in (*SAMPLERS, None):
        tokens = choose(sampler, top_candidates(logits, Warp()), generated, rng=np.random.default_rng(1))
        assert set(tokens.tolist()) == {7}


@pytest.mark.parametrize(
    "make",
    [
        lambda: GumbelSampler(key=-1),
        lambda: GumbelSampler(key=1, context_width=0),
        lambda: TournamentSampler(key=1, depth=33),
        lambda: GreenListSampler(key=1, gamma=1.0),
        lambda: MultibitGumbelSampler(key=1, mark_id="abc"),
        lambda: GumbelDetector(key=1, threshold=0.5),
        lambda: GreenListDetector(key=1, gamma=0.0),
        lambda: TournamentDetector(key=1, depth=0),
        lambda: MultibitGumbelDetector(key=1, min_scored=0),
    ],
)
def test_bad_options_are_refused(make: object) -> None:
    with pytest.raises(UsageError):
        make()  # type: ignore[operator]


def test_no_key_is_printed() -> None:
    assert all(str(KEY) not in repr(thing) for thing in (*SAMPLERS, *DETECTORS))


# --- 32 bits ---------------------------------------------------------------------------------------------


@given(a=st.binary(min_size=3, max_size=3), b=st.binary(min_size=3, max_size=3))
def test_the_check_is_linear_and_two_messages_differ_in_two_places(a: bytes, b: bytes) -> None:
    both = bytes(x ^ y for x, y in zip(a, b, strict=True))
    assert crc8(a) ^ crc8(b) == crc8(both)
    one, two = a + bytes([crc8(a)]), b + bytes([crc8(b)])
    assert a == b or sum(x != y for x, y in zip(one, two, strict=True)) >= 2


@given(prefix=st.binary(min_size=3, max_size=3), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_best_message_corrects_one_wrong_place(prefix: bytes, seed: int) -> None:
    message = bytes.fromhex(message_of(prefix.hex()))
    rng = np.random.default_rng(seed)
    scores = rng.random((4, 256))
    scores[np.arange(4), list(message)] += 10
    spoilt = int(rng.integers(4))
    scores[spoilt] = rng.random(256) * 8
    scores[spoilt, message[spoilt]] = 0
    assert best_message(scores)[0] == message


def test_best_message_is_the_best_of_all_valid_ones() -> None:
    scores = np.random.default_rng(5).gumbel(size=(4, 256))
    found, total = best_message(scores)
    assert found[3] == crc8(found[:3])
    assert total == pytest.approx(sum(scores[i, found[i]] for i in range(4)))
    maps = [[crc8(bytes([0] * at + [v] + [0] * (2 - at))) for v in range(256)] for at in range(3)]
    check = np.bitwise_xor.outer(np.array(maps[0]), np.array(maps[1]))
    best = -np.inf
    for third in range(256):
        sums = scores[0][:, None] + scores[1] + scores[2, third] + scores[3][check ^ maps[2][third]]
        best = max(best, float(sums.max()))
    assert total == pytest.approx(best)


@pytest.mark.parametrize("mark_id", [MARK_ID, "00000000000000", "ffffff"])
def test_32_bits_are_read_and_compared(mark_id: str) -> None:
    ids = _write(MultibitGumbelSampler(key=KEY, mark_id=mark_id), tokens=120)[0]
    detector = MultibitGumbelDetector(key=KEY)
    found = detector.detect(ids)
    assert found.message == message_of(mark_id)
    assert found.mark_prefix == mark_id[:6]
    same, other = detector.detect(ids, expected=mark_id), detector.detect(ids, expected="123456")
    assert same.log10_p < found.log10_p
    assert same.verdict is TextVerdict.MARKED
    assert other.verdict is TextVerdict.NOT_DETECTED
    assert other.message == other.mark_prefix == ""


def test_the_runner_up_is_the_second_best_of_all() -> None:
    scores = np.random.default_rng(8).gumbel(size=(4, 256))
    best, total = best_message(scores)
    second = runner_up(scores, best)
    assert second < total
    scores[0, best[0]] -= 100  # without the best message and all that share its first byte ...
    assert best_message(scores)[1] <= second
    flat = np.zeros((4, 256))
    flat[np.arange(4), list(bytes.fromhex(message_of("010203")))] = 3.0
    assert runner_up(flat, bytes.fromhex(message_of("010203"))) == 6.0  # two places are the least difference


def test_a_mark_that_cannot_be_read_is_still_a_mark() -> None:
    ids = ("a3f19c", "5b0e77")
    one, two = (_write(MultibitGumbelSampler(key=KEY, mark_id=name), tokens=160)[0] for name in ids)
    messages = set()
    for count in range(100, 160, 6):
        found = MultibitGumbelDetector(key=KEY).detect(np.concatenate([one[:count], two[: 260 - count]]))
        assert found.verdict is TextVerdict.MARKED
        messages.add(found.message)
    assert messages == {"", message_of(ids[0]), message_of(ids[1])}


def test_a_neighbouring_message_is_not_taken_for_the_expected_one() -> None:
    ids = _write(MultibitGumbelSampler(key=KEY, mark_id="a3f19c"), tokens=400)[0]
    found = MultibitGumbelDetector(key=KEY).detect(ids, expected="a3f19d")  # shares two of four places
    assert found.log10_p < -6
    assert found.verdict is TextVerdict.NOT_DETECTED


def test_the_32_bit_vectors_of_the_documentation() -> None:
    prf = TokenPRF(key=42)
    state = prf.context(np.array([[1, 2, 3, 4], [4, 5, 6, 7]]))
    assert (prf.draw(state, np.zeros(1, np.uint64), domain=0x4C425053)[0] % np.uint64(4)).tolist() == [1, 2]
    words = [
        prf.draw(state, np.array([7], np.uint64), domain=0x4C424D42, stream=np.array([m >> 2], np.uint64))[
            m & 3
        ]
        for m in (0, 1, 165, 255)
    ]
    assert [int(word[0]) for word in words] == [0x1B54121B, 0x9714DA6F, 0xB311F095, 0xF9FF5E21]
    scores, scored = MultibitGumbelDetector(key=42).symbol_scores(np.array([1, 2, 3, 4, 7]))
    assert scored == 5
    alone = scores - MultibitGumbelDetector(key=42).symbol_scores(np.array([1, 2, 3, 4]))[0]
    assert alone[1, 165] == pytest.approx(-np.log1p(-((0xB311F095 >> 8) + 1) / (2**24 + 1)))
    assert np.count_nonzero(np.abs(alone) > 1e-12) <= 256
    assert message_of("a3f19c") == "a3f19c29"


def test_symbols_have_streams_of_their_own() -> None:
    candidates = _candidates(np.zeros((400, 30)))
    contexts = np.random.default_rng(0).integers(0, 99999, (400, 4))
    scores = [
        MultibitGumbelSampler(key=KEY, mark_id=f"{m:02x}" * 3).scores(candidates, contexts) for m in range(6)
    ]
    for one, two in itertools.combinations(scores, 2):
        assert (one == two).mean() < 0.3  # the check byte may agree, the other places never do
