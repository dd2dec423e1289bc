"""How good this node is as a whole: doubts rank its routes behind all others, a drain ends them.

Evidence about the node is never a withdrawal: if every node is doubtful, the ranks are equal and
traffic flows. What was never heard says nothing (a cluster may have no kube-proxy), and kubelet and
kube-proxy may be away for a while, because a routine restart must move nothing.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from bgpd.model.cluster import Node
from bgpd.model.health import Health
from bgpd.model.member import DrainTrigger, SpeakerPolicy
from bgpd.model.status import Condition

CARRIER: Final = "carrier"
GATEWAY: Final = "gateway"
KUBELET: Final = "kubelet"
KUBE_PROXY: Final = "kube-proxy"
_AT_ONCE: Final = frozenset({CARRIER, GATEWAY})
"""What nobody restarts as a routine."""
_NO_KUBE_PROXY: Final = (
    '; where kube-proxy was removed for good, set spec.health.kubeProxy: "" in the SpeakerPolicy'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    health: Health
    message: str
    since: float
    """When *health* was last something else."""


class Evidence:
    """What is known of the parts of this node, with the time of each change (monotonic seconds)."""

    def __init__(
        self,
        *,
        heard: Iterable[str] = (),
        missed: Iterable[str] = (),
        doubted: Mapping[str, str] | None = None,
    ) -> None:
        """Begin with the parts *heard* since the boot; *missed* were there before the boot.

        *doubted* made the node doubtful for an agent before us, each with its last sentence.
        """
        self.heard = set(heard)
        """The parts that were healthy at some time since the boot."""
        self.missed = set(missed) - self.heard
        """Those that were healthy before the boot, and not since."""
        self._parts: dict[str, _Heard] = {
            part: _Heard(health=Health.UNHEALTHY, message=message, since=-math.inf)
            for part, message in (doubted or {}).items()
        }
        self._given_up = False

    def observe(self, part: str, health: Health, message: str, now: float) -> bool:
        """Take what *part* looks like now; return whether that is news."""
        if health is Health.HEALTHY:
            self.heard.add(part)
            self.missed.discard(part)
        elif health is Health.UNHEALTHY and part not in _AT_ONCE and part not in self.heard:
            health = Health.UNKNOWN
        known = self._parts.get(part)
        if known is not None and known.health is health:
            self._parts[part] = _Heard(health=health, message=message, since=known.since)
            return known.message != message
        if known is not None and health is Health.UNKNOWN:
            # Unknown changes nothing: what was doubtful stays so until there is a word on it.
            return False
        self._parts[part] = _Heard(health=health, message=message, since=now)
        return True

    def forget(self, part: str) -> bool:
        """Note that *part* is not looked at any more; return whether that is news."""
        self.missed.discard(part)
        return self._parts.pop(part, None) is not None

    def give_up(self) -> None:
        """Note that what was there before the boot was waited for in vain."""
        self._given_up = True

    def health(self, part: str) -> Health:
        """Return what is believed of *part*."""
        found = self._parts.get(part)
        return Health.UNKNOWN if found is None else found.health

    @property
    def node(self) -> dict[str, Health]:
        """What is believed of each part."""
        return {part: one.health for part, one in sorted(self._parts.items())}

    @property
    def details(self) -> dict[str, str]:
        """The last sentence about each part that has one."""
        return {part: one.message for part, one in sorted(self._parts.items()) if one.message}

    def doubted(self, doubt_seconds: float, now: float) -> dict[str, str]:
        """Return the parts that have been unhealthy for long enough, with their last sentence."""
        return {
            part: one.message
            for part, one in sorted(self._parts.items())
            if one.health is Health.UNHEALTHY and self._long(part, one, doubt_seconds) <= now
        }

    def doubt(self, doubt_seconds: float, now: float) -> tuple[str, ...]:
        """Return why the node is doubtful, a sentence each; empty where it is not."""
        found = []
        for part, message in self.doubted(doubt_seconds, now).items():
            patience = "" if part in _AT_ONCE else f" for {doubt_seconds:g} s and more"
            found.append(f"{part} is unhealthy{patience}: {message or 'no word why'}")
        if self._given_up:
            found += [f"{part} was not healthy since the boot" for part in sorted(self.missed)]
        return tuple(found)

    def deadline(self, doubt_seconds: float, now: float) -> float | None:
        """Return when the next doubt begins, if nothing changes before."""
        times = (
            self._long(part, one, doubt_seconds)
            for part, one in self._parts.items()
            if one.health is Health.UNHEALTHY
        )
        return min((at for at in times if at > now), default=None)

    def _long(self, part: str, one: _Heard, doubt_seconds: float) -> float:
        return one.since if part in _AT_ONCE else one.since + doubt_seconds


def drain_cause(node: Node | None, policy: SpeakerPolicy) -> str:
    """Return why *node* is to be drained, in a sentence; the empty text: it is not."""
    if node is None:
        return ""
    causes = []
    if node.drain_taint:
        causes.append(f"Node {node.name} has the taint bgpd.io/drain")
    if node.unschedulable and policy.drain is not DrainTrigger.ON_REQUEST:
        causes.append(f"Node {node.name} is cordoned")
    if node.shutting_down:
        causes.append(f"Node {node.name} is shutting down")
    return "; ".join(causes)


def doubt_conditions(doubt: tuple[str, ...], doubtful: Mapping[str, bool]) -> tuple[Condition, ...]:
    """Return what a person should know of *doubt*; *doubtful* says it of each other live member."""
    if not doubt:
        return ()
    nobody_better = all(doubtful.values())
    ranks = "rank 250" if nobody_better else "rank behind those of nodes that are fine"
    remedy = _NO_KUBE_PROXY if any(one.startswith(KUBE_PROXY) for one in doubt) else ""
    found = [
        Condition(
            type="NodeInDoubt",
            status=True,
            reason="LocalHealth",
            message=f"{'; '.join(doubt)}: all routes of this node {ranks}{remedy}",
        )
    ]
    if nobody_better:
        names = ", ".join(sorted(doubtful))
        others = f" ({names} as well)" if names else ", and no other node is heard"
        found.append(
            Condition(
                type="EveryNodeInDoubt",
                status=True,
                reason="NobodyIsBetter",
                message=f"this node is in doubt{others}: ranks are equal, so traffic flows, to"
                " nodes that may not deliver it; look at what they have in common"
                f"{remedy}",
            )
        )
    return tuple(found)
