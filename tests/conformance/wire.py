"""Area `native_bgp`: what the shipped ExaBGP says on the wire, and makes of what it hears."""

import ipaddress
import json
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from bgpd.kube.documents import read
from bgpd.model.cluster import Node
from bgpd.model.configuration import BGPAdvertisement, BGPPeer
from bgpd.model.member import NodeName
from bgpd.model.peer import Asn, Peer, PeerName, PeerState
from bgpd.model.prefix import Address, Family, Prefix
from bgpd.model.route import Attributes
from bgpd.policy.peers import PeerSet, peers_of
from tests.conformance import documents
from tests.conformance.elsewhere import Elsewhere
from tests.conformance.loopback import Exabgp, errors
from tests.conformance.room import Fields, InexpressibleError, Room, listed
from tests.conformance.router import (
    COMMUNITY,
    KEEPALIVE,
    LARGE_COMMUNITY,
    LARGEST,
    LOOPBACK,
    MARKER,
    OPEN,
    GoneError,
    Header,
    Open,
    Router,
    Update,
    opened,
)

OURS: Final = 64512
THEIRS: Final = 64513
_HERE: Final = "127.0.0.1"
_QUIET: Final = 1.0
"""Seconds without an UPDATE after which there will be none."""
_PATIENCE: Final = 12.0
"""Longer than ExaBGP waits before it connects again."""
_NEVER: Final = 4.0
_EXACT: Final = 0.6
_TRIES: Final = 3
_ATTRIBUTES: Final = {"COMMUNITY": COMMUNITY, "LARGE_COMMUNITY": LARGE_COMMUNITY}
_CHECKSUM: Final = "derived from a checksum of the node name"


