"""The 96 message bits: what is sent, masked and tagged with the key.

Bit layout, most significant first::

    masked payload (64) | nonce (8) | tag (24)

    masked payload = payload XOR HMAC-SHA256(K, "mask" || nonce)[0:8]
    tag            = HMAC-SHA256(K, "tag" || nonce || payload)[0:3]
    K              = HKDF(master, salt = key id, info = "labeler/watermark/image/1"; audio/1, video/1 likewise)

The nonce gives 256 unrelated codewords for one payload: the embedder sends one that suits the picture
well, and averaging pictures of the same payload no longer reveals a codeword. The tag replaces a CRC: to
compose a new payload one needs the key, and an accidental accept has probability 2^-24 a decode.
"""

from __future__ import annotations

import hmac

import numpy as np

from labeler.watermark.code import MESSAGE_BITS, Bits

__all__ = ["NONCES", "PAYLOAD_BYTES", "TAG_BITS", "candidates", "open_message"]

PAYLOAD_BYTES = 8
NONCES = 256
TAG_BITS = 24
_TAG_BYTES = TAG_BITS // 8


def _seal(payload: bytes, nonce: int, key: bytes) -> bytes:
    index = bytes([nonce])
    mask = hmac.digest(key, b"mask" + index, "sha256")[:PAYLOAD_BYTES]
    tag = hmac.digest(key, b"tag" + index + payload, "sha256")[:_TAG_BYTES]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")
    return masked.to_bytes(PAYLOAD_BYTES, "big") + index + tag


def candidates(payload: bytes, key: bytes, *, first: int = 0, count: int = NONCES) -> Bits:
    """Messages that carry a payload, one for each nonce.

    Args:
        payload: 8 bytes.
        key: the 32-byte derived key.
        first: nonce of row 0; nonces go around at 256.
        count: rows wanted.

    Returns:
        Message bits, shape (count, 96), uint8.
    """
    if len(payload) != PAYLOAD_BYTES:
        raise ValueError(f"a payload has {PAYLOAD_BYTES} bytes, not {len(payload)}")
    nonces = [(first + row) % NONCES for row in range(count)]
    sealed = b"".join(_seal(payload, nonce, key) for nonce in nonces)
    return np.unpackbits(np.frombuffer(sealed, np.uint8)).reshape(count, MESSAGE_BITS)


def open_message(message: Bits, key: bytes) -> bytes | None:
    """The payload of a decoded message, or None if its tag does not fit the key.

    Args:
        message: bits, shape (96,).
        key: the 32-byte derived key.
    """
    sealed = np.packbits(message).tobytes()
    nonce = sealed[PAYLOAD_BYTES]
    mask = hmac.digest(key, b"mask" + bytes([nonce]), "sha256")[:PAYLOAD_BYTES]
    payload = bytes(a ^ b for a, b in zip(sealed[:PAYLOAD_BYTES], mask, strict=True))
    return payload if hmac.compare_digest(_seal(payload, nonce, key), sealed) else None
