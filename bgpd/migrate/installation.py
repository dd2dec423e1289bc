"""MetalLB's installation and the Services of the cluster: flags, versions, annotations."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from bgpd.migrate.finding import Finding, Verdict, about
from bgpd.migrate.found import (
    PREFIXES,
    Document,
    Found,
    annotations_of,
    ingress_of,
    key_of,
    labels_of,
    listed,
    name_of,
    namespace_of,
    spec_of,
    status_of,
)
from bgpd.migrate.workload import Component, Workload, workloads

_PERSON, _DIFFERS = Verdict.PERSON, Verdict.DIFFERS
EXCLUDE_LABEL: Final = "node.kubernetes.io/exclude-from-external-load-balancers"
_INT32_REFUSED: Final = 36
"""Kubernetes 1.36 refuses whatever has a maximum beyond its format."""
_EVERY_NODE: Final = frozenset({"kubernetes.io/os", "beta.kubernetes.io/os"})
_CONTROL_PLANE: Final = frozenset(
    {"node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"}
)
"""What MetalLB's own manifest tolerates."""
_NAMED: Final = 5
"""Services that one finding names."""
_Range: TypeAlias = tuple[int, int, int]


def installation(found: Found) -> Iterator[Finding]:
    """Yield what a person should know beside MetalLB's configuration."""
    for one in workloads(found):
        yield from _flags(one, found)
    if found.unread:
        yield Finding(
            verdict=_PERSON,
            kind="BGPPeer",
            what=f"cannot be read: {found.unread}",
            todo="start MetalLB's controller, which converts them, or copy them before it stops",
        )
    yield from _families(found)
    yield from _definitions(found)
    yield from _states(found)
    yield from _services(found)


def balanced_by(found: Found) -> str | None:
    """Return the loadBalancerClass that MetalLB serves; None where it serves those without."""
    for one in workloads(found):
        if (value := one.value("lb-class")) is not None:
            return value
    return None


def served(found: Found) -> tuple[Document, ...]:
    """Return the Services that MetalLB serves."""
    wanted = balanced_by(found)
    return tuple(
        one
        for one in found.balancers
        if (spec_of(one).get("loadBalancerClass") or None) == (wanted or None)
    )


def _flags(one: Workload, found: Found) -> Iterator[Finding]:
    if name := one.value("lb-class"):
        yield about(
            one.document,
            _PERSON,
            "--lb-class",
            f"MetalLB serves only Services with spec.loadBalancerClass {name}",
            f"start bgpd's agents and its controller with --load-balancer-class {name}",
        )
    if one.component is Component.SPEAKER and one.value("ignore-exclude-lb") in {"true", "1"}:
        names = [name_of(node) for node in found.nodes if EXCLUDE_LABEL in labels_of(node)]
        if names or not found.live:
            which = f" ({', '.join(names[:_NAMED])})" if names else ""
            yield about(
                one.document,
                _PERSON,
                "--ignore-exclude-lb",
                f"bgpd does not advertise from a Node with the label {EXCLUDE_LABEL}{which}",
                "start bgpd's agents with --ignore-exclude-lb, or take the label off",
            )
    if one.component is Component.SPEAKER:
        yield from _places(one)
    if one.component is Component.SPEAKER and one.mode != "native":
        peers = found.metallb("BGPPeer")
        if any(not spec_of(peer).get("holdTime") for peer in peers):
            yield about(
                one.document,
                _DIFFERS,
                "",
                f"in {one.mode} mode a BGPPeer without holdTime has 180 s; bgpd has 90 s, and the"
                " time until a dead node is left does not depend on it",
            )


def _places(one: Workload) -> Iterator[Finding]:
    """Yield what says on which Nodes MetalLB speaks: on the others nobody must be missed."""
    chosen = {key: value for key, value in one.node_selector.items() if key not in _EVERY_NODE}
    if chosen:
        shown = ", ".join(f"{key}={value}" for key, value in sorted(chosen.items()))
        yield about(
            one.document,
            _DIFFERS,
            "spec.template.spec.nodeSelector",
            f"MetalLB speaks on Nodes with {shown} alone",
            "give bgpd's DaemonSet the same, beside the label of the walk",
        )
    taints = [key for key in one.tolerated if key not in _CONTROL_PLANE]
    if taints:
        yield about(
            one.document,
            _DIFFERS,
            "spec.template.spec.tolerations",
            f"MetalLB speaks on Nodes with the taints {', '.join(taints)}, too",
            "give bgpd's DaemonSet the same",
        )


