"""Pictures, certificates and types for the tests of the credentials layer."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
from pathlib import Path

import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

from labeler.types import MediaInfo, Modality

SHARED = Path(__file__).resolve().parents[2].parent / "shared"

FORMATS = {
    "jpeg": ("JPEG", "image/jpeg", 1, {"quality": 90}),
    "png": ("PNG", "image/png", 1, {}),
    "apng": ("PNG", "image/png", 3, {}),
    "webp": ("WEBP", "image/webp", 1, {}),
    "webp-lossless": ("WEBP", "image/webp", 1, {"lossless": True}),
    "webp-animated": ("WEBP", "image/webp", 3, {"lossless": True}),
    "avif": ("AVIF", "image/avif", 1, {}),
    "tiff": ("TIFF", "image/tiff", 1, {}),
    "tiff-lzw": ("TIFF", "image/tiff", 1, {"compression": "tiff_lzw"}),
    "gif": ("GIF", "image/gif", 1, {}),
    "gif-animated": ("GIF", "image/gif", 3, {}),
}


def media(media_type: str, *, frames: int = 1) -> MediaInfo:
    return MediaInfo(media_type=media_type, modality=Modality.IMAGE, frames=frames)


def picture(
    form: str = "JPEG", *, frames: int = 1, size: int = 64, seed: int = 1, **options: object
) -> bytes:
    """A generated picture: a gradient with some noise."""
    noise = np.random.default_rng(seed)
    ramp = np.linspace(0, 200, size)[None, :, None]
    pictures = [
        Image.fromarray((ramp + noise.integers(0, 50, (size, size, 3))).astype(np.uint8))
        for _ in range(frames)
    ]
    out = io.BytesIO()
    if frames > 1:
        options |= {"save_all": True, "append_images": pictures[1:]}
    pictures[0].save(out, form, **options)
    return out.getvalue()


def certificate(
    *,
    issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None,
    key: object = None,
    start: dt.timedelta = dt.timedelta(days=-1),
    days: float = 30,
    authority: bool = False,
    usage: bool = True,
    uses: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.EMAIL_PROTECTION,),
    aki: bool = True,
    digest: hashes.HashAlgorithm | None = None,
    organisation: str = "Example",
    key_usage: dict[str, bool] | None = None,
) -> tuple[x509.Certificate, object]:
    """A certificate to order, to break one rule at a time."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, "root" if authority else "signer"),
        ]
    )
    issuer_name, issuer_key = (issuer[0].subject, issuer[1]) if issuer else (name, key)
    begin = dt.datetime.now(dt.UTC) + start
    bits = dict.fromkeys(
        (
            "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
            "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
        ),
        False,
    )  # fmt: skip
    bits |= key_usage or ({"key_cert_sign": True} if authority else {"digital_signature": True})
    build = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer_name)
        .public_key(key.public_key())  # type: ignore[attr-defined]
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if usage:
        build = build.add_extension(x509.KeyUsage(**bits), critical=True)
    if uses and not authority:
        build = build.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    if aki and issuer:
        build = build.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    ski = x509.SubjectKeyIdentifier.from_public_key(key.public_key())  # type: ignore[attr-defined]
    build = build.add_extension(ski, critical=False)
    digest = None if hasattr(issuer_key, "public_bytes_raw") else digest or hashes.SHA256()
    return build.sign(issuer_key, digest), key


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


@dataclasses.dataclass(frozen=True)
class Signed:
    data: bytes
    manifest: bytes
