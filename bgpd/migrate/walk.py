"""What to type next on the way from MetalLB to bgpd, and what would take the last step back.

The order is what keeps every packet: our objects first, then node after node (one address has one
session with a router, so on each node either MetalLB speaks or bgpd), then MetalLB's controller,
then the lever, on all nodes at once.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from bgpd.migrate.configuration import COPIED
from bgpd.migrate.copy import copies, same, somebodys
from bgpd.migrate.found import Document, Found, annotations_of, name_of, namespace_of
from bgpd.migrate.stand import NodeStand, Stand, Step, nodes_of
from bgpd.migrate.workload import SPEAKER_LABEL, Component, Workload, workloads
from bgpd.model.migration import MIGRATING

_SHOWN: Final = 5
_NEEDED: Final = frozenset({"IPAddressPool", "BGPAdvertisement", "BGPPeer", "BGPNodeStatus"})
_ON_DELETE: Final = '{"spec":{"updateStrategy":{"type":"OnDelete","rollingUpdate":null}}}'
_AFFINITY: Final = (
    '{"spec":{"template":{"spec":{"affinity":{"nodeAffinity":'
    '{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":'
    '[{"matchExpressions":[{"key":"bgpd.io/speaker","operator":"DoesNotExist"}]}]}}}}}}}'
)


def stand(found: Found, namespace: str) -> Stand:
    """Return where the cluster stands; our objects live in *namespace*."""
    nodes = tuple(nodes_of(found))
    uncopied = tuple(_uncopied(found, namespace))
    held = any(marked(found))
    base = Stand(step=Step.NOTHING, nodes=nodes, held=held, uncopied=uncopied)
    return _step(base, found)


def marked(found: Found) -> Iterator[Document]:
    """Yield the pools that have the mark, MetalLB's own among them."""
    for one in (*found.ours("IPAddressPool"), *found.metallb("IPAddressPool")):
        if annotations_of(one).get(MIGRATING):
            yield one


def holds_at_copy(found: Found) -> bool:
    """Return whether a copy made now has the mark: a first one, or one while the walk goes on.

    A copy that is made again after the end must not turn the lever off.
    """
    return any(marked(found)) or not found.ours("IPAddressPool")


def finish_is_early(at: Stand, found: Found) -> tuple[str, ...]:
    """Return why the lever must not be turned on yet, a sentence each."""
    reasons = []
    if names := [one.name for one in at.nodes if one.metallb]:
        reasons.append(
            f"MetalLB's speaker still runs on {_some(names)}: its routes have no MED, which"
            " routers read as the best"
        )
    reasons += [
        f"MetalLB's controller still runs (Deployment {one.namespace}/{one.name}): two"
        " controllers would give addresses"
        for one in _controllers(found)
        if one.replicas
    ]
    if at.uncopied:
        reasons.append(f"{_some(at.uncopied)} not copied: bgpctl migrate copy")
    if silent := [one.name for one in at.nodes if one.labelled and not one.reported]:
        reasons.append(f"bgpd's agent says nothing on {_some(silent)}")
    if lame := [one.name for one in at.nodes if one.reported and not one.moved and not one.metallb]:
        reasons.append(f"bgpd's sessions are not all established on {_some(lame)}")
    return tuple(reasons)


def behind(at: Stand, *, on: bool) -> list[str]:
    """Return the nodes whose agents do not say yet that the lever is *on*, at one generation."""
    nodes = [one for one in at.nodes if one.reported and not one.metallb]
    if on:
        late = [one.name for one in nodes if one.leverless]
    else:
        late = [one.name for one in nodes if not one.held or one.levers - {"none"}]
    highest = max((one.generation or 0 for one in nodes), default=0)
    return late or [one.name for one in nodes if (one.generation or 0) != highest]


def _step(at: Stand, found: Found) -> Stand:  # noqa: PLR0911 - one a step
    there = any(found.metallb(kind) for kind in COPIED) or bool(workloads(found))
    if not there and not at.held:
        return replace(at, step=Step.NOTHING, why="there is nothing of MetalLB here")
    if missing := sorted(_missing_kinds(found)):
        return replace(
            at,
            step=Step.INSTALL,
            why=f"bgpd's kinds are not installed ({_some(missing)})",
            commands=("kubectl apply -f charts/bgpd/files/crds",),
        )
    if at.uncopied:
        if not at.held and any(one.reported and not one.leverless for one in at.nodes):
            note = "bgpd runs already, without the mark: its controller may give addresses beside"
            at = replace(at, warnings=(f"{note} MetalLB's, and its routes lose to MetalLB's",))
        return replace(
            at,
            step=Step.COPY,
            why=f"no copy yet, or an old one: {_some(at.uncopied)}",
            commands=("bgpctl migrate copy",),
        )
    running = [one for one in at.nodes if one.metallb]
    if running and not at.held:
        note = "MetalLB speaks and the mark is gone: bgpd's lever is on, and its routes lose"
        at = replace(at, warnings=(f"{note}; bgpctl migrate finish --undo",))
    if running and (rude := list(_rude(found))):
        names = ", ".join(f"{one.kind} {one.namespace}/{one.name}" for one in rude)
        return replace(
            at,
            step=Step.GIVE_WAY,
            why=f"{names} does not leave Nodes with the label {SPEAKER_LABEL} yet, or a change"
            " would restart all of its pods",
            commands=tuple(command for one in rude for command in _give_way(one)),
        )
    if waiting := [one for one in at.nodes if one.labelled and not one.moved]:
        return replace(
            at,
            step=Step.WAIT,
            why="; ".join(map(_awaited, waiting[:_SHOWN])),
            commands=("bgpctl migrate",),
            back=tuple(f"kubectl label node {one.name} {SPEAKER_LABEL}-" for one in waiting[:1]),
        )
    if running:
        return _move(at, running)
    return _after_nodes(at, found)


