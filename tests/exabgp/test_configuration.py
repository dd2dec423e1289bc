"""The rendered configuration: ExaBGP's own parser reads from it what the peers say."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from exabgp.configuration.configuration import Configuration
from exabgp.util.psk import decode_base64
from hypothesis import given
from hypothesis import strategies as st

from bgpd.exabgp.configuration import blame, render
from bgpd.exabgp.mends import Mend
from bgpd.exabgp.reactor import SpeakerReactor
from bgpd.model.errors import ConfigError
from bgpd.model.peer import Asn, Peer, PeerName
from bgpd.model.prefix import Address, Family
from tests.exabgp.link import NODE_V6, ROUTER_V4, ROUTER_V6, peer
from tests.exabgp.strategies import v4, v6

passwords = st.none() | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20
).filter(lambda text: len(text.encode()) <= 80)


@st.composite
def peers(draw: st.DrawFn) -> Peer:
    """Return any valid peer."""
    ips = draw(st.sampled_from([v4, v6])).filter(_ordinary)
    local, remote = draw(st.lists(ips, min_size=2, max_size=2, unique=True))
    return Peer(
        name=PeerName("p"),
        address=remote,
        local_address=local,
        router_id=draw(v4.filter(_ordinary)),
        peer_asn=Asn(draw(st.integers(1, 2**32 - 1))),
        local_asn=Asn(draw(st.integers(1, 2**32 - 1))),
        port=draw(st.integers(1, 65535)),
        hold_time=draw(st.just(0) | st.integers(3, 65535)),
        families=draw(
            st.sampled_from([(Family.IPV4,), (Family.IPV6,), (Family.IPV6, Family.IPV4)])
        ),
        password=draw(passwords),
        ttl=draw(st.none() | st.integers(1, 255)),
        ttl_security=draw(st.none() | st.integers(1, 255)),
        graceful_restart=draw(st.none() | st.integers(1, 4095)),
    )


@given(st.lists(peers(), max_size=3, unique_by=lambda item: item.address))
def test_exabgp_reads_what_we_mean(wanted: list[Peer]) -> None:
    """Every field of every peer arrives, the MD5 key byte by byte."""
    found = parse(render(wanted, reflex="/bin/true"))
    assert {str(neighbor["peer-address"]) for neighbor in found} == {p.address for p in wanted}
    by_address = {str(neighbor["peer-address"]): neighbor for neighbor in found}
    for item in wanted:
        neighbor = by_address[item.address]
        assert str(neighbor["local-address"]) == item.local_address
        assert str(neighbor["router-id"]) == item.router_id
        assert int(neighbor["peer-as"]) == item.peer_asn
        assert int(neighbor["local-as"]) == item.local_asn
        assert int(neighbor["hold-time"]) == item.hold_time
        assert neighbor["connect"] == item.port
        assert neighbor["outgoing-ttl"] == item.ttl
        assert neighbor["incoming-ttl"] == item.ttl_security
        assert (neighbor["capability"]["graceful-restart"] or None) == item.graceful_restart
        assert neighbor["manual-eor"] is (item.graceful_restart is not None)
        assert neighbor["adj-rib-out"]
        assert not neighbor["adj-rib-in"]
        assert not neighbor["passive"]
        assert not neighbor["listen"]
        assert key(neighbor) == (item.password.encode() if item.password else None)


@pytest.mark.parametrize(
    ("wanted", "families", "nexthops"),
    [
        pytest.param(peer(), ["ipv4"], [], id="IPv4 alone"),
        pytest.param(
            peer(families=(Family.IPV6, Family.IPV4)), ["ipv4", "ipv6"], [], id="both over IPv4"
        ),
        pytest.param(
            peer(ROUTER_V6),
            ["ipv4", "ipv6"],
            [("ipv4", "unicast", "ipv6")],
            id="IPv4 over IPv6: RFC 8950, for which ExaBGP wants both families",
        ),
        pytest.param(peer(ROUTER_V6, families=(Family.IPV6,)), ["ipv6"], [], id="IPv6 over IPv6"),
    ],
)
def test_families_and_next_hops(
    wanted: Peer, families: list[str], nexthops: list[tuple[str, str, str]]
) -> None:
    """What the session negotiates."""
    (neighbor,) = parse(render([wanted], reflex="/bin/true"))
    assert [afi.name() for afi, _ in neighbor.families()] == families
    assert [tuple(part.name() for part in hop) for hop in neighbor.nexthops()] == nexthops


def test_no_peers_is_a_configuration() -> None:
    """ExaBGP accepts a file with a process and nobody to speak with."""
    assert parse(render([], reflex="/bin/true -x --path /tmp/a.b_c=d")) == []


def test_two_peers_with_one_address_are_named() -> None:
    """Sessions are keyed by address."""
    with pytest.raises(ConfigError, match=r"tor-a and tor-b .*10\.9\.0\.2"):
        render([peer(name="tor-a"), peer(name="tor-b")], reflex="/bin/true")


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        pytest.param({"ttl": 256}, "ttl: 256: must be between 1 and 255", id="TTL"),
        pytest.param({"ttl_security": 0}, "ttlSecurity: 0", id="TTL security"),
        pytest.param({"graceful_restart": 4096}, "gracefulRestart: 4096", id="restart time"),
        pytest.param({"families": ()}, "families", id="no family"),
        pytest.param({"password": "x" * 81}, "password: 81 bytes", id="a key too long"),
        pytest.param({"password": ""}, "password: 0 bytes", id="an empty key"),
        pytest.param({"router_id": Address("::1")}, "routerID: ::1", id="an IPv6 router ID"),
        pytest.param({"local_address": NODE_V6}, "sourceAddress: fd09::1", id="mixed families"),
    ],
)
def test_a_peer_that_exabgp_would_refuse_is_named(bad: dict[str, Any], words: str) -> None:
    """One bad peer must not cost the others: it never gets into the file."""
    with pytest.raises(ConfigError) as caught:
        render([replace(peer(name="tor-a"), **bad)], reflex="/bin/true")
    assert str(caught.value).startswith("BGPPeer tor-a: ")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "option",
    [
        "--metrics-address=127.0.0.1:7180,[192.0.2.7]:7180",
        "--metrics-address=[2001:db8::7]:7180",
        "--run-dir=/run/two words",
        "--node=é{};'",
    ],
)
def test_no_option_of_the_reflex_costs_a_session(option: str) -> None:
    """The launcher starts the reflex by its own option; the file only has to load."""
    (neighbor,) = parse(render([peer(ROUTER_V4)], reflex=shlex.join(["/bin/true", option])))
    assert str(neighbor["peer-address"]) == ROUTER_V4


@pytest.mark.parametrize("command", ['/bin/sh -c "a b"', "/bin/x 'a;b'", "/bin/x {}", "/bin/x é"])
def test_a_command_that_exabgp_cannot_read_is_refused(command: str) -> None:
    """Its tokeniser has no quoting that holds."""
    with pytest.raises(ConfigError):
        render([peer(ROUTER_V4)], reflex=command)


def parse(text: str) -> list[Any]:
    """Return ExaBGP's neighbors from *text*."""
    configuration = Configuration([text], text=True)
    assert configuration.reload() is True, configuration.error
    found = list(configuration.neighbors.values())
    for neighbor in found:
        neighbor.rib.uncache()
    return found


