"""Every document that bgpctl prints with `-o json` or `-o yaml`, and its schema.

The table below is what docs/reference/schemas is written from, and what the tests hold each
command's output against.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from bgpd.ctl import schemashapes as shapes
from bgpd.ctl.document import API_VERSION
from bgpd.ctl.fleetstatus import FleetStatus
from bgpd.ctl.resource import NOUNS
from bgpd.ctl.schema import DIALECT, Definitions, Schema
from bgpd.ctl.timelinejoin import Joined
from bgpd.migrate.finding import Finding
from bgpd.migrate.stand import NodeStand, Stand
from bgpd.model.status import HostStatus, NodeStatus, SpeakerStatus
from bgpd.model.timeline import Failover

FOLDER: Final = "docs/reference/schemas"


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """One kind of document."""

    kind: str
    command: str
    """What prints it."""
    of: type[Any] | None = None
    """A value all of whose fields stand at the top."""
    beside: Mapping[str, Any] = field(default_factory=dict)
    """Other fields, by their printed names: their types, or mappings of names to types."""
    optional: Mapping[str, Any] = field(default_factory=dict)
    """The same of fields that are not always there."""
    without: Mapping[type[Any], frozenset[str]] = field(default_factory=dict)
    """Fields of values that are left out."""


_LISTS: Final = tuple(
    Printed(
        kind=f"{noun.kind}List",
        command=f"bgpctl get {noun.plural}",
        beside={"items": tuple[noun.item, ...]},  # type: ignore[name-defined]
    )
    for noun in NOUNS
)
_ITEMS: Final = tuple(
    Printed(kind=noun.kind, command=f"bgpctl get {noun.singular} NAME", of=noun.item)
    for noun in NOUNS
)
_STATUS: Final = (
    Printed(
        kind="NodeStatus",
        command="bgpctl status",
        beside={
            "node": str,
            "state": Literal["fine", "degraded", "down"],
            "problems": list[str],
            "agent": NodeStatus | None,
            "agentError": str,
            "speaker": SpeakerStatus | None,
            "speakerError": str,
            "speakerSecondhand": bool,
        },
        without={NodeStatus: frozenset({"speaker", "failovers"})},
    ),
    Printed(kind="FleetStatus", command="bgpctl status --all-nodes", of=FleetStatus),
    Printed(
        kind="HostStatus",
        command="bgpctl get host",
        of=HostStatus,
        beside={"node": str, "from": Literal["kernel", "agent"], "agentError": str},
    ),
)
_HISTORY: Final = (
    Printed(kind="FailoverList", command="bgpctl timeline", beside={"items": tuple[Failover, ...]}),
    Printed(
        kind="JoinedFailoverList",
        command="bgpctl timeline --join",
        beside={"items": tuple[Joined, ...]},
    ),
    Printed(kind="EventList", command="bgpctl events", beside=shapes.EVENTS),
)
_CHECKS: Final = (
    Printed(kind="Examination", command="bgpctl doctor", beside=shapes.EXAMINATION),
    Printed(kind="Validation", command="bgpctl validate", beside=shapes.VALIDATION),
    Printed(kind="RouteDifference", command="bgpctl diff", beside=shapes.DIFFERENCE),
    Printed(kind="Rehearsal", command="bgpctl diff -f", beside=shapes.REHEARSAL),
    Printed(kind="ProbeResult", command="bgpctl probe", beside=shapes.PROBE),
    Printed(kind="ExplanationList", command="bgpctl explain", optional=shapes.EXPLANATION),
    Printed(kind="NodeOutlook", command="bgpctl explain node", beside=shapes.OUTLOOK),
)
_MIGRATION: Final = (
    Printed(
        kind="Migration",
        command="bgpctl migrate",
        of=Stand,
        beside={"nodes": [{**Definitions().forms(NodeStand), "moved": bool}]},
        without={Stand: frozenset({"nodes"})},
    ),
    Printed(
        kind="MigrationCheck",
        command="bgpctl migrate check",
        beside={"ready": bool, "findings": list[Finding], "carries": dict[str, int]},
    ),
)
PRINTED: Final = (*_STATUS, *_LISTS, *_ITEMS, *_HISTORY, *_CHECKS, *_MIGRATION)


def schema_of(printed: Printed) -> Schema:
    """Return the schema of one kind of document."""
    definitions = Definitions(printed.without)
    properties: Schema = {"apiVersion": {"const": API_VERSION}, "kind": {"const": printed.kind}}
    properties |= {name: definitions.shape(form) for name, form in printed.beside.items()}
    if printed.of is not None:
        properties |= definitions.fields(printed.of)
    required = list(properties)
    properties |= {name: definitions.shape(form) for name, form in printed.optional.items()}
    return {
        "$schema": DIALECT,
        "title": printed.kind,
        "description": f"What `{printed.command} -o json` prints.",
        "type": "object",
        "properties": properties,
        "required": required,
        "$defs": dict(sorted(definitions.found.items())),
    }


def files() -> dict[str, str]:
    """Return the name and the text of each schema."""
    return {
        f"{printed.kind}.json": json.dumps(schema_of(printed), indent=2, ensure_ascii=False) + "\n"
        for printed in PRINTED
    }
