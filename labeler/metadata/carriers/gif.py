"""GIF: XMP in an application extension (TC260-PG-20259A; XMP part 3, 1.1.2), odd labels in comments."""

from __future__ import annotations

from collections.abc import Sequence

from labeler.media.containers import gif
from labeler.media.containers.splice import Edit, splice
from labeler.metadata import aigc
from labeler.metadata.carriers.base import MAX_PACKETS, Slots, Text, decode, is_label, whole_label

__all__ = ["read", "write"]


def read(data: bytes) -> Slots:
    """The slots of a GIF file.

    Raises:
        DamagedMedia: if its blocks cannot be walked.
    """
    packets: list[bytes] = []
    texts: list[Text] = []
    for block in gif.walk(data).blocks:
        if (packet := gif.xmp_packet(data, block)) is not None:
            packets.append(packet)
        elif (text := _odd(data, block)) is not None:
            texts.append(text)
    return Slots(packets=tuple(packets[:MAX_PACKETS]), texts=tuple(texts))


def write(data: bytes, packets: Sequence[bytes]) -> tuple[bytes, tuple[str, ...]]:
    """The file with its XMP packets replaced (or a first one put in) and odd labels taken out.

    The version becomes 89a, which extensions need; a loop extension stays in front of ours, because some
    readers look for it there only.

    Args:
        data: a GIF file; colour tables, image data and timing are not touched.
        packets: as many as ``read`` gave, or one if there were none.

    Returns:
        The new file, and the places whose label could not be taken out without harm to other data.

    Raises:
        DamagedMedia: if the blocks cannot be walked.
    """
    layout = gif.walk(data)
    edits: list[Edit] = [] if data[:6] == b"GIF89a" else [Edit(0, 6, b"GIF89a")]
    left: list[str] = []
    queue = iter(packets)
    had_packet = False
    slot = layout.first
    for block in layout.blocks:
        old = gif.xmp_packet(data, block)
        if old is not None:
            had_packet = True
            packet = next(queue, old)
            if packet != old:
                edits.append(Edit(block.start, block.end, gif.encode_xmp(packet.strip(b"\0"))))
        elif (text := _odd(data, block)) is not None and is_label(text.text):
            if whole_label(text.text):
                edits.append(Edit(block.start, block.end, b""))
            else:
                left.append(text.place)
        if block.start == slot and any(gif.is_application(data, block, name) for name in gif.LOOPS):
            slot = block.end
    if not had_packet:
        edits.append(Edit(slot, slot, gif.encode_xmp(packets[0])))
    return splice(data, edits), tuple(left)


def _odd(data: bytes, block: gif.Block) -> Text | None:
    if block.kind != gif.COMMENT or block.end - block.start > aigc.MAX_LABEL:
        return None
    text = gif.sub_blocks(data, block)
    return Text("gif-comment", decode(text)) if b"AIGC" in text or b"ContentProducer" in text else None
