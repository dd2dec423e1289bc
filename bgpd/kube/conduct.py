"""From the wire form of a SpeakerPolicy to how a node's speaker behaves.

Every field that is left out keeps its default; so does a field of a part that is left out.
"""

from typing import Final, TypeVar

from bgpd.kube import objects
from bgpd.kube.convert import selectors
from bgpd.kube.faults import Faults
from bgpd.kube.scalar import parse_url
from bgpd.model.configuration import NodePolicy
from bgpd.model.health import LocalHealthPolicy, StartupPolicy
from bgpd.model.member import DrainTrigger, MeshPolicy, SpeakerPolicy

_WAIT_MILLISECONDS: Final = 60_000
"""The time of a drain that waits for connections: in one second hardly any has ended."""
_T = TypeVar("_T")


def speaker_policy(wire: objects.SpeakerPolicy, faults: Faults) -> NodePolicy:
    """Return a speaker policy."""
    spec = wire.spec or objects.SpeakerPolicySpec()
    host = spec.host or objects.HostSpec()
    usual = SpeakerPolicy()
    return NodePolicy(
        name=wire.metadata.name,
        node_selectors=selectors("spec.nodeSelectors", spec.node_selectors, faults),
        policy=SpeakerPolicy(
            mesh=_mesh(spec.mesh or objects.MeshSpec()),
            agent_grace_seconds=_or(spec.agent_grace_seconds, usual.agent_grace_seconds),
            drain_milliseconds=_drain_milliseconds(spec, faults),
            drain=_or(spec.drain, usual.drain),
            health=_health(spec.health or objects.LocalHealthSpec(), faults),
            startup=_startup(spec.startup or objects.StartupSpec()),
            egress=_or(host.egress, usual.egress),
        ),
    )


def _or(value: _T | None, usual: _T) -> _T:
    return usual if value is None else value


def _drain_milliseconds(spec: objects.SpeakerPolicySpec, faults: Faults) -> int:
    if spec.drain_seconds is None:
        waits = spec.drain is DrainTrigger.WAIT_FOR_CONNECTIONS
        usual = _WAIT_MILLISECONDS if waits else SpeakerPolicy().drain_milliseconds
        return _or(spec.drain_milliseconds, usual)
    if spec.drain_milliseconds is not None:
        what = "cannot stand beside spec.drainMilliseconds; remove one"
        faults.rule("spec.drainSeconds", what, spec.drain_seconds)
    return 1000 * spec.drain_seconds


def _mesh(spec: objects.MeshSpec) -> MeshPolicy:
    usual = MeshPolicy()
    return MeshPolicy(
        interval_milliseconds=_or(spec.interval_milliseconds, usual.interval_milliseconds),
        multiplier=_or(spec.multiplier, usual.multiplier),
    )


def _health(spec: objects.LocalHealthSpec, faults: Faults) -> LocalHealthPolicy:
    usual = LocalHealthPolicy()
    return LocalHealthPolicy(
        carrier=_or(spec.carrier, usual.carrier),
        gateway=_or(spec.gateway, usual.gateway),
        health_check_node_port=_or(spec.health_check_node_port, usual.health_check_node_port),
        kubelet=_url("spec.health.kubelet", spec.kubelet, usual.kubelet, faults),
        kube_proxy=_url("spec.health.kubeProxy", spec.kube_proxy, usual.kube_proxy, faults),
        doubt_seconds=_or(spec.doubt_seconds, usual.doubt_seconds),
    )


def _url(path: str, text: str | None, usual: str, faults: Faults) -> str:
    """Return whom to ask; the empty text, which a person may write, is nobody."""
    return usual if text is None else faults.parsed(path, text, parse_url) or ""


def _startup(spec: objects.StartupSpec) -> StartupPolicy:
    usual = StartupPolicy()
    return StartupPolicy(
        delay_seconds=_or(spec.delay_seconds, usual.delay_seconds),
        patience_seconds=_or(spec.patience_seconds, usual.patience_seconds),
        slow_start_seconds=_or(spec.slow_start_seconds, usual.slow_start_seconds),
    )
