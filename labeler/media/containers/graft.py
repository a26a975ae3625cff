"""Fresh pixels, old metadata: put an encoder's picture data into the shell of the source file.

Pillow's ``save`` keeps what it is told to keep and knows; a file carries more than that (IPTC-IIM,
several ICC segments, comments, private chunks). ``graft`` therefore takes from the fresh encoding
only what codes the picture, and from the source everything else, byte by byte.
"""

from __future__ import annotations

from collections.abc import Callable

from labeler.errors import DamagedMedia
from labeler.media.containers import gif, heif, jpeg, png, riff, tiff
from labeler.media.containers.splice import Edit, splice

__all__ = ["graft"]

Notes = list[str]
_ICC = b"ICC_PROFILE\0"
_NO_ICC = "the ICC profile is for another number of channels and is not kept."


def graft(
    source: bytes, encoded: bytes, media_type: str, *, drop_credentials: bool = True
) -> tuple[bytes, tuple[str, ...]]:
    """Put the picture data of ``encoded`` into the metadata of ``source``.

    Args:
        source: the original file.
        encoded: the changed picture as the encoder wrote it, in the same container type.
        media_type: MIME type of both.
        drop_credentials: leave out the source's embedded C2PA manifest, which no longer fits; it is
            the credentials layer's task to keep it as an ingredient.

    Returns:
        The new file, and what could not be kept, one sentence each. JPEG, PNG and WebP carry over
        everything; GIF comments and application extensions; TIFF, AVIF and HEIC the XMP packet if
        ``encoded`` has none (their EXIF, ICC and other fields are the encoder's to hand on). For other
        types ``encoded`` is returned as it is.

    Raises:
        DamagedMedia: if one of the two cannot be walked.
        UnsupportedMedia: if the source is an image sequence without items (AVIF, HEIC).
    """
    notes: Notes = []
    grafter = _GRAFTERS.get(media_type)
    if grafter is None:
        return encoded, ()
    result = grafter(source, encoded, drop_credentials, notes)
    return result, tuple(dict.fromkeys(notes))


def _icc_fits(profile: bytes, channels: int) -> bool:
    """True unless the ICC header (ICC.1 7.2.6, bytes 16-19) names another number of channels."""
    expected = {b"GRAY": 1, b"RGB ": 3, b"CMYK": 4}.get(profile[16:20])
    return expected is None or expected == channels


def _note_thumbnail(exif: bytes, notes: Notes) -> None:
    try:
        directories = list(tiff.ifds(exif, tiff.header(exif)))
    except DamagedMedia:
        return
    if len(directories) > 1 and tiff.find(directories[1], 0x0201) is not None:
        notes.append("the EXIF thumbnail is kept and shows the picture as it was before.")


# --------------------------------------------------------------------------------------------- JPEG


def _graft_jpeg(source: bytes, encoded: bytes, drop_credentials: bool, notes: Notes) -> bytes:
    old, new = jpeg.walk(source), jpeg.walk(encoded)
    profile = next(
        (s for s in old.segments if s.marker == jpeg.APP2 and s.starts(source, _ICC + b"\1")), None
    )
    keep_icc = profile is None or _icc_fits(source[profile.body + 14 : profile.end], new.components(encoded))
    if not keep_icc:
        notes.append(_NO_ICC)
    jfif = next((s for s in new.segments if s.marker == jpeg.APP0 and s.starts(encoded, b"JFIF\0")), None)
    adobe = next((s for s in new.segments if s.marker == jpeg.APP14 and s.starts(encoded, b"Adobe")), None)
    pieces: list[bytes] = [b"\xff\xd8"]
    if jfif is not None:
        density = next(
            (s for s in old.segments if s.marker == jpeg.APP0 and s.starts(source, b"JFIF\0")), None
        )
        payload = jfif.payload(encoded)
        if density is not None and density.end - density.body >= 12 and len(payload) >= 14:
            payload = payload[:7] + source[density.body + 7 : density.body + 12] + payload[12:]
        pieces.append(jpeg.encode(jpeg.APP0, payload))
    pieces += [
        source[segment.body - 4 : segment.end]
        for segment in old.segments
        if _keep_segment(source, segment, keep_icc, drop_credentials, notes)
    ]
    if adobe is not None:
        pieces.append(encoded[adobe.body - 4 : adobe.end])
    pieces += [
        encoded[segment.body - 4 : segment.end]
        for segment in new.segments
        if not 0xE0 <= segment.marker <= 0xEF and segment.marker != jpeg.COM
    ]
    pieces.append(encoded[new.scan :])
    return b"".join(pieces)


