"""The invisible tag: what it survives, what it leaves alone, and what it says."""

from __future__ import annotations

import html
import json
import re
import time
import unicodedata

import pytest
import text_documents as docs
from hypothesis import given, settings
from hypothesis import strategies as st

from labeler.core.keys import PUBLIC_KEY, WatermarkKey
from labeler.errors import UsageError
from labeler.types import State
from labeler.watermark.texttag import CannotTag, detect, detect_bytes, embed, frame, remove

PAYLOAD = bytes.fromhex("140123456789abcd")
PRIVATE = WatermarkKey.from_secret(bytes(range(32)))
KEYS = (PUBLIC_KEY, PRIVATE)
TEXTS = {
    "en": "The river rose in the night. By morning the fields were under water. Nobody slept.\n\n"
    "The bridge held. It was old, but it held! Who would have thought so?\n\n"
    "Then the rain stopped. The sun came out.",
    "zh": "夜里河水上涨。到了早晨，低处的田地被水淹没。没有人睡着。\n\n"
    "桥没有倒。它很旧，但是没有倒！谁会想到呢？\n\n后来雨停了。太阳出来了。",
}
SELECTOR = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")

SURVIVES = {
    "copy": lambda t: t.encode("utf-16").decode("utf-16"),
    "gb18030": lambda t: t.encode("gb18030").decode("gb18030"),
    "NFC": lambda t: unicodedata.normalize("NFC", t),
    "NFKC": lambda t: unicodedata.normalize("NFKC", t),
    "NFKD": lambda t: unicodedata.normalize("NFKD", t),
    "strip": str.strip,
    "rstrip of lines": lambda t: "\n".join(line.rstrip() for line in t.splitlines()),
    "collapsed space": lambda t: re.sub(r"\s+", " ", t),
    "without U+FEFF": lambda t: t.replace("\ufeff", ""),
    "JSON": lambda t: json.loads(json.dumps(t)),
    "HTML": lambda t: html.unescape(html.escape(t)),
    "printable only": lambda t: "".join(c for c in t if c.isprintable() or c.isspace()),
    "without Cf": lambda t: "".join(c for c in t if unicodedata.category(c) != "Cf"),
    "lower case": str.lower,
    "punctuation": lambda t: t.replace("，", ",").replace("。", ".").replace("!", "."),
    "last fifth": lambda t: t[-len(t) // 5 :],
    "paragraphs turned": lambda t: "\n\n".join(reversed(t.split("\n\n"))),
    "one word more": lambda t: t.replace(" ", " truly ", 1) if " " in t else "真" + t,
    "visible lines": lambda t: f"【AI生成】\n{t}\n（本内容由人工智能生成）",
}
"""Rows of the survival table of the text reference that a tag must pass, at the end or anywhere."""

DIES = {
    "GBK": lambda t: t.encode("gbk", "ignore").decode("gbk"),
    "without Mn": lambda t: "".join(c for c in t if unicodedata.category(c) != "Mn"),
    "retyped": lambda t: SELECTOR.sub("", t),
}


@pytest.mark.parametrize("every", ["sentence", "paragraph", "end"])
@pytest.mark.parametrize("lang", TEXTS)
@pytest.mark.parametrize("name", SURVIVES)
def test_the_tag_survives(name: str, lang: str, every: str) -> None:
    marked = embed(TEXTS[lang], PAYLOAD, PUBLIC_KEY, every=every)
    changed = SURVIVES[name](marked)
    for report in (detect(changed, KEYS), detect_bytes(changed.encode(), KEYS)):
        assert report.state is State.PRESENT
        assert (report.payload, report.key_id) == (PAYLOAD.hex(), "public-1")
        assert report.mark_id == PAYLOAD.hex()[2:]
        assert report.log10_p is not None and report.log10_p < -5
        assert "tag present" in report.geometry["meaning"]


@pytest.mark.parametrize("lang", TEXTS)
def test_excerpts_keep_a_tag_as_often_as_it_stands(lang: str) -> None:
    paragraph = embed(TEXTS[lang], PAYLOAD, PUBLIC_KEY).split("\n\n")[1]
    assert detect(paragraph, KEYS).state is State.PRESENT
    sentences = embed(TEXTS[lang], PAYLOAD, PUBLIC_KEY, every="sentence")
    run = frame(PAYLOAD, PUBLIC_KEY)
    pieces = [piece + run for piece in sentences.split(run)[:-1]]
    assert all(detect(piece, KEYS).state is State.PRESENT for piece in pieces)
    assert sentences.count(run) >= 8
    assert embed(TEXTS[lang], PAYLOAD, PUBLIC_KEY, every="end").count(run) == 1
    assert len(run) == 11 and len(run.encode()) == 43


@pytest.mark.parametrize("lang", TEXTS)
@pytest.mark.parametrize("name", DIES)
def test_what_is_lost_is_not_called_absent(name: str, lang: str) -> None:
    report = detect(DIES[name](embed(TEXTS[lang], PAYLOAD, PUBLIC_KEY)), KEYS)
    assert report.state is State.CANNOT_TELL
    assert "statistical mark" in report.reason


def test_keys_are_told_apart() -> None:
    marked = embed(TEXTS["en"], PAYLOAD, PRIVATE)
    assert detect(marked, KEYS).key_id == PRIVATE.key_id
    without = detect(marked, [PUBLIC_KEY])
    assert without.state is State.CANNOT_TELL and "a key that is not here" in without.reason


def test_replacing_leaves_one_payload_and_the_text() -> None:
    marked = embed(embed(TEXTS["zh"], PAYLOAD, PRIVATE), bytes(8), PUBLIC_KEY, every="sentence")
    report = detect(marked, KEYS)
    assert report.payload == bytes(8).hex() and "other_payloads" not in report.geometry
    assert remove(marked) == TEXTS["zh"]
    assert embed(marked, bytes(8), PUBLIC_KEY, every="sentence") == marked


_CHARS = st.one_of(
    st.characters(codec="utf-8"),
    st.sampled_from("葛葛。，. \n!?a1#*❤👍🏽👨‍👩‍👧🇨🇳️︎\U000e0100‍"),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_CHARS, max_size=80), st.sampled_from(["sentence", "paragraph", "end"]))
