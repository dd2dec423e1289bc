"""What happened on a node between two looks at it, as far as a person cares: news for Events.

A look is compared with the one before. What was so already when we began is no news, except what
is wrong with the configuration: who starts an agent wants to hear that.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bgpd.kube.objects import OUR_GROUP
from bgpd.kube.problem import Problem, Standing
from bgpd.model.peer import PeerState
from bgpd.model.status import (
    Condition,
    MemberState,
    MeshStatus,
    NodeStatus,
    RouteStatus,
    SessionStatus,
    SpeakerStatus,
)

MOST: Final = 20
"""Of one kind that are told one by one; where there are more, they are told together."""
VANISHED: Final = "ConfigurationVanished"
_GROUPS: Final = {
    "Node": "v1",
    "Service": "v1",
    "EndpointSlice": "discovery.k8s.io/v1",
}
_SUBJECT: Final = re.compile(
    r"(?:on node \S+: )?"
    r"(IPAddressPool|BGPAdvertisement|BGPPeer|Community|SpeakerPolicy) ([a-z0-9][a-z0-9.-]*):"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Regarding:
    """The object that an Event is about."""

    kind: str
    name: str
    namespace: str = ""
    uid: str = ""
    """What `kubectl describe` finds an Event by, where it is known."""

    @property
    def version(self) -> str:
        """Its apiVersion."""
        return _GROUPS.get(self.kind, OUR_GROUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One thing that happened."""

    reason: str
    action: str
    """What we did or tried, in one word."""
    regarding: Regarding
    note: str
    warning: bool = True
    about: str = ""
    """What keeps apart two happenings of one reason about one object: the peer of a session."""
    shared: bool = False
    """Whether every node sees the same; then one of them is enough to tell it."""
    times: int = 1


def happenings(
    before: NodeStatus | None,
    after: NodeStatus,
    *,
    problems: Sequence[Problem] = (),
    problems_before: Sequence[Problem] = (),
    namespace: str,
) -> tuple[Happening, ...]:
    """Return what happened between two looks; *namespace* is where our configuration lives."""
    found = [
        *_refused(problems, problems_before, namespace),
        *_conditions(after, before.conditions if before else (), namespace),
    ]
    old = before.speaker if before else None
    if old is not None and after.speaker is not None:
        found += _of_speaker(old, after.speaker, after)
    return tuple(found)


def _of_speaker(old: SpeakerStatus, new: SpeakerStatus, node: NodeStatus) -> Iterator[Happening]:
    same = old.started == new.started
    yield from _sessions(old, new, same=same)
    if old.mesh is not None and new.mesh is not None:
        yield from _mesh(old.mesh, new.mesh, same=same)
    yield from _advertised(old.routes, new.routes, node)


def _sessions(old: SpeakerStatus, new: SpeakerStatus, *, same: bool) -> Iterator[Happening]:
    known = {one.peer: one for one in old.sessions}
    for one in new.sessions:
        was = known.get(one.peer)
        if was is None:
            continue
        changes = one.transitions - was.transitions if same else 0
        up, was_up = (each.state is PeerState.ESTABLISHED for each in (one, was))
        down, came = turns(changes, was_up=was_up, up=up)
        if down:
            why = f": {one.last_error}" if one.last_error else ""
            yield _session("SessionDown", one, new.node, f"went down{why}", down)
        if came:
            yield _session("SessionUp", one, new.node, "is established", came)


