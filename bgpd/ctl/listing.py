"""From what was seen to the items of each list, in the order in which people look for them.

Pure: one function a noun, `Scene` in, items out. *Unknown is not empty*: what nobody could be asked
is None in an item, and `<unknown>` on the screen.
"""

import ipaddress
from collections import defaultdict
from collections.abc import Iterator, Sequence

from bgpd.ctl.items import (
    Carrier,
    CheckItem,
    ElasticIP,
    Gap,
    Member,
    NodeItem,
    Peer,
    PeerSession,
    Pool,
    Route,
    Session,
    Stand,
)
from bgpd.ctl.scene import Place, Scene
from bgpd.ctl.view import State, Verdict, advertised, verdict
from bgpd.model.grounds import PeerRoute
from bgpd.model.health import Health, ProbeResult
from bgpd.model.inventory import CheckDocument, PeerDocument
from bgpd.model.peer import PeerName, PeerState
from bgpd.model.prefix import Prefix
from bgpd.model.status import MemberStatus, SpeakerStatus

UNKNOWN_STATE = "unknown"
"""Of a node that nobody who could judge it was asked about."""


def elastic_ips(scene: Scene) -> tuple[ElasticIP, ...]:
    """Return every elastic IP that a node advertises, or keeps back for a reason."""
    carriers: defaultdict[Prefix, list[Carrier]] = defaultdict(list)
    gaps: defaultdict[Prefix, list[Gap]] = defaultdict(list)
    names: defaultdict[Prefix, set[str]] = defaultdict(set)
    known = False
    for place in scene.places:
        for prefix, one in _carried(place):
            carriers[prefix].append(one)
        for prefix, gap, service in _gaps(place):
            gaps[prefix].append(gap)
            names[prefix] |= {service} - {""}
        for prefix, services in _services(place):
            names[prefix].update(services)
        known = known or place.view.agent is not None
    every = sorted(carriers.keys() | gaps.keys(), key=_order)
    return tuple(
        ElasticIP(
            name=bare(prefix),
            prefix=prefix,
            state=_stand(carriers[prefix]),
            services=tuple(sorted(names[prefix])) if known or names[prefix] else None,
            carriers=tuple(sorted(carriers[prefix], key=lambda one: (one.rank, one.node))),
            withheld=tuple(gaps[prefix]),
        )
        for prefix in every
    )


def routes(scene: Scene) -> tuple[Route, ...]:
    """Return what each peer is to hear: with attributes where the speaker itself said them."""
    if scene.routes is not None and scene.places:
        return tuple(sorted(_told(scene, scene.places[0]), key=_route_order))
    every = (one for place in scene.places for one in _offered(place))
    return tuple(sorted(every, key=_route_order))


def sessions(scene: Scene) -> tuple[Session, ...]:
    """Return the sessions, by peer."""
    return tuple(
        sorted(
            (
                Session(name=one.peer, node=place.node, status=one)
                for place, speaker in _speakers(scene)
                for one in speaker.sessions
            ),
            key=lambda one: (one.name, one.node),
        )
    )


def peers(scene: Scene) -> tuple[Peer, ...]:
    """Return the BGPPeers as they are written; without the agent, those that have sessions."""
    found = []
    for place in scene.places:
        speaker = place.view.speaker
        had: defaultdict[str, list[PeerSession]] = defaultdict(list)
        for one in speaker.sessions if speaker else ():
            session = PeerSession(name=one.peer, address=one.address, state=one.state)
            had[one.document or one.peer].append(session)
        written: dict[str, PeerDocument] = (
            {} if scene.inventory is None else {one.name: one for one in scene.inventory.peers}
        )
        found += [
            Peer(
                name=PeerName(name),
                node=place.node,
                document=written.get(name),
                sessions=tuple(had[name]),
            )
            for name in sorted(had.keys() | written.keys())
        ]
    return tuple(sorted(found, key=lambda one: (one.name, one.node)))


