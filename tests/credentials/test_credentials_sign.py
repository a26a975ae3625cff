"""Signing: formats, what the manifest says, failures that leave nothing behind."""

from __future__ import annotations

import dataclasses
import io
import json
import random
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from credentials_support import FORMATS, Signed, media, picture
from PIL import Image, ImageSequence

from labeler.credentials import manifest, read, sign
from labeler.credentials.identity import SigningIdentity
from labeler.credentials.trust import Trust
from labeler.errors import DamagedMedia, InputError, OutputError, UnsupportedMedia, UsageError
from labeler.types import Label, State

PAYLOAD = "140123456789abcd"


def samples(data: bytes) -> list[bytes]:
    with Image.open(io.BytesIO(data)) as image:
        return [frame.convert("RGBA").tobytes() for frame in ImageSequence.Iterator(image)]


def assertions(manifest_bytes_or_file: bytes, media_type: str = "image/jpeg") -> dict[str, dict]:
    store = read.raw(io.BytesIO(manifest_bytes_or_file), media(media_type))["store"]
    active = store["manifests"][store["active_manifest"]]
    return {each["label"]: each for each in active["assertions"]}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_signs_reads_back_and_keeps_its_samples(
    name: str, signed: Callable[..., Signed], label: Label, root: Path
) -> None:
    form, media_type, frames, options = FORMATS[name]
    plain = picture(form, frames=frames, **options)
    result = signed(plain, media_type, payload=PAYLOAD)
    assert samples(result.data) == samples(plain)
    report = read.read(io.BytesIO(result.data), media(media_type))
    assert (report.state, report.content, report.signer) == (State.PRESENT, "intact", "unknown")
    assert (report.time, report.chain, report.carrier) == ("claimed", "none", "embedded")
    assert report.label == label
    assert report.payload == PAYLOAD
    assert report.source_type == "trainedAlgorithmicMedia"
    assert report.claim_generator == "labeler/0.1.0"
    assert "TEST" in report.signer_name
    assert report.codes[0] == "signingCredential.untrusted"
    assert len(result.data) - len(plain) < 5000, "thumbnails are off"
    trusted = read.read(io.BytesIO(result.data), media(media_type), trust=Trust.from_files([root]))
    assert (trusted.content, trusted.signer) == ("intact", "trusted")


def test_heic(signed: Callable[..., Signed], label: Label) -> None:
    heif = pytest.importorskip("pillow_heif")
    frame = heif.from_pillow(Image.open(io.BytesIO(picture("PNG"))))
    out = io.BytesIO()
    frame.save(out)
    result = signed(out.getvalue(), "image/heic", payload=PAYLOAD)
    assert heif.read_heif(result.data).data == heif.read_heif(out.getvalue()).data
    report = read.read(io.BytesIO(result.data), media("image/heic"))
    assert (report.content, report.label, report.payload) == ("intact", label, PAYLOAD)


def test_types_that_carry_no_manifest_get_a_sidecar(signer: SigningIdentity, label: Label) -> None:
    assert not sign.embeds("image/bmp")
    assert sign.embeds("image/jpg")
    assert sign.embeds("image/jpeg")
    plain = picture("BMP")
    manifest_bytes = sign.sign(io.BytesIO(plain), None, media("image/bmp"), label, signer, payload=PAYLOAD)
    report = read.read(io.BytesIO(plain), media("image/bmp"), sidecar=manifest_bytes)
    assert (report.state, report.content, report.carrier) == (State.PRESENT, "intact", "sidecar")
    assert (report.label, report.payload) == (label, PAYLOAD)
    changed = bytearray(plain)
    changed[-7] ^= 1
    assert read.read(io.BytesIO(changed), media("image/bmp"), sidecar=manifest_bytes).content == "altered"
    other = picture("BMP", seed=2)
    assert read.read(io.BytesIO(other), media("image/bmp"), sidecar=manifest_bytes).content == "altered"
    assert read.read(io.BytesIO(plain), media("image/bmp")).state is State.ABSENT
    with pytest.raises(UnsupportedMedia, match="sidecar"):
        sign.sign(io.BytesIO(plain), io.BytesIO(), media("image/bmp"), label, signer)


@pytest.mark.parametrize("media_type", ["video/webm", "text/plain", "audio/ogg", "application/octet-stream"])
def test_a_sidecar_signs_any_bytes(media_type: str, signer: SigningIdentity, label: Label) -> None:
    data = random.Random(1).randbytes(5000)
    manifest_bytes = sign.sign(io.BytesIO(data), None, media(media_type), label, signer)
    report = read.read(io.BytesIO(data), media(media_type), sidecar=manifest_bytes)
    assert (report.content, report.label) == ("intact", label)
    assert read.read(io.BytesIO(data + b"x"), media(media_type), sidecar=manifest_bytes).content == "altered"