class WireRoom(Room):
    """A router of ours, and ExaBGP as we ship it."""

    def begin(self) -> None:
        """Start nothing yet: a step says what there is to be."""
        self.router: Router | None = None
        self.exabgp: Exabgp | None = None
        self._elsewhere: Elsewhere | None = None
        self._names: dict[str, Prefix] = {}
        self.updates: list[Update] = []
        self._open: Open | None = None
        self._state = ""

    def end(self) -> None:
        """End what was started."""
        for one in (self.exabgp, self.router, self._elsewhere):
            if one is not None:
                one.close()

    def _peer(self, **fields: Any) -> Peer:
        assert self.router is not None
        values: dict[str, Any] = {
            "name": PeerName("router"),
            "address": Address(self.router.address),
            "peer_asn": Asn(THEIRS),
            "local_asn": Asn(OURS),
            "local_address": Address(_HERE),
            "router_id": Address("10.0.0.1"),
            "port": self.router.port,
        }
        return Peer(**{**values, **fields})

    def _start(self, *, hold: int = 90, established: bool = True, **fields: Any) -> None:
        self.router = Router()
        self.exabgp = Exabgp(self._peer(**fields))
        if established:
            self._open = self.router.establish(asn=THEIRS, hold=hold)
            self._must(PeerState.ESTABLISHED)

    def _must(self, state: PeerState, after: int = 0) -> None:
        assert self.exabgp is not None
        if not self.exabgp.until(state, after=after):
            raise GoneError(f"the session is not {state.value}: {errors(self.exabgp.heard)}")

    def prefix(self, name: Any) -> Prefix:
        """Return the prefix that a case calls *name*."""
        if "/" in str(name):
            return Prefix(str(name))
        number = len(self._names) + 1
        return self._names.setdefault(str(name), Prefix(f"198.51.100.{number}/32"))

    def name(self, prefix: str) -> str:
        """Return what a case calls *prefix*."""
        return next((name for name, one in self._names.items() if one == prefix), prefix)

    def _offer(self, names: Iterable[Any], **attributes: Any) -> None:
        assert self.exabgp is not None
        one = Attributes(next_hop=Address(_HERE), **attributes)
        self.exabgp.offer({self.prefix(name): one for name in names})

    def _read(self) -> None:
        assert self.router is not None
        self.updates = list(self.router.updates(_QUIET))

    # OPEN

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
        here, family = ("::1", Family.IPV6) if version6 else (_HERE, Family.IPV4)
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
        wait = _NEVER if negotiated == 0 else (negotiated or 90) + 1.0
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

    # UPDATE

    def op_set(self, step: Fields) -> None:
        """Offer something, then something else."""
        self._start()
        self._offer(self.given.need("announced"))
        self._read()
        if not self.updates:
            raise GoneError("what is announced already is not")
        self._offer(step.need("to"))
        self._read()

    def op_reconnect(self, _step: Fields) -> None:
        """Change what is offered while the session is down, and let it come back."""
        self._start()
        assert self.router is not None
        assert self.exabgp is not None
        self._offer(self.given.need("announced"))
        self._read()
        heard = len(self.exabgp.heard)
        self.router.hang_up()
        self._must(PeerState.IDLE, after=heard)
        self._offer(self.given.take("set_while_down", self.given.take("announced")))
        self.router.establish(asn=THEIRS)
        self._read()

    def op_announce(self, _step: Fields) -> None:
        """Offer a route with communities, as an advertisement asks for them."""
        wanted = _communities(self.given.need("communities"))
        if isinstance(wanted, str):
            self.error(wanted)
            return
        self._start()
        self._offer(
            ["a"],
            communities=wanted.communities,
            large_communities=wanted.large_communities,
        )
        self._read()
        found = [_values(one) for one in self.updates if one.announced]
        large = (f"large:{one}" for one in wanted.large_communities)
        if found and set(found[0]) == {*wanted.communities, *large}:
            self.ok()
        else:
            self.error(f"on the wire: {found}")

    def op_send(self, _step: Fields) -> None:
        """Take back many prefixes at once."""
        text = str(self.given.need("withdraw"))
        found = re.fullmatch(r"(\d+) prefixes at once", text)
        if found is None:
            raise InexpressibleError(f"given.withdraw {text!r} is no number of prefixes")
        network = ipaddress.ip_network("198.18.0.0/15")
        self._many = [f"{network[number]}/32" for number in range(int(found[1]))]
        self._start()
        self._offer(self._many)
        self._read()
        self._offer([])
        self._read()

    def see_updates(self, _expected: list[str]) -> object:
        """Return what was announced with the last change: `announce d`."""
        return [f"announce {self.name(one)}" for update in self.updates for one in update.announced]

    def see_withdraw_in_one_message(self, _expected: list[str]) -> object:
        """Return what was taken back, if one message did."""
        found = [update.withdrawn for update in self.updates if update.withdrawn]
        names = [sorted(self.name(one) for one in message) for message in found]
        return names[0] if len(names) == 1 else names

    def see_sent(self, _expected: list[str]) -> object:
        """Return what was announced after the session came back."""
        return [self.name(one) for update in self.updates for one in update.announced]

    def look(self, key: str, expected: Any) -> object:
        """Return what is there of *key*; `NAME_not_resent` is about that prefix."""
        found = re.fullmatch(r"(\w+)_not_resent", key)
        if found is not None:
            if found[1] not in self._names:
                raise InexpressibleError(f"there is no {found[1]}")
            return all(self.prefix(found[1]) not in one.announced for one in self.updates)
        return super().look(key, expected)

    def see_attribute(self, expected: str) -> object:
        """Return *expected* where the route has that path attribute, else the types that it has."""
        if expected not in _ATTRIBUTES:
            raise InexpressibleError(f"attribute {expected!r} is none that is known")
        types = sorted({kind for one in self.updates for kind in one.attributes})
        return expected if _ATTRIBUTES[expected] in types else f"types {types}"

    def see_split(self, expected: str) -> object:
        """Return *expected* where everything was taken back, in messages that are short enough."""
        if expected != f"at {LARGEST} bytes":
            raise InexpressibleError(f"want.split {expected!r} has no fixed reading")
        gone = [one for update in self.updates for one in update.withdrawn]
        longest = max((update.length for update in self.updates), default=0)
        if sorted(gone) != sorted(self._many):
            return f"{len(gone)} of {len(self._many)} withdrawn"
        return expected if longest <= LARGEST else f"a message of {longest} bytes"

    # Sessions

    def op_connect(self, _step: Fields) -> None:
        """Connect from an address that the host has, or does not have."""
        source = str(self.given.need("sourceAddress"))
        self._elsewhere = Elsewhere()
        for one in listed(self.given.take("host_addresses")):
            self._elsewhere.add(str(one))
        self.router = Router(listener=self._elsewhere.listener)
        peer = self._peer(local_address=Address(source))
        self.exabgp = Exabgp(peer, inside=self._elsewhere.inside)
        self._source = source
        try:
            self.router.accept(_NEVER)
            self.ok()
        except GoneError:
            self.exabgp.read(0.5)
            self.error("; ".join(errors(self.exabgp.heard)) or "nobody connects")

    def see_retried(self, _expected: bool) -> object:
        """Return whether it connects by itself once the host has the address."""
        assert self._elsewhere is not None
        assert self.router is not None
        if "error" not in self.results:
            return "there was no error"
        self._elsewhere.add(self._source)
        try:
            self.router.accept(_PATIENCE)
        except GoneError:
            return False
        return True

    def op_receive(self, _step: Fields) -> None:
        """Let ExaBGP hear a NOTIFICATION or a route."""
        self._hold = seconds(self.given.take("hold", 90))
        self._start(hold_time=self._hold)
        assert self.router is not None
        assert self.exabgp is not None
        self._heard = len(self.exabgp.heard)
        sends, route = self.given.take("peer_sends"), self.given.take("peer_announces")
        if route is not None:
            self._route = str(route)
            self._before = _kernel(self._route)
            self.router.send_route(self._route, asn=THEIRS)
            self.exabgp.read(_QUIET)
        elif sends in ("nothing", "silence"):
            self._silence()
        elif sends == "NOTIFICATION":
            self.router.send_notification(6, 4)
            self.router.hang_up()
        else:
            raise InexpressibleError(f"given.peer_sends {sends!r} is none that is known")

    def _silence(self) -> None:
        """Say nothing until our own hold time is over."""
        assert self.exabgp is not None
        self.exabgp.until(PeerState.IDLE, seconds=self._hold + _NEVER, after=self._heard)

    def see_session(self, _expected: str) -> object:
        """Return `closed` or `established`."""
        assert self.exabgp is not None
        gone = self.exabgp.until(PeerState.IDLE, seconds=_NEVER, after=self._heard)
        return "closed" if gone else "established"

    def see_logged(self, expected: str) -> object:
        """Return *expected* where the code and the name of what was sent are told."""
        if expected != "code and name":
            raise InexpressibleError(f"logged {expected!r} has no fixed reading")
        assert self.exabgp is not None
        self.exabgp.until(PeerState.ESTABLISHED, seconds=_NEVER, after=self._heard)
        said = "; ".join(errors(self.exabgp.heard[self._heard :]))
        named = re.search(r"\b6\b.*\b4\b", said) and re.search(r"(?i)administrative.reset", said)
        return expected if named else said

    def see_reconnect(self, _expected: bool) -> object:
        """Return whether it connects again, and the session comes up."""
        return self._comes_back(_PATIENCE)

    def _comes_back(self, patience: float) -> bool:
        assert self.router is not None
        try:
            self.router.accept(patience)
            self.router.expect(OPEN)
            self.router.send_open(asn=THEIRS)
            self.router.send(KEEPALIVE)
            self.router.expect(KEEPALIVE)
        except GoneError:
            return False
        return True

    def see_installed(self, _expected: bool) -> object:
        """Return whether a route that the router announced is used by the kernel, or offered on."""
        assert self.router is not None
        assert self.exabgp is not None
        self._read()
        echoed = any(self._route in update.announced for update in self.updates)
        if self.exabgp.until(PeerState.IDLE, seconds=_QUIET, after=self._heard):
            raise GoneError(f"the session was lost: {errors(self.exabgp.heard)}")
        return echoed or _kernel(self._route) != self._before

    def op_clear_session(self, _step: Fields) -> None:
        """Reset the session from the router's side, and let it come back."""
        self.given.take("backend")
        self._limit = seconds(self.given.take("connectTime", "10s"))
        self._start()
        assert self.router is not None
        began = time.monotonic()
        self.router.send_notification(6, 4)
        self.router.hang_up()
        self._took = time.monotonic() - began if self._comes_back(self._limit + 5) else None

    def see_re_established_within(self, expected: Any) -> object:
        """Return *expected* where the session came back in time, such as the given one."""
        limit = self._limit if expected == "connect time" else seconds(expected)
        if self._took is None:
            return "never"
        return expected if self._took <= limit else f"{self._took:.1f}s"


