"""What a person is told about a session that is not there."""

import errno
import os
import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.exabgp.refusal import (
    Story,
    Wanted,
    closed,
    explains,
    failed,
    received,
    sent,
    silent,
    vanished,
)
from bgpd.model.peer import PeerState
from bgpd.model.prefix import Address, Family

WANTED = Wanted(
    address=Address("10.9.0.2"),
    local_address=Address("10.9.0.1"),
    local_asn=65000,
    peer_asn=65530,
    router_id=Address("10.9.0.1"),
)
SIX = Wanted(
    address=Address("fd09::2"),
    local_address=Address("fd09::1"),
    local_asn=65000,
    peer_asn=65530,
    router_id=Address("10.9.0.1"),
    port=1790,
    families=(Family.IPV4, Family.IPV6),
    password=True,
    ttl_security=255,
)


def said(text: str) -> bytes:
    """Return a shutdown communication (RFC 9003, section 2)."""
    return bytes([len(text.encode())]) + text.encode()


@pytest.mark.parametrize(
    ("code", "subcode", "data", "parts"),
    [
        pytest.param(1, 2, b"\0\1", ["could not read"], id="a header that is none"),
        pytest.param(2, 0, b"", ["does not accept our OPEN"], id="an OPEN, unspecific"),
        pytest.param(2, 1, b"\0\4", ["BGP-4"], id="another version"),
        pytest.param(
            2, 2, struct.pack("!I", 65000), ["another ASN of us than 65000", "myASN"], id="our ASN"
        ),
        pytest.param(2, 3, b"", ["identifier 10.9.0.1", "routerID"], id="our BGP identifier"),
        pytest.param(2, 5, b"", ["compare the BGPPeer"], id="authentication, long deprecated"),
        pytest.param(2, 6, b"", ["hold time of 90 s", "holdTime"], id="our hold time"),
        pytest.param(
            2,
            7,
            bytes((1, 4, 0, 2, 0, 1, 64, 2, 0, 9)),
            ["IPv6 unicast, graceful restart", "we offer IPv4 unicast", "families"],
            id="capabilities, named",
        ),
        pytest.param(2, 7, b"", ["lacks: we offer"], id="capabilities, not named"),
        pytest.param(2, 7, b"\x01\x04\x00", ["lacks: we offer"], id="capabilities, cut off"),
        pytest.param(2, 7, bytes((200, 0)), ["capability 200"], id="a capability of tomorrow"),
        pytest.param(2, 11, b"", ["BGP role"], id="a role"),
        pytest.param(3, 8, b"", ["route of ours", "Invalid NEXT_HOP"], id="a route"),
        pytest.param(4, 0, b"", ["heard nothing from us", "MTU"], id="hold timer"),
        pytest.param(5, 3, b"", ["did not expect"], id="its state machine"),
        pytest.param(
            6,
            1,
            struct.pack("!HBI", 1, 1, 10),
            ["at most 10 prefixes of IPv4 unicast", "maxPrefixes of the BGPPeer to 10"],
            id="prefix limit, with its number",
        ),
        pytest.param(6, 1, b"", ["fewer prefixes", "maxPrefixes"], id="prefix limit, without"),
        pytest.param(
            6,
            2,
            said("Wartung läuft\nbis 12"),
            ["operator shut the session down", '"Wartung läuft bis 12"', "enable"],
            id="shut down, with words",
        ),
        pytest.param(6, 2, b"", ["operator shut the session down; it"], id="shut down, silently"),
        pytest.param(6, 2, said("x" * 255), ["x" * 255], id="as many words as RFC 9003 allows"),
        pytest.param(6, 2, b"\xffabc\xfe", ["abc"], id="words that are none"),
        pytest.param(6, 3, b"", ["removed this session"], id="de-configured"),
        pytest.param(6, 4, said("new policy"), ["reset", "new policy"], id="reset, with words"),
        pytest.param(6, 5, b"", ["connections from 10.9.0.1", "neighbor"], id="rejected"),
        pytest.param(6, 6, b"", ["configuration changed"], id="another configuration"),
        pytest.param(6, 7, b"", ["another connection"], id="collision"),
        pytest.param(6, 8, b"", ["out of resources"], id="out of resources"),
        pytest.param(
            6,
            9,
            bytes((6, 2)) + said("bye"),
            ["shut the session down", "bye", "as a hard reset"],
            id="hard reset: the reason is inside",
        ),
        pytest.param(6, 9, b"", ["ended the session"], id="hard reset without a reason"),
        pytest.param(6, 9, bytes((6, 9)) * 2000, ["ended the session"], id="hard resets for ever"),
        pytest.param(6, 10, b"", ["BFD"], id="BFD"),
        pytest.param(6, 77, b"", ["the router ended the session"], id="a Cease of tomorrow"),
        pytest.param(7, 1, b"", ["ROUTE-REFRESH"], id="route refresh"),
        pytest.param(8, 0, b"", ["took nothing", "Send Hold Timer"], id="send hold timer"),
        pytest.param(99, 3, b"\0", ["does not know", "unknown"], id="a code of tomorrow"),
    ],
)
def test_a_notification_is_a_sentence(
    code: int, subcode: int, data: bytes, parts: list[str]
) -> None:
    """It says what to do, and keeps the numbers for whoever looks them up."""
    sentence = received(code, subcode, data, WANTED)
    assert all(part in sentence for part in parts), sentence
    numbers = re.findall(r"NOTIFICATION (\d+)/(\d+)", sentence)
    inside = (code, subcode) == (6, 9) and data[:2] == bytes((6, 2))
    assert numbers == [("6", "2") if inside else (str(code), str(subcode))]


