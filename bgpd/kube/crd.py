"""The CustomResourceDefinitions of our kinds, written from the wire forms that read them.

`bgpd.ctl.reference` writes one file for each kind; a chart ships the files as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
import yaml

from bgpd.kube import healthform, metallbform, nodeform, objects
from bgpd.kube.crd_schema import Schema, Texts, schema_of
from bgpd.kube.reference import MEANINGS
from bgpd.kube.statusform import Conditions, Form
from bgpd.model.configuration import BFDProfile, Distribution, Weight
from bgpd.model.health import NTP, HTTPGet, ProbeTarget, Rhythm
from bgpd.model.member import SpeakerPolicy
from bgpd.model.peer import Takeover

GROUP, _, VERSION = objects.OUR_GROUP.partition("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of `kubectl get`: one word."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False

    def document(self) -> Schema:
        """Return the entry of `additionalPrinterColumns`."""
        found = {"name": self.name, "type": self.type, "jsonPath": self.path}
        return {**found, "priority": 1} if self.wide else found


_READY: Final = Column(name="Ready", path='.status.conditions[?(@.type=="Ready")].status')
_REASON: Final = Column(
    name="Reason", path='.status.conditions[?(@.type=="Ready")].reason', wide=True
)
_AGE: Final = Column(name="Age", path=".metadata.creationTimestamp", type="date")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind and how the API server shows it."""

    name: str
    plural: str
    description: str
    columns: tuple[Column, ...]
    spec: type | None
    spec_required: bool = False
    status: type | None
    """None where nobody says what became of it; then a node's BGPNodeStatus says what is wrong."""
    status_description: str = ""
    defaults: Mapping[str, Any]
    namespaced: bool = True


MOST_COUNTED: Final = 2**63 - 1024
"""The largest bound of an int64: the API server keeps bounds as floating point numbers."""


def _count(description: str) -> msgspec.Meta:
    return msgspec.Meta(description=description, ge=0, le=MOST_COUNTED)


class _ObjectStatus(Form, kw_only=True):
    """`status` of what people write."""

    conditions: Conditions | None = None


class _PoolStatus(_ObjectStatus, kw_only=True):
    """`status` of an IPAddressPool: the numbers end at the largest that 64 bits hold."""

    assigned_ipv4: Annotated[int, _count("IPv4 addresses that Services have.")] | None = (
        msgspec.field(default=None, name="assignedIPv4")
    )
    assigned_ipv6: Annotated[int, _count("IPv6 addresses that Services have.")] | None = (
        msgspec.field(default=None, name="assignedIPv6")
    )
    available_ipv4: Annotated[int, _count("IPv4 addresses that can still be given.")] | None = (
        msgspec.field(default=None, name="availableIPv4")
    )
    available_ipv6: Annotated[int, _count("IPv6 addresses that can still be given.")] | None = (
        msgspec.field(default=None, name="availableIPv6")
    )


_STATUS: Final = "What the controller made of it."
_POLICY: Final = SpeakerPolicy()
_PROFILE: Final = BFDProfile(name="")
_RHYTHM: Final = Rhythm()

