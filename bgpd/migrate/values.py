"""Values of MetalLB's chart, where somebody names the file: what of them bgpd has to be told."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from bgpd.migrate.finding import Finding, Verdict
from bgpd.migrate.found import Document, Found

_KNOWN: Final = frozenset(
    {"loadBalancerClass", "speaker", "controller", "frrk8s", "frr-k8s", "crds", "prometheus"}
)
_TOLD: Final[tuple[tuple[str, Verdict, str, str], ...]] = (
    (
        "loadBalancerClass",
        Verdict.PERSON,
        "MetalLB serves only Services of this class",
        "start bgpd's agents and its controller with --load-balancer-class",
    ),
    (
        "speaker.ignoreExcludeLB",
        Verdict.PERSON,
        "bgpd does not advertise from a Node that is excluded from load balancers",
        "start bgpd's agents with --ignore-exclude-lb, or take the label off",
    ),
    (
        "speaker.nodeSelector",
        Verdict.PERSON,
        "MetalLB speaks on these Nodes alone",
        "give bgpd's DaemonSet the same, beside the label of the walk",
    ),
    (
        "speaker.tolerations",
        Verdict.PERSON,
        "MetalLB speaks on tainted Nodes, too",
        "give bgpd's DaemonSet the same",
    ),
    (
        "prometheus.prometheusRule.enabled",
        Verdict.DIFFERS,
        "metrics and alerts have other names",
        "take over the alerts that you act on",
    ),
)


def values(found: Found) -> Iterator[Finding]:
    """Yield what a person should know about chart values among what was *found*."""
    for one in found.documents:
        if not is_values(one):
            continue
        for path, verdict, what, todo in _TOLD:
            if _at(one, path):
                yield Finding(
                    verdict=verdict, kind="values", name="", field=path, what=what, todo=todo
                )


def is_values(document: Document) -> bool:
    """Return whether *document* is no Kubernetes object, and has keys of MetalLB's chart."""
    return not document.get("kind") and not _KNOWN.isdisjoint(document)


def _at(document: Document, path: str) -> Any:
    found: Any = document
    for step in path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found
