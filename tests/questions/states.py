"""The states of the lab in which docs/questions.md asks: how each comes, and how it goes again."""

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from tests.cluster.api import MERGE
from tests.lab.control import ControlPlane
from tests.lab.documents import NAMESPACE, Document, configuration, peer, service
from tests.lab.extras import calm_health_checks
from tests.lab.healthstrikes import probes_agree
from tests.lab.nodes import Node, until
from tests.lab.plan import LabError
from tests.lab.run import Lab
from tests.lab.strikes import lossy_mesh, power_loss, undrop
from tests.lab.topology import run

_PATIENCE: Final = 60.0
POOL_TAKEN: Final = "203.0.113.4/32"
"""Within the lab's own pool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a state is made in."""

    lab: Lab
    control: ControlPlane

    @property
    def desk(self) -> Path:
        """The directory in which commands run: files that they name are there."""
        path = self.lab.directory / "desk"
        path.mkdir(exist_ok=True)
        return path

    def node(self, name: str) -> Node:
        """Return a node."""
        return self.lab.nodes[name]


State: TypeAlias = Callable[[Ground], AbstractContextManager[object]]


@contextmanager
def endpoint_lost(ground: Ground) -> Iterator[None]:
    """Let Service 1 have no endpoint on n1."""
    prefix, others = ground.lab.plan.prefix(1, 4), frozenset({"n2", "n3"})
    # An Event tells what is different: n1's agent has to have taken note of what is so.
    what = "n1 has not told the cluster of Service 1"
    until(lambda: prefix in _told_by(ground, "n1"), _PATIENCE, what)
    ground.control.write_endpoints(1, ("n2", "n3"))
    what = "the router still sends to n1"
    until(lambda: ground.lab.router.paths().get(prefix) == others, _PATIENCE, what)
    try:
        yield
    finally:
        _restore_endpoints(ground, 1)


@contextmanager
def only_here(ground: Ground) -> Iterator[None]:
    """Let Service 4 have its only endpoint on n1."""
    ground.control.write_endpoints(4, ("n1",))
    try:
        yield
    finally:
        _restore_endpoints(ground, 4)


@contextmanager
def crowded(ground: Ground) -> Iterator[None]:
    """Let Service 2 have three endpoints on n2, and one on the others."""
    ground.control.write_endpoints(2, ("n1", "n2", "n2", "n2", "n3"))
    try:
        yield
    finally:
        _restore_endpoints(ground, 2)


def _told_by(ground: Ground, name: str) -> set[str]:
    """Return the prefixes that node *name* told the cluster that it advertises."""
    path = f"/apis/bgpd.io/v1alpha1/bgpnodestatuses/{name}"
    status = ground.control.cluster.api.request("GET", path).get("status", {})
    return {route["prefix"] for route in status.get("routes", ())}


def _restore_endpoints(ground: Ground, number: int) -> None:
    ground.control.write_endpoints(number, ground.lab.plan.names)
    ground.lab.steady(_PATIENCE)


@contextmanager
def dead_node(ground: Ground) -> Iterator[None]:
    """Let n3 lose power; the others have taken over."""
    victim = (ground.node("n3"),)
    power_loss(ground.lab, victim)
    what = "the survivors have not taken over"
    until(lambda: ground.lab.routes_avoid(("n3",)), _PATIENCE, what)
    try:
        yield
    finally:
        undrop(ground.lab, victim)
        ground.lab.recover()


@contextmanager
def shut_by_the_router(ground: Ground) -> Iterator[None]:
    """Let the router's operator shut n1's session down, and say why."""
    run("birdc", "disable", "n1", '"maintenance of the rack"')
    what = "the session is still up"
    until(lambda: not ground.lab.sessions()["n1"], _PATIENCE, what)
    try:
        yield
    finally:
        run("birdc", "enable", "n1")
        ground.lab.steady(_PATIENCE)


@contextmanager
def filtering_router(ground: Ground) -> Iterator[None]:
    """Let the router refuse the route of Service 2 from n1."""
    path = ground.lab.router.directory / "bird.conf"
    before = path.read_text()
    lines = before.splitlines(keepends=True)
    refused = ground.lab.plan.prefix(2, 4)
    keeps = f"import filter {{ if net = {refused} then reject; accept; }};"
    changed = [
        line.replace("import all;", keeps) if line.startswith("protocol bgp n1 ") else line
        for line in lines
    ]
    path.write_text("".join(changed))
    run("birdc", "configure")
    others = frozenset({"n2", "n3"})
    what = "the router takes what it should not"
    until(lambda: ground.lab.router.paths().get(refused) == others, _PATIENCE, what)
    try:
        yield
    finally:
        path.write_text(before)
        run("birdc", "configure")
        ground.lab.steady(_PATIENCE)


@contextmanager
def limited(ground: Ground) -> Iterator[None]:
    """Let n1's router take ten prefixes of the twelve."""
    plain = peer(ground.lab.plan, "n1", 4)
    with configured(ground, {**plain, "spec": {**plain["spec"], "maxPrefixes": 10}}):
        yield
    ground.lab.steady(_PATIENCE)


