"""What the cases of the wire share: a router of ours, ExaBGP, and names for prefixes."""

from collections.abc import Iterable
from typing import Any, Final

from bgpd.model.peer import Asn, Peer, PeerName, PeerState
from bgpd.model.prefix import Address, Prefix
from bgpd.model.route import Attributes
from tests.conformance.elsewhere import Elsewhere
from tests.conformance.loopback import Exabgp, errors
from tests.conformance.room import InexpressibleError, Room
from tests.conformance.router import (
    GoneError,
    Open,
    Router,
    Update,
)

OURS: Final = 64512
THEIRS: Final = 64513
HERE: Final = "127.0.0.1"
QUIET: Final = 1.0
"""Seconds without an UPDATE after which there will be none."""
NEVER: Final = 4.0
"""Seconds without anything after which there will be nothing."""
SURELY: Final = 20.0
"""Seconds until something that must come is given up."""


class LinkRoom(Room):
    """A router of ours, and ExaBGP as we ship it."""

    def begin(self) -> None:
        """Start nothing yet: a step says what there is to be."""
        self.router: Router | None = None
        self.exabgp: Exabgp | None = None
        self._elsewhere: Elsewhere | None = None
        self._names: dict[str, Prefix] = {}
        self.updates: list[Update] = []
        self._open: Open | None = None

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
            "local_address": Address(HERE),
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
        one = Attributes(next_hop=Address(HERE), **attributes)
        self.exabgp.offer({self.prefix(name): one for name in names})

    def _read(self, first: float = QUIET) -> None:
        """Take in what is said until there is no more, waiting for the *first* as long as that."""
        assert self.router is not None
        self.updates = list(self.router.updates(QUIET, first=first))


def seconds(value: Any) -> int:
    """Return a time such as `90s`, or a number of seconds."""
    text = str(value).removesuffix("s")
    if not text.isdecimal():
        raise InexpressibleError(f"{value!r} is no number of seconds")
    return int(text)
