"""Does a raise move anything? Only on a router that hears both paths and compares them.

MED ends at the first router. Where another carrier of a prefix shares no router with us, its
better generation reaches a router that never had our path, and the other way round. AS path and
ORIGIN travel on (RFC 4271, sections 5.1.1 and 5.1.2), and local preference through all of an AS: a
router beyond both compares them.
"""

from collections.abc import Iterable
from typing import Final

from bgpd.model.member import NodeName
from bgpd.model.peer import Lever
from bgpd.model.prefix import Address, Prefix
from bgpd.model.status import Condition, MemberState, MemberStatus
from bgpd.speaker.desired import DesiredState

TYPE: Final = "TakeoverNotComparable"
_SHOWN: Final = 3
_TRAVEL: Final = frozenset({Lever.AS_PATH, Lever.ORIGIN, Lever.LOCAL_PREF})


def condition(
    desired: DesiredState | None,
    members: Iterable[MemberStatus],
    *,
    ours: frozenset[Address],
    node: NodeName,
) -> Condition:
    """Return which prefixes another member carries that shares no router with us."""
    strangers = frozenset(
        member.name
        for member in members
        if member.name != node
        and member.state in {MemberState.ALIVE, MemberState.QUARANTINED}
        and member.router_ids
        and ours
        and ours.isdisjoint(member.router_ids)
    )
    found = _concerned(desired, strangers) if desired is not None and strangers else {}
    if not found:
        message = (
            "every prefix is carried by nodes that share a router with us, or has a lever that"
            " routers beyond compare, as far as known"
        )
        return Condition(type=TYPE, status=False, reason="SharedRouter", message=message)
    prefixes = sorted(found)
    more = f" and {len(prefixes) - _SHOWN} more" if len(prefixes) > _SHOWN else ""
    names = sorted({name for carriers in found.values() for name in carriers})
    return Condition(
        type=TYPE,
        status=True,
        reason="NoSharedRouter",
        message=f"{', '.join(prefixes[:_SHOWN])}{more}: also carried by {', '.join(names)}, with"
        " whom we share no router: a raise moves nothing between us; use lever asPath, or"
        " localPref over iBGP",
    )


def _concerned(desired: DesiredState, strangers: frozenset[str]) -> dict[Prefix, frozenset[str]]:
    answers: dict[tuple[str, ...] | None, frozenset[str]] = {None: strangers}
    found: dict[Prefix, frozenset[str]] = {}
    for name, routes in desired.advertisements.items():
        peer = desired.peers.get(name)
        if peer is not None and peer.lever in _TRAVEL:
            continue
        for prefix, advertisement in routes.items():
            carriers = advertisement.carriers
            if carriers not in answers:
                answers[carriers] = strangers.intersection(carriers or ())
            if answers[carriers]:
                found[prefix] = answers[carriers]
    return found
