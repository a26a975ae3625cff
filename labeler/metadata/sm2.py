"""SM2 signatures with SM3, verified on integers: for the ``SecurityData`` of GB 45438 labels.

Sources: GB/T 32918.1-2016 and .2-2016 (curve equations, digital signature), .5-2017 (the recommended curve
sm2p256v1), GB/T 32905-2016 (SM3), TC260-PG-202511A (SecurityData). Nothing secret is handled here, so that
constant time is not needed. Only verification is here: labeler makes no SM2 signatures.

>>> sm3(b"abc").hex()[:16]
'66c7f0f462eeedd9'
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT_ID", "PublicKey", "parse_key", "parse_signature", "sm3", "verify"]

DEFAULT_ID = b"1234567812345678"
"""The signer's id where none is agreed (GB/T 32918 Annex A, GM/T 0009 10)."""

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
GX = 0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7
GY = 0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0
_OID = bytes.fromhex("06082a811ccf5501822d")

_IV = (0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E)
_MASK = 0xFFFFFFFF
_Point = tuple[int, int, int]


def _rotate(x: int, n: int) -> int:
    n %= 32
    return (x << n | x >> (32 - n)) & _MASK


def sm3(data: bytes) -> bytes:
    """SM3 digest, 32 bytes (GB/T 32905-2016)."""
    state = _IV
    padded = data + b"\x80" + bytes((55 - len(data)) % 64) + (8 * len(data)).to_bytes(8, "big")
    for start in range(0, len(padded), 64):
        w = [int.from_bytes(padded[i : i + 4], "big") for i in range(start, start + 64, 4)]
        for j in range(16, 68):
            x = w[j - 16] ^ w[j - 9] ^ _rotate(w[j - 3], 15)
            w.append(x ^ _rotate(x, 15) ^ _rotate(x, 23) ^ _rotate(w[j - 13], 7) ^ w[j - 6])
        a, b, c, d, e, f, g, h = state
        for j in range(64):
            t = 0x79CC4519 if j < 16 else 0x7A879D8A
            ss1 = _rotate((_rotate(a, 12) + e + _rotate(t, j)) & _MASK, 7)
            ff = a ^ b ^ c if j < 16 else a & b | a & c | b & c
            gg = e ^ f ^ g if j < 16 else e & f | ~e & g
            tt1 = (ff + d + (ss1 ^ _rotate(a, 12)) + (w[j] ^ w[j + 4])) & _MASK
            tt2 = (gg + h + ss1 + w[j]) & _MASK
            a, b, c, d = tt1, a, _rotate(b, 9), c
            e, f, g, h = tt2 ^ _rotate(tt2, 9) ^ _rotate(tt2, 17), e, _rotate(f, 19), g
        state = tuple(x ^ y for x, y in zip(state, (a, b, c, d, e, f, g, h), strict=True))  # type: ignore[assignment]
    return b"".join(x.to_bytes(4, "big") for x in state)


# -------------------------------------------------------------------------------------- points, Jacobian


def _double(p: _Point) -> _Point:
    x, y, z = p
    if not z or not y:
        return 0, 1, 0
    yy = y * y % P
    s = 4 * x * yy % P
    zz = z * z % P
    m = 3 * (x - zz) * (x + zz) % P  # A = -3
    nx = (m * m - 2 * s) % P
    return nx, (m * (s - nx) - 8 * yy * yy) % P, 2 * y * z % P


def _add(p: _Point, q: _Point) -> _Point:
    if not p[2]:
        return q
    if not q[2]:
        return p
    z1, z2 = p[2] * p[2] % P, q[2] * q[2] % P
    u1, u2 = p[0] * z2 % P, q[0] * z1 % P
    s1, s2 = p[1] * z2 * q[2] % P, q[1] * z1 * p[2] % P
    h, r = (u2 - u1) % P, (s2 - s1) % P
    if not h:
        return _double(p) if not r else (0, 1, 0)
    hh = h * h % P
    hhh = h * hh % P
    v = u1 * hh % P
    x = (r * r - hhh - 2 * v) % P
    return x, (r * (v - x) - s1 * hhh) % P, h * p[2] * q[2] % P