KINDS: Final = (
    Kind(
        name="BGPAdvertisement",
        plural="bgpadvertisements",
        description="Which pools' addresses go to which peers from which nodes, and with which "
        "attributes. Without a spec every address goes to every peer.",
        columns=(
            Column(name="Pools", path=".spec.ipAddressPools"),
            Column(name="Peers", path=".spec.peers"),
            _READY,
            _REASON,
            _AGE,
        ),
        spec=objects.BGPAdvertisementSpec,
        status=_ObjectStatus,
        status_description=_STATUS,
        defaults={
            "spec.asPathPrepend": 0,
            "spec.distribution": Distribution.ECMP.value,
            "spec.weight": Weight.NONE.value,
        },
    ),
    Kind(
        name="BFDProfile",
        plural="bfdprofiles",
        description="How fast BFD notices that a router is gone, for the BGPPeers that name it.",
        columns=(
            Column(name="Receive", path=".spec.receiveInterval", type="integer"),
            Column(name="Transmit", path=".spec.transmitInterval", type="integer"),
            Column(name="Multiplier", path=".spec.detectMultiplier", type="integer"),
            _READY,
            _REASON,
            _AGE,
        ),
        spec=metallbform.BFDProfileSpec,
        status=_ObjectStatus,
        status_description=_STATUS,
        defaults={
            "spec.receiveInterval": _PROFILE.receive_interval,
            "spec.transmitInterval": _PROFILE.transmit_interval,
            "spec.detectMultiplier": _PROFILE.detect_multiplier,
            "spec.minimumTtl": _PROFILE.minimum_ttl,
        },
    ),
    Kind(
        name="Community",
        plural="communities",
        description="Names for communities, for BGPAdvertisements to use.",
        columns=(
            Column(name="Aliases", path=".spec.communities[*].name"),
            _READY,
            _REASON,
            _AGE,
        ),
        spec=metallbform.CommunitySpec,
        status=_ObjectStatus,
        status_description=_STATUS,
        defaults={},
    ),
    Kind(
        name="L2Advertisement",
        plural="l2advertisements",
        description="MetalLB's layer 2 mode. Not supported: addresses are advertised by BGP alone.",
        columns=(
            Column(name="Pools", path=".spec.ipAddressPools"),
            _READY,
            _REASON,
            _AGE,
        ),
        spec=metallbform.L2AdvertisementSpec,
        status=_ObjectStatus,
        status_description=_STATUS,
        defaults={},
    ),
    Kind(
        name="BGPPeer",
        plural="bgppeers",
        description="A router, or a provider's routers, and the nodes that speak BGP with it.",
        columns=(
            Column(name="Address", path=".spec.peerAddress"),
            Column(name="ASN", path=".spec.peerASN", type="integer"),
            Column(name="Provider", path=".spec.provider"),
            _READY,
            _REASON,
            _AGE,
        ),
        spec=objects.BGPPeerSpec,
        spec_required=True,
        status=_ObjectStatus,
        status_description=_STATUS,
        defaults={
            "spec.peerPort": 179,
            "spec.takeover.mode": Takeover.AUTO.value,
            "spec.damping": False,
        },
    ),
    Kind(
        name="IPAddressPool",
        plural="ipaddresspools",
        description="Addresses that Services of type LoadBalancer may have. Nothing outside of "
        "the pools ever reaches a router.",
        columns=(
            Column(name="Addresses", path=".spec.addresses"),
            Column(name="Auto", path=".spec.autoAssign", type="boolean"),
            Column(name="Assigned", path=".status.assignedIPv4", type="integer"),
            Column(name="Available", path=".status.availableIPv4", type="integer"),
            Column(name="Assigned6", path=".status.assignedIPv6", type="integer", wide=True),
            Column(name="Available6", path=".status.availableIPv6", type="integer", wide=True),
            _READY,
            _REASON,
            _AGE,
        ),
        spec=objects.IPAddressPoolSpec,
        spec_required=True,
        status=_PoolStatus,
        status_description=_STATUS,
        defaults={"spec.autoAssign": True, "spec.avoidBuggyIPs": False},
    ),
    Kind(
        name="HealthCheck",
        plural="healthchecks",
        description="What each node asks of the Services beside it, all of them or some. Where the "
        "answer is no, that node alone stops to advertise the Service.",
        columns=(
            Column(name="Target", path=".spec.target"),
            Column(name="Period", path=".spec.periodMilliseconds", type="integer"),
            Column(name="Failures", path=".spec.failureThreshold", type="integer"),
            _AGE,
        ),
        spec=healthform.HealthCheckSpec,
        spec_required=True,
        status=None,
        defaults={
            "spec.target": ProbeTarget.ENDPOINT.value,
            "spec.periodMilliseconds": _RHYTHM.period_milliseconds,
            "spec.failureThreshold": _RHYTHM.failure_threshold,
            "spec.successThreshold": _RHYTHM.success_threshold,
            "spec.httpGet.path": HTTPGet().path,
            "spec.dns.type": "A",
            "spec.dns.rcode": "NOERROR",
            "spec.ntp.maxStratum": NTP().max_stratum,
        },
    ),
    Kind(
        name="SpeakerPolicy",
        plural="speakerpolicies",
        description="How the speakers of some or all nodes behave. Without one the defaults hold.",
        columns=(
            Column(name="Interval", path=".spec.mesh.intervalMilliseconds", type="integer"),
            Column(name="Multiplier", path=".spec.mesh.multiplier", type="integer"),
            Column(name="Drain", path=".spec.drain"),
            _READY,
            _REASON,
            _AGE,
        ),
        spec=objects.SpeakerPolicySpec,
        status=_ObjectStatus,
        status_description=_STATUS,
        defaults={
            "spec.mesh.intervalMilliseconds": _POLICY.mesh.interval_milliseconds,
            "spec.mesh.multiplier": _POLICY.mesh.multiplier,
            "spec.agentGraceSeconds": _POLICY.agent_grace_seconds,
            # None for what stands directly under spec and came later: the server writes defaults
            # into every object at once, and an agent that is not upgraded yet refuses what it does
            # not know. And none for the time of the drain, which has another field beside it.
            "spec.health.carrier": _POLICY.health.carrier,
            "spec.health.gateway": _POLICY.health.gateway,
            "spec.health.healthCheckNodePort": _POLICY.health.health_check_node_port,
            "spec.health.kubelet": _POLICY.health.kubelet,
            "spec.health.kubeProxy": _POLICY.health.kube_proxy,
            "spec.health.doubtSeconds": _POLICY.health.doubt_seconds,
            "spec.startup.delaySeconds": _POLICY.startup.delay_seconds,
            "spec.startup.patienceSeconds": _POLICY.startup.patience_seconds,
            "spec.startup.slowStartSeconds": _POLICY.startup.slow_start_seconds,
            "spec.host.egress": _POLICY.egress,
        },
    ),
    Kind(
        name="BGPNodeStatus",
        plural="bgpnodestatuses",
        description="What the agent of one node says of it: sessions, routes, mesh, configuration. "
        "Written by the agent alone; the object has the name of the Node and goes with it.",
        columns=(
            _READY,
            Column(name="Armed", path='.status.conditions[?(@.type=="TakeoverArmed")].status'),
            Column(name="Established", path=".status.counts.established", type="integer"),
            Column(name="Routes", path=".status.counts.routes", type="integer"),
            Column(name="Generation", path=".status.takeoverGeneration", type="integer"),
            Column(name="Drain", path=".status.drain.phase", wide=True),
            Column(name="Failing", path=".status.counts.failing", type="integer", wide=True),
            Column(name="Version", path=".status.version", wide=True),
            _REASON,
            _AGE,
        ),
        spec=None,
        status=nodeform.StatusForm,
        status_description="What the agent says.",
        defaults={},
        namespaced=False,
    ),
)
"""Every kind of ours that the API server learns of."""

