"""Area `native_bgp`: what the shipped ExaBGP says on the wire, and makes of what it hears."""

import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from bgpd.model.peer import PeerState
from bgpd.model.prefix import Address
from tests.conformance.elsewhere import Elsewhere
from tests.conformance.link import NEVER, QUIET, SURELY, THEIRS, seconds
from tests.conformance.loopback import Exabgp, errors
from tests.conformance.opening import OpeningRoom
from tests.conformance.room import Fields, InexpressibleError, listed
from tests.conformance.router import (
    KEEPALIVE,
    OPEN,
    GoneError,
    Router,
)
from tests.conformance.updating import UpdatingRoom

_PATIENCE: Final = 40.0
"""Much longer than ExaBGP waits before it connects again."""


class WireRoom(OpeningRoom, UpdatingRoom):
    """Sessions that are refused, lost, reset, and come back."""

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
        deadline = time.monotonic() + _PATIENCE
        while not errors(self.exabgp.heard) and time.monotonic() < deadline:
            with suppress(GoneError):
                self.router.accept(0.1)
                self.ok()
                return
            self.exabgp.read(0.1)
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
            self.exabgp.read(QUIET)
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
        self.exabgp.until(PeerState.IDLE, seconds=self._hold + SURELY, after=self._heard)

    def see_session(self, expected: str) -> object:
        """Return `closed` or `established`."""
        assert self.exabgp is not None
        patience = SURELY if expected == "closed" else NEVER
        gone = self.exabgp.until(PeerState.IDLE, seconds=patience, after=self._heard)
        return "closed" if gone else "established"

    def see_logged(self, expected: str) -> object:
        """Return *expected* where the code and the name of what was sent are told."""
        if expected != "code and name":
            raise InexpressibleError(f"logged {expected!r} has no fixed reading")
        assert self.exabgp is not None
        self.exabgp.until(PeerState.ESTABLISHED, seconds=NEVER, after=self._heard)
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
        if self.exabgp.until(PeerState.IDLE, seconds=QUIET, after=self._heard):
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


def _kernel(route: str) -> int:
    """Return how often the kernel's IPv4 routes speak of *route*."""
    return Path("/proc/net/fib_trie").read_text().count(f" {route.partition('/')[0]}\n")
