"""The 64 bits of the watermark, as contract.md lays them out."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeler.core.payload import Payload
from labeler.types import AI_SOURCE_TYPES, Label

payloads = st.builds(
    Payload,
    value=st.integers(0, 3),
    kind=st.integers(0, 3),
    mark_id=st.binary(min_size=7, max_size=7).map(bytes.hex),
    version=st.integers(0, 15),
)
settings.register_profile("seeded", derandomize=True, deadline=None)
settings.load_profile("seeded")


@given(payloads)
def test_a_payload_comes_back_from_bytes_and_hex(payload: Payload) -> None:
    assert Payload.from_bytes(bytes(payload)) == payload
    assert Payload.from_hex(payload.hex) == payload
    assert len(bytes(payload)) == 8 and len(payload.hex) == 16


@given(st.binary(min_size=8, max_size=8))
def test_every_64_bits_are_a_payload(data: bytes) -> None:
    assert bytes(Payload.from_bytes(data)) == data


@given(payloads)
def test_the_fields_stand_where_the_contract_puts_them(payload: Payload) -> None:
    number = int.from_bytes(bytes(payload), "big")
    assert number >> 60 == payload.version
    assert number >> 58 & 3 == payload.value
    assert number >> 56 & 3 == payload.kind
    assert number & (1 << 56) - 1 == int(payload.mark_id, 16)


@given(
    st.text(min_size=1), st.text(min_size=1), st.sampled_from("123"), st.sampled_from(sorted(AI_SOURCE_TYPES))
)
def test_the_payload_of_a_label_names_its_content(
    producer: str, produce_id: str, value: str, source_type: str
) -> None:
    label = Label(value=value, producer=producer, produce_id=produce_id, source_type=source_type)
    payload = Payload.of(label)
    text = b"labeler/mark/1\n" + producer.encode() + b"\n" + produce_id.encode()
    assert payload.mark_id == hashlib.sha256(text).digest()[:7].hex() == label.mark_id
    assert payload.version == 1 and payload.value == int(value)
    edited = source_type in ("compositeWithTrainedAlgorithmicMedia", "algorithmicallyEnhanced")
    assert payload.kind == int(edited)


@pytest.mark.parametrize("length", [0, 7, 9])
def test_another_number_of_bytes_is_no_payload(length: int) -> None:
    with pytest.raises(ValueError, match="8 bytes"):
        Payload.from_bytes(bytes(length))


@pytest.mark.parametrize(
    "fields",
    [
        {"value": 4},
        {"value": -1},
        {"kind": 4},
        {"version": 16},
        {"version": -1},
        {"mark_id": "00"},
        {"mark_id": "zz" * 7},
        {"mark_id": "00" * 8},
    ],
)
def test_a_field_that_does_not_fit_its_bits_is_refused_at_once(fields: dict[str, object]) -> None:
    whole = {"value": 1, "kind": 0, "mark_id": "00" * 7} | fields
    with pytest.raises(ValueError, match=r"payload|mark_id"):
        Payload(**whole)