@pytest.mark.parametrize(("form", "media_type"), [("TIFF", "image/tiff")])
def test_containers_that_embedding_would_harm_get_a_sidecar(
    form: str, media_type: str, signer: SigningIdentity, label: Label
) -> None:
    data, info = picture(form, frames=3), media(media_type, frames=3)
    assert sign.embeds(media_type)
    assert not sign.embeds(media_type, frames=3)
    with pytest.raises(UnsupportedMedia, match="3 frames"):
        sign.sign(io.BytesIO(data), io.BytesIO(), info, label, signer)
    sidecar = sign.sign(io.BytesIO(data), None, info, label, signer)
    assert read.read(io.BytesIO(data), info, sidecar=sidecar).content == "intact"


def test_a_manifest_inside_goes_before_a_stray_sidecar(
    signed: Callable[..., Signed], signer: SigningIdentity, label: Label
) -> None:
    inside = signed(picture()).data
    other = dataclasses.replace(label, producer="somebody else")
    stray = sign.sign(io.BytesIO(inside), None, media("image/jpeg"), other, signer)
    report = read.read(io.BytesIO(inside), media("image/jpeg"), sidecar=stray)
    assert (report.carrier, report.label) == ("embedded", label)


def test_what_the_manifest_says(signed: Callable[..., Signed], label: Label) -> None:
    found = assertions(
        signed(
            picture(),
            payload=PAYLOAD,
            algorithm="io.github.labeler.image.1",
            fingerprint="ph:1234",
            training="notAllowed",
            visible_text="AI生成",
        ).data
    )
    actions = found["c2pa.actions.v2"]["data"]["actions"]
    assert [each["action"] for each in actions] == [
        "c2pa.created",
        "c2pa.addedText",
        "c2pa.watermarked.bound",
    ]
    assert actions[0]["digitalSourceType"].endswith("/digitalsourcetype/trainedAlgorithmicMedia")
    assert actions[0]["softwareAgent"] == {"name": "example-model", "version": "2.1"}
    assert actions[2]["softwareAgent"]["name"] == "labeler"
    binding = found["c2pa.soft-binding"]["data"]
    assert binding["alg"] == "io.github.labeler.image.1"
    assert binding["blocks"] == [{"scope": {}, "value": PAYLOAD}]
    own = found[manifest.LABEL_ASSERTION]["data"]
    assert own["mark_id"] == label.mark_id
    assert own["fingerprint"] == "ph:1234"
    assert found["cawg.metadata"]["data"]["dc:creator"] == [label.author]
    assert found["cawg.metadata"]["data"]["dc:rights"] == {"x-default": label.rights}
    entries = found["cawg.training-mining"]["data"]["entries"]
    assert {each["use"] for each in entries.values()} == {"notAllowed"}
    created = {name for name, each in found.items() if each.get("created")}
    assert created == {"c2pa.actions.v2", "c2pa.soft-binding", manifest.LABEL_ASSERTION}
    assert not any("thumbnail" in name for name in found)


def test_a_bare_label_says_no_more_than_it_must(
    signed: Callable[..., Signed], signer: SigningIdentity
) -> None:
    out = io.BytesIO()
    bare = Label(producer="p", produce_id="i")
    sign.sign(io.BytesIO(picture()), out, media("image/jpeg"), bare, signer)
    assert set(assertions(out.getvalue())) == {"c2pa.actions.v2", manifest.LABEL_ASSERTION}
    report = read.read(out, media("image/jpeg"))
    assert (report.label, report.time, report.signed_at, report.payload) == (bare, "none", "", "")


def test_edited_content_opens_its_parent(signed: Callable[..., Signed], signer: SigningIdentity) -> None:
    edited = Label(producer="p", produce_id="i", source_type="compositeWithTrainedAlgorithmicMedia")
    out = io.BytesIO()
    parent = io.BytesIO(picture(seed=3))
    sign.sign(io.BytesIO(picture()), out, media("image/jpeg"), edited, signer, parent=parent)
    actions = assertions(out.getvalue())["c2pa.actions.v2"]["data"]["actions"]
    assert [each["action"] for each in actions] == ["c2pa.opened", "c2pa.edited"]
    report = read.read(out, media("image/jpeg"))
    assert (report.content, report.chain) == ("intact", "intact")
    assert report.source_type == "compositeWithTrainedAlgorithmicMedia"


