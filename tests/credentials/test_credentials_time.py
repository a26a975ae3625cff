"""Time stamps: who vouches for the time. The authority is OpenSSL on 127.0.0.1."""

from __future__ import annotations

import datetime as dt
import http.server
import io
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from credentials_support import certificate, media, pem, picture
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from labeler.credentials import manifest, read
from labeler.credentials.identity import SigningIdentity
from labeler.credentials.trust import Trust
from labeler.types import Label

CONFIG = """
[tsa]
default_tsa = authority
[authority]
serial = serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
ess_cert_id_alg = sha256
"""
OPENSSL = shutil.which("openssl")


def authority(folder: Path) -> None:
    """Root, certificate and key of a time-stamp authority; its extended key usage must be critical."""
    root, root_key = certificate(authority=True, organisation="Time root")
    plain, key = certificate(issuer=(root, root_key), organisation="Time", uses=())
    build = x509.CertificateBuilder(
        plain.issuer,
        plain.subject,
        plain.public_key(),
        plain.serial_number,
        plain.not_valid_before_utc,
        plain.not_valid_after_utc,
        list(plain.extensions),
    )
    stamp = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    signed = build.add_extension(stamp, critical=True).sign(root_key, hashes.SHA256())
    (folder / "root.pem").write_bytes(pem(root))
    (folder / "tsa.pem").write_bytes(pem(signed))
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "tsa.key").write_bytes(secret)
    (folder / "serial").write_text("01\n")
    (folder / "tsa.cnf").write_text(CONFIG)


@pytest.fixture(scope="module")
def stamped(
    tmp_path_factory: pytest.TempPathFactory, signer: SigningIdentity, label: Label
) -> Iterator[tuple[bytes, Path]]:
    """A signed picture with a time stamp, and the root of the authority."""
    if OPENSSL is None:
        pytest.skip("no openssl command")
    import c2pa

    folder = tmp_path_factory.mktemp("tsa")
    authority(folder)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            (folder / "query").write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            command = [
                OPENSSL,
                "ts",
                "-reply",
                "-config",
                "tsa.cnf",
                "-queryfile",
                "query",
                "-signer",
                "tsa.pem",
            ]
            command += ["-inkey", "tsa.key", "-chain", "root.pem", "-out", "answer"]
            subprocess.run(command, cwd=folder, capture_output=True, check=True, timeout=30)
            answer = (folder / "answer").read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/".encode()
    definition = manifest.definition(label, media_type="image/jpeg", has_parent=False)
    settings = {"version": 1, "builder": {"thumbnail": {"enabled": False}}}
    out = io.BytesIO()
    try:
        native = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", signer.chain_pem, signer.key_pem(), url))
        with c2pa.Builder(definition, c2pa.Context.from_dict(settings)) as builder:
            builder.sign(native, "image/jpeg", io.BytesIO(picture()), out)
        native.close()
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
    yield out.getvalue(), folder / "root.pem"


@pytest.mark.parametrize(
    ("signers", "times", "verdict", "time"),
    [
        ((), (), "unknown", "claimed"),
        (("own",), (), "trusted", "claimed"),
        ((), ("tsa",), "unknown", "stamped"),
        (("own",), ("tsa",), "trusted", "stamped"),
        (("own", "tsa"), (), "trusted", "claimed"),
        ((), ("own",), "unknown", "claimed"),
        (("tsa",), ("own",), "unknown", "claimed"),
        (("own", "tsa"), ("own", "tsa"), "trusted", "stamped"),
    ],
)
def test_who_vouches_for_whom(
    signers: tuple[str, ...],
    times: tuple[str, ...],
    verdict: str,
    time: str,
    stamped: tuple[bytes, Path],
    root: Path,
) -> None:
    data, tsa_root = stamped
    paths = {"own": root, "tsa": tsa_root}
    trust = Trust.from_files([paths[name] for name in signers], time_stamps=[paths[name] for name in times])
    report = read.read(io.BytesIO(data), media("image/jpeg"), trust=trust)
    assert (report.content, report.signer, report.time) == ("intact", verdict, time), report.codes
    when = dt.datetime.fromisoformat(report.signed_at)
    assert abs(dt.datetime.now(dt.UTC) - when) < dt.timedelta(minutes=10)