def nodes(scene: Scene) -> tuple[NodeItem, ...]:
    """Return the nodes: what each says of itself, or else what the one at hand hears of it."""
    found = {place.node: _node(place) for place in scene.places}
    if not scene.whole:
        for member in members(scene):
            found.setdefault(member.name, _heard_node(member.status))
    return tuple(found[name] for name in sorted(found))


def members(scene: Scene) -> tuple[Member, ...]:
    """Return the members of the mesh as each node sees them."""
    return tuple(
        sorted(
            (
                Member(name=one.name, node=place.node, status=one)
                for place, speaker in _speakers(scene)
                if speaker.mesh is not None
                for one in speaker.mesh.members
            ),
            key=lambda one: (one.name, one.node),
        )
    )


def pools(scene: Scene) -> tuple[Pool, ...]:
    """Return the pools and their use."""
    found = () if scene.inventory is None else scene.inventory.pools
    return tuple(Pool(name=one.name, use=one) for one in found)


def health_checks(scene: Scene) -> tuple[CheckItem, ...]:
    """Return what each HealthCheck says of each Service; one that chooses none is there, too."""
    documents = () if scene.inventory is None else scene.inventory.checks
    written = {one.name: one for one in documents}
    found: list[CheckItem] = []
    for place in scene.places:
        probes = () if place.view.agent is None else place.view.agent.health.probes
        found += (_check(place.node, one, written.get(one.check)) for one in probes)
        asked = {one.check for one in probes}
        found += (_idle(place.node, one) for one in documents if one.name not in asked)
    return tuple(sorted(found, key=lambda one: (one.name, one.service, one.node)))


def state_of(place: Place, judged: Verdict) -> str:
    """Return the state of a node that *judged* itself so.

    What it told when it was fine is no proof that it still is.
    """
    doubted = place.doubts and judged.state is State.FINE
    return UNKNOWN_STATE if doubted else judged.state.value


def carrying(one: ElasticIP) -> tuple[Carrier, ...]:
    """Return from where routers hear *one*; where none does, who would tell them."""
    return tuple(each for each in one.carriers if each.peers) or one.carriers


def bare(prefix: Prefix) -> str:
    """Return *prefix* as people say it: a single address has no length."""
    network = ipaddress.ip_network(prefix)
    return str(network.network_address) if network.num_addresses == 1 else str(prefix)


def _speakers(scene: Scene) -> Iterator[tuple[Place, SpeakerStatus]]:
    for place in scene.places:
        if place.view.speaker is not None:
            yield place, place.view.speaker


def _carried(place: Place) -> Iterator[tuple[Prefix, Carrier]]:
    for one in place.view.speaker.routes if place.view.speaker else ():
        # What a dead speaker advertised no router follows, whatever its agent wrote last.
        peers = () if place.gone else one.peers
        yield one.prefix, Carrier(node=place.node, rank=one.rank, med=one.med, peers=peers)


def _gaps(place: Place) -> Iterator[tuple[Prefix, Gap, str]]:
    for one in place.view.withheld:
        if one.prefix is not None:
            gap = Gap(node=place.node, reason=one.reason, message=one.message, peer=one.peer)
            yield one.prefix, gap, one.service


def _services(place: Place) -> Iterator[tuple[Prefix, tuple[str, ...]]]:
    agent, speaker = place.view.agent, place.view.speaker
    if agent is not None:
        yield from agent.services.items()
    for one in speaker.routes if speaker else ():
        if one.services:  # a speaker itself knows prefixes, and not whose they are
            yield one.prefix, one.services


def _stand(carriers: Sequence[Carrier]) -> Stand:
    if any(one.peers for one in carriers):
        return Stand.ADVERTISED
    return Stand.UNSENT if carriers else Stand.WITHHELD


