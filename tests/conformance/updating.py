"""Area `native_bgp`: what is announced and withdrawn, UPDATE by UPDATE."""

import ipaddress
import json
import re
from typing import Any, Final

from bgpd.kube.documents import read
from bgpd.model.configuration import BGPAdvertisement
from bgpd.model.peer import PeerState
from tests.conformance import documents
from tests.conformance.link import QUIET, SURELY, THEIRS, LinkRoom
from tests.conformance.room import Fields, InexpressibleError
from tests.conformance.router import (
    COMMUNITY,
    LARGE_COMMUNITY,
    LARGEST,
    GoneError,
    Update,
)

_ATTRIBUTES: Final = {"COMMUNITY": COMMUNITY, "LARGE_COMMUNITY": LARGE_COMMUNITY}


class UpdatingRoom(LinkRoom):
    """Routes that come and go."""

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
        offered = self.given.take("set_while_down", self.given.take("announced"))
        self._offer(offered)
        self.router.establish(asn=THEIRS)
        self._read(SURELY if offered else QUIET)

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