def _families(found: Found) -> Iterator[Finding]:
    speakers = [one for one in workloads(found) if one.component is Component.SPEAKER]
    if not any(one.mode == "native" for one in speakers):
        return
    for pool in found.metallb("IPAddressPool"):
        if any(":" in str(one) for one in listed(spec_of(pool).get("addresses"))):
            yield about(
                pool,
                _DIFFERS,
                "spec.addresses",
                "MetalLB's native speaker refuses IPv6 addresses; bgpd advertises them where the"
                " session's families allow it",
            )


def _definitions(found: Found) -> Iterator[Finding]:
    for one in found.of("CustomResourceDefinition", "apiextensions.k8s.io"):
        if name_of(one) != "bgppeers.metallb.io" or not _narrow(one):
            continue
        late = found.minor is not None and found.minor >= _INT32_REFUSED
        yield about(
            one,
            _DIFFERS,
            "",
            "its ASNs are of format int32 with a maximum beyond it; Kubernetes 1.36 refuses every"
            " change of a BGPPeer"
            + (", also a rollback's" if late else ", so migrate before the upgrade"),
            "apply it with format int64, as MetalLB 0.16 has it, to be able to go back",
        )


def _narrow(definition: Document) -> bool:
    def inside(value: object) -> bool:
        if isinstance(value, Mapping):
            wide = value.get("format") == "int32" and value.get("maximum") == 4294967295
            return wide or any(map(inside, value.values()))
        return isinstance(value, list) and any(map(inside, value))

    return inside(spec_of(definition))


def _states(found: Found) -> Iterator[Finding]:
    for one in found.metallb("ConfigurationState"):
        if status_of(one).get("result") == "Invalid":
            yield about(
                one,
                _PERSON,
                "status",
                "MetalLB itself does not hold what is configured:"
                f" {str(status_of(one).get('errorSummary') or '')[:200]}",
                "correct it first: bgpd would take what is written",
            )


def _services(found: Found) -> Iterator[Finding]:
    services = served(found)
    old = [one for one in services if any(map(_deprecated, annotations_of(one)))]
    if old:
        yield Finding(
            verdict=_DIFFERS,
            kind="Service",
            name=_names(old),
            field="metadata.annotations",
            what=f"annotations with the prefix {PREFIXES[-1]} are deprecated; bgpd reads them",
        )
    if not found.live:
        return
    ranges = [one for pool in found.metallb("IPAddressPool") for one in _ranges(pool)]
    for one in services:
        outside = [text for text in ingress_of(one) if not _within(text, ranges)]
        if outside:
            yield about(
                one,
                _PERSON,
                "status.loadBalancer",
                f"{', '.join(outside)} is in no pool, so bgpd will not advertise it",
                "put it into a pool, or let MetalLB give another address",
            )
    waiting = [one for one in services if not ingress_of(one)]
    if waiting:
        yield Finding(
            verdict=_DIFFERS,
            kind="Service",
            name=_names(waiting),
            field="status.loadBalancer",
            what="has no address yet; bgpd's controller gives one after the last step",
        )


def _names(services: list[Document]) -> str:
    rest = len(services) - _NAMED
    more = f" and {rest} more" if rest > 0 else ""
    return ", ".join(map(key_of, services[:_NAMED])) + more


def _deprecated(annotation: str) -> bool:
    return annotation.startswith(PREFIXES[-1]) and not annotation.endswith("from-pool")


def _ranges(pool: Document) -> Iterator[_Range]:
    for text in listed(spec_of(pool).get("addresses")):
        first, dash, last = str(text).partition("-")
        try:
            if dash:
                low, high = (ipaddress.ip_address(one.strip()) for one in (first, last))
                yield low.version, int(low), int(high)
            else:
                block = ipaddress.ip_network(first.strip(), strict=False)
                yield block.version, int(block[0]), int(block[-1])
        except ValueError:
            continue  # whoever reads the copy refuses it in a sentence


def _within(text: str, ranges: list[_Range]) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    number = int(address)
    return any(version == address.version and a <= number <= b for version, a, b in ranges)


def namespaces(found: Found) -> frozenset[str]:
    """Return the namespaces in which MetalLB or its configuration is."""
    places = {one.namespace for one in workloads(found)}
    places |= {namespace_of(one) for one in found.metallb("IPAddressPool")}
    return frozenset(places - {""})
