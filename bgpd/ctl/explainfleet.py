"""Which nodes carry an elastic IP, where its traffic goes, and why the other nodes do not."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bgpd.ctl.columns import columns, counted, duration, wrapped
from bgpd.ctl.explainchain import chains
from bgpd.ctl.explainlink import Chain
from bgpd.ctl.explainsubject import subjects
from bgpd.ctl.explaintext import headline
from bgpd.ctl.fleet import Fleet, NodeSeen
from bgpd.model.peer import PeerState
from bgpd.model.prefix import Prefix
from bgpd.model.route import RANK_DRAIN

NONE = "<none>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """What one node does with one elastic IP."""

    node: str
    chain: Chain | None
    """None: nothing is known of it there."""
    rank: int | None = None
    generation: int | None = None
    peers: tuple[str, ...] = ()
    """Whose routers hear it."""
    endpoints: int | None = None
    """Endpoints on the node; None: nobody said."""
    doubts: tuple[str, ...] = ()
    """Why this may be old."""
    written: float | None = None
    gone: bool = False
    """Whether its speaker is dead, by the others' word."""
    without: str = ""
    """The peer that was asked for, where the node has no session with it."""

    @property
    def carries(self) -> bool:
        """Whether some router hears it from there."""
        return bool(self.peers) and not self.gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """One elastic IP in the whole cluster."""

    service: str
    prefix: str
    seats: tuple[Seat, ...]
    best: Mapping[str, tuple[str, ...]]
    """By router: the nodes among which it chooses, as far as can be known."""


def spreads(
    fleet: Fleet, what: str, prefix: Prefix | None, *, peer: str = ""
) -> tuple[Spread, ...]:
    """Return each elastic IP that *what* names in *fleet*; as an address it is *prefix*.

    With *peer* only what that one hears counts.
    """
    found = _chains(fleet, what, prefix, peer)
    for service, of in tuple(found):
        if service and of:
            # A speaker does not know Services: what it alone withholds has no name there.
            unnamed = _chains(fleet, of, Prefix(of), peer).get(("", of), {})
            found[service, of] = {**unnamed, **found[service, of]}
    named = {(service, of) for service, of in found if service or not _is_named(found, of)}
    slices = fleet.of("EndpointSlice")
    return tuple(
        _spread(fleet, service, of, found[service, of], endpoints_of(slices, service), peer)
        for service, of in sorted(named)
    )


def _chains(
    fleet: Fleet, what: str, prefix: Prefix | None, peer: str
) -> dict[tuple[str, str], dict[str, Chain]]:
    """Return by Service and prefix what each node says of it."""
    found: dict[tuple[str, str], dict[str, Chain]] = {}
    for node in fleet.nodes:
        for one in chains(node.view, subjects(node.view, what, prefix, ()), None, peer=peer):
            found.setdefault((one.service, one.prefix), {})[node.name] = one
    return found


def endpoints_of(slices: Iterable[Mapping[str, Any]], service: str) -> Counter[str] | None:
    """Return how many endpoints of *service* each node has; None where there is no slice of it."""
    namespace, _, name = service.partition("/")
    found: Counter[str] | None = None
    for one in slices:
        metadata = one.get("metadata") or {}
        owner = (metadata.get("labels") or {}).get("kubernetes.io/service-name")
        if (metadata.get("namespace"), owner) != (namespace, name):
            continue
        found = Counter() if found is None else found
        for endpoint in one.get("endpoints") or ():
            conditions = endpoint.get("conditions") or {}
            if conditions.get("ready") is not False or conditions.get("serving"):
                found[str(endpoint.get("nodeName") or "")] += 1
    return found


def spread_text(found: Spread, *, now: float) -> str:
    """Return *found* in 80 columns: who carries it, where traffic goes, why the others do not."""
    name = " ".join(filter(None, (found.service, found.prefix)))
    carrying = [one.node for one in found.seats if one.carries]
    total = counted(len(found.seats), "node")
    verb = "advertises" if len(carrying) == 1 else "advertise"
    lines = [wrapped(f"{name}: {len(carrying)} of {total} {verb} it", indent="  ")]
    for router, nodes in found.best.items():
        how = "spreads over" if len(nodes) > 1 else "sends all to"
        lines.append(wrapped(f"router {router} {how} {', '.join(nodes)}", indent="  "))
    rows = [_row(one) for one in found.seats]
    table = columns(("NODE", "STATE", "RANK", "GENERATION", "ENDPOINTS", "PEERS"), rows,
                    flexible=(5, 0, 1))  # fmt: skip
    lines += table.splitlines()
    for one in found.seats:
        lines += [wrapped(f"{one.node}: {said}", indent="  ") for said in _said(one, now)]
    return "".join(f"{line}\n" for line in lines)


