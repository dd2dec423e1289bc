"""What the agent wants of this node, as the speaker holds it: whole, then changed by deltas."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from bgpd.ipc.message import Delta, Desired
from bgpd.model.errors import ConfigError, ProtocolError
from bgpd.model.member import Member, SpeakerPolicy
from bgpd.model.peer import Peer, PeerName
from bgpd.model.prefix import Address, Prefix, parse_address
from bgpd.model.route import Advertisement
from bgpd.policy.gate import Fence
from bgpd.policy.lever import carried_by


@dataclass(slots=True, kw_only=True)
class DesiredState:
    """Everything that was in the last `Desired`, kept current by each `Delta`."""

    sequence: int
    cluster_uid: str
    mesh_address: Address | None
    members: tuple[Member, ...]
    peers: dict[PeerName, Peer]
    pools: tuple[Prefix, ...]
    fence: Fence
    policy: SpeakerPolicy
    advertisements: dict[PeerName, dict[Prefix, Advertisement]] = field(default_factory=dict)
    rivals: set[str] = field(default_factory=set)
    """Every node that has come before us for some prefix since the last `Desired`."""
    _names: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)
    """One value for each list of nodes: ten thousand routes have a few of them."""

    @classmethod
    def of(cls, message: Desired) -> "DesiredState":
        """Return the state that *message* describes; raise `ConfigError` where it means nothing.

        Addresses are checked, because a socket takes a name for a question to a name server.
        """
        own = () if message.mesh_address is None else (message.mesh_address,)
        for address in (*own, *(member.address for member in message.members)):
            if parse_address(address) != address:
                raise ConfigError(f"{address!r} must be an address in canonical form")
        state = cls(
            sequence=message.sequence,
            cluster_uid=message.cluster_uid,
            mesh_address=message.mesh_address,
            members=message.members,
            peers={peer.name: peer for peer in message.peers},
            pools=message.pools,
            fence=_fence(message),
            policy=message.policy,
        )
        for advertisement in message.advertisements:
            state._advertise(advertisement)
        return state

    def apply(self, delta: Delta) -> frozenset[tuple[PeerName, Prefix]]:
        """Change the state by *delta* and return what it touched.

        Raises `ProtocolError` when a delta was missed: the agent then sends everything again.
        """
        if delta.sequence != self.sequence + 1:
            raise ProtocolError(
                f"delta {delta.sequence} does not follow {self.sequence}: send the whole state"
            )
        self.sequence = delta.sequence
        for peer, prefix in delta.withdraw:
            self.advertisements.get(peer, {}).pop(prefix, None)
        for advertisement in delta.advertise:
            self._advertise(advertisement)
        advertised = ((item.peer, item.prefix) for item in delta.advertise)
        return frozenset({*delta.withdraw, *advertised})

    def carried_elsewhere(self, others: AbstractSet[str]) -> dict[Prefix, bool]:
        """Return for each of our prefixes whether one of *others* carries it, too.

        Where peers are told of it by unlike sets of nodes, the poorest set counts.
        """
        carried: dict[Prefix, bool] = {}
        answers: dict[tuple[str, ...] | None, bool] = {}
        for routes in self.advertisements.values():
            for prefix, advertisement in routes.items():
                carriers = advertisement.carriers
                if carriers not in answers:
                    answers[carriers] = carried_by(others, advertisement)
                carried[prefix] = answers[carriers] and carried.get(prefix, True)
        return carried

    def peer_names(self, addresses: Iterable[Address]) -> list[str]:
        """Return what people call the peers at *addresses*; an address where it is nobody's."""
        names = {peer.address: peer.name for peer in self.peers.values()}
        return sorted(names.get(address, PeerName(address)) for address in addresses)

    def _advertise(self, advertisement: Advertisement) -> None:
        carriers = advertisement.carriers
        if carriers is not None:
            shared = self._names.setdefault(carriers, carriers)
            # An equal value in its place; a copy of each route would double the work of a start.
            object.__setattr__(advertisement, "carriers", shared)
        if advertisement.ahead:
            self.rivals.update(advertisement.ahead)
        routes = self.advertisements.setdefault(advertisement.peer, {})
        routes[advertisement.prefix] = advertisement


def _fence(message: Desired) -> Fence:
    try:
        return Fence(message.pools, message.aggregates)
    except ValueError as error:
        raise ConfigError(f"pools: {error}") from None
