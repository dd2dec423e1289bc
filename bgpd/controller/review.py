"""What became of each object that people configure, as conditions in its own status.

`Ready` is True for what is in force as it is written. Where something has no effect, or asks for
what bgpd does not do, a second condition says so; an object that is not in force, or of a kind that
bgpd only takes so that nothing breaks, is not ready. MetalLB's own objects are never written.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from bgpd.controller.lease import SERVER
from bgpd.kube.call import APPLY, Call
from bgpd.kube.documents import Key
from bgpd.kube.mirror import SOURCE
from bgpd.kube.objects import OUR_GROUP
from bgpd.kube.problem import Problem, Standing
from bgpd.model.configuration import IPAddressPool

PLURALS: Final[Mapping[str, str]] = {
    "BFDProfile": "bfdprofiles",
    "BGPAdvertisement": "bgpadvertisements",
    "BGPPeer": "bgppeers",
    "Community": "communities",
    "IPAddressPool": "ipaddresspools",
    "L2Advertisement": "l2advertisements",
    "SpeakerPolicy": "speakerpolicies",
}
"""The kinds whose objects have a status that we write."""
REVIEWER: Final = "bgpd-controller-review"
"""Field manager of the conditions: the numbers of a pool have another."""
READY: Final = "Ready"
_MOST_MESSAGE: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One condition, without the time."""

    type: str
    status: bool
    reason: str
    message: str


def review(keys: Iterable[Key], problems: Iterable[Problem]) -> dict[Key, tuple[Verdict, ...]]:
    """Return the conditions of every object of *keys* and of every one with a problem."""
    found: dict[Key, list[Problem]] = {key: [] for key in keys if key.kind in PLURALS}
    for one in problems:
        if one.kind in PLURALS and one.name and one.source == SOURCE:
            found.setdefault(Key(one.kind, "", one.name), []).append(one)
    return {key: _verdicts(them) for key, them in found.items()}


def clashing(clashes: Iterable[tuple[IPAddressPool, str]]) -> Iterator[Problem]:
    """Yield a problem for each pool that does not hold beside others."""
    for pool, why in clashes:
        yield Problem(source=SOURCE, kind="IPAddressPool", name=pool.name, message=why)


def _verdicts(problems: Sequence[Problem]) -> tuple[Verdict, ...]:
    ready = Verdict(type=READY, status=True, reason="Accepted", message="the object is in force")
    others = []
    for standing in Standing:
        some = [one for one in problems if one.standing is standing]
        if not some:
            continue
        message = "; ".join(one.message for one in some)[:_MOST_MESSAGE]
        if standing is Standing.REFUSED or any(not one.path for one in some):
            ready = Verdict(type=READY, status=False, reason=standing.value, message=message)
        if standing is not Standing.REFUSED:
            reason = "SeeMessage" if len(some) > 1 else _reason(some[0])
            verdict = Verdict(type=standing.value, status=True, reason=reason, message=message)
            others.append(verdict)
    return (ready, *others)


def _reason(problem: Problem) -> str:
    """Return the field in a word: `spec.bfdProfile` is BfdProfile."""
    word = problem.path.rpartition(".")[2]
    return f"{word[:1].upper()}{word[1:]}" if word.isalnum() else problem.kind


def path_of(key: Key, namespace: str) -> str:
    """Return the path of an object of ours."""
    collection = f"/apis/{OUR_GROUP}/namespaces/{quote(namespace)}/{PLURALS[key.kind]}"
    return f"{collection}/{quote(key.name)}"


def call(
    key: Key,
    verdicts: Sequence[Verdict],
    namespace: str,
    *,
    before: Mapping[str, Any],
    moment: str,
) -> Call | None:
    """Return the request that writes *verdicts*, or None where *before*, the object, says them.

    A condition that has the status that it had keeps the time since when.
    """
    status = before.get("status")
    old = (status.get("conditions") if isinstance(status, dict) else None) or []
    known = {one.get("type"): one for one in old if isinstance(one, dict)}
    wanted = []
    for one in verdicts:
        truth = "True" if one.status else "False"
        was = known.get(one.type, {})
        since = was.get("lastTransitionTime") if was.get("status") == truth else None
        wanted.append(
            {
                "type": one.type,
                "status": truth,
                "reason": one.reason,
                "message": one.message,
                "lastTransitionTime": since or moment,
            }
        )
    gone = known.keys() & {standing.value for standing in Standing} - {one.type for one in verdicts}
    if not gone and all(_same(known.get(one["type"], {}), one) for one in wanted):
        return None
    return Call(
        method="PATCH",
        target=f"{path_of(key, namespace)}/status"
        f"?fieldManager={REVIEWER}&force=true&timeout={SERVER:.0f}s",
        document={
            "apiVersion": OUR_GROUP,
            "kind": key.kind,
            "metadata": {"name": key.name, "namespace": namespace},
            "status": {"conditions": wanted},
        },
        content_type=APPLY,
    )


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one.get(field) == value for field, value in other.items())
