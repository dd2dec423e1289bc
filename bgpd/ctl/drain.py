"""`bgpctl drain` and `bgpctl undrain`: take a node's routes off it, and give them back.

The node at hand is asked by its speaker's socket, which works without the agent and without the
API; any other by a taint on its Node, which its agent reads.
"""

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from bgpd.ctl import drainview, observe
from bgpd.ctl.cluster import Cluster, ConflictError
from bgpd.ctl.columns import wrapped
from bgpd.ctl.drainview import Names
from bgpd.ipc.ask import ask
from bgpd.ipc.message import Ask
from bgpd.model.cluster import DRAIN_TAINT
from bgpd.model.errors import BgpdError, ConfigError, ProtocolError, TransientError
from bgpd.model.member import NodeName
from bgpd.model.prefix import Prefix
from bgpd.model.status import DrainPhase, DrainStatus

EFFECT: Final = "PreferNoSchedule"
"""A taint must have one; this is the one that moves no pod."""
ANSWER_SECONDS: Final = 3.0
LOOK_EVERY: Final = 0.2
SILENT_SECONDS: Final = 10.0
"""How long a speaker that is waited for may say nothing: it may be starting again."""
CONFLICTS: Final = 5
"""How often somebody else may write the Node at the very moment at which we do."""


class NotDrainedError(BgpdError):
    """The node is not drained, and nothing has changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person wants of a drain."""

    force: bool = False
    patient: bool = False
    until_boot: bool = False

    @property
    def arguments(self) -> dict[str, str]:
        """As the speaker reads it."""
        words = {"force": self.force, "patient": self.patient}
        said = {name: "true" for name, on in words.items() if on}
        return said | ({"until": "boot"} if self.until_boot else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """The node at hand."""

    name: str
    speaker: Path
    agent: Path
    names: Names = field(default_factory=dict)
    """Which Services each prefix stands for, if an agent says it."""
    members: tuple[str, ...] = ()
    """The other members of the mesh that this node knows."""


def here(*, speaker: Path, agent: Path) -> Here:
    """Return the node whose *speaker* this is; raise `BgpdError` where none answers."""
    view = observe.observe(agent=agent, speaker=speaker, timeout=ANSWER_SECONDS)
    if view.speaker is None or view.secondhand:
        raise TransientError(f"{view.speaker_error}; without a speaker there is nothing to drain")
    names = view.agent.services if view.agent is not None else {}
    mesh = view.speaker.mesh
    members = tuple(one.name for one in mesh.members) if mesh is not None else ()
    return Here(name=view.speaker.node, speaker=speaker, agent=agent, names=names, members=members)


def out_of_reach(node: str, near: Here | None) -> ConfigError:
    """Return what to do about *node*, which is not *near* and for which no API is known."""
    if near is not None and near.members and node not in near.members:
        known = ", ".join(sorted({near.name, *near.members}))
        return ConfigError(f"{near.name} knows no member {node} of the mesh, only {known}")
    where = f"this is {near.name}" if near is not None else "no speaker answers here"
    return ConfigError(
        f"{where}, and another node is reached through the Kubernetes API only: run it on {node},"
        " or name a kubeconfig with --kubeconfig"
    )


def alone(node: Here) -> tuple[Prefix, ...]:
    """Return what nobody would advertise if *node* were drained by force."""
    answer = _asked(node, "drain", {"dry-run": "true"})
    return answer.alone


def begin(node: Here, wish: Wish) -> str:
    """Drain *node*, and say so; raise `NotDrainedError` where nobody else carries something."""
    answer = _asked(node, "drain", wish.arguments)
    if answer.alone:
        raise NotDrainedError(drainview.refusal(node.name, answer.alone, node.names))
    return f"{node.name} is being drained ({answer.drain.cause}); `bgpctl undrain` ends it"


def end(node: Here) -> str:
    """Take the request for *node* back, and say what that led to."""
    drain = _asked(node, "undrain", {}).drain
    if drain.phase is DrainPhase.NOT_DRAINING:
        return f"{node.name} is not drained any more"
    return f"nobody asks for a drain of {node.name} any more, but it goes on: {drain.cause}"


def until_drained(node: Here, *, seconds: float | None) -> Iterator[str]:
    """Yield a sentence for each step until *node* is drained.

    Raise `TransientError` after *seconds*, or when the speaker stays silent.
    """
    start = heard = time.monotonic()
    last = ""
    while True:
        view = observe.observe(agent=node.agent, speaker=node.speaker, timeout=ANSWER_SECONDS)
        now = time.monotonic()
        if view.speaker is not None and not view.secondhand:
            heard = now
            drain = view.speaker.drain
            sentence = drainview.progress(drain, len(view.speaker.routes), node.names)
            if sentence != last:
                last = sentence
                yield sentence
            if drainview.over(drain):
                return
            if drain.phase is DrainPhase.NOT_DRAINING:
                raise NotDrainedError(f"{node.name} is not drained: somebody took it back")
        elif now - heard > SILENT_SECONDS:
            raise TransientError(view.speaker_error)
        _in_time(node.name, start, seconds, last)
        time.sleep(LOOK_EVERY)


def _in_time(name: str, start: float, seconds: float | None, last: str) -> None:
    if seconds is not None and time.monotonic() - start >= seconds:
        raise TransientError(f"{name} is not drained after {seconds:g} s: {last}; it goes on")


# The node at hand


class _Told(msgspec.Struct, kw_only=True):
    alone: tuple[Prefix, ...] = ()
    drain: DrainStatus = DrainStatus()


def _asked(node: Here, question: Any, arguments: Mapping[str, str]) -> _Told:
    words = Ask(question=question, arguments=dict(arguments))
    answer = ask(node.speaker, words, timeout=ANSWER_SECONDS)
    try:
        told = msgspec.convert(answer.content or {}, _Told)
    except msgspec.ValidationError as error:
        raise ProtocolError(f"{node.speaker}: the answer is not understood ({error})") from error
    if not answer.ok and not told.alone:
        raise BgpdError(f"{node.speaker}: {answer.error}")
    return told


# Another node


def taint(cluster: Cluster, name: str, *, on: bool, dry_run: bool = False) -> str:
    """Put the taint on Node *name*, or take it off, and say what was done."""
    for _ in range(CONFLICTS):
        node = _node(cluster, name)
        taints = (node.get("spec") or {}).get("taints") or []
        others = [one for one in taints if one.get("key") != DRAIN_TAINT]
        if (len(others) < len(taints)) is on:
            has = "has" if on else "does not have"
            return f"Node {name} {has} the taint {DRAIN_TAINT} already"
        verb = "put on" if on else "taken off"
        if dry_run:
            return f"the taint {DRAIN_TAINT} would be {verb} Node {name}"
        wanted = [*others, {"key": DRAIN_TAINT, "effect": EFFECT}] if on else others
        version = node["metadata"].get("resourceVersion")
        patch = {"metadata": {"resourceVersion": version}, "spec": {"taints": wanted or None}}
        try:
            cluster.merge(_path(name), patch)
        except ConflictError:
            continue
        return f"the taint {DRAIN_TAINT} was {verb} Node {name}: its agent follows"
    raise TransientError(f"Node {name}: somebody else writes it all the time; try again")


def until_reported(cluster: Cluster, name: str, *, seconds: float | None) -> Iterator[str]:
    """Yield a sentence for each step until the status of *name* says that it is drained."""
    start, last = time.monotonic(), ""
    while True:
        found = cluster.get(f"/apis/bgpd.io/v1alpha1/bgpnodestatuses/{name}")
        if found is None:
            raise ConfigError(f"there is no BGPNodeStatus {name}: does bgpd run on that node?")
        status = found.get("status") or {}
        routes = (status.get("counts") or {}).get("routes")
        drains = bool(status.get("draining"))
        sentence = f"{routes} routes left" if drains else "its agent has not followed yet"
        if drains and routes == 0:
            yield "drained: all routes are withdrawn, the sessions stay"
            return
        if sentence != last:
            last = sentence
            yield sentence
        _in_time(name, start, seconds, last)
        time.sleep(5 * LOOK_EVERY)


def _node(cluster: Cluster, name: str) -> dict[str, Any]:
    node = cluster.get(_path(name))
    if node is None:
        raise ConfigError(f"there is no Node {NodeName(name)} in this cluster")
    return node


def _path(name: str) -> str:
    return f"/api/v1/nodes/{name}"


def say(sentence: str) -> None:
    """Print *sentence* at once: whoever waits wants to see it."""
    sys.stdout.write(f"{wrapped(sentence, indent='  ')}\n")
    sys.stdout.flush()