@pytest.mark.parametrize("explicit", [True, False])
def test_an_incoming_manifest_is_kept_as_parent(
    explicit: bool, signed: Callable[..., Signed], signer: SigningIdentity, label: Label
) -> None:
    first = signed(picture(), payload=PAYLOAD).data
    second_label = dataclasses.replace(label, produce_id="second")
    out = io.BytesIO()
    source, parent = (picture(seed=5), io.BytesIO(first)) if explicit else (first, None)
    sign.sign(io.BytesIO(source), out, media("image/jpeg"), second_label, signer, parent=parent)
    report = read.read(out, media("image/jpeg"))
    assert (report.content, report.chain, report.label) == ("intact", "intact", second_label)
    store = read.raw(out, media("image/jpeg"))["store"]
    assert len(store["manifests"]) == 2
    active = store["manifests"][store["active_manifest"]]
    assert [each["relationship"] for each in active["ingredients"]] == ["parentOf"]
    assert active["assertions"][0]["data"]["actions"][0]["action"] == "c2pa.opened"


def test_a_parent_of_another_type_and_a_parent_without_manifest(
    signed: Callable[..., Signed], signer: SigningIdentity, label: Label
) -> None:
    png = signed(picture("PNG"), "image/png").data
    out = io.BytesIO()
    options = {"parent": io.BytesIO(png), "parent_type": "image/png"}
    sign.sign(io.BytesIO(picture()), out, media("image/jpeg"), label, signer, **options)
    assert read.read(out, media("image/jpeg")).chain == "intact"
    out = io.BytesIO()
    sign.sign(
        io.BytesIO(picture()), out, media("image/jpeg"), label, signer, parent=io.BytesIO(picture(seed=9))
    )
    assert read.read(out, media("image/jpeg")).chain == "none"


def test_a_tampered_parent_breaks_the_chain_and_not_the_content(
    signed: Callable[..., Signed], signer: SigningIdentity, label: Label, root: Path
) -> None:
    parent = bytearray(signed(picture(seed=4)).data)
    parent[-20] ^= 4
    out = io.BytesIO()
    sign.sign(io.BytesIO(picture()), out, media("image/jpeg"), label, signer, parent=io.BytesIO(parent))
    report = read.read(out, media("image/jpeg"), trust=Trust.from_files([root]))
    assert (report.content, report.signer, report.chain) == ("intact", "trusted", "broken")
    assert "ingredient/assertion.dataHash.mismatch" in report.codes
    assert "assertion.dataHash.mismatch" not in report.codes


def test_the_same_stream_twice_is_refused_before_anything_is_lost(
    signer: SigningIdentity, label: Label
) -> None:
    data = picture()
    stream = io.BytesIO(data)
    with pytest.raises(UsageError, match="different streams"):
        sign.sign(stream, stream, media("image/jpeg"), label, signer)
    assert stream.getvalue() == data


def test_two_handles_on_one_file_are_refused(tmp_path: Path, signer: SigningIdentity, label: Label) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(picture())
    with (
        path.open("rb") as source,
        path.open("r+b") as target,
        pytest.raises(UsageError, match="different streams"),
    ):
        sign.sign(source, target, media("image/jpeg"), label, signer)
    assert path.read_bytes() == picture()


@pytest.mark.parametrize("damaged", [False, True])
def test_a_parent_whose_manifest_stood_beside_it(
    damaged: bool, signer: SigningIdentity, label: Label
) -> None:
    parent, info = picture("BMP"), media("image/bmp")
    beside = sign.sign(io.BytesIO(parent), None, info, label, signer)
    second = dataclasses.replace(label, produce_id="second")
    given = beside[:-100] if damaged else beside
    options = {"parent": io.BytesIO(parent), "parent_type": "image/bmp", "parent_sidecar": given}
    again = sign.sign(io.BytesIO(parent), None, info, second, signer, **options)
    report = read.read(io.BytesIO(parent), info, sidecar=again)
    assert (report.content, report.label) == ("intact", second)
    assert report.chain == ("broken" if damaged else "intact")
    store = read.raw(io.BytesIO(parent), info, sidecar=again)["store"]
    assert len(store["manifests"]) == (1 if damaged else 2)


def test_threads(signer: SigningIdentity, label: Label) -> None:
    def once(seed: int) -> str:
        out = io.BytesIO()
        sign.sign(io.BytesIO(picture(seed=seed)), out, media("image/jpeg"), label, signer)
        return read.read(out, media("image/jpeg")).content

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(once, range(60))) == {"intact"}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("payload", "xyz"),
        ("payload", "140123456789ABCD"),
        ("algorithm", "com.adobe.x"),
        ("training", "maybe"),
    ],
)
def test_options_that_cannot_be(option: str, value: str, signer: SigningIdentity, label: Label) -> None:
    with pytest.raises(UsageError):
        sign.sign(io.BytesIO(picture()), io.BytesIO(), media("image/jpeg"), label, signer, **{option: value})


@pytest.mark.parametrize("media_type", ["image/png", "image/webp", "image/tiff", "image/avif", "image/gif"])
def test_a_wrong_type_is_refused_and_leaves_nothing(
    media_type: str, signer: SigningIdentity, label: Label
) -> None:
    target = io.BytesIO()
    with pytest.raises((DamagedMedia, OutputError)):
        sign.sign(io.BytesIO(picture()), target, media(media_type), label, signer)
    assert target.getvalue() == b""