@pytest.mark.parametrize(
    ("code", "subcode", "text", "part"),
    [
        pytest.param(
            2,
            2,
            "ASN in OPEN (65531) did not match ASN expected (65530)",
            "the router is AS 65531, not AS 65530: correct peerASN",
            id="another router than expected",
        ),
        pytest.param(2, 2, "", "do not accept the router's OPEN", id="no ASN in ExaBGP's words"),
        pytest.param(2, 3, "0.0.0.0", "not valid beside ours, 10.9.0.1", id="its identifier"),
        pytest.param(2, 6, "", "0, and 3 s or more", id="its hold time"),
        pytest.param(1, 1, "waited for open too long, we", "then says nothing", id="no OPEN"),
        pytest.param(4, 0, "", "heard nothing from the router", id="hold timer"),
        pytest.param(4, 0, "", "NOTIFICATION 4/0", id="with its numbers"),
        pytest.param(6, 6, "", "its configuration changed", id="our configuration"),
        pytest.param(6, 10, "", "BFD with the router is down", id="our BFD"),
        pytest.param(6, 42, "", "we ended the session", id="another Cease"),
        pytest.param(200, 1, "", "does not know", id="a code that nobody has"),
    ],
)
def test_what_we_say_is_explained_too(code: int, subcode: int, text: str, part: str) -> None:
    """A session that we end is as much of a riddle to a person."""
    assert part in sent(code, subcode, text, WANTED)


@pytest.mark.parametrize(
    ("number", "part"),
    [
        pytest.param(errno.ECONNREFUSED, "10.9.0.2:179 refuses connections", id="refused"),
        pytest.param(errno.EHOSTUNREACH, "nobody on the link answers", id="no neighbor"),
        pytest.param(errno.ENETUNREACH, "set gateway of the BGPPeer", id="no route"),
        pytest.param(errno.EADDRNOTAVAIL, "10.9.0.1 is no address of this host", id="our address"),
        pytest.param(errno.EACCES, "own firewall", id="forbidden"),
        pytest.param(errno.EPERM, "own firewall", id="not permitted"),
        pytest.param(errno.ECONNRESET, "closes them at once", id="reset while connecting"),
        pytest.param(errno.EIO, "10.9.0.2:179: input/output error", id="anything else"),
    ],
)
def test_an_attempt_that_failed_says_what_to_do(number: int, part: str) -> None:
    """The kernel's error alone sends people to the wrong end."""
    assert part in failed(number, os.strerror(number), WANTED)


def test_silence_names_what_it_can_mean_here() -> None:
    """A wrong password looks like a dead router, so a person must hear of both."""
    assert "it wants a TCP MD5 password" in silent(WANTED)
    assert "TTL" not in silent(WANTED)
    both = silent(SIX)
    assert both.startswith("[fd09::2]:1790 does not answer fd09::1: the router is down")
    assert "password is missing or differs" in both
    assert "TTL security" in both


def test_a_connection_that_is_closed_says_when() -> None:
    """Before OPEN it is a neighbor that the router does not have; later it is its end."""
    assert "has no such neighbor" in closed(PeerState.OPEN_SENT, WANTED)
    assert "after our OPEN" in closed(PeerState.OPEN_CONFIRM, WANTED)
    assert "crashed or was restarted" in closed(PeerState.ESTABLISHED, WANTED)
    assert "acknowledged nothing" in vanished(WANTED)


def test_a_reason_outlives_what_only_follows_from_it() -> None:
    """A router over its limit says so once, and closes later connections without a word."""
    story = Story()
    story.hindered("it is not there")
    assert story.text == "it is not there"
    story.ended("too many prefixes")
    assert story.text == "too many prefixes"
    story.hindered("it closes")
    story.hindered("it refuses")
    assert story.text == "too many prefixes; since then it refuses"
    story.ended("too many prefixes")
    assert story.text == "too many prefixes; since then it refuses", "the same: nothing is new"
    story.hindered("it closes, because of this or that", "it closes")
    assert story.text == "too many prefixes; since then it closes"
    story.ended("another ASN")
    assert story.text == "another ASN"
    story.well()
    story.hindered("it is not there")
    assert story.text == "it is not there"


def test_a_router_that_is_only_busy_explains_nothing() -> None:
    """Connection Rejected and collisions follow from what was before."""
    assert not explains(6, 5)
    assert not explains(6, 7)
    assert explains(6, 1)


@given(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=300))
def test_any_notification_is_one_printable_line(code: int, subcode: int, data: bytes) -> None:
    """Whatever a router sends, it breaks no log and no table."""
    sentence = received(code, subcode, data, SIX)
    assert sentence.isprintable()
    assert sentence
    assert sent(code, subcode, data.decode("latin-1"), SIX).isprintable()
