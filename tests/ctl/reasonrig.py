"""A node in which each `Reason` holds: a real planner, or a real reflex, brought there by facts.

Whoever adds a reason has to add the way to it here; `test_reasons` asks for it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from bgpd.agent.grounding import Grounding
from bgpd.ctl.view import View
from bgpd.exabgp.message import SessionChanged
from bgpd.ipc.message import Delta
from bgpd.model.cluster import EXCLUDE_LABEL
from bgpd.model.grounds import Grounds, SpeakerRoutes
from bgpd.model.health import Health
from bgpd.model.peer import Peer, PeerName, PeerState
from bgpd.model.prefix import Family, Prefix
from bgpd.model.reason import Reason, Withheld
from bgpd.model.route import Advertisement
from bgpd.model.status import NodeStatus, SpeakerStatus
from bgpd.policy.probing import NODE_PORT
from bgpd.speaker.request import DrainRequest
from bgpd.speaker.status import observe
from tests.agent.test_judging import WAIT, Node, check, flap, port_of
from tests.agent.test_planner import Document, endpoints, node, ours, service
from tests.ctl.samples import FINE
from tests.policy.test_lever import PEER
from tests.speaker.test_families import BOTH, SIX, agreed, world_of
from tests.speaker.test_offered import asked
from tests.speaker.test_rib import advertisement
from tests.speaker.test_standby import ORDER, session, wish
from tests.speaker.world import World

WEB: Final = "default/web"
ADDRESS: Final = "203.0.113.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A node at the moment at which a reason holds."""

    withheld: Withheld
    """The word of whoever decided, as it stands in a status."""
    view: View
    what: str
    """What a person asks about."""
    grounds: tuple[Grounds, ...] = ()
    routes: SpeakerRoutes | None = None


class Station:
    """An agent's planner with the documents of one node, which a test may change."""

    def __init__(self) -> None:
        self.node = Node()
        self.parts: dict[str, Document] = {
            "node": node("n1", "10.0.0.1"),
            "other": node("n2", "10.0.1.1"),
            "pool": ours("IPAddressPool", "pool", addresses=["203.0.113.0/24"]),
            "advertisement": ours("BGPAdvertisement", "all"),
            "peer": ours("BGPPeer", "tor", myASN=65000, peerASN=65530, peerAddress="10.0.0.0"),
            "service": service("web", ADDRESS),
            "endpoints": endpoints("web", "n1"),
        }

    def without(self, *names: str) -> "Station":
        """Leave documents out."""
        for name in names:
            del self.parts[name]
        return self

    def with_(self, **parts: Document) -> "Station":
        """Use other documents, or further ones."""
        self.parts.update(parts)
        return self

    def write(self) -> "Station":
        """Give everything to the planner."""
        self.node.write("all.json", *self.parts.values())
        return self

    def view(self) -> View:
        """Return the node as bgpctl sees it, its speaker as well as can be."""
        assert FINE.agent is not None
        planner = self.node.planner
        agent: NodeStatus = replace(
            FINE.agent,
            withheld=planner.withheld,
            services=planner.services,
            conditions=planner.conditions,
        )
        return replace(FINE, agent=agent)

    def grounds(self, what: str = WEB) -> tuple[Grounds, ...]:
        """Return what the decision rests on."""
        knowledge = Grounding(self.node.planner, lambda: self.node.store.objects)
        return knowledge.grounds({"name": what})

    def case(self, reason: Reason, what: str = WEB) -> Case:
        """Return the case in which *reason* holds here."""
        found = [one for one in self.node.planner.withheld if one.reason is reason]
        assert found, f"{[one.reason.value for one in self.node.planner.withheld]}, not {reason}"
        return Case(withheld=found[0], view=self.view(), what=what, grounds=self.grounds(what))


def changed(document: Document, **spec: object) -> Document:
    """Return *document* with another spec in part."""
    before = document["spec"]
    assert isinstance(before, dict)
    return {**document, "spec": {**before, **spec}}


