"""Write the reference page of reasons from the table that `bgpctl explain` goes by."""

from collections.abc import Iterator

from bgpd.ctl.gates import AGENT_GATES, MEANINGS, PEER_GATES, Gate, gate_of
from bgpd.model.reason import MISTAKES, Reason

_WRITTEN = "<!-- Written by scripts/docs from bgpd/ctl/gates.py; do not edit. -->\n"


def page() -> str:
    """Return docs/reference/reasons.md."""
    return (
        "# Reasons\n\n"
        f"{_WRITTEN}\n"
        "Why a route is not advertised, in one word. The word is the same in `bgpctl explain` and "
        "`bgpctl status`, in the log\n(`routes_withheld`, key `reason`), in the metric "
        "`bgpd_routes_withheld{reason}`, in the Event of the Service in Kubernetes, and\nin the "
        "BGPNodeStatus of the node (`status.withheld[].reason`).\n\n"
        "Gates are asked in this order, and the first no decides: those of the agent once for each "
        "address, those of the\nspeaker for each peer. `bgpctl explain SERVICE` shows every gate "
        "that passed, the one that stops, and what would change it.\n\n"
        f"## Gates\n\n{_gates()}\n"
        f"{''.join(_sections())}"
    )


def _gates() -> str:
    lines = ["| gate | asked by | asks | says no with |", "| --- | --- | --- | --- |"]
    lines += [_gate(one, "agent") for one in AGENT_GATES]
    lines += [_gate(one, "speaker, for each peer") for one in PEER_GATES]
    return "".join(f"{line}\n" for line in lines)


def _gate(gate: Gate, who: str) -> str:
    words = ", ".join(f"[`{one.value}`](#{one.value.lower()})" for one in gate.reasons) or "-"
    return f"| `{gate.name}` | {who} | {gate.question} | {words} |"


def _sections() -> Iterator[str]:
    for reason in Reason:
        said = MEANINGS[reason]
        kind = "a person has to mend it" if reason in MISTAKES else "a fact, which may pass"
        yield (
            f"\n## {reason.value}\n\n"
            f"{said.meaning}\n\n"
            f"* Decided by: {said.decider.value} (gate `{gate_of(reason).name}`); {kind}.\n"
            f"* What would change it: {said.change}\n"
        )