def _told(scene: Scene, place: Place) -> Iterator[Route]:
    """Yield the routes of the one node that told them itself."""
    told = scene.routes
    if told is None:
        return
    ranks = {prefix: one.rank for prefix, one in _carried(place)}
    names = dict(_services(place)) if place.view.agent is not None else None
    for one in told.routes:
        wanted = one.wanted.rank if one.wanted else None
        yield Route(
            name=one.prefix,
            node=place.node,
            peer=one.peer,
            state=_route_stand(one, up=one.peer in told.established),
            rank=ranks.get(one.prefix, wanted) if one.told else wanted,
            services=None if names is None else names.get(one.prefix, ()),
            attributes=one.told,
            settled=told.settled,
            reason=one.withheld.reason if one.withheld else None,
            message=_why(one),
        )


def _why(one: PeerRoute) -> str:
    if one.withheld is not None:
        return one.withheld.message
    return "ExaBGP does not take it" if one.refused else ""


def _route_stand(one: PeerRoute, *, up: bool) -> Stand:
    if one.told is None:
        return Stand.WITHHELD
    return Stand.ADVERTISED if up else Stand.UNSENT


def _offered(place: Place) -> Iterator[Route]:
    """Yield what is known of routes without their attributes: who hears each prefix."""
    names = dict(_services(place)) if place.view.agent is not None else None
    for prefix, carrier in _carried(place):
        for peer in carrier.peers:
            yield Route(
                name=prefix,
                node=place.node,
                peer=peer,
                state=Stand.ADVERTISED,
                rank=carrier.rank,
                services=None if names is None else names.get(prefix, ()),
                attributes=None,
                settled=True,
                reason=None,
                message="",
            )


def _node(place: Place) -> NodeItem:
    agent, speaker, seen = place.view.agent, place.view.speaker, place.seen
    judged = verdict(place.view)
    mesh = speaker.mesh if speaker else None
    up = 0 if speaker is None or place.gone else _established(speaker)
    return NodeItem(
        name=place.node,
        state=state_of(place, judged) if agent or speaker else UNKNOWN_STATE,
        problems=judged.problems,
        heard=None,
        sessions=len(speaker.sessions) if speaker else None,
        established=up if speaker else None,
        elastic_ips=(0 if place.gone else advertised(speaker)) if speaker else None,
        armed=(mesh.armed and not place.gone) if mesh else None,
        generation=mesh.generation if mesh else None,
        draining=speaker.draining if speaker else None,
        agent=agent.version if agent else "",
        speaker=speaker.version if speaker else "",
        started=(speaker.started or None) if speaker else None,
        written=seen.written if seen else None,
        doubts=place.doubts,
    )


def _established(speaker: SpeakerStatus) -> int:
    return sum(one.state is PeerState.ESTABLISHED for one in speaker.sessions)


def _heard_node(member: MemberStatus) -> NodeItem:
    return NodeItem(
        name=member.name,
        state=UNKNOWN_STATE,
        problems=() if member.agent_alive else ("its agent is silent",),
        heard=member.state,
        sessions=None,
        established=None,
        elastic_ips=None,
        armed=None,
        generation=member.generation,
        draining=member.draining,
        agent="",
        speaker="",
        started=None,
        written=None,
        doubts=(),
    )


def _check(node: str, one: ProbeResult, document: CheckDocument | None) -> CheckItem:
    return CheckItem(
        name=one.check or one.service,
        node=node,
        service=one.service,
        health=one.health,
        message=one.message,
        since=one.since or None,
        failures=one.failures,
        probes=one.probes,
        document=document,
    )


def _idle(node: str, one: CheckDocument) -> CheckItem:
    return CheckItem(
        name=one.name,
        node=node,
        service="",
        health=Health.UNKNOWN,
        message="it chooses no Service that this node serves",
        since=None,
        failures=0,
        probes=0,
        document=one,
    )


def _order(prefix: Prefix) -> tuple[int, int, int]:
    network = ipaddress.ip_network(prefix)
    return network.version, int(network.network_address), network.prefixlen


def _route_order(one: Route) -> tuple[tuple[int, int, int], str, str]:
    return _order(one.name), one.node, one.peer