def spread_document(found: Spread) -> dict[str, object]:
    """Return *found* for programs."""
    return {
        "service": found.service,
        "prefix": found.prefix,
        "routers": {router: list(nodes) for router, nodes in found.best.items()},
        "nodes": [
            {
                "node": one.node,
                "carries": one.carries,
                "state": _state(one),
                "rank": one.rank,
                "generation": one.generation,
                "peers": list(one.peers),
                "endpoints": one.endpoints,
                "doubts": list(one.doubts),
            }
            for one in found.seats
        ],
    }


def _is_named(found: Iterable[tuple[str, str]], prefix: str) -> bool:
    """Return whether some node knows the Service of *prefix*: then it is nobody else's."""
    return any(service for service, of in found if of == prefix)


def _spread(
    fleet: Fleet,
    service: str,
    prefix: str,
    known: Mapping[str, Chain],
    endpoints: Counter[str] | None,
    peer: str,
) -> Spread:
    seats = tuple(
        _seat(node, prefix, known.get(node.name), endpoints, peer) for node in fleet.nodes
    )
    return Spread(service=service, prefix=prefix, seats=seats, best=_best(fleet, seats))


def _seat(
    node: NodeSeen, prefix: str, chain: Chain | None, endpoints: Counter[str] | None, peer: str
) -> Seat:
    speaker = node.view.speaker
    sessions = {one.peer for one in speaker.sessions} if speaker is not None else {peer}
    route = next((one for one in (speaker.routes if speaker else ()) if one.prefix == prefix), None)
    mesh = speaker.mesh if speaker is not None else None
    return Seat(
        node=node.name,
        chain=chain,
        rank=route.rank if route is not None else None,
        generation=mesh.generation if route is not None and mesh is not None else None,
        peers=tuple(one for one in route.peers if peer in {"", one}) if route is not None else (),
        endpoints=None if endpoints is None else endpoints[node.name],
        doubts=node.doubts,
        written=node.written,
        gone=node.gone,
        without=peer if peer and peer not in sessions else "",
    )


def _best(fleet: Fleet, seats: Iterable[Seat]) -> dict[str, tuple[str, ...]]:
    """Return by router which nodes have the best path: the highest generation, the least rank."""
    offers: dict[str, list[tuple[int, int, str]]] = {}
    by_name = {one.node: one for one in seats if one.carries}
    for node in fleet.nodes:
        seat = by_name.get(node.name)
        speaker = node.view.speaker
        if seat is None or speaker is None:
            continue
        for session in speaker.sessions:
            if session.peer in seat.peers and session.state is PeerState.ESTABLISHED:
                router = session.peer_router_id or session.address
                offer = (-(seat.generation or 0), seat.rank or 0, node.name)
                offers.setdefault(router, []).append(offer)
    return {
        router: tuple(sorted({name for g, r, name in found if (g, r) == min(found)[:2]}))
        for router, found in sorted(offers.items())
    }


def _row(seat: Seat) -> tuple[str, ...]:
    return (
        seat.node,
        _state(seat),
        NONE if seat.rank is None else str(seat.rank),
        NONE if seat.generation is None else str(seat.generation),
        NONE if seat.endpoints is None else str(seat.endpoints),
        ",".join(seat.peers) or NONE,
    )


def _state(seat: Seat) -> str:
    if seat.gone:
        return "dead"
    if seat.carries:
        return "draining" if (seat.rank or 0) >= RANK_DRAIN else "advertised"
    if seat.without:
        return "no session"
    if seat.chain is None:
        return "unknown"
    stop = seat.chain.stop
    if stop is None:
        return "unknown"
    return stop.reason.value if stop.reason is not None else f"stops at {stop.gate}"


def _said(seat: Seat, now: float) -> Iterator[str]:
    """Yield what a person has to know of one node."""
    hopeless = seat.carries or seat.gone or seat.without
    if seat.without:
        yield f"it has no session with {seat.without}"
    stop = seat.chain.stop if seat.chain is not None and not hopeless else None
    if stop is not None:
        yield f"{stop.sentence}; change it: {stop.change}" if stop.change else stop.sentence
    elif seat.chain is None and not hopeless:
        yield "nothing is known of it there"
    elif not hopeless and seat.chain is not None:
        yield headline(seat.chain)
    age = f"; it wrote last {duration(now - seat.written)} ago" if seat.written else ""
    yield from (f"{doubt}{age}" for doubt in seat.doubts)