_OWN_NAME: Final = {
    "rule": "!has(self.status) || self.status.node == self.metadata.name",
    "fieldPath": ".status.node",
    "message": "must be the name of the object, which is that of the Node",
}
_STANDARD: Final = {
    "apiVersion": {"type": "string", "description": "Group and version of the kind."},
    "kind": {"type": "string", "description": "Name of the kind."},
    "metadata": {"type": "object"},
}


def definition(kind: Kind) -> Schema:
    """Return the CustomResourceDefinition of *kind*."""
    version: Schema = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [one.document() for one in kind.columns],
        "schema": {"openAPIV3Schema": schema(kind)},
    }
    if kind.status is None:
        del version["subresources"]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
                "categories": ["bgpd"],
            },
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": [version],
        },
    }


def schema(kind: Kind) -> Schema:
    """Return the structural schema of *kind*."""
    meanings = {f"spec.{path}": text for path, text in MEANINGS.get(kind.name, {}).items()}
    keys = {"status.conditions": ("type",), "status.sessions": ("peer",)}
    texts = Texts(meanings=meanings, defaults=kind.defaults, keys=keys)
    found: Schema = {"type": "object", "description": kind.description}
    if kind.spec_required:
        found["required"] = ["spec"]
    found["properties"] = dict(_STANDARD)
    if kind.spec is not None:
        spec = {"description": "What is wanted."} | schema_of(kind.spec, texts, "spec")
        found["properties"]["spec"] = spec
    else:
        found["x-kubernetes-validations"] = [_OWN_NAME]
    if kind.status is not None:
        status = {"description": kind.status_description} | schema_of(kind.status, texts, "status")
        found["properties"]["status"] = status
    return found


def files() -> Mapping[str, str]:
    """Return the name and the text of the file of each kind."""
    return {f"{kind.plural}.yaml": _text(kind) for kind in KINDS}


_HEAD: Final = "# Written by scripts/docs from bgpd/kube/objects.py; do not edit.\n---\n"


class _Dumper(yaml.SafeDumper):
    """YAML without aliases and with the items of lists set in: as people write it."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's name for it
        """Return that nothing becomes an alias."""
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - PyYAML's
        """Set the items of a list in."""
        super().increase_indent(flow, False)


def _text(kind: Kind) -> str:
    body = yaml.dump(definition(kind), Dumper=_Dumper, sort_keys=False, width=96)
    return _HEAD + body