def _keep_segment(
    source: bytes, segment: jpeg.Segment, keep_icc: bool, drop_credentials: bool, notes: Notes
) -> bool:
    marker = segment.marker
    if marker == jpeg.COM:
        return True
    if not 0xE0 <= marker <= 0xEF:
        return False
    if marker == jpeg.APP0:
        return not (segment.starts(source, b"JFIF\0") or segment.starts(source, b"JFXX\0"))
    if marker == jpeg.APP14 and segment.starts(source, b"Adobe"):
        return False
    if marker == jpeg.APP11 and segment.starts(source, b"JP"):
        if source[segment.body + 12 : segment.body + 16] == b"jumb":
            return not drop_credentials
        notes.append("JPEG XT residual data (APP11) belongs to the old coding and is not kept.")
        return False
    if marker == jpeg.APP2 and segment.starts(source, jpeg.MPF):
        notes.append("trailing images (MPF: gain map, preview or second view) are not kept.")
        return False
    if marker == jpeg.APP2 and segment.starts(source, _ICC):
        return keep_icc
    if marker == jpeg.APP1 and segment.starts(source, jpeg.EXIF):
        _note_thumbnail(source[segment.body + 6 : segment.end], notes)
    return True


# ---------------------------------------------------------------------------------------------- PNG

_CODING = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"acTL", b"fcTL", b"fdAT"})
_COLOUR = frozenset({b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"cICP", b"mDCV", b"mDCv", b"cLLI", b"cLLi"})
_KNOWN = _COLOUR | {
    b"pHYs",
    b"oFFs",
    b"pCAL",
    b"sCAL",
    b"sTER",
    b"eXIf",
    b"tEXt",
    b"zTXt",
    b"iTXt",
    b"tIME",
    b"sPLT",
}
_SAME_CODING = frozenset({b"bKGD", b"sBIT"})


def _graft_png(source: bytes, encoded: bytes, drop_credentials: bool, notes: Notes) -> bytes:
    old, new = png.walk(source), png.walk(encoded)
    same = _coding(source, old) == _coding(encoded, new)
    gray = encoded[new[0].body + 9] in (0, 4) if new[0].size >= 13 else False
    before: list[bytes] = []
    after: list[bytes] = []
    target = before
    for chunk in old:
        if chunk.kind == b"IDAT":
            target = after
        if chunk.kind in _CODING or not chunk.ancillary:
            continue
        raw = source[chunk.start : chunk.end]
        if chunk.kind == b"caBX":
            keep = not drop_credentials
        elif chunk.kind == b"iCCP":
            keep = _png_icc_fits(chunk.payload(source), 1 if gray else 3)
            if not keep:
                notes.append(_NO_ICC)
        elif chunk.kind in _KNOWN:
            keep = True
        elif chunk.kind in _SAME_CODING:
            keep = same
        else:
            keep = chunk.safe_to_copy
            if not keep:
                name = chunk.kind.decode("latin-1")
                notes.append(f"PNG chunk {name} depends on the old picture data and is not kept.")
        if keep:
            target.append(raw)
        if chunk.kind == b"eXIf":
            _note_thumbnail(chunk.payload(source), notes)
    # Colour chunks stand before PLTE, bKGD behind it, all of them before IDAT (5.6).
    early = [raw for raw in before if raw[4:8] != b"bKGD"]
    late = [raw for raw in before if raw[4:8] == b"bKGD"]
    pieces: list[bytes] = [png.SIGNATURE, encoded[new[0].start : new[0].end], *early]
    seen_data = False
    for chunk in new[1:-1]:
        if chunk.kind not in _CODING and chunk.ancillary:
            continue
        if chunk.kind in (b"IDAT", b"fcTL", b"acTL") and not seen_data:
            seen_data = True
            pieces += late
        pieces.append(encoded[chunk.start : chunk.end])
    pieces += [*after, encoded[new[-1].start : new[-1].end]]
    return b"".join(pieces)


def _coding(data: bytes, chunks: tuple[png.Chunk, ...]) -> tuple[bytes, bytes]:
    """Bit depth with colour type, and the palette."""
    palette = next((chunk.payload(data) for chunk in chunks if chunk.kind == b"PLTE"), b"")
    return data[chunks[0].body + 8 : chunks[0].body + 10], palette