def test_a_damaged_source_is_refused_and_leaves_nothing(signer: SigningIdentity, label: Label) -> None:
    target = io.BytesIO()
    with pytest.raises((DamagedMedia, OutputError)):
        sign.sign(io.BytesIO(picture()[:200]), target, media("image/jpeg"), label, signer)
    assert target.getvalue() == b""


def test_a_failing_key_leaves_nothing_and_says_why(
    signer: SigningIdentity, label: Label, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: bytes) -> bytes:
        raise RuntimeError("token not present")

    external = SigningIdentity.with_external_key(signer.chain_pem, "es256", broken)
    target = io.BytesIO()
    with pytest.raises(OutputError, match="token not present") as caught:
        sign.sign(io.BytesIO(picture()), target, media("image/jpeg"), label, external)
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert target.getvalue() == b""
    assert "token not present" not in caplog.text


def test_an_interrupt_in_the_key_is_not_swallowed(signer: SigningIdentity, label: Label) -> None:
    def interrupted(_: bytes) -> bytes:
        raise KeyboardInterrupt

    external = SigningIdentity.with_external_key(signer.chain_pem, "es256", interrupted)
    target = io.BytesIO()
    with pytest.raises(KeyboardInterrupt):
        sign.sign(io.BytesIO(picture()), target, media("image/jpeg"), label, external)
    assert target.getvalue() == b""


class Full(io.BytesIO):
    """A disk that is full after some bytes."""

    def write(self, data: bytes) -> int:
        if self.tell() + len(data) > 2000:
            raise OSError(28, "No space left on device")
        return super().write(data)


def test_a_full_disk_is_named_and_leaves_nothing(signer: SigningIdentity, label: Label) -> None:
    target = Full()
    with pytest.raises(OutputError, match="No space left"):
        sign.sign(io.BytesIO(picture()), target, media("image/jpeg"), label, signer)
    assert target.getvalue() == b""


class Unreadable(io.BytesIO):
    def readinto(self, buffer: object) -> int:
        raise OSError(5, "Input/output error")


def test_an_unreadable_source_is_named(signer: SigningIdentity, label: Label) -> None:
    target = io.BytesIO()
    with pytest.raises(InputError):
        sign.sign(Unreadable(picture()), target, media("image/jpeg"), label, signer)
    assert target.getvalue() == b""


def test_odd_label_texts_survive(signer: SigningIdentity) -> None:
    odd = Label(
        producer="a\"b\\c\n\t'%s {x}",
        produce_id="😀" * 50,
        author="\u202eevil",
        rights="<script>",
        generator="no-version",
        created="yesterday",
    )
    out = io.BytesIO()
    sign.sign(io.BytesIO(picture()), out, media("image/jpeg"), odd, signer)
    report = read.read(out, media("image/jpeg"))
    assert (report.label, report.signed_at, report.time) == (odd, "", "none")


def test_files_on_disk_and_batches(tmp_path: Path, signer: SigningIdentity, label: Label) -> None:
    for number in range(20):
        with (tmp_path / f"{number}.jpg").open("w+b") as target:
            source = io.BytesIO(picture(seed=number))
            sign.sign(source, target, media("image/jpeg"), label, signer)
            assert read.read(target, media("image/jpeg")).content == "intact"


FORK = """
import io, os, sys
sys.path[:0] = [{tests!r}]
from credentials_support import media, picture
from labeler.credentials import identity, read, sign
from labeler.types import Label
signer, label = identity.load({home!r}), Label(producer="p", produce_id="i")
def once():
    out = io.BytesIO()
    sign.sign(io.BytesIO(picture()), out, media("image/jpeg"), label, signer)
    return read.read(out, media("image/jpeg")).content
assert once() == "intact"
child = os.fork()
if child == 0:
    os._exit(0 if once() == "intact" else 3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert once() == "intact"
"""


def test_it_works_before_and_after_a_fork(home: Path) -> None:
    code = FORK.format(tests=str(Path(__file__).parent), home=str(home))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_importing_the_layer_loads_no_c2pa() -> None:
    code = (
        "import sys, labeler.credentials.certs, labeler.credentials.sign, labeler.credentials.read;"
        "bad = {'c2pa', 'numpy', 'PIL'} & sys.modules.keys(); assert not bad, bad"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_raw_is_json(signed: Callable[..., Signed]) -> None:
    found = read.raw(io.BytesIO(signed(picture()).data), media("image/jpeg"))
    assert found["state"] == "present"
    assert json.loads(json.dumps(found))["carrier"] == "embedded"
    assert read.raw(io.BytesIO(picture()), media("image/jpeg"))["state"] == "absent"