def turns(changes: int, *, was_up: bool, up: bool) -> tuple[int, int]:
    """Return how often something went down and came up in so many *changes* between two looks."""
    # Of an odd number of changes one is left, of an even number none: so many each way.
    changes = max(0, changes)
    down = max((changes + was_up) // 2, int(was_up and not up))
    came = max((changes + (not was_up)) // 2, int(up and not was_up))
    return down, came


def _session(reason: str, one: SessionStatus, node: str, what: str, times: int) -> Happening:
    return Happening(
        reason=reason,
        action="Peer",
        regarding=Regarding(kind="Node", name=node),
        note=f"the session with BGPPeer {one.peer} ({one.address}) {what}",
        warning=reason == "SessionDown",
        about=one.peer,
        times=times,
    )


def _mesh(old: MeshStatus, new: MeshStatus, *, same: bool) -> Iterator[Happening]:
    known = {one.name: one.state for one in old.members}
    turned = {
        state: sorted(
            one.name for one in new.members if one.state is state is not known.get(one.name)
        )
        for state in (MemberState.DEAD, MemberState.SUSPECT, MemberState.QUARANTINED)
    }
    raised = new.raises - (old.raises if same else 0)
    if raised > 0:
        yield from _raised(new, turned[MemberState.DEAD] or turned[MemberState.SUSPECT], raised)
    for name in turned[MemberState.QUARANTINED]:
        yield Happening(
            reason="Quarantined",
            action="Quarantine",
            regarding=Regarding(kind="Node", name=name),
            note=f"member {name} was taken over from too often: it ranks behind the others until"
            " it is silent or steady for ten minutes",
            about=str(new.generation),
            shared=True,
        )


def _raised(mesh: MeshStatus, dead: Sequence[str], raised: int) -> Iterator[Happening]:
    names = ", ".join(dead) or "a member"
    for name in dead or [mesh.node]:
        yield Happening(
            reason="TakenOver",
            action="RaiseGeneration",
            regarding=Regarding(kind="Node", name=name),
            note=f"{names} fell silent; {mesh.node} raised the generation to {mesh.generation},"
            " so that routers leave its routes",
            about=str(mesh.generation),
            times=raised if not dead else 1,
        )


def _advertised(
    old: Iterable[RouteStatus], new: Iterable[RouteStatus], node: NodeStatus
) -> Iterator[Happening]:
    """Yield which Services this node begins to attract traffic for; again only after a pause."""
    # A route that no session carries attracts nothing.
    known = {one.prefix for one in old if one.peers}
    found = [
        (one.prefix, service)
        for one in new
        if one.peers and one.prefix not in known
        for service in one.services or node.services.get(one.prefix, ())
    ]
    if len(found) > MOST:
        note = f"node {node.node} advertises {len(found)} more elastic IPs"
        yield _begun(Regarding(kind="Node", name=node.node), note, "")
        return
    for prefix, service in found:
        namespace, _, name = service.partition("/")
        regarding = Regarding(kind="Service", namespace=namespace, name=name)
        yield _begun(regarding, f"node {node.node} advertises {prefix}", prefix)


def _begun(regarding: Regarding, note: str, about: str) -> Happening:
    return Happening(
        reason="Advertised",
        action="Advertise",
        regarding=regarding,
        note=note,
        warning=False,
        about=about,
    )


def _refused(
    problems: Sequence[Problem], before: Sequence[Problem], namespace: str
) -> Iterator[Happening]:
    known = {one.message for one in before}
    for one in problems:
        if one.message in known or not (one.kind and one.name):
            continue
        if one.standing in {Standing.REFUSED, Standing.UNSUPPORTED}:
            reason = "ConfigurationRefused" if one.refused else one.standing.value
            yield _configuration(_object(one.kind, one.name, namespace), one.message, reason)


def _conditions(
    after: NodeStatus, before: Iterable[Condition], namespace: str
) -> Iterator[Happening]:
    known = {(one.type, one.message) for one in before if one.status}
    node = Regarding(kind="Node", name=after.node)
    for one in after.conditions:
        if not one.status or (one.type, one.message) in known:
            continue
        if one.type == VANISHED:
            yield Happening(
                reason=VANISHED, action="Configure", regarding=node, note=one.message,
                about=one.reason,
            )  # fmt: skip
        elif one.type == "ConfigurationRefused":
            subject = _SUBJECT.match(one.message)
            regarding = _object(subject[1], subject[2], namespace) if subject else node
            yield _configuration(regarding, one.message)


def _object(kind: str, name: str, namespace: str) -> Regarding:
    """Return the object of a problem; only the names of Services and slices have a namespace."""
    inner, _, last = name.rpartition("/")
    if kind == "Node":
        return Regarding(kind=kind, name=name)
    return Regarding(kind=kind, name=last, namespace=inner or namespace)


def _configuration(
    regarding: Regarding, note: str, reason: str = "ConfigurationRefused"
) -> Happening:
    return Happening(
        reason=reason,
        action="Configure",
        regarding=regarding,
        note=note,
        about=note,
        shared=regarding.kind != "Node" and not note.startswith("on node "),
    )