def seconds(value: Any) -> int:
    """Return a time such as `90s`, or a number of seconds."""
    text = str(value).removesuffix("s")
    if not text.isdecimal():
        raise InexpressibleError(f"{value!r} is no number of seconds")
    return int(text)


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


def _communities(values: list[str]) -> BGPAdvertisement | str:
    """Return the advertisement that asks for them, or why it is refused."""
    document = documents.advertisement("a", Fields({"communities": values}, "given"), {})
    found = read("a.json", json.dumps(document).encode())
    refused = [one.message for one in found.problems if one.refused]
    if refused:
        return "; ".join(refused)
    (one,) = found.objects.values()
    assert isinstance(one, BGPAdvertisement)
    return one


def _values(update: Update) -> list[str]:
    """Return the communities of a route as a case writes them."""
    short, large = (
        update.attributes.get(COMMUNITY, b""),
        update.attributes.get(LARGE_COMMUNITY, b""),
    )
    found = [_joined(short[at : at + 4], 2) for at in range(0, len(short), 4)]
    return found + [f"large:{_joined(large[at : at + 12], 4)}" for at in range(0, len(large), 12)]


def _joined(octets: bytes, width: int) -> str:
    parts = (octets[at : at + width] for at in range(0, len(octets), width))
    return ":".join(str(int.from_bytes(one)) for one in parts)


def _kernel(route: str) -> int:
    """Return how often the kernel's IPv4 routes speak of *route*."""
    return Path("/proc/net/fib_trie").read_text().count(f" {route.partition('/')[0]}\n")
