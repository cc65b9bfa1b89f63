"""The lab's foreign server: coturn answers over UDP and TCP, through NATs that allow it."""

import os
import socket
import struct

from netlab import services
from suite import Skipped, check, expect_equal

SITES = ["masq=masquerade", "noudp=masquerade,udp=blocked"]

_BINDING_REQUEST, _BINDING_SUCCESS, _COOKIE = 0x0001, 0x0101, 0x2112A442
_coturn = {}


def started(lab):
    if lab not in _coturn:
        try:
            _coturn[lab] = services.Coturn(lab)
        except FileNotFoundError as reason:
            raise Skipped(str(reason)) from None


def binding(sock):
    """The type of the answer to a Binding request (RFC 8489)."""
    transaction = os.urandom(12)
    sock.sendall(struct.pack("!HHI", _BINDING_REQUEST, 0, _COOKIE) + transaction)
    answer = sock.recv(2000)
    kind, _, cookie = struct.unpack("!HHI", answer[:8])
    expect_equal((cookie, answer[8:20]), (_COOKIE, transaction), "cookie and transaction")
    return kind


@check("coturn answers over UDP")
def _(lab):
    started(lab)
    with lab.udp_socket("masq") as sock:
        sock.connect((services.STUN.address, 3478))
        expect_equal(binding(sock), _BINDING_SUCCESS, "answer")


@check("coturn answers over TCP where UDP is blocked")
def _(lab):
    started(lab)
    with lab.inside("noudp", lambda: socket.socket()) as sock:
        sock.settimeout(3)
        sock.connect((services.STUN.address, 3478))
        expect_equal(binding(sock), _BINDING_SUCCESS, "answer")
