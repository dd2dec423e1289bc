"""How each value of the chart shows: in what a process does, or in what the API server keeps.

`EFFECTS` has one entry for each value and none besides. An entry reads one fact of what was seen
(`tests.chart.effectsworld`), and says what it is in a stage in which the value is as it comes, and
what in a stage in which somebody has set it. Nothing of this looks at what helm renders.
"""

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from tests.chart import effectsvalues as values
from tests.chart.effectsvalues import Document

NET_ADMIN, NET_RAW, SYS_NICE = 1 << 12, 1 << 13, 1 << 23
"""Capabilities, as the kernel counts them."""
DAEMON: Final = "DaemonSet/bgpd-agent"
DEPLOYMENT: Final = "Deployment/bgpd-controller"
POD: Final = ("spec", "template", "spec")
HEAD: Final = ("spec", "template", "metadata")
_IMAGE: Final = re.compile(r"(?P<repository>.+?):(?P<tag>[^:/@]+)(@(?P<digest>.+))?")
_TELLING: Final = {
    "speaker": "bgpd_agent_connected",
    "agent": "bgpd_elastic_ips",
    "controller": "bgpd_leader",
}
"""A metric that one process alone has."""

Fact = Callable[[Document], Any]


class Where(Enum):
    """Who shows that a value is in force."""

    PROCESS = "a process that runs"
    SERVER = "the API server, for what is Kubernetes' own business"


@dataclass(frozen=True, slots=True)
class Effect:
    """What is different where a value is."""

    where: Where
    fact: Fact
    seen: Mapping[str, Any]
    """Stage -> what the fact is there."""
    later: bool = False
    """Whether it shows only when something else was done to the node or the installation."""

    def holds(self, stage: str, look: Document) -> bool:
        """Tell whether the fact is in *look* what it is to be in *stage*."""
        try:
            return bool(self.fact(look) == self.seen[stage])
        except (AssertionError, LookupError, TypeError, ValueError):
            return False  # what the fact is read from is not there yet


def process(fact: Fact, **seen: Any) -> Effect:
    """Return what a process does; the names of stages are those of `_STAGES`."""
    return Effect(Where.PROCESS, fact, {_STAGES[name]: one for name, one in seen.items()})


def server(fact: Fact, **seen: Any) -> Effect:
    """Return what the API server has stored, or serves."""
    return Effect(Where.SERVER, fact, {_STAGES[name]: one for name, one in seen.items()})


def later(effect: Effect) -> Effect:
    """Return the same effect, of something that shows only in the end."""
    return replace(effect, later=True)


_STAGES: Final = dict(
    zip(("nothing", "three", "everything", "rotated", "own"), values.STAGES, strict=True)
)


# What the API server has.


def stored(place: str, *steps: str) -> Fact:
    """Return what finds a field of a stored object; a list's items are known by their names."""

    def fact(look: Document) -> Any:
        found: Any = look["kept"].get(place)
        for step in steps:
            if isinstance(found, list):
                found = next((one for one in found if one["name"] == step), None)
            elif found is not None:
                found = found.get(step)
        return found

    return fact


def label(place: str, name: str) -> Fact:
    """Return what finds one label of a stored object."""
    return stored(place, "metadata", "labels", name)


def image(part: str) -> Fact:
    """Return what finds a part of the image that every container is to run."""

    def fact(look: Document) -> Any:
        pods = [look["kept"][one]["spec"]["template"]["spec"] for one in (DAEMON, DEPLOYMENT)]
        every = [
            one for pod in pods for one in (*pod.get("initContainers", ()), *pod["containers"])
        ]
        (found,) = {one["image"] for one in every}
        said = _IMAGE.fullmatch(found)
        assert said is not None
        return said[part]

    return fact


def there(place: str) -> Fact:
    """Return what tells whether the server keeps an object."""
    return lambda look: place in look["kept"]


def labelled_by_a_team(look: Document) -> bool:
    """Return whether every object has the common label."""
    labels = [one["metadata"].get("labels", {}) for one in look["kept"].values()]
    assert len(labels) > 10
    return all(one.get("team") == "network" for one in labels)


def egress_ports(look: Document) -> Any:
    """Return the ports that the controller may reach; None: all."""
    policy = look["kept"].get("NetworkPolicy/bgpd-controller", {}).get("spec", {})
    if "Egress" not in policy["policyTypes"]:
        return None
    return [each["port"] for one in policy["egress"] for each in one["ports"]]