def _combine(s: int, t: int, key: PublicKey) -> int | None:
    """The x coordinate of [s]G + [t]P, or None at infinity (both multiples in one ladder)."""
    g, k = (GX, GY, 1), (key.x, key.y, 1)
    table: tuple[_Point, ...] = ((0, 1, 0), g, k, _add(g, k))
    point: _Point = (0, 1, 0)
    for bit in range(max(s.bit_length(), t.bit_length()) - 1, -1, -1):
        point = _add(_double(point), table[(s >> bit & 1) | (t >> bit & 1) << 1])
    if not point[2]:
        return None
    return point[0] * pow(point[2], -2, P) % P


# ------------------------------------------------------------------------------------------- keys, checks


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A point on sm2p256v1."""

    x: int
    y: int

    def z(self, signer: bytes = DEFAULT_ID) -> bytes:
        """Digest of the signer's id, the curve and the key (GB/T 32918.2 5.5)."""
        numbers = b"".join(n.to_bytes(32, "big") for n in (A, B, GX, GY, self.x, self.y))
        return sm3((8 * len(signer)).to_bytes(2, "big") + signer + numbers)


def parse_key(data: bytes) -> tuple[PublicKey, ...]:
    """The keys that bytes may stand for; () if there is none on the curve.

    Args:
        data: SubjectPublicKeyInfo in DER, a point of 65, 64 or 33 bytes, or x alone in 32 bytes, perhaps
            with zeros before it; x alone gives both points.
    """
    at = data.find(_OID)
    if at >= 0:
        data = data[data.find(b"\x03", at + len(_OID)) + 3 :]
    if len(data) in (65, 64) and (len(data) == 64 or data[0] == 4):
        return _point(data[-64:-32], data[-32:])
    if len(data) == 33 and data[0] in (2, 3):
        return tuple(key for key in _lift(data[1:]) if key.y % 2 == data[0] % 2)
    if len(data) >= 32 and not any(data[:-32]):
        return _lift(data[-32:])
    return ()


def _point(x: bytes, y: bytes) -> tuple[PublicKey, ...]:
    key = PublicKey(int.from_bytes(x, "big"), int.from_bytes(y, "big"))
    fits = key.x < P and key.y < P and (key.y * key.y - key.x**3 - A * key.x - B) % P == 0
    return (key,) if fits else ()


def _lift(x: bytes) -> tuple[PublicKey, ...]:
    number = int.from_bytes(x, "big")
    square = (pow(number, 3, P) + A * number + B) % P
    root = pow(square, (P + 1) // 4, P)
    if number >= P or root * root % P != square:
        return ()
    return PublicKey(number, root), PublicKey(number, P - root)


def parse_signature(data: bytes) -> tuple[int, int] | None:
    """R and s of a signature in DER or as 64 bytes, or None."""
    if len(data) == 64:
        return int.from_bytes(data[:32], "big"), int.from_bytes(data[32:], "big")
    if len(data) < 8 or data[0] != 0x30 or data[1] != len(data) - 2:
        return None
    numbers, position = [], 2
    for _ in range(2):
        if data[position : position + 1] != b"\x02" or position + 2 > len(data):
            return None
        size = data[position + 1]
        numbers.append(int.from_bytes(data[position + 2 : position + 2 + size], "big"))
        position += 2 + size
    return (numbers[0], numbers[1]) if position == len(data) else None


def verify(
    key: PublicKey,
    signature: tuple[int, int],
    message: bytes,
    *,
    signer: bytes = DEFAULT_ID,
    double_hash: bool = False,
) -> bool:
    """Whether a signature fits (GB/T 32918.2 7.1).

    Args:
        key: the signer's point.
        signature: r and s.
        message: what is signed.
        signer: the signer's id.
        double_hash: take e = SM3(Z || SM3(M)), as some producers do, not e = SM3(Z || M).
    """
    r, s = signature
    if not (0 < r < N and 0 < s < N):
        return False
    e = int.from_bytes(sm3(key.z(signer) + (sm3(message) if double_hash else message)), "big")
    t = (r + s) % N
    if not t:
        return False
    x = _combine(s, t, key)
    return x is not None and (e + x) % N == r
