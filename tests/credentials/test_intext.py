"""Manifests inside texts: the three codecs, and what is said of texts that were handled roughly."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeler.credentials import intext
from labeler.credentials.identity import SigningIdentity
from labeler.credentials.intext import armour, binding, script, selectors
from labeler.credentials.intext.model import MAX_STORE, Damage, Found, decode_base64, is_store
from labeler.credentials.intext.signing import without
from labeler.credentials.trust import Trust
from labeler.errors import UnsupportedMedia
from labeler.types import CredentialsReport, Label, State

TEXTS = {
    "text/plain": "The river rose.\r\n\r\nNobody 夜里河水上涨 saw it – naïve 👍️.\r\n",
    "text/markdown": "---\ntitle: x\n---\n\n# River\n\nIt rose in the night.\n",
    "text/html": "<!DOCTYPE html>\n<html><head><title>x</title></head>\n<body><p>It rose.</p></body></html>\n",
    "text/vtt": "WEBVTT - title\n\nintro\n00:01.000 --> 00:03.500\nThe river rose.\n",
}
FORMS = {"text/plain": "A.8", "text/markdown": "A.9", "text/vtt": "A.9", "text/html": "A.7"}
LOST = {
    "text/plain": "manifest.text.corruptedWrapper",
    "text/markdown": "manifest.structuredText.noManifest",
    "text/vtt": "manifest.structuredText.noManifest",
    "text/html": "io.github.labeler.html.corruptedManifest",
}
DOUBLED = {
    "text/plain": "manifest.text.multipleWrappers",
    "text/markdown": "manifest.structuredText.multipleReferences",
    "text/vtt": "manifest.structuredText.multipleReferences",
    "text/html": "manifest.html.multipleManifests",
}
Sign = Callable[[str], bytes]
Read = Callable[[bytes, str], CredentialsReport | None]


@pytest.fixture(scope="module")
def sign(signer: SigningIdentity, label: Label) -> Sign:
    return lambda kind: intext.sign_in_text(TEXTS[kind].encode(), kind, label, signer, title="story")


@pytest.fixture(scope="module")
def read(root: Path) -> Read:
    trust = Trust.from_files([root])
    return lambda data, kind: intext.read_in_text(data, kind, trust)


def store(content: bytes = b"") -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + b"jumb" + content


@pytest.mark.parametrize("kind", TEXTS)
def test_signed_texts_read_back_and_keep_every_byte(kind: str, sign: Sign, read: Read, label: Label) -> None:
    signed = sign(kind)
    report = read(signed, kind)
    assert report is not None
    assert (report.state, report.content, report.signer) == (State.PRESENT, "intact", "trusted")
    assert report.carrier == "in-text"
    assert report.label == label
    assert report.reason == ""
    assert "assertion.dataHash.match" in report.codes
    found = intext.find(signed, kind)
    assert isinstance(found, Found)
    assert found.form == FORMS[kind]
    assert without(signed, kind) == TEXTS[kind].encode(), "nothing else was touched"
    assert intext.read_in_text(TEXTS[kind].encode(), kind) is None


@pytest.mark.parametrize("kind", TEXTS)
def test_a_stranger_is_unknown_not_broken(kind: str, sign: Sign) -> None:
    report = intext.read_in_text(sign(kind), kind)
    assert report is not None
    assert (report.content, report.signer) == ("intact", "unknown")


@pytest.mark.parametrize("kind", TEXTS)
def test_signing_again_replaces(kind: str, sign: Sign, read: Read, signer: SigningIdentity) -> None:
    other = Label(producer="another", produce_id="2")
    again = intext.sign_in_text(sign(kind), kind, other, signer)
    report = read(again, kind)
    assert report is not None
    assert report.content == "intact"
    assert report.label == other
    assert without(again, kind) == TEXTS[kind].encode()


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("change", ["edit", "append", "prepend", "line ends"])
def test_a_changed_text_is_altered(kind: str, change: str, sign: Sign, read: Read) -> None:
    signed = sign(kind)
    changed = {
        "edit": signed.replace(b"rose", b"fell"),
        "append": signed + b"\nmore\n",
        "prepend": b"\n" + signed,
        "line ends": signed.replace(b"\r\n", b"\n") if b"\r\n" in signed else signed.replace(b"\n", b"\r\n"),
    }[change]
    report = read(changed, kind)
    assert report is not None
    assert (report.state, report.content) == (State.PRESENT, "altered")
    assert report.codes[0] == "assertion.dataHash.mismatch"
    assert report.reason


@pytest.mark.parametrize("kind", TEXTS)
def test_a_doubled_manifest_is_named(kind: str, sign: Sign, read: Read) -> None:
    signed = sign(kind)
    found = intext.find(signed, kind)
    assert isinstance(found, Found)
    wrapper = signed[found.start : found.end]
    report = read(signed[: found.end] + wrapper + signed[found.end :], kind)
    assert report is not None
    assert (report.state, report.codes) == (State.CANNOT_TELL, (DOUBLED[kind],))


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_truncated_manifest_is_named(kind: str, part: float, sign: Sign, read: Read) -> None:
    signed = sign(kind)
    found = intext.find(signed, kind)
    assert isinstance(found, Found)
    cut = signed[: found.start + int(part * (found.end - found.start))].decode("utf-8", "ignore").encode()
    report = read(cut, kind)
    assert report is not None, "never unsigned"
    assert (report.state, report.codes[:1]) in (
        (State.CANNOT_TELL, (LOST[kind],)),
        (State.PRESENT, ("assertion.dataHash.mismatch",)),  # only padding was cut off
    )
    assert report.content != "intact"


@pytest.mark.parametrize("kind", TEXTS)
def test_a_moved_manifest_is_altered(kind: str, sign: Sign, read: Read) -> None:
    signed = sign(kind)
    found = intext.find(signed, kind)
    assert isinstance(found, Found)
    wrapper, text = signed[found.start : found.end], TEXTS[kind].encode()
    at = text.index(b"rose")
    moved = text[:at] + wrapper + text[at:]
    report = read(moved, kind)
    assert report is not None
    assert report.state is State.PRESENT
    assert report.content == "altered"
    assert "moved" in report.reason or "other text" in report.reason


@pytest.mark.parametrize("kind", TEXTS)
def test_a_manifest_of_another_text_is_altered(kind: str, sign: Sign, read: Read) -> None:
    signed = sign(kind)
    found = intext.find(signed, kind)
    assert isinstance(found, Found)
    text = TEXTS[kind].replace("rose", "sank").encode()
    assert len(text) == len(TEXTS[kind].encode())
    foreign = text[: found.start] + signed[found.start : found.end] + text[found.start :]
    report = read(foreign, kind)
    assert report is not None
    assert report.content == "altered"
    assert report.reason == "the text was changed after signing"


@pytest.mark.parametrize("kind", TEXTS)
def test_any_flipped_bit_of_the_manifest_is_noticed(kind: str, sign: Sign, read: Read) -> None:
    signed = sign(kind)
    found = intext.find(signed, kind)
    assert isinstance(found, Found)
    for place in range(40, len(found.manifest), 211):
        if not any(found.manifest[place - 8 : place + 8]):
            continue  # the signature's own padding, which COSE does not protect
        broken = bytearray(found.manifest)
        broken[place] ^= 1
        form = intext.form_for(kind)
        assert form is not None
        text = TEXTS[kind].encode()
        again = text[: found.start] + form.wrap(bytes(broken), form.place(text)) + text[found.start :]
        report = read(again, kind)
        assert report is not None
        assert report.content != "intact", f"{kind}: bit at {place}"


# ------------------------------------------------------------------------------------- A.8, selectors


def test_the_published_vector() -> None:
    """16 bytes: 114 bytes without padding, 125 with; the gap of 11 is 00 10 10 (C2PA public test files, #33)."""
    wrapper = selectors.padded(b"c2pa-manifest-01")
    assert len(wrapper) == 125
    data = selectors.decode(wrapper[3:])
    assert data == b"C2PATXT\0\x01\0\0\0\x10c2pa-manifest-01" + b"\0\x10\x10"
    assert len(selectors.encode(data[:-3])) + 3 == 114


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_selectors_are_reversible(data: bytes) -> None:
    run = selectors.encode(data)
    assert selectors.decode(run) == data
    assert len(run.decode()) == len(data)
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert unicodedata.normalize(form, run.decode()).encode() == run  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=200), before=st.text(max_size=40), after=st.text(max_size=10))
def test_wrappers_are_found_wherever_they_stand(content: bytes, before: str, after: str) -> None:
    front, back = before.encode("utf-8", "replace"), after.encode("utf-8", "replace")
    wrapper = selectors.padded(store(content))
    assert len(wrapper) == selectors.target_size(len(store(content)))
    if after[:1] and ("\ufe00" <= after[0] <= "\ufe0f" or "\U000e0100" <= after[0] <= "\U000e01ef"):
        return
    found = selectors.Selectors().find(front + wrapper + back)
    assert isinstance(found, Found)
    assert (found.manifest, found.start, found.end) == (store(content), len(front), len(front + wrapper))
    assert not found.odd


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([*TEXTS, "application/json"]))
def test_nothing_makes_the_search_fail(data: bytes, kind: str) -> None:
    for seed in (data, armour.BEGIN + data, data + armour.END, selectors.encode(b"C2PATXT\0" + data)):
        found = intext.find(seed, kind)
        assert found is None or isinstance(found, (Damage, Found))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("marker", "U+FEFF, is lost"),
        ("version", "unknown version 2"),
        ("length", "no C2PA manifest store"),
        ("beginning", "its beginning is lost"),
        ("letter", "truncated or interrupted"),
        ("header", "truncated within its header"),
        ("middle", "variation selectors in a row"),
    ],
)
def test_damaged_wrappers_are_named(change: str, words: str, sign: Sign, read: Read) -> None:
    signed = sign("text/plain")
    mark = signed.index("\ufeff".encode())
    text, run = signed[:mark], signed[mark + 3 :].decode()
    one = selectors.encode
    head = b"C2PATXT\0"
    changed = {
        "marker": text + run.encode(),
        "version": text + "\ufeff".encode() + one(head + b"\x02") + run[9:].encode(),
        "length": text + "\ufeff".encode() + one(head + b"\x01\0\0\x0a\x00") + run[13:].encode(),
        "beginning": text + run[20:].encode(),
        "letter": text + ("\ufeff" + run[:100] + "x" + run[100:]).encode(),
        "header": text + ("\ufeff" + run[:11]).encode(),
        "middle": text + run[-1200:-500].encode(),
    }[change]
    report = read(changed, "text/plain")
    assert report is not None
    assert report.state is State.CANNOT_TELL
    assert report.codes == ("manifest.text.corruptedWrapper",)
    assert words in report.reason