def labeled(document: Document, label: str) -> Document:
    """Return *document* with a label."""
    metadata = document["metadata"]
    assert isinstance(metadata, dict)
    return {**document, "metadata": {**metadata, "labels": {label: ""}}}


def selecting(field: str, name: str = "all") -> Document:
    """Return a BGPAdvertisement whose selector in *field* selects nothing that there is."""
    return ours("BGPAdvertisement", name, **{field: [{"matchLabels": {"no": "such"}}]})


def conditioned(document: Document, type_: str) -> Document:
    """Return a Node with a condition that is true."""
    status = document["status"]
    assert isinstance(status, dict)
    return {**document, "status": {**status, "conditions": [{"type": type_, "status": "True"}]}}


def _failing_port() -> Station:
    station = Station()
    station.with_(service=port_of(station.parts["service"], 30001)).write()
    station.node.answer(Health.UNHEALTHY, NODE_PORT)
    return station


def _failing_check() -> Station:
    station = Station().with_(check=check()).write()
    station.node.answer(Health.UNHEALTHY)
    return station


def _starting() -> Station:
    station = Station()
    station.node.judge.general = WAIT
    return station.write()


def _flapping() -> Station:
    station = Station()
    station.node.fill(checked=False)
    flap(station.node, 10)
    return station


def _conflict() -> Station:
    station = Station()
    chosen = [{"matchLabels": {"app": ""}}]
    return station.with_(
        service=labeled(station.parts["service"], "app"),
        advertisement=ours("BGPAdvertisement", "all", localPref=100, serviceSelectors=chosen),
        second=ours("BGPAdvertisement", "other", localPref=200),
    ).write()


def _other_family() -> Station:
    station = Station()
    return station.with_(
        pool=ours("IPAddressPool", "pool", addresses=["2001:db8::/64"]),
        peer=changed(station.parts["peer"], families=["ipv4-unicast"]),
        service=service("web", "2001:db8::1"),
    ).write()


def _agents() -> Mapping[Reason, Callable[[], Station]]:
    base = Station().parts
    return {
        Reason.NOT_LOAD_BALANCER: lambda: (
            Station().with_(service=changed(base["service"], type="ClusterIP")).write()
        ),
        Reason.OTHER_LOAD_BALANCER_CLASS: lambda: (
            Station().with_(service=changed(base["service"], loadBalancerClass="a.b/c")).write()
        ),
        Reason.NO_ADDRESS: lambda: (
            Station().with_(service={**base["service"], "status": {}}).write()
        ),
        Reason.INVALID_ADDRESS: lambda: Station().with_(service=service("web", "x")).write(),
        Reason.ADDRESS_NOT_IN_POOL: lambda: (
            Station().with_(service=service("web", "198.51.100.1")).write()
        ),
        Reason.NODE_NOT_SELECTED: lambda: (
            Station().with_(advertisement=selecting("nodeSelectors")).write()
        ),
        Reason.NO_MATCHING_ADVERTISEMENT: lambda: (
            Station().with_(advertisement=selecting("serviceSelectors")).write()
        ),
        Reason.CONFLICTING_ADVERTISEMENTS: _conflict,
        Reason.NODE_NETWORK_UNAVAILABLE: lambda: (
            Station().with_(node=conditioned(base["node"], "NetworkUnavailable")).write()
        ),
        Reason.NODE_EXCLUDED: lambda: (
            Station().with_(node=labeled(base["node"], EXCLUDE_LABEL)).write()
        ),
        Reason.NO_LOCAL_ENDPOINTS: lambda: (
            Station().with_(endpoints=endpoints("web", "n2")).write()
        ),
        Reason.NO_ENDPOINTS: lambda: (
            Station()
            .with_(service=changed(base["service"], externalTrafficPolicy="Cluster"))
            .without("endpoints")
            .write()
        ),
        Reason.HEALTH_CHECK_NODE_PORT: _failing_port,
        Reason.HEALTH_CHECK_FAILED: _failing_check,
        Reason.STARTING_UP: _starting,
        Reason.FLAPPING: _flapping,
        Reason.NO_PEER: lambda: (
            Station().with_(advertisement=ours("BGPAdvertisement", "all", peers=["x"])).write()
        ),
        Reason.FAMILY_NOT_NEGOTIATED: _other_family,
    }


