from __future__ import annotations

import hashlib

import numpy as np
import pytest

from labeler.core.keys import PUBLIC_KEY, WatermarkKey
from labeler.watermark.code import encode
from labeler.watermark.layout import KeyStream, Layout
from labeler.watermark.message import candidates, open_message

KEY = PUBLIC_KEY.derive("watermark/image/1")
OTHER = WatermarkKey.from_secret(bytes(range(32))).derive("watermark/image/1")


def test_every_nonce_opens_to_the_payload() -> None:
    rows = candidates(b"12345678", KEY)
    assert rows.shape == (256, 96)
    assert {open_message(row, KEY) for row in rows} == {b"12345678"}
    assert len({row.tobytes() for row in rows}) == 256


def test_another_key_or_a_flipped_bit_does_not_open() -> None:
    row = candidates(b"12345678", KEY)[17]
    assert open_message(row, OTHER) is None
    for bit in range(96):
        changed = row.copy()
        changed[bit] ^= 1
        assert open_message(changed, KEY) is None


def test_a_payload_has_eight_bytes() -> None:
    with pytest.raises(ValueError, match="8 bytes"):
        candidates(b"1234567", KEY)


def test_key_stream_is_sha256_in_counter_mode() -> None:
    expected = hashlib.sha256(KEY + b"x" + bytes(4)).digest() + hashlib.sha256(KEY + b"x\0\0\0\1").digest()
    stream = KeyStream(KEY, "x")
    assert stream.read(5) + stream.read(59) == expected


def test_layout_deals_every_code_bit_fairly() -> None:
    layout = Layout.of(KEY)
    assert len(layout.luma.lines) == 1324
    assert len(layout.chroma.lines) == 1140
    for carrier in (layout.luma, layout.chroma):
        counts = np.bincount(carrier.bit, minlength=384)
        assert counts.max() - counts.min() <= 1
        assert abs(carrier.chip.mean()) < 0.06
        assert abs(carrier.cells.mean()) < 0.03
        lines = {tuple(k) for k in carrier.lines.tolist()}
        assert not lines & {tuple(k) for k in layout.sync.tolist()}
    assert len({tuple(k) for k in layout.sync.tolist()}) == 64


def test_layouts_of_two_keys_differ() -> None:
    one, two = Layout.of(KEY), Layout.of(OTHER)
    assert abs(float((one.luma.sync_phase - two.luma.sync_phase).mean())) > 0
    same = (one.sync[:, None] == two.sync[None]).all(axis=2).any(axis=1).sum()
    assert same < 25


def test_layout_of_the_public_key_is_frozen() -> None:
    layout = Layout.of(KEY)
    digest = hashlib.sha256()
    for carrier in (layout.luma, layout.chroma):
        for part in (carrier.lines, carrier.bit, carrier.chip.astype(np.int8), carrier.cells.astype(np.int8)):
            digest.update(np.ascontiguousarray(part).astype("<i4").tobytes())
    digest.update(layout.sync.astype("<i4").tobytes())
    assert digest.hexdigest()[:16] == "860fbc7d08d02058"


@pytest.mark.parametrize(
    ("nonce", "message", "code"),
    [
        (
            0,
            "61b7b67e9ebcb5ec0019c42d",
            "2fb0a0ca5d678294855219fdc46a27c797ad52e66ab070948cb7c8473066c49ecb36c9688f0fc6f2a3b3dbdd890fee7e",
        ),
        (
            255,
            "1d0a4f7ed431b62affa0b86a",
            "a0db8bb6ff373689c487910976275d7807e70654754848c91eb092e443a0ba4ee3d878935b012a6b2ea8eac0af3c10bb",
        ),
    ],
)
def test_vectors_of_the_documentation(nonce: int, message: str, code: str) -> None:
    row = candidates(bytes.fromhex("140123456789abcd"), KEY)[nonce]
    assert np.packbits(row).tobytes().hex() == message
    assert np.packbits(encode(row)).tobytes().hex() == code
    assert KEY.hex() == "31330f258fd8c41826c28aa9d102345a52390f0653a622003436ae03fb8c272a"
    layout = Layout.of(KEY)
    assert layout.sync[:4].tolist() == [[1, -15], [1, -9], [2, -13], [3, -15]]
    assert layout.luma.bit[:8].tolist() == [114, 157, 50, 235, 51, 164, 152, 136]
    assert layout.luma.cells[0, :8].tolist() == [1, -1, 1, -1, -1, 1, -1, 1]
    assert layout.luma.sync_phase[:3].tolist() == pytest.approx([2.131549, 1.678536, 0.920101], abs=1e-6)