def test_glyphs_are_never_touched(chars: list[str], every: str) -> None:
    text = "".join(chars)
    try:
        marked = embed(text, PAYLOAD, PUBLIC_KEY, every=every)
    except CannotTag:
        return
    assert remove(marked) == remove(text) == text.replace(frame(PAYLOAD, PUBLIC_KEY), "")
    run = frame(PAYLOAD, PUBLIC_KEY)
    position = marked.find(run)
    while position >= 0:
        before = marked[position - 1] if position else ""
        assert before and unicodedata.category(before) not in ("So", "Sk", "Mn", "Cf", "Co", "Cn")
        assert not unicodedata.name(before, "").startswith("CJK")
        after = marked[position + 11 : position + 12]
        assert not after or unicodedata.category(after) not in ("Mn", "Cf", "Me", "Mc")
        position = marked.find(run, position + 1)


@pytest.mark.parametrize("text", ["", "   ", "河", "👍", "\n\n", "123"])
def test_texts_without_a_safe_place_are_refused(text: str) -> None:
    with pytest.raises(CannotTag):
        embed(text, PAYLOAD, PUBLIC_KEY)


def test_wrong_calls_are_told() -> None:
    with pytest.raises(UsageError):
        embed("a b.", PAYLOAD, PUBLIC_KEY, every="word")
    with pytest.raises(ValueError, match="8 bytes"):
        frame(b"1", PUBLIC_KEY)


def test_emoji_and_name_variants_are_no_tags() -> None:
    for text in (
        docs.ENGLISH,
        docs.CHINESE,
        "葛\U000e0100飾区 ❤️ 👍🏽 1️⃣" * 50,
        frame(PAYLOAD, PUBLIC_KEY)[:-1],
    ):
        assert detect(text, KEYS).state is State.CANNOT_TELL
        assert remove(text) == text


def test_a_text_of_selectors_is_read_in_time() -> None:
    hostile = frame(PAYLOAD, PUBLIC_KEY)[0] * 300_000
    started = time.process_time()
    detect(hostile, KEYS)
    assert time.process_time() - started < 4
