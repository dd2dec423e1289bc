"""Gather what `bgpctl doctor` judges, from whatever answers, all at once and never for long.

Each look runs in a thread that nobody has to wait for: a name server that is silent holds up its
own line, and nothing else. What fails in a look is a fact like any other.
"""

import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from bgpd.ctl import (
    doctorconfigured,
    doctorkernel,
    doctormetadata,
    doctorprocess,
    doctorreach,
    doctorsockets,
    observe,
)
from bgpd.ctl.doctorfacts import (
    Facts,
    HostFacts,
    MemberFacts,
    MetadataFacts,
    PeerFacts,
    StateFacts,
    Way,
)
from bgpd.ctl.doctorhost import elastic_ips, uplinks
from bgpd.ctl.doctorports import LISTENING
from bgpd.ctl.doctorsession import talks
from bgpd.ctl.doctorthreads import Looks
from bgpd.ctl.view import View
from bgpd.model.configuration import BGPPeer
from bgpd.model.errors import BgpdError, ConfigError
from bgpd.model.prefix import Address, Prefix
from bgpd.model.status import MemberState, NodeStatus, SpeakerStatus

_MARGIN: Final = 1.0
"""What a look may take beyond its own timeouts."""
_SAMPLE: Final = 64
"""Elastic IPs that the kernel is asked for."""
_MOST_MEMBERS: Final = 32
"""Members that are pinged: of a thousand those that are not heard."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What to ask, and for how long."""

    agent: Path
    speaker: Path
    state: Path
    timeout: float


def look(where: Where) -> Facts:
    """Return everything that can be found out now."""
    seconds = where.timeout
    first = Looks(seconds + _MARGIN)
    silent = (None, "no answer", False)
    first.start("agent", _ask, where.agent, NodeStatus, seconds)
    first.start("speaker", _ask, where.speaker, SpeakerStatus, seconds)
    first.start("kernel", doctorkernel.host, seconds)
    first.start("state", doctorprocess.state, where.state)
    first.start("saved state", doctorconfigured.kept, where.state)
    node, agent_error, agent_forbidden = first.result("agent", silent)
    status, speaker_error, speaker_forbidden = first.result("speaker", silent)
    host = first.result("kernel", HostFacts(problem="the kernel does not answer"))
    kept, kept_problem = first.result("saved state", (None, "it takes too long to read"))
    view = observe.joined(node, agent_error, status, speaker_error)
    facts = Facts(
        view=view,
        now=time.time(),
        user=os.geteuid(),
        pod_of=node_of(view) if "KUBERNETES_SERVICE_HOST" in os.environ else "",
        agent_forbidden=agent_forbidden,
        speaker_forbidden=speaker_forbidden,
        kept_problem=kept_problem,
        host=host,
        peers=tuple(doctorconfigured.peers(view, kept)),
        members=tuple(doctorconfigured.members(view, kept)),
        kube_proxy_url=doctorconfigured.kube_proxy_url(kept),
        state=first.result("state", StateFacts(path=str(where.state), problem="it hangs")),
    )
    first.end()
    return _reached(facts, where)


def _reached(facts: Facts, where: Where) -> Facts:
    """Return *facts* with what is found out by trying."""
    seconds = where.timeout
    ports = {peer.port for peer in facts.peers}
    known = facts.host.addresses
    own = {one.address for one in known or ()}
    found = doctorkernel.ways(
        [(one.address, one.source if one.source in own else None) for one in facts.peers],
        seconds,
    )
    connections = {port: _or_nothing(doctorkernel.connections, port, seconds) for port in ports}
    peers = [
        replace(
            one,
            way=way if isinstance(way := found.get(one.address), Way) else None,
            way_problem=way if isinstance(way, str) else "",
            connection=connections[one.port].get(one.address),
        )
        for one in facts.peers
    ]
    second = Looks(seconds + _MARGIN)
    for peer in peers:
        _try_peer(second, peer, seconds)
    for member in _to_try(facts.members):
        second.start(f"ping {member.name}", doctorreach.ping, member.address, None, seconds)
        second.start(f"mesh {member.name}", doctorreach.knock, member.address, member.port, seconds)
    if facts.kube_proxy_url:
        second.start("kube-proxy", doctorreach.well, facts.kube_proxy_url, seconds)
    sysctls = doctorkernel.interface_sysctls(uplinks(peers))
    second.start(
        "processes", doctorprocess.processes, facts.view, where.agent, where.speaker, seconds
    )
    asked, unasked = doctormetadata.documents(where.state, node_of(facts.view))
    for document, node in asked:
        second.start(f"provider of {document.name}", doctormetadata.ask, document, node, seconds)
    running = second.result("processes", ())
    third = Looks(seconds)
    third.start("ports", doctorsockets.holders, LISTENING, running)
    done = replace(
        facts,
        host=replace(facts.host, sysctls={**facts.host.sysctls, **sysctls}),
        peers=tuple(_tried_peer(second, peer) for peer in peers),
        ending_here=_ending_here(facts, seconds),
        members=tuple(_tried_member(second, one) for one in facts.members),
        kube_proxy=second.found("kube-proxy"),
        processes=running,
        ports=third.result("ports", ()),
        metadata=tuple(_of_provider(second, document) for document, _ in asked),
        metadata_problem=unasked,
    )
    second.end()
    return done