@pytest.mark.parametrize("form", ["NFD", "NFKD"])
def test_another_normal_form_of_the_same_text_stays_intact(form: str, sign: Sign, read: Read) -> None:
    other = unicodedata.normalize("NFD", sign("text/plain").decode()).encode()
    assert other != sign("text/plain")
    report = read(other, "text/plain")
    assert report is not None
    assert report.content == "intact"


def test_copies_in_utf16_and_pasted_into_json_are_still_found(sign: Sign, read: Read) -> None:
    text = sign("text/plain").decode()
    report = read(b"\xff\xfe" + text.encode("utf-16-le"), "text/plain")
    assert report is not None
    assert report.content == "intact"
    pasted = read(f'{{"text": "{text}"}}'.encode(), "application/json")
    assert pasted is not None
    assert pasted.content == "altered"


def test_garbage_beside_a_whole_wrapper_spoils_nothing_but_the_hash(sign: Sign, read: Read) -> None:
    garbage = ("\ufeff".encode() + selectors.encode(b"C2PATXT\0\x09" + bytes(20))) * 2
    report = read(sign("text/plain") + b" " + garbage, "text/plain")
    assert report is not None
    assert (report.state, report.content) == (State.PRESENT, "altered")


def test_padding_carries_nothing(sign: Sign, read: Read) -> None:
    signed = sign("text/plain")
    run = selectors.decode(signed[signed.index("\ufeff".encode()) + 3 :])
    assert run.endswith(b"\0" * 50 + b"\x10" * (len(run) - len(run.rstrip(b"\x10"))))
    hidden = signed[:-600].decode("utf-8", "ignore").encode()
    hidden += selectors.encode(bytes(range(200)))
    report = read(hidden, "text/plain")
    assert report is not None
    assert report.content == "altered"
    assert "padding" in report.reason