def key(neighbor: Any) -> bytes | None:
    """Return the MD5 key that ExaBGP would hand to the kernel."""
    if neighbor["md5-password"] is None:
        return None
    assert neighbor["md5-base64"] is True
    decoded: bytes = decode_base64(neighbor["md5-password"])
    return decoded


def _ordinary(address: str) -> bool:
    return address not in {"0.0.0.0", "::"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("    md5-password c2VjcmV0;", "line 2: md5-password", id="a key's own line"),
        pytest.param("    md5-pasword c2VjcmV0;", "line 2: an unknown word", id="a misspelt word"),
        pytest.param("    c2VjcmV0;", "line 2: an unknown word", id="a key alone"),
        pytest.param("c2VjcmV0", "line 2: an unknown word", id="a key without its semicolon"),
        pytest.param("    };", "line 2: the end of a section", id="a brace"),
        pytest.param("", "line 2", id="an empty line"),
        pytest.param("    family{", "line 2: family", id="a brace that touches its word"),
    ],
)
def test_a_refused_line_is_named_without_its_value(line: str, expected: str) -> None:
    """Number and keyword; a word that is none of ours may be a key."""
    assert blame(f"neighbor 192.0.2.1 {{\n{line}\n}}\n", 2) == expected


def test_every_word_that_we_write_may_be_shown() -> None:
    """Whatever line of ours ExaBGP refuses, its keyword is named."""
    six = replace(
        peer(ROUTER_V6, password="key", graceful_restart=120),  # noqa: S106
        ttl=3,
        families=(Family.IPV4, Family.IPV6),
    )
    text = render([six, replace(peer(), ttl_security=255)], reflex="/bin/true")
    for number, line in enumerate(text.splitlines(), 1):
        word = line.replace("}", "").replace(";", "").split()[:1]
        assert "unknown" not in blame(text, number)
        assert not word or word[0] in blame(text, number)


def test_a_reader_that_is_ahead_is_followed_back() -> None:
    """The statement that was refused is found above; one that is nowhere changes nothing."""
    text = "neighbor 192.0.2.1 {\n    hold-time ninety;\n\n    passive false;\n}\n"
    assert blame(text, 4, "hold-timeninety;") == "line 2: hold-time"
    assert blame(text, 4, "nowhere") == "line 4: passive"


def test_a_line_that_is_not_there_is_nobody_s_fault() -> None:
    """ExaBGP finds some faults only when it has read all."""
    assert blame("neighbor {", 0) == "its parts contradict each other"
    assert blame("neighbor {", 7) == "line 7"


@pytest.mark.parametrize("mended", [True, False], ids=["mended", "without the mend"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("md5-base64 true", "md5-base64 false", id="how the key is written"),
        pytest.param("manual-eor true", "manual-eor false", id="who sends End-of-RIB"),
        pytest.param("ipv4 unicast ipv6;", "", id="next hops of the other family"),
        pytest.param("connect 179", "source-interface up;connect 179", id="the interface"),
    ],
)
def test_what_exabgp_does_not_compare_is_compared(
    tmp_path: Path, mended: bool, old: str, new: str
) -> None:
    """Without the mend such a change is never applied."""
    six = peer(ROUTER_V6, password="dGVzdA==", graceful_restart=9)  # noqa: S106
    path = tmp_path / "exabgp.conf"
    without = frozenset() if mended else frozenset({Mend.COMPARE})
    reactor = SpeakerReactor(path, ["/bin/true"], term_timeout=1.0, without=without)
    found = []
    for text in ((good := render([six], reflex="/bin/true")), good.replace(old, new)):
        path.write_text(text)
        assert reactor.configuration.reload() is True
        found += reactor.configuration.neighbors.values()
    assert found[0] is not found[1]
    assert reactor._differs(found[0], found[0]) is False
    assert reactor._differs(*found) is mended