def _of_provider(looks: Looks, document: BGPPeer) -> MetadataFacts:
    nothing = MetadataFacts(
        document=document.name,
        provider=document.provider.kind if document.provider else "",
        where="",
        problem="no answer in time; does this host find the name that is asked?",
    )
    return looks.result(f"provider of {document.name}", nothing)


def node_of(view: View) -> str:
    """Return the name of this node, as far as anybody says it."""
    return view.node or os.environ.get("BGPD_NODE", "") or socket.gethostname()


def _ending_here(facts: Facts, seconds: float) -> frozenset[Prefix]:
    """Return the elastic IPs that the kernel takes for its own; of very many, by a sample."""
    wanted = sorted(elastic_ips(facts))
    addresses = {one: Address(one.partition("/")[0]) for one in wanted}
    found = doctorkernel.ways([(one, None) for one in addresses.values()][:_SAMPLE], seconds)
    asked = [one for one in wanted if addresses[one] in found]
    here = [one for one in asked if isinstance(way := found[addresses[one]], Way) and way.ours]
    return frozenset(wanted if asked == here else here)


def _try_peer(looks: Looks, peer: PeerFacts, seconds: float) -> None:
    """Begin what can be tried with a router without harm to a session."""
    if peer.way is None or peer.way.ours:
        return
    looks.start(f"ping {peer.name}", doctorreach.ping, peer.address, peer.source, seconds)
    size = peer.way.link_mtu
    if size is not None and size <= _LARGEST:
        looks.start(
            f"large ping {peer.name}", doctorreach.ping, peer.address, peer.source, seconds, size
        )
    if not talks(peer):
        where = (peer.address, peer.port, peer.source)
        looks.start(f"connect {peer.name}", doctorreach.connect, *where, seconds)


_LARGEST: Final = 9216
"""Bytes; loopbacks have packets of 64 KiB, which no router is asked to answer."""


def _tried_peer(looks: Looks, peer: PeerFacts) -> PeerFacts:
    return replace(
        peer,
        ping=looks.found(f"ping {peer.name}"),
        large_ping=looks.found(f"large ping {peer.name}"),
        connect=looks.found(f"connect {peer.name}"),
    )


def _to_try(members: Iterable[MemberFacts]) -> Iterator[MemberFacts]:
    """Yield the members that are not heard, a few of them."""
    count = 0
    for one in members:
        state = one.status.state if one.status is not None else MemberState.UNHEARD
        if state is not MemberState.ALIVE and count < _MOST_MEMBERS:
            count += 1
            yield one


def _tried_member(looks: Looks, one: MemberFacts) -> MemberFacts:
    return replace(one, ping=looks.found(f"ping {one.name}"), knock=looks.found(f"mesh {one.name}"))


def _ask(path: Path, kind: type[T], seconds: float) -> tuple[T | None, str, bool]:
    """Return what is said at a socket, or why nothing is, and whether we may not ask."""
    try:
        return observe.answer(path, kind, timeout=seconds), "", False
    except ConfigError as error:
        return None, str(error), True
    except (BgpdError, OSError) as error:
        return None, str(error), False


def _or_nothing(
    function: Callable[[int, float], Mapping[Address, Any]], port: int, seconds: float
) -> Mapping[Address, Any]:
    try:
        return function(port, seconds)
    except (OSError, BgpdError):
        return {}