@contextmanager
def refused(ground: Ground) -> Iterator[None]:
    """Let there be a pool within another one, and what was applied without it in `applied.yaml`."""
    path = ground.desk / "applied.yaml"
    path.write_text(yaml.safe_dump_all(configuration(ground.lab.plan)))
    with configured(ground, _pool("wrong", POOL_TAKEN)):
        yield


@contextmanager
def configured(ground: Ground, *special: Document) -> Iterator[None]:
    """Have *special* documents besides those of the plan."""
    ground.lab.configure(list(special))
    try:
        yield
    finally:
        ground.lab.configure([])


@contextmanager
def waiting_services(ground: Ground) -> Iterator[None]:
    """Let one Service ask for a pool that is not there, and two for a taken address.

    One of them has the key by which Service 3 shares it.
    """
    cluster, taken = ground.control.cluster, ground.lab.plan.elastic_ip(3, 4)
    asking = {"bgpd.io/loadBalancerIPs": taken}
    key = {"bgpd.io/allow-shared-ip": "a-key"}
    twin = _service(ground, "twin", asking | key)
    twin["spec"] = {**twin["spec"], "ports": [{"name": "other", "port": 8, "protocol": "UDP"}]}
    new = [
        _service(ground, "pending", {"bgpd.io/address-pool": "gone"}),
        _service(ground, "sharing", asking),
        twin,
    ]
    _annotate(ground, "service-3", key)
    cluster.apply(new)
    try:
        yield
    finally:
        for each in new:
            cluster.api.delete(each)
        _annotate(ground, "service-3", dict.fromkeys(key))


@contextmanager
def silent_agent(ground: Ground) -> Iterator[None]:
    """Let n1's agent hang for seven seconds and on."""
    ground.node("n1").signal("agent", signal.SIGSTOP)
    time.sleep(7)
    try:
        yield
    finally:
        ground.node("n1").signal("agent", signal.SIGCONT)


@contextmanager
def lossy(ground: Ground) -> Iterator[None]:
    """Let a tenth of the mesh's packets be lost."""
    lossy_mesh(10)(ground.lab, ())
    try:
        yield
    finally:
        undrop(ground.lab, ())
        ground.lab.recover()


@contextmanager
def hanging_workload(ground: Ground) -> Iterator[None]:
    """Let the HealthCheck of every Service have found n1's workload hung."""
    n1 = ground.node("n1")
    checks = calm_health_checks(ground.lab.plan)
    with configured(ground, *checks):
        probes_agree(ground.lab, ())
        n1.signal("echo", signal.SIGSTOP)
        try:
            yield
        finally:
            n1.signal("echo", signal.SIGCONT)
    ground.lab.recover()


@contextmanager
def drained(ground: Ground) -> Iterator[None]:
    """Let n1 be drained by a person."""
    with _drain(ground):
        yield
    ground.lab.steady(_PATIENCE)


@contextmanager
def draining(ground: Ground) -> Iterator[None]:
    """Let n1's drain wait, because nobody else carries the elastic IP of Service 4."""
    with only_here(ground), _drain(ground, "--patient"):
        yield


@contextmanager
def _drain(ground: Ground, *words: str) -> Iterator[None]:
    done = ground.node("n1").control("drain", "--yes", *words)
    if done.returncode:
        raise LabError(f"bgpctl drain: {done.stderr}")
    try:
        yield
    finally:
        ground.node("n1").control("undrain")


@contextmanager
def with_new_documents(ground: Ground) -> Iterator[None]:
    """Let `new.yaml` be about to be applied: half the pool, a community, and a mistake."""
    advertisement = {"ipAddressPools": ["lab"], "communities": ["65000:7"]}
    wanted = [
        _ours("BGPAdvertisement", "lab", advertisement),
        _pool("lab", "203.0.113.0/28"),
        _pool("wrong", POOL_TAKEN),
    ]
    path = ground.desk / "new.yaml"
    path.write_text(yaml.safe_dump_all(wanted))
    yield
    path.unlink()


def _annotate(ground: Ground, name: str, annotations: Mapping[str, str | None]) -> None:
    path = f"/api/v1/namespaces/default/services/{name}"
    change = {"metadata": {"annotations": dict(annotations)}}
    ground.control.cluster.api.request("PATCH", path, change, content_type=MERGE)


def _service(ground: Ground, name: str, annotations: Mapping[str, str]) -> Document:
    found = service(ground.lab.plan, 1)
    metadata = {"name": name, "namespace": "default", "annotations": dict(annotations)}
    return {key: found[key] for key in found if key != "status"} | {"metadata": metadata}


def _pool(name: str, *addresses: str) -> Document:
    return _ours("IPAddressPool", name, {"addresses": list(addresses)})


def _ours(kind: str, name: str, spec: dict[str, Any]) -> Document:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "bgpd.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


STATES: Final[Mapping[str, State]] = {
    "endpoint-lost": endpoint_lost,
    "only-here": only_here,
    "crowded": crowded,
    "power-loss": dead_node,
    "session-shut": shut_by_the_router,
    "filtered": filtering_router,
    "limited": limited,
    "refused": refused,
    "waiting-services": waiting_services,
    "agent-hang": silent_agent,
    "mesh-lossy": lossy,
    "pod-hang": hanging_workload,
    "drained": drained,
    "draining": draining,
    "new-documents": with_new_documents,
}