def monitored(look: Document) -> Any:
    """Return the interval of each endpoint that the operator's Prometheus is to ask."""
    monitors = [one for name, one in look["kept"].items() if name.startswith("PodMonitor/")]
    return [end.get("interval") for one in monitors for end in one["spec"]["podMetricsEndpoints"]]


# What the processes do.


def elastic_ip(service: str, block: str) -> Fact:
    """Return what tells whether the controller gave *service* an address of *block*."""

    def fact(look: Document) -> bool:
        given = look["services"][service]
        return bool(given) and ipaddress.ip_address(given) in ipaddress.ip_network(block)

    return fact


def bound(look: Document) -> bool:
    """Return whether an address of the documents' pool is on an interface of the node."""
    return f" {look['services']['hosted']}/32 " in look["addresses"]


def offered(look: Document) -> list[str]:
    """Return the Services whose address the plain router was told."""
    known = {name: f"{one}/32" for name, one in look["services"].items() if one}
    return sorted(
        name for name, prefix in known.items() if "plain" in look["routes"].get(prefix, {})
    )


def attribute(name: str) -> Fact:
    """Return what finds an attribute of BGP on all routes of the plain router."""

    def fact(look: Document) -> Any:
        texts = [one["plain"] for one in look["routes"].values() if "plain" in one]
        return sorted({row for one in texts for row in re.findall(rf"BGP\.{name}: (.*)", one)})

    return fact


def while_excluded(look: Document) -> int:
    """Return how many routes a node has that is excluded from external load balancers."""
    found: Document = look["excluded" if "excluded" in look else "routes"]
    return len(found)


def capabilities(name: str, mask: int) -> Fact:
    """Return what tells which of the capabilities in *mask* a container's first process has."""
    return lambda look: int(look["rights"][name][0]["CapEff"], 16) & mask


def time_to_end(look: Document) -> tuple[Any, str]:
    """Return how long a pod has to end, and how long its speaker takes at most."""
    said = [one.partition("=") for one in look["line"]]
    (seconds,) = [value for name, _, value in said if name == "--term-timeout"]
    return stored(DAEMON, *POD, "terminationGracePeriodSeconds")(look), seconds


def port(name: str, address: str = "127.0.0.1") -> Fact:
    """Return what finds the port of *address* where a process serves its metrics."""

    def fact(look: Document) -> Any:
        for place, one in look["metrics"].items():
            if place.startswith(f"{address}:") and _TELLING[name] in one["names"]:
                return int(place.rpartition(":")[2])
        return None

    return fact


def of_metrics(key: str) -> Fact:
    """Return what finds out how metrics are served, by all processes alike."""

    def fact(look: Document) -> Any:
        assert len(look["metrics"]) >= 3
        (found,) = {one[key] for one in look["metrics"].values()}
        return found

    return fact


def series_of_elastic_ips(look: Document) -> bool:
    """Return whether the agent has series for each elastic IP."""
    return any("bgpd_elastic_ip_advertised" in one["names"] for one in look["metrics"].values())


def rows(look: Document) -> list[str]:
    """Return the lines of both logs."""
    return [row for text in look["logs"].values() for row in text.splitlines() if row.strip()]


def starts_are_logged(look: Document) -> bool:
    """Return whether there is a line that only the level info lets through."""
    return any("started" in row for row in rows(look))


def form_of_lines(look: Document) -> str:
    """Return whether all lines are objects of JSON, or none is."""
    forms = set()
    for row in rows(look):
        try:
            forms.add("json" if isinstance(json.loads(row), dict) else "text")
        except ValueError:
            forms.add("text")
    return " and ".join(sorted(forms))


def files_in(directory: str) -> Fact:
    """Return what tells whether a process has written into *directory* of the host."""
    return lambda look: any(one.startswith(f"{directory}/") for one in look["files"])


def refused(look: Document) -> bool:
    """Return whether an agent that writes another node's status is refused."""
    return "may not write the BGPNodeStatus of n2" in look["stranger"]


def left_clean(look: Document) -> Any:
    """Return whether the Job before the removal made the node's agent leave; None: no Job."""
    ended = look["uninstall"]
    return ended["code"] == 0 and "n1: clean" in ended["said"] if ended["job"] else None


def patience(look: Document) -> Any:
    """Return how long the Job may take, and after how many seconds it gave up, if it did."""
    ended = look["uninstall"]
    gave_up = re.search(r"not clean after (\d+) s", ended["said"])
    return ended["job"]["activeDeadlineSeconds"], gave_up and int(gave_up[1])
