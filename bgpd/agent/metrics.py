"""What Prometheus sees of an agent, from what the agent knows at one moment. Pure.

What is not known has no series: while the speaker cannot be asked, nobody can say what routers are
offered. What is known of each elastic IP is told up to a number of them; sums are told always.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from bgpd.model.health import Health, ProbeResult
from bgpd.model.prefix import Prefix
from bgpd.model.reason import Reason, Withheld
from bgpd.telemetry import agentmetrics, controllermetrics, speakermetrics
from bgpd.telemetry.exposition import Family, Labels, by_label, complete, one
from bgpd.telemetry.instruments import Histogram

NODE_PORT: Final = "healthCheckNodePort"
"""What the check is called that is no HealthCheck, as in `bgpctl get healthchecks`."""
_OURS: Final = tuple(
    reason
    for reason in Reason
    if reason not in speakermetrics.AT_THE_LAST_GATE or reason is Reason.FAMILY_NOT_NEGOTIATED
)
"""The reasons of the agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the agent knows, of what its metrics say; times are seconds since the epoch."""

    services: Mapping[Prefix, tuple[str, ...]] = field(default_factory=dict)
    """Which Services each wanted prefix stands for."""
    withheld: tuple[Withheld, ...] = ()
    unwell: AbstractSet[str] = frozenset()
    """The Services that health alone withholds here."""
    offered: AbstractSet[Prefix] | None = None
    """What a router at least is offered; None: the speaker cannot be asked."""
    most: int
    """Elastic IPs, and checks, that may have series of their own."""
    checks: Iterable[ProbeResult] = ()
    """Each check, or where there are too many those that failed at some time."""
    passed: int = 0
    failed: int = 0
    """Probes that were answered as they should be, and those that were not."""
    node: Mapping[str, Health] = field(default_factory=dict)
    """`carrier`, `gateway`, `kubelet`, `kube-proxy` -> what is believed of it."""
    in_doubt: bool = False
    reconciles: Histogram
    reconciled: float = 0.0
    """When everything that was seen had been decided on, last."""
    synced: bool = False
    documents: int = 0
    refused: int = 0
    heard: float | None = None
    """When the quietest watch was heard last; None: there is none."""
    errors: Mapping[str, int] = field(default_factory=dict)
    """Rounds of lists and watches that failed, by why."""
    restored: Mapping[str, int] = field(default_factory=dict)
    providers: Mapping[str, float] = field(default_factory=dict)
    """BGPPeer -> when its provider was last understood."""
    writes: Mapping[str, int] = field(default_factory=dict)
    """Writes to the cluster by how they ended."""


def families(reading: Reading) -> Iterator[Family]:
    """Yield everything but what every process says of itself."""
    yield from _elastic(reading)
    yield Family(speakermetrics.ROUTES_WITHHELD, _reasons(reading.withheld))
    yield from _health(reading)
    yield Family(agentmetrics.RECONCILE_SECONDS, histograms={(): reading.reconciles})
    yield one(agentmetrics.LAST_RECONCILE, reading.reconciled)
    yield one(agentmetrics.SPEAKER_CONNECTED, reading.offered is not None)
    yield one(agentmetrics.SOURCE_SYNCED, reading.synced)
    documents = {"InForce": reading.documents, "Refused": reading.refused}
    yield complete(agentmetrics.DOCUMENTS, by_label(documents))
    heard = [] if reading.heard is None else [((), reading.heard)]
    yield Family(agentmetrics.KUBE_LAST_HEARD, heard)
    yield Family(agentmetrics.KUBE_ERRORS, by_label(reading.errors))
    yield complete(agentmetrics.HOST_RESTORED, by_label(reading.restored))
    yield Family(agentmetrics.PROVIDER_LAST_SUCCESS, by_label(reading.providers))
    yield complete(controllermetrics.WRITES, by_label(reading.writes))


def elastic_ip(prefix: Prefix) -> str:
    """Return the address that *prefix* stands for, or the block where it is one."""
    address, _, bits = prefix.partition("/")
    return address if bits == ("128" if ":" in address else "32") else prefix


def _elastic(reading: Reading) -> Iterator[Family]:
    known = {one.prefix for one in reading.withheld if one.prefix is not None}
    known.update(reading.services)
    offered = reading.offered
    if offered is None:
        yield Family(agentmetrics.ELASTIC_IPS)
    else:
        known.update(offered)
        states = {"Advertised": len(offered), "Withheld": len(known) - len(offered)}
        yield complete(agentmetrics.ELASTIC_IPS, by_label(states))
    each = len(known) <= reading.most
    yield one(agentmetrics.ELASTIC_IP_SERIES, each)
    if offered is not None and each:
        told = (((ip, key), float(prefix in offered)) for prefix, ip, key in _pairs(reading))
        yield Family(agentmetrics.ELASTIC_IP_ADVERTISED, told)
    else:
        yield Family(agentmetrics.ELASTIC_IP_ADVERTISED)
    pairs = _pairs(reading) if each else ()
    well = (((ip, key), float(key not in reading.unwell)) for _, ip, key in pairs)
    yield Family(agentmetrics.ELASTIC_IP_HEALTHY, well)


def _pairs(reading: Reading) -> Iterator[tuple[Prefix, str, str]]:
    """Yield each elastic IP with each Service that has it, and how it is called.

    Not in one go: with thousands of them there are pauses in between.
    """
    for prefix, services in reading.services.items():
        ip = elastic_ip(prefix)
        for service in services:
            yield prefix, ip, service
    seen: set[tuple[Prefix, str]] = set()
    for held in reading.withheld:
        at, key = held.prefix, held.service
        if at is None or not key or key in reading.services.get(at, ()):
            continue
        # From one peer and from another it is the same.
        if (at, key) not in seen:
            seen.add((at, key))
            yield at, elastic_ip(at), key


def _reasons(withheld: Iterable[Withheld]) -> list[tuple[Labels, float]]:
    found = Counter(one.reason for one in withheld)
    return [((reason.value,), found[reason]) for reason in dict.fromkeys((*_OURS, *found))]


def _health(reading: Reading) -> Iterator[Family]:
    yield Family(agentmetrics.HEALTH_CHECK_UP, _checks(reading.checks))
    probes = {"passed": reading.passed, "failed": reading.failed}
    yield complete(agentmetrics.HEALTH_PROBES, by_label(probes))
    believed = (
        ((fact, health.value), float(health is found))
        for fact, found in sorted(reading.node.items())
        for health in Health
    )
    yield Family(agentmetrics.NODE_HEALTH, believed)
    yield one(agentmetrics.NODE_IN_DOUBT, reading.in_doubt)


def _checks(checks: Iterable[ProbeResult]) -> Iterator[tuple[Labels, float]]:
    for each in checks:
        if each.health is not Health.UNKNOWN:
            up = each.health is Health.HEALTHY
            yield (each.service, each.check or NODE_PORT), float(up)
