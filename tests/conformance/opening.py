"""Area `native_bgp`: OPEN in both directions, and the timers that follow from it."""

import time
from typing import Any, Final

from bgpd.model.cluster import Node
from bgpd.model.configuration import BGPPeer
from bgpd.model.member import NodeName
from bgpd.model.peer import Asn, PeerName, PeerState
from bgpd.model.prefix import Address, Family
from bgpd.policy.peers import PeerSet, peers_of
from tests.conformance.link import HERE, NEVER, OURS, THEIRS, LinkRoom, seconds
from tests.conformance.loopback import Exabgp, errors
from tests.conformance.room import Fields, InexpressibleError
from tests.conformance.router import (
    KEEPALIVE,
    LOOPBACK,
    MARKER,
    OPEN,
    GoneError,
    Header,
    Open,
    Router,
    opened,
)

_EXACT: Final = 0.6
_TRIES: Final = 8
_CHECKSUM: Final = "derived from a checksum of the node name"


class OpeningRoom(LinkRoom):
    """Sessions that begin."""

    def op_encode_then_decode(self, _step: Fields) -> None:
        """Let ExaBGP say OPEN."""
        given = self.given.map("open")
        asn, hold = given.take("asn", OURS), seconds(given.take("hold", 90))
        router_id = given.take("routerID", "10.0.0.1")
        given.end()
        self._start(local_asn=Asn(asn), hold_time=hold, router_id=Address(router_id))
        self.ok()

    def op_decode(self, _step: Fields) -> None:
        """Let ExaBGP hear OPEN."""
        given = self.given.map("open")
        asn, hold = given.take("asn", THEIRS), seconds(given.take("hold", 90))
        router_id, version = given.take("routerID", "10.0.0.254"), given.take("version", 4)
        marker = given.take("marker", "all ones")
        kind, length = given.take("type", OPEN), given.take("length")
        given.end()
        if not isinstance(kind, int) or not isinstance(length, int | None):
            raise InexpressibleError("given.open: type and length must be numbers")
        if marker not in ("all ones", "not all ones"):
            raise InexpressibleError(f"given.open.marker {marker!r} is none that is known")
        self._start(established=False, peer_asn=Asn(asn))
        assert self.router is not None
        assert self.exabgp is not None
        self.router.accept()
        self.router.expect(OPEN)
        octets = MARKER if marker == "all ones" else bytes(16)
        self.router.send_open(
            asn=asn,
            hold=hold,
            router_id=router_id,
            header=Header(marker=octets, kind=kind, length=length),
            version=version,
        )
        self._open = Open(version=version, asn=asn, hold=hold, router_id=router_id)
        try:
            self.router.send(KEEPALIVE)
            kind, _ = self.router.message()
        except (GoneError, OSError):
            kind = 0
        if kind == KEEPALIVE and self.exabgp.until(PeerState.ESTABLISHED):
            self.ok()
        else:
            self.error(f"message {kind}; {errors(self.exabgp.heard)}")

    def op_open(self, _step: Fields) -> None:
        """Let ExaBGP say OPEN for a node that has no address of its own for a router ID, or has."""
        given = self.given
        router_id, local = given.take("routerID", "unset"), given.take("local_address")
        interface = given.take("interface_v4", "none")
        addresses = [str(one) for one in (interface, local) if one not in (None, "none", "unset")]
        self._own = {name: _router_id(name, addresses, router_id) for name in ("n1", "n2", "n1")}
        version6 = ":" in str(local)
        self.router = Router("::1" if version6 else LOOPBACK)
        own = self._own["n1"]
        here, family = ("::1", Family.IPV6) if version6 else (HERE, Family.IPV4)
        peer = self._peer(local_address=Address(here), router_id=own, families=(family,))
        self.exabgp = Exabgp(peer)
        self.router.accept()
        self._open = opened(self.router.expect(OPEN))
        self.ok()

    def see_asn(self, _expected: int) -> object:
        """Return the ASN of OPEN."""
        return self._opened().asn

    def see_hold(self, expected: Any) -> object:
        """Return the hold time of OPEN."""
        hold = self._opened().hold
        return hold if isinstance(expected, int) else f"{hold}s"

    def see_version(self, _expected: int) -> object:
        """Return the version of OPEN."""
        return self._opened().version

    def see_routerID(self, _expected: str) -> object:  # noqa: N802 - the schema's word
        """Return the router ID of OPEN."""
        return self._opened().router_id

    def see_router_id(self, expected: str) -> object:
        """Return the router ID of OPEN; words ask whether it follows from the node's name."""
        found = self._opened().router_id
        if expected != _CHECKSUM:
            return found
        stable = found == self._own["n1"] and self._own["n1"] != self._own["n2"]
        return expected if stable else found

    def _opened(self) -> Open:
        if self._open is None:
            raise InexpressibleError("there was no OPEN")
        return self._open

    # Timers

    def op_established(self, _step: Fields) -> None:
        """Let a session come up between two hold times."""
        ours, theirs = seconds(self.given.take("hold", 90)), seconds(self.given.take("peer_hold"))
        self._start(hold=theirs, hold_time=ours)

    def see_keepalive_every(self, expected: Any) -> object:
        """Return the seconds between two KEEPALIVEs, or `never`; the router waits for them."""
        assert self.router is not None
        assert self.exabgp is not None
        negotiated = self.exabgp.heard[-1].hold_time
        wait = NEVER if negotiated == 0 else (negotiated or 90) + 1.0
        wanted = seconds(expected) if expected != "never" else 0
        measured: list[str] = []
        # The one before the first brought the session up. A busy machine may be late, but not
        # each time.
        last = self.router.up_at
        for _ in range(_TRIES):
            try:
                while self.router.message(wait)[0] != KEEPALIVE:
                    pass
            except GoneError:
                return "never"
            now = time.monotonic()
            if abs(now - last - wanted) < _EXACT:
                return expected
            measured.append(f"{now - last:.1f}s")
            last = now
            self.router.send(KEEPALIVE)
        return measured


def _router_id(name: str, addresses: list[str], router_id: Any) -> Address:
    """Return the router ID that a node's sessions have."""
    node = Node(name=NodeName(name), addresses=tuple(Address(one) for one in addresses))
    fields: dict[str, Any] = {}
    if router_id not in (None, "unset"):
        fields["router_id"] = Address(str(router_id))
    version6 = bool(addresses) and all(":" in one for one in addresses)
    document = BGPPeer(
        name=PeerName("router"),
        address=Address("2001:db8::1" if version6 else "192.0.2.1"),
        peer_asn=Asn(THEIRS),
        local_asn=Asn(OURS),
        families=(Family.IPV6 if version6 else Family.IPV4,),
        **fields,
    )
    found = peers_of(node, [document], password_of={}, previous=PeerSet())
    if len(found.peers) != 1:
        raise InexpressibleError("; ".join(found.refused))
    return found.peers[0].router_id