def test_a_wrapper_that_announces_gigabytes_is_refused() -> None:
    bomb = "\ufeff".encode() + selectors.encode(b"C2PATXT\0\x01\xff\xff\xff\xff" + bytes(1000))
    found = intext.find(bomb, "text/plain")
    assert isinstance(found, Damage)
    assert f"{MAX_STORE >> 20} MB" in found.reason
    many = selectors.padded(store()) * 100
    assert isinstance(intext.find(many, "text/plain"), Damage)


def test_texts_that_take_no_manifest(label: Label, signer: SigningIdentity) -> None:
    for data, kind, words in (
        ("Cafe\u0301".encode(), "text/plain", "composed form"),
        ("夜里".encode("gb18030"), "text/plain", "UTF-8"),
        (b"{}", "application/json", "cannot stand inside"),
        (b"1\n00:00:01,000 --> 00:00:02,000\nA\n", "application/x-subrip", "cannot stand inside"),
    ):
        with pytest.raises(UnsupportedMedia, match=words) as caught:
            intext.sign_in_text(data, kind, label, signer)
        assert ".c2pa" in caught.value.remedy


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ae\u0301\u0308\n\uac00\u1100\u1161é", max_size=60), st.integers(1, 9))
def test_hashing_in_pieces_is_hashing_the_whole(text: str, size: int) -> None:
    """A line feed composes with nothing, so that a large text is normalised piece by piece."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(binding, "_PIECE", size)
        found, start = binding.digest("sha256", text.encode(), b"after", normalised=True)
    whole = unicodedata.normalize("NFC", text).encode()
    assert (found, start) == (hashlib.sha256(whole + b"after").digest(), len(whole))


# ---------------------------------------------------------------------------------------- A.9, armour


@settings(max_examples=60, deadline=None)
@given(
    content=st.binary(max_size=100),
    text=st.text(alphabet="ab#-\n\r é", max_size=30),
    kind=st.sampled_from(["text/markdown", "text/vtt"]),
)
def test_blocks_are_placed_and_taken_out_again(content: bytes, text: str, kind: str) -> None:
    form = intext.form_for(kind)
    assert form is not None
    data = ("WEBVTT\n" + text if kind == "text/vtt" else text).encode()
    place = form.place(data)
    found = intext.find(place.before + form.wrap(store(content), place) + place.after, kind)
    assert isinstance(found, Found)
    assert found.manifest == store(content)
    assert not found.odd


def test_words_in_the_lines_of_the_block_are_noticed(sign: Sign, read: Read) -> None:
    signed = sign("text/markdown")
    for changed in (
        signed.replace(b"-----END C2PA MANIFEST----- -->", b"-----END C2PA MANIFEST----- --> Buy now!"),
        signed.replace(b"<!-- -----BEGIN", b"Buy now! <!-- -----BEGIN"),
    ):
        report = read(changed, "text/markdown")
        assert report is not None
        assert report.content == "altered"
        assert "other text" in report.reason


def test_texts_about_manifests_are_not_signed() -> None:
    prose = b"A block begins with `-----BEGIN C2PA MANIFEST-----` and has an end.\n"
    assert intext.find(prose, "text/markdown") is None
    assert intext.find(prose * 3, "text/markdown") is None
    sample = armour.BEGIN + b" <reference> " + armour.END
    found = intext.find(sample, "text/markdown")
    assert isinstance(found, Damage)
    assert found.code == "manifest.structuredText.malformedReference"


def test_remote_manifests_are_named_and_not_fetched(read: Read) -> None:
    url = b"https://example.org/a.c2pa"
    block = b"# " + armour.BEGIN + b" " + url + b" " + armour.END + b"\n"
    link = b'<html><head><link rel="c2pa-manifest" href="' + url + b'"></head></html>'
    for data, kind in ((block, "text/markdown"), (link, "text/html")):
        report = read(data, kind)
        assert report is not None
        assert (report.state, report.codes) == (State.CANNOT_TELL, ("manifest.inaccessible",))
        assert "not fetched" in report.reason
        assert "https://example.org/a.c2pa" in report.reason


def test_the_block_may_stand_on_the_first_line_and_on_three_lines(
    sign: Sign, read: Read, signer: SigningIdentity, label: Label
) -> None:
    """Other producers' places: the range that they leave out of the hash may hold the line ends or not."""
    from labeler.credentials import manifest
    from labeler.credentials import sign as signing
    from labeler.credentials.identity import NativeSigner

    text = b"# T\n\nWords.\n"
    definition = manifest.definition(label, media_type="text/markdown", has_parent=False)
    for ending in (b"", b"\n"):
        value, _ = binding.digest("sha256", b"", (b"" if ending else b"\n") + text, normalised=False)
        length = 4000
        with NativeSigner(signer) as native:
            for _ in range(5):
                stated = {
                    "exclusions": [{"start": 0, "length": length}],
                    "alg": "sha256",
                    "hash": list(value),
                    "pad": [],
                }
                store = signing.detached(definition, native, stated)
                line = b"<!-- " + armour._block(store) + b" -->"
                if len(line + ending) == length:
                    break
                length = len(line + ending)
        report = read(line + b"\n" + text, "text/markdown")
        assert report is not None
        assert report.content == "intact", ending


