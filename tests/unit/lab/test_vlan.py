"""Tags of a VLAN, set and taken."""

from __future__ import annotations

from lab.vlan import AUXDATA, PACKET_AUXDATA, SOL_PACKET, VLAN_VALID, tagged, untagged

FRAME = bytes(range(12)) + b"\x08\x00" + b"content"


def aside(tag: int, status: int = VLAN_VALID) -> list[tuple[int, int, bytes]]:
    """What a kernel says that has taken the tag out of the frame."""
    return [(SOL_PACKET, PACKET_AUXDATA, AUXDATA.pack(status, 0, 0, 0, 0, tag, 0x8100))]


def test_a_tag_that_is_set_is_taken():
    assert untagged(tagged(FRAME, 100), [], 100) == FRAME


def test_another_vlan_is_left_alone():
    assert untagged(tagged(FRAME, 101), [], 100) is None
    assert untagged(FRAME, [], 100) is None


def test_a_tag_that_the_kernel_set_aside():
    assert untagged(FRAME, aside(0x2000 | 100), 100) == FRAME
    assert untagged(FRAME, aside(101), 100) is None
    assert untagged(tagged(FRAME, 100), aside(0, status=0), 100) == FRAME
