"""Write the reference pages of events and conditions from the tables that the code goes by."""

from collections.abc import Iterable, Iterator

from bgpd.telemetry.conditioncatalog import CONDITIONS, KnownCondition
from bgpd.telemetry.eventcatalog import ANYWHERE, EVENTS, KEYS, LoggedEvent
from bgpd.telemetry.kubeevents import KUBERNETES_EVENTS, KubernetesEvent

_WRITTEN = "<!-- Written by scripts/docs from {source}; do not edit. -->\n"


def events_page() -> str:
    """Return docs/reference/events.md."""
    rows = "\n".join(_event_rows(EVENTS))
    keys = "\n".join(f"| `{key}` | {KEYS[key]} |" for key in sorted(KEYS))
    anywhere = " and ".join(f"`{key}`" for key in sorted(ANYWHERE))
    return (
        "# Events of the log\n\n"
        f"{_WRITTEN.format(source='bgpd/telemetry/eventcatalog.py')}\n"
        "One line a log event; `bgpctl events` shows the last of them, and the metric\n"
        "`bgpd_events_total{event,level}` counts them all. How a line looks, and what is left out\n"
        "when one repeats: [logs](../logs.md). Agent and controller log a "
        "[condition](conditions.md) by its type, with\n`reason` and `message`: a warning when it "
        "begins, info (with `was`) when it is over."
        "\n\n"
        "| event | level | process | means | keys |\n"
        "| --- | --- | --- | --- | --- |\n"
        f"{rows}\n\n"
        f"{anywhere} may stand in the line of any event.\n\n"
        "## Keys\n\n"
        "| key | says |\n| --- | --- |\n"
        f"{keys}\n"
    )


def conditions_page() -> str:
    """Return docs/reference/conditions.md."""
    rows = "\n".join(_condition_rows(CONDITIONS))
    events = "\n".join(_kubernetes_rows(KUBERNETES_EVENTS))
    return (
        "# Conditions, and Events in Kubernetes\n\n"
        f"{_WRITTEN.format(source='bgpd/telemetry/conditioncatalog.py and kubeevents.py')}\n"
        "A condition holds for as long as what it says is so. `bgpctl status` and `bgpctl explain` "
        "show it, the metric\n`bgpd_condition{type,reason}` is 1 while it holds, and the "
        "BGPNodeStatus of the node lists it. Agent and controller\nlog it by its type when it "
        "begins and when it is over; the speaker's log has an [event](events.md) of its own for\n"
        "each problem. `<Kind>` stands for the kind of the object, as `BGPPeer`.\n\n"
        "| condition | of | reasons | says | what to do |\n"
        "| --- | --- | --- | --- | --- |\n"
        f"{rows}\n\n"
        "On our own objects the reason may also be the field, as `BfdProfile` for "
        "`spec.bfdProfile`, or `SeeMessage` where\nthere are several.\n\n"
        "## Events in Kubernetes\n\n"
        "A route that is withheld is an Event by its [reason](reasons.md) (`NoLocalEndpoints`, "
        "`AddressNotInPool`, ...), the same word as\nin `bgpctl explain`, in the log and in the "
        "metric `bgpd_routes_withheld{reason}`. Beside those:\n\n"
        "| reason | type | about | says |\n"
        "| --- | --- | --- | --- |\n"
        f"{events}\n"
    )


def _event_rows(events: Iterable[LoggedEvent]) -> Iterator[str]:
    for one in sorted(events, key=lambda one: one.name):
        keys = ", ".join(f"`{key}`" for key in one.keys) or "-"
        yield (
            f"| `{one.name}` | {', '.join(one.levels)} | {', '.join(one.processes)} "
            f"| {one.meaning} | {keys} |"
        )


def _condition_rows(conditions: Iterable[KnownCondition]) -> Iterator[str]:
    for one in sorted(conditions, key=lambda one: one.type):
        reasons = ", ".join(f"`{reason}`" for reason in one.reasons)
        yield (
            f"| `{one.type}` | {', '.join(one.of)} | {reasons} | {one.meaning} "
            f"| {one.remedy or '-'} |"
        )


def _kubernetes_rows(events: Iterable[KubernetesEvent]) -> Iterator[str]:
    for one in sorted(events, key=lambda one: one.reason.lower()):
        kind = "Warning" if one.warning else "Normal"
        yield f"| `{one.reason}` | {kind} | {one.about} | {one.meaning} |"
