"""A VLAN on a network card, in userspace: kernels of small machines have none (`python vlan.py CARD VLAN NAME`).

Makes a tap device NAME, and carries frames between it, without a tag, and CARD, with one, until it is ended.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import sys

TAG = 0x8100
ADDRESSES = 12
"""Bytes of the two hardware addresses; the tag stands behind them."""
TAG_LENGTH = 4
VLAN_MASK = 0x0FFF

# linux/if_tun.h, linux/if_packet.h
TUNSETIFF = 0x400454CA
TAP_WITHOUT_HEAD = 0x0002 | 0x1000
SOL_PACKET = 263
PACKET_AUXDATA = 8
AUXDATA = struct.Struct("IIIHHHH")
VLAN_VALID = 0x10
OUTGOING = 4
EVERY_PROTOCOL = 3
FRAME = 65536


def untagged(frame: bytes, ancillary: list[tuple[int, int, bytes]], vlan: int) -> bytes | None:
    """The frame without the VLAN's tag, None if it is of another; a kernel may have set the tag aside."""
    for level, kind, data in ancillary:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, *_, tag, _ = AUXDATA.unpack(data[: AUXDATA.size])
            if status & VLAN_VALID:
                return frame if tag & VLAN_MASK == vlan else None
    kind, tag = struct.unpack_from("!HH", frame, ADDRESSES)
    if kind != TAG or tag & VLAN_MASK != vlan:
        return None
    return frame[:ADDRESSES] + frame[ADDRESSES + TAG_LENGTH :]


def tagged(frame: bytes, vlan: int) -> bytes:
    """The frame with the VLAN's tag."""
    return frame[:ADDRESSES] + struct.pack("!HH", TAG, vlan) + frame[ADDRESSES:]


def carry(device: str, vlan: int, name: str) -> None:
    """Carries frames, without end."""
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), TAP_WITHOUT_HEAD))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERY_PROTOCOL)) as card:
        card.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        card.bind((device, EVERY_PROTOCOL))
        both: list[int | socket.socket] = [tap, card]
        while True:
            for ready in select.select(both, [], [])[0]:
                if ready is card:
                    frame, ancillary, _, address = card.recvmsg(FRAME, socket.CMSG_SPACE(AUXDATA.size))
                    if address[2] != OUTGOING and (bare := untagged(frame, ancillary, vlan)) is not None:
                        _write(tap, bare)
                else:
                    card.send(tagged(os.read(tap, FRAME), vlan))


def _write(tap: int, frame: bytes) -> None:
    try:
        os.write(tap, frame)
    except OSError:  # the device is not up, and takes nothing
        return


if __name__ == "__main__":
    carry(sys.argv[1], int(sys.argv[2]), sys.argv[3])
