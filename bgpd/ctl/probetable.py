"""What a probe found, for people and for programs."""

from itertools import zip_longest
from typing import Any

from bgpd.ctl.columns import columns, wrapped
from bgpd.ctl.probeplan import Finding, Outcome, RouterFinding, sentences, shown

_HEADER = ("PEERS", "LEVER", "MOVES", "MILLISECONDS", "CONFIGURED")


def report(outcome: Outcome) -> str:
    """Return *outcome* as a table and a sentence for each router, at most 80 columns wide."""
    rows = [row for router in outcome.routers for row in _rows(router)]
    advice = "".join(f"{wrapped(line, indent='  ')}\n" for line in sentences(outcome))
    return f"{columns(_HEADER, rows, flexible=(0,))}\n{advice}"


def document(outcome: Outcome) -> dict[str, Any]:
    """Return *outcome* for programs."""
    return {
        "apiVersion": "bgpd.io/v1alpha1",
        "kind": "ProbeResult",
        "address": outcome.address,
        "nodes": list(outcome.nodes),
        "works": outcome.exit_code == 0,
        "routers": [_router(router) for router in outcome.routers],
    }


def _rows(router: RouterFinding) -> list[tuple[str, ...]]:
    facts = [
        (
            f"community {one.question}" if one.community else one.question,
            _moves(one),
            ", ".join(map(shown, one.milliseconds)) or "-",
            "yes" if one.question in router.configured else "",
        )
        for one in router.findings
    ]
    # The peers stand below each other, beside what was found about all of them.
    beside = zip_longest(router.peers, facts, fillvalue=None)
    return [(peer or "", *(fact or ("",) * 4)) for peer, fact in beside]


def _moves(finding: Finding) -> str:
    if finding.refused:
        return "refused"
    return "yes" if finding.moves else "no"


def _router(router: RouterFinding) -> dict[str, Any]:
    return {
        "peers": list(router.peers),
        "routerIDs": list(router.router_ids),
        "configured": list(router.configured),
        "recommended": router.recommended,
        "works": router.works,
        "levers": [
            {
                "name": one.question,
                "community": one.community,
                "moves": one.moves,
                "refused": one.refused,
                "milliseconds": list(one.milliseconds),
            }
            for one in router.findings
        ],
    }