# ---------------------------------------------------------------------------------------- A.7, script


@pytest.mark.parametrize(
    "page",
    [
        b"<html><head></head><body></body></html>",
        b"<!doctype html>\n<title>x</title><p>y",
        b"<p>only a fragment</p>",
        b'<?xml version="1.0"?>\n<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml"><HEAD>\n</HEAD><body/></html>',
        b"<html><head><!-- </head> --><script>'</head>'</script></head><body></body></html>",
        b"\xef\xbb\xbf<html><head></head></html>",
        b"",
    ],
)
def test_pages_of_all_kinds_are_signed(
    page: bytes, label: Label, signer: SigningIdentity, read: Read
) -> None:
    signed = intext.sign_in_text(page, "text/html", label, signer)
    report = read(signed, "text/html")
    assert report is not None
    assert report.content == "intact"
    assert without(signed, "text/html") == page
    comment = signed.find(b"-->")
    assert comment < 0 or signed.index(b"application/c2pa") > comment


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        (b'<script type="application/c2pa" onload="x()">', "attributes"),
        (b"<SCRIPT TYPE='application/c2pa'>", "range left out"),
        (b'<script data-type="application/c2pa">', ""),
    ],
)
def test_other_start_tags(tag: bytes, words: str, sign: Sign, read: Read) -> None:
    report = read(sign("text/html").replace(b'<script type="application/c2pa">', tag), "text/html")
    if not words:
        assert report is None, "no such element"
        return
    assert report is not None
    assert report.content == ("altered" if "attributes" in words else report.content)


def test_elements_in_comments_do_not_count(sign: Sign, read: Read) -> None:
    page = sign("text/html")
    commented = b"<!-- <script type='application/c2pa'>QQ==</script> -->" + TEXTS["text/html"].encode()
    assert read(commented, "text/html") is None
    assert isinstance(script.Script().find(page + b"<!-- application/c2pa -->"), Found)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_base64_has_one_spelling(data: bytes) -> None:
    import base64

    text = base64.b64encode(data)
    assert decode_base64(text) == data
    for other in (text + b"\n", b" " + text, text[:-1] + b"*" if text else b"*", text.rstrip(b"=") + b"!"):
        assert decode_base64(other) is None
    assert decode_base64(b"QR==") is None, "bits that mean nothing must be zero"


def test_a_store_is_one_box() -> None:
    assert is_store(store(b"abc"))
    assert not is_store(store(b"abc") + b"\0")
    assert not is_store(store(b"abc")[:-1])
    assert not is_store(b"")
