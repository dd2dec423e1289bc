"""Area `ipfamily`: the families of addresses, as the controller reads a Service's ClusterIPs."""

from typing import Final

from bgpd.controller.wish import Nonsense, wish_of
from bgpd.model.prefix import Family
from tests.conformance.asking import AskingRoom, request_of
from tests.conformance.room import Fields

_WORD: Final = {
    frozenset({Family.IPV4}): "IPv4",
    frozenset({Family.IPV6}): "IPv6",
    frozenset(Family): "DualStack",
}


class FamilyRoom(AskingRoom):
    """One Service with the addresses of `given` as its ClusterIPs."""

    def begin(self) -> None:
        """Write the Service."""
        addresses = self.given.need("addresses")
        self._document = self.service("svc", Fields({"clusterIPs": addresses}, "given"))

    def op_family(self, _step: Fields) -> None:
        """Read the families."""
        wish = wish_of(request_of(self._document))
        self._family = "Unknown"
        if isinstance(wish, Nonsense):
            self.error(wish.sentence)
            return
        self._family = _WORD.get(frozenset(wish.families), "Unknown")
        if self._family == "Unknown":
            self.error("there is no address")
        else:
            self.ok()

    def see_family(self, _expected: str) -> object:
        """Return the family."""
        return self._family
