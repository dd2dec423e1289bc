"""What the speaker tells people about itself."""

from collections.abc import Mapping
from dataclasses import replace

from bgpd.model.peer import PeerName
from bgpd.model.prefix import Prefix
from bgpd.model.reason import Reason, Withheld
from bgpd.model.route import Advertisement, Attributes
from bgpd.model.status import Condition, MeshStatus, RouteStatus, SpeakerStatus
from bgpd.speaker import comparable
from bgpd.speaker.reflex import Reflex


def observe(  # noqa: PLR0913 - each is one fact that only the driver knows
    reflex: Reflex,
    *,
    now: float,
    version: str,
    started: float,
    exabgp_pid: int | None,
    counters: Mapping[str, int],
    conditions: tuple[Condition, ...] = (),
) -> SpeakerStatus:
    """Return the status of *reflex*; *started* is a wall clock."""
    absent = reflex.situation.agent.absent_since(now)
    desired = reflex.desired
    peers = () if desired is None else tuple(desired.peers.values())
    actual = reflex.offer.rib.actual
    up = frozenset(peer.name for peer in peers if reflex.sessions.established(peer))
    return SpeakerStatus(
        node=reflex.node,
        version=version,
        started=started,
        agent_connected=absent is None,
        agent_absent_since=None if absent is None else absent + reflex.wall_offset,
        exabgp_pid=exabgp_pid,
        sessions=tuple(
            replace(
                reflex.sessions.status(
                    peer, len(actual.get(peer.name, {})) if peer.name in up else 0
                ),
                damping_budget=reflex.offer.stances.budget(peer, now),
            )
            for peer in sorted(peers, key=lambda peer: peer.name)
        ),
        routes=_routes(actual, {} if desired is None else desired.advertisements, up),
        withheld=(*reflex.offer.rib.withheld, *_not_started(reflex)),
        mesh=None if reflex.mesh is None else _mesh(reflex, reflex.mesh.status(now)),
        counters={**counters, **reflex.counters},
        conditions=(
            *conditions,
            *reflex.offer.conditions(now=now, wall_offset=reflex.wall_offset),
        ),
        draining=reflex.situation.drain.active,
    )


def _mesh(reflex: Reflex, seen: MeshStatus) -> MeshStatus:
    """Return *seen*, with what the mesh cannot know: which members carry which prefixes."""
    own = comparable.condition(
        reflex.desired, seen.members, ours=reflex.sessions.router_ids(), node=reflex.node
    )
    conditions = (own if one.type == own.type else one for one in seen.conditions)
    return replace(seen, conditions=tuple(conditions))


def _routes(
    actual: Mapping[PeerName, Mapping[Prefix, Attributes]],
    wanted: Mapping[PeerName, Mapping[Prefix, Advertisement]],
    up: frozenset[PeerName],
) -> tuple[RouteStatus, ...]:
    """Return one row a prefix; peers that hear different ranks show the best of them.

    A session that is not *up* carries nothing: its peer is not named, though its routes wait.
    """
    peers: dict[Prefix, list[PeerName]] = {}
    meds: dict[Prefix, int | None] = {}
    for name, routes in sorted(actual.items()):
        for prefix, attributes in routes.items():
            peers.setdefault(prefix, []).append(name)
            meds.setdefault(prefix, attributes.med)
    return tuple(
        RouteStatus(
            prefix=prefix,
            peers=tuple(name for name in peers[prefix] if name in up),
            rank=min(
                (
                    wanted[name][prefix].rank
                    for name in peers[prefix]
                    if prefix in wanted.get(name, {})
                ),
                default=0,
            ),
            med=meds[prefix],
        )
        for prefix in sorted(peers)
    )


def _not_started(reflex: Reflex) -> tuple[Withheld, ...]:
    """Say what waits for the mesh to know the generation, or for the agent after a restart."""
    offer = reflex.offer
    begun = offer.advertising and offer.agent_awaited_until is None
    if begun or reflex.desired is None:
        return ()
    prefixes = {prefix for routes in reflex.desired.advertisements.values() for prefix in routes}
    prefixes -= {prefix for routes in offer.rib.actual.values() for prefix in routes}
    return tuple(
        Withheld(
            service="",
            prefix=prefix,
            reason=Reason.NOT_STARTED,
            message="waiting for the agent, for ExaBGP's state or for the generation from a member",
        )
        for prefix in sorted(prefixes)
    )
