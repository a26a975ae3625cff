"""XMP packets: read in every spelling, changed where they stand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metadata_pictures import FOREIGN_XMP, LABEL

from labeler.errors import DamagedMedia
from labeler.metadata import aigc, iptc, xmltree, xmp

LABEL_JSON = aigc.serialise(aigc.fields_of(LABEL))
OURS = [xmp.Change(aigc.NAMESPACE, "AIGC", LABEL_JSON, "element"), *iptc.changes(LABEL, create_date=True)]
EVENT = iptc.event(LABEL)
RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
TC = f'xmlns:TC260="{aigc.NAMESPACE}"'


def packet(body: str, *, attributes: str = "") -> bytes:
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {RDF}><rdf:Description rdf:about="" {TC}{attributes}>'
        f"{body}</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def merge(data: bytes) -> bytes:
    return xmp.merge(data, OURS, event=EVENT)


def labels(data: bytes) -> list[xmp.Property]:
    return [p for p in xmp.Packet.read(data).properties if p.local == "AIGC"]


def test_foreign_packet_byte_for_byte() -> None:
    out = merge(FOREIGN_XMP)
    at = FOREIGN_XMP.index(b"\n    </rdf:Seq>")
    first = out.index(b"<rdf:li>Ann Example")
    assert out[:first] == FOREIGN_XMP[:at]
    end = FOREIGN_XMP.index(b"\n </rdf:RDF>")
    middle = FOREIGN_XMP[at:end]
    assert middle in out and out.endswith(FOREIGN_XMP[end:])
    assert merge(out) == out
    fields = iptc.read([xmp.Packet.read(out)])
    assert fields.author == "First Author; Ann Example; 李雷" and fields.rights == LABEL.rights
    assert fields.generator == LABEL.generator and fields.created == LABEL.created
    assert b'rdf:about="uuid:1234"' in out[out.index(b"TC260") - 200 : out.index(b"TC260")]


@pytest.mark.parametrize(
    "data",
    [
        packet(f"<TC260:AIGC>{LABEL_JSON}</TC260:AIGC>"),
        packet("", attributes=f" TC260:AIGC='{LABEL_JSON}'"),
        packet(f"<TC260:AIGC>{xmltree.escape_attribute(LABEL_JSON)}</TC260:AIGC>"),
        packet(f"<TC260:AIGC><![CDATA[{LABEL_JSON}]]></TC260:AIGC>"),
        packet(f"<a:AIGC xmlns:a='{aigc.NAMESPACE}'>{LABEL_JSON}</a:AIGC>"),
        packet(f"<TC260:AIGC rdf:parseType='Resource'><rdf:value>{LABEL_JSON}</rdf:value></TC260:AIGC>"),
        packet(f"<TC260:AIGC><rdf:Bag><rdf:li>{LABEL_JSON}</rdf:li></rdf:Bag></TC260:AIGC>"),
        packet(f"<unbound:AIGC>{LABEL_JSON}</unbound:AIGC>"),
        packet(f"<a:AIGC xmlns:a='http://www.tc260.org.cn/ns/AIGC/1.0'>{LABEL_JSON}</a:AIGC>"),
        packet(f"<TC260:AIGC>{LABEL_JSON}</TC260:AIGC>").decode().encode("utf-16"),
        b"\xef\xbb\xbf" + packet(f"<TC260:AIGC>{LABEL_JSON}</TC260:AIGC>") + b"\0\0\0 \n",
        f"<r:RDF {RDF.replace('xmlns:rdf', 'xmlns:r')}><r:Description><T:AIGC xmlns:T='{aigc.NAMESPACE}'>"
        f"{LABEL_JSON}</T:AIGC></r:Description></r:RDF>".encode(),
    ],
)
def test_spellings_are_read_and_become_one_element(data: bytes) -> None:
    found = labels(data)
    assert len(found) == 1 and aigc.parse_label(found[0].text) is not None
    out = merge(data)
    (only,) = labels(out)
    assert (
        only.element and not only.structured and only.text == LABEL_JSON and only.namespace == aigc.NAMESPACE
    )
    assert merge(out) == out


def test_structure_form_is_read() -> None:
    data = packet(
        "<TC260:AIGC rdf:parseType='Resource'><TC260:Label>1</TC260:Label>"
        "<TC260:ContentProducer>a</TC260:ContentProducer><TC260:ProduceID>b</TC260:ProduceID></TC260:AIGC>"
    )
    assert labels(data)[0].fields == {"Label": "1", "ContentProducer": "a", "ProduceID": "b"}


def test_two_labels_become_one() -> None:
    data = packet(
        f"<TC260:AIGC>{LABEL_JSON}</TC260:AIGC> <TC260:AIGC>x</TC260:AIGC>", attributes=" TC260:AIGC='y'"
    )
    assert len(labels(data)) == 3
    out = merge(data)
    assert [p.text for p in labels(out)] == [LABEL_JSON] and merge(out) == out


def test_existing_simple_properties() -> None:
    space = f' xmlns:Iptc4xmpExt="{xmp.IPTC_EXT}" xmlns:dc="{xmp.DC}" xmlns:xmp="{xmp.XMP}"'
    data = packet(
        "<dc:creator>Plain Author</dc:creator><dc:rights><rdf:Alt><rdf:li xml:lang='x-default'>theirs</rdf:li>"
        "</rdf:Alt></dc:rights><xmp:CreateDate>2001-02-03</xmp:CreateDate>",
        attributes=space
        + " Iptc4xmpExt:DigitalSourceType = 'http://x/digitalCapture'\n Iptc4xmpExt:AISystemUsed=''",
    )
    out = merge(data)
    fields = iptc.read([xmp.Packet.read(out)])
    assert fields.source_type == LABEL.source_type and fields.rights == "theirs"
    assert fields.author.startswith("Plain Author; Ann Example") and fields.raw["CreateDate"] == "2001-02-03"
    assert b"Iptc4xmpExt:DigitalSourceType = 'http://cv.iptc.org" in out, "changed inside its quotes"
    assert merge(out) == out


def test_history_is_added_to_and_updated() -> None:
    history = (
        f'<m:History xmlns:m="{xmp.XMP_MM}"><rdf:Seq><rdf:li xmlns:e="{xmp.ST_EVT}" e:action="saved" e:when="2020"/>'
        "</rdf:Seq></m:History>"
    )
    out = merge(packet(history))
    assert out.count(b"stEvt:action") == 1 and b'e:action="saved"' in out
    later = xmp.merge(out, [], event=xmp.Event("edited", "2027", ""))
    found = [f for _, f in xmp.Packet.read(later).events()]
    assert [f["action"] for f in found] == ["saved", "edited"] and found[1]["when"] == "2027"


def test_empty_rdf_and_missing_rdf() -> None:
    out = merge(f"<rdf:RDF {RDF}/>".encode())
    assert labels(out)[0].text == LABEL_JSON and merge(out) == out
    with pytest.raises(DamagedMedia, match="rdf:RDF"):
        merge(b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")


@pytest.mark.parametrize(
    "data",
    [
        b"<a",
        b"<a></b>",
        b"no xml",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
        b"<a>" * 300 + b"</a>" * 300,
        b"<a " + b" ".join(b'b%d=""' % i for i in range(3_000)) + b"/>",
        b"<a>\xff</a>",
        b"<a>&undefined;</a>",
    ],
)
def test_refused(data: bytes) -> None:
    with pytest.raises(xmltree.XmlError):
        xmltree.parse(data)
    with pytest.raises(DamagedMedia):
        merge(data)


def test_offsets() -> None:
    data = "<é:a xmlns:é='n'  é:b = 'c>d' >t<e/><f ></f >&amp;</é:a>".encode()
    root = xmltree.parse(b" \n" + data)
    assert (root.start, root.end, root.text) == (2, len(data) + 2, "t&")
    assert root.attributes[1].namespace == "n" and root.attributes[1].value == "c>d"
    first, second = root.children
    assert (b" \n" + data)[first.start : first.end] == b"<e/>"
    assert (b" \n" + data)[second.start : second.end] == b"<f ></f >"


def test_shrink() -> None:
    padded = FOREIGN_XMP.replace(b"<?xpacket end", b" " * 5000 + b"<?xpacket end")
    small = xmp.shrink(padded, len(FOREIGN_XMP))
    assert len(small) <= len(FOREIGN_XMP)
    assert xmp.Packet.read(small).text("http://ns.adobe.com/photoshop/1.0/", "City") == "Zürich"
    assert xmp.shrink(FOREIGN_XMP, 1 << 20) == FOREIGN_XMP


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.data())
def test_mutated_packets(data: st.DataObject) -> None:
    body = bytearray(
        data.draw(st.sampled_from([merge(FOREIGN_XMP), packet("", attributes=f" TC260:AIGC='{LABEL_JSON}'")]))
    )
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        kind = data.draw(st.sampled_from("rdi"))
        if kind == "r":
            body[at] = data.draw(st.sampled_from(b"<>/\"' =&\0\xffa:"))
        elif kind == "d":
            del body[at : at + data.draw(st.integers(1, 40))]
        else:
            body[at:at] = data.draw(
                st.sampled_from([b"<a>", b"</a>", b"<!--", b"&#0;", b"<rdf:RDF>", b" x='y'"])
            )
    try:
        out = merge(bytes(body))
    except DamagedMedia:
        return
    assert merge(out) == out
    assert [p.text for p in labels(out) if p.namespace == aigc.NAMESPACE] == [LABEL_JSON]