def _png_icc_fits(payload: bytes, channels: int) -> bool:
    _name, _zero, rest = payload.partition(b"\0")
    profile = png.inflate_head(rest[1:], 128)
    return _icc_fits(profile, channels)


# --------------------------------------------------------------------------------------------- WebP

_WEBP_CODING = frozenset({b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"})


def _graft_webp(source: bytes, encoded: bytes, drop_credentials: bool, notes: Notes) -> bytes:
    old = [
        (c.kind, c.payload(source)) for c in riff.walk(source, b"WEBP").chunks if c.kind not in _WEBP_CODING
    ]
    new = [(c.kind, c.payload(encoded)) for c in riff.walk(encoded, b"WEBP").chunks if c.kind in _WEBP_CODING]
    profile: list[tuple[bytes, bytes]] = []
    rest: list[tuple[bytes, bytes]] = []
    for kind, payload in old:
        if kind == b"C2PA" and drop_credentials:
            continue
        if kind == b"ICCP":
            if _icc_fits(payload, 3):
                profile.append((kind, payload))
            else:
                notes.append(_NO_ICC)
            continue
        if kind == b"EXIF":
            _note_thumbnail(payload.removeprefix(jpeg.EXIF), notes)
        rest.append((kind, payload))
    if not profile and not rest and new[0][0] != b"VP8X":
        return riff.build(b"WEBP", new)
    rest.sort(key=lambda item: {b"EXIF": 0, b"XMP ": 1}.get(item[0], 2))
    head = [item for item in new if item[0] == b"VP8X"]
    picture = [item for item in new if item[0] != b"VP8X"]
    return riff.build(b"WEBP", riff.vp8x([*head, *profile, *picture, *rest]))


# ----------------------------------------------------------------------------- GIF, TIFF, AVIF, HEIC


def _graft_gif(source: bytes, encoded: bytes, drop_credentials: bool, notes: Notes) -> bytes:
    """Comments and application extensions that the encoder did not hand on, but for the loop count."""
    old, new = gif.walk(source), gif.walk(encoded)
    there = {encoded[b.start : b.end] for b in new.blocks if b.kind != gif.IMAGE}
    missing = [source[b.start : b.end] for b in old.blocks if _gif_kept(source, b, drop_credentials)]
    missing = [block for block in missing if block not in there]
    if not missing:
        return encoded
    at = new.first
    for block in new.blocks:
        if block.start == at and any(gif.is_application(encoded, block, name) for name in gif.LOOPS):
            at = block.end
    return splice(encoded, [Edit(0, 6, b"GIF89a"), Edit(at, at, b"".join(missing))])


def _gif_kept(data: bytes, block: gif.Block, drop_credentials: bool) -> bool:
    if drop_credentials and gif.is_application(data, block, b"C2PA_GIF\1\0\0"):
        return False
    if block.kind == gif.APPLICATION:
        return not any(gif.is_application(data, block, name) for name in gif.LOOPS)
    return block.kind == gif.COMMENT


def _graft_tiff(source: bytes, encoded: bytes, drop_credentials: bool, notes: Notes) -> bytes:
    """The XMP packet of IFD0; all other fields are the encoder's to hand on."""
    old, new = (tiff.find(tiff.first(data), tiff.XMP_TAG) for data in (source, encoded))
    if old is None or new is not None or not old.value(source):
        return encoded
    return tiff.set_value(
        encoded, tiff.XMP_TAG, old.value(source), kind=old.kind if old.kind in (1, 7) else 7
    )


def _graft_heif(source: bytes, encoded: bytes, drop_credentials: bool, notes: Notes) -> bytes:
    """The XMP item that describes the primary picture; EXIF and ICC are the encoder's to hand on."""
    old, new = heif.read(source), heif.read(encoded)
    if any(item.content_type == heif.XMP_TYPE for item in new.items.values()):
        return encoded
    for item in old.items.values():
        if item.content_type == heif.XMP_TYPE and item.id in old.describes:
            packet = b"".join(source[start:end] for start, end in heif.item_ranges(source, old, item.id))
            return heif.add_item(encoded, new, packet) if packet else encoded
    return encoded


_GRAFTERS: dict[str, Callable[[bytes, bytes, bool, Notes], bytes]] = {
    "image/jpeg": _graft_jpeg,
    "image/png": _graft_png,
    "image/webp": _graft_webp,
    "image/gif": _graft_gif,
    "image/tiff": _graft_tiff,
    "image/avif": _graft_heif,
    "image/heic": _graft_heif,
    "image/heif": _graft_heif,
}
