"""What the speaker tells people about itself."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from bgpd.model.peer import Peer, PeerName
from bgpd.model.reason import Reason, Withheld
from bgpd.model.status import Condition, MeshStatus, SessionStatus, SpeakerStatus
from bgpd.policy.gate import limited, over_limit
from bgpd.speaker import comparable, probed
from bgpd.speaker.offered import Offered
from bgpd.speaker.reflex import Reflex
from bgpd.speaker.rows import Rows


def observe(  # noqa: PLR0913 - each is one fact that only the driver knows
    reflex: Reflex,
    *,
    now: float,
    version: str,
    started: float,
    exabgp_pid: int | None,
    counters: Mapping[str, int],
    conditions: tuple[Condition, ...] = (),
    rows: Rows | None = None,
) -> SpeakerStatus:
    """Return the status of *reflex*; *started* is a wall clock.

    *rows* are those of `rows_of`; whoever can wait for no turn of the loop leaves them out.
    """
    if rows is None:
        rows = rows_of(reflex)
        while not rows.complete:
            rows.go_on()
    absent = reflex.situation.agent.absent_since(now)
    desired = reflex.desired
    peers = () if desired is None else tuple(desired.peers.values())
    up = _up(reflex)
    kept_back = withheld(reflex)
    return SpeakerStatus(
        node=reflex.node,
        version=version,
        started=started,
        agent_connected=absent is None,
        agent_absent_since=None if absent is None else absent + reflex.wall_offset,
        exabgp_pid=exabgp_pid,
        sessions=tuple(
            _session(reflex, peer, advertised=peer.name in up, now=now)
            for peer in sorted(peers, key=lambda peer: peer.name)
        ),
        routes=rows.rows,
        withheld=kept_back,
        mesh=None if reflex.mesh is None else _mesh(reflex, reflex.mesh.status(now)),
        counters={**counters, **reflex.counters, "prefix_limit": limited(kept_back)},
        conditions=(
            *conditions,
            *reflex.offer.conditions(now=now, wall_offset=reflex.wall_offset),
            *probed.conditions(reflex.probed, peers),
            *over_limit(kept_back, peers),
        ),
        draining=bool(reflex.situation.drain_causes),
        drain=reflex.draining.status(now),
    )


def rows_of(reflex: Reflex) -> Rows:
    """Return the rows of what is on the wire now, to be made."""
    desired = reflex.desired
    wanted = {} if desired is None else desired.advertisements
    return Rows(reflex.offer.rib.actual, wanted, _up(reflex), stance=reflex.offer.wording.stance)


def offered_by(reflex: Reflex, arguments: Mapping[str, str]) -> Offered:
    """Return what *arguments* ask for of what is wanted and on the wire now, to be made."""
    return Offered(reflex, arguments, up=_up(reflex), withheld=withheld(reflex))


def withheld(reflex: Reflex) -> tuple[Withheld, ...]:
    """Return what is wanted and not on the wire, and why."""
    return (*reflex.offer.rib.withheld, *_not_started(reflex), *_unknown_peers(reflex))


def _up(reflex: Reflex) -> frozenset[PeerName]:
    peers = () if reflex.desired is None else reflex.desired.peers.values()
    return frozenset(peer.name for peer in peers if reflex.sessions.established(peer))


def _session(reflex: Reflex, peer: Peer, *, advertised: bool, now: float) -> SessionStatus:
    routes = reflex.offer.rib.actual.get(peer.name, {}) if advertised else {}
    session = reflex.sessions.status(peer, len(routes))
    levers, at = probed.shown(reflex.probed, session)
    return replace(
        session,
        damping_budget=reflex.offer.wording.stances.budget(peer, now),
        bfd=reflex.bfd.status(peer, now, wall_offset=reflex.wall_offset),
        lever_probed=dict(levers),
        probed_at=at,
    )


def _mesh(reflex: Reflex, seen: MeshStatus) -> MeshStatus:
    """Return *seen*, with what the mesh cannot know: which members carry which prefixes."""
    own = comparable.condition(
        reflex.desired, seen.members, ours=reflex.sessions.router_ids(), node=reflex.node
    )
    conditions = (own if one.type == own.type else one for one in seen.conditions)
    return replace(seen, conditions=tuple(conditions))


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


def _unknown_peers(reflex: Reflex) -> Iterator[Withheld]:
    """Say what is wanted of peers that nobody configured: the last gate trusts no agent."""
    if reflex.desired is None:
        return
    for name in sorted(reflex.desired.advertisements.keys() - reflex.desired.peers.keys()):
        for prefix in sorted(reflex.desired.advertisements[name]):
            yield Withheld(
                service="",
                prefix=prefix,
                reason=Reason.UNKNOWN_PEER,
                message=f"the agent names peer {name} for {prefix}, but no such peer is configured",
                peer=name,
            )