def _move(at: Stand, running: list[NodeStand]) -> Stand:
    order = sorted(running, key=lambda one: (len(one.only_carrier_of), one.name))
    node, moved = order[0], [one.name for one in at.nodes if one.moved]
    warnings = at.warnings
    if node.only_carrier_of:
        services = _some(node.only_carrier_of)
        sentence = (
            f"{node.name} alone has endpoints of {services}: its packets are lost for about a"
            " second; scale it over two nodes first"
        )
        warnings = (*warnings, sentence)
    return replace(
        at,
        step=Step.MOVE,
        why=f"{len(moved)} of {len(at.nodes)} nodes {'is' if len(moved) == 1 else 'are'} moved",
        commands=(f"kubectl label node {node.name} {SPEAKER_LABEL}=true",),
        back=tuple(f"kubectl label node {name} {SPEAKER_LABEL}-" for name in moved[-1:]),
        warnings=warnings,
    )


def _after_nodes(at: Stand, found: Found) -> Stand:
    for one in _controllers(found):
        if one.replicas:
            scale = f"kubectl -n {one.namespace} scale deployment {one.name} --replicas="
            return replace(
                at,
                step=Step.STOP_CONTROLLER,
                why="every node is moved; MetalLB's controller still gives addresses",
                commands=(f"{scale}0",),
                back=(f"{scale}{one.replicas}",),
            )
    if at.held:
        return replace(
            at,
            step=Step.FINISH,
            why="bgpd carries everything, with no lever yet: a dead node is noticed by the routers",
            commands=("bgpctl migrate finish",),
        )
    return replace(
        at,
        step=Step.REMOVE,
        why="bgpd carries everything, and the lever is on; what is left of MetalLB can go",
        commands=tuple(_removal(found)),
        back=("bgpctl migrate finish --undo",),
    )


def _removal(found: Found) -> Iterator[str]:
    for one in workloads(found):
        yield f"kubectl -n {one.namespace} delete {one.kind.lower()} {one.name}"
    yield "kubectl delete validatingwebhookconfiguration metallb-webhook-configuration"
    yield "kubectl get crd -o name | grep '[.]metallb[.]io$' | xargs kubectl delete"


def _rude(found: Found) -> Iterator[Workload]:
    """Yield MetalLB's DaemonSets that a label does not move yet."""
    for one in workloads(found):
        if one.component.speaks and (one.restarts_all or not one.gives_way):
            yield one


def _give_way(speaker: Workload) -> Iterator[str]:
    patch = f"kubectl -n {speaker.namespace} patch daemonset {speaker.name} --type merge -p"
    if speaker.restarts_all:
        yield f"{patch} '{_ON_DELETE}'"
    if not speaker.gives_way:
        yield f"{patch} '{_AFFINITY}'"


def _awaited(node: NodeStand) -> str:
    if node.metallb:
        return f"{node.name}: MetalLB's speaker has not ended yet"
    if not node.reported:
        return f"{node.name}: bgpd's agent has not said anything yet"
    return f"{node.name}: {node.established} of {node.sessions} sessions are established"


def _uncopied(found: Found, namespace: str) -> Iterator[str]:
    ours = {
        (str(one.get("kind")), name_of(one)): one
        for kind in COPIED
        for one in found.ours(kind)
        if namespace_of(one) == namespace
    }
    for copy in copies(found, namespace, hold=False).documents:
        there = ours.get((str(copy["kind"]), name_of(copy)))
        if there is None or not (same(copy, there) or somebodys(copy, there)):
            yield f"{copy['kind']} {name_of(copy)}"


def _missing_kinds(found: Found) -> frozenset[str]:
    wanted = {str(one["kind"]) for one in copies(found, "", hold=False).documents}
    return frozenset((wanted | _NEEDED) - found.served)


def _controllers(found: Found) -> Iterator[Workload]:
    return (one for one in workloads(found) if one.component is Component.CONTROLLER)


def _some(names: Iterable[str]) -> str:
    every = list(names)
    rest = len(every) - _SHOWN
    return ", ".join(every[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