def _speaking(*wishes: Advertisement, peer: Peer = PEER, count: int = 1) -> World:
    world = World(count)
    world.tell("n1", msgspec.structs.replace(world.desired("n1", *wishes, peers=(peer,))))
    return world


def _odd(prefix: str = "203.0.113.1/32", **changes: Any) -> World:
    world = _speaking()
    world.run(1.0)
    odd = replace(advertisement(1), prefix=Prefix(prefix), **changes)
    world.tell("n1", Delta(sequence=2, advertise=(odd,)))
    world.run(0.1)
    return world


def _limited() -> World:
    world = _speaking(peer=replace(PEER, max_prefixes=1))
    world.run(1.0)
    return world


def _drained() -> World:
    world = World(2)
    world.run(1.0)
    world.nodes["n1"].reflex.draining.ask(DrainRequest(), world.now)
    world.nodes["n1"].settle(world.now)
    world.run(3.0)
    return world


def _standing_by() -> World:
    world = World()
    for name in ORDER:
        world.tell(name, wish(world, name))
    for name in ORDER:
        session(world, name)
    world.run(1.5)
    return world


def _unheard() -> World:
    world = world_of(BOTH)
    agreed(world, BOTH, Family.IPV4)
    return world


_SPEAKERS: Final[Mapping[Reason, tuple[Callable[[], World], str, str]]] = {
    Reason.UNKNOWN_PEER: (lambda: _odd(peer=PeerName("stranger")), "203.0.113.1/32", "n1"),
    Reason.NOT_STARTED: (lambda: World(2), "203.0.113.1/32", "n1"),
    Reason.FAMILY_NOT_NEGOTIATED: (_unheard, SIX, "n1"),
    Reason.OUTSIDE_POOLS: (lambda: _odd("192.0.2.1/32"), "192.0.2.1/32", "n1"),
    Reason.PREFIX_TOO_SHORT: (lambda: _odd("203.0.113.0/28"), "203.0.113.0/28", "n1"),
    Reason.PREFIX_LIMIT: (_limited, "203.0.113.2/32", "n1"),
    Reason.DRAINED: (_drained, "203.0.113.1/32", "n1"),
    Reason.STANDBY: (_standing_by, "203.0.113.1/32", "n2"),
}


def _established(world: World, name: str) -> None:
    reflex = world.nodes[name].reflex
    for peer in reflex.desired.peers.values() if reflex.desired is not None else ():
        if not reflex.sessions.established(peer):
            message = SessionChanged(
                peer=peer.address,
                state=PeerState.ESTABLISHED,
                hold_time=90,
                families=peer.families,
                extended_next_hop=False,
            )
            reflex.exabgp(message, world.now)


def _of_speaker(reason: Reason) -> Case:
    begin, prefix, name = _SPEAKERS[reason]
    world = begin()
    _established(world, name)
    status: SpeakerStatus = observe(
        world.nodes[name].reflex,
        now=world.now,
        version="0",
        started=0.0,
        exabgp_pid=1,
        counters={},
    )
    found = [one for one in status.withheld if one.reason is reason and one.prefix == prefix]
    assert found, f"{[(one.reason.value, one.prefix) for one in status.withheld]}, not {reason}"
    view = View(speaker=status, agent_error="nobody listens")
    return Case(withheld=found[0], view=view, what=prefix, routes=asked(world, name, prefix=prefix))


def cases(reason: Reason) -> tuple[Case, ...]:
    """Return every way to *reason*: by the agent, by the speaker, or by both."""
    agents = _agents()
    found = [agents[reason]().case(reason)] if reason in agents else []
    if reason in _SPEAKERS:
        found.append(_of_speaker(reason))
    return tuple(found)
