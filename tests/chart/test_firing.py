"""Alerts on series that were scraped in the lab: each fires in its fault, none in a planned event.

The recordings say in which fault they were made (tests/chart/recording.py). A scrape stands for one
of Prometheus' each 15 s, and what is wrong goes on for as long as the alert's `for` asks.
"""

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.chart.recording import RULES, alerts, load, values_of
from tests.lacking import lacking

STEP_SECONDS: Final = 15
_PLANNED: Final = ("drain", "rolling-upgrade", "agent-upgrade", "reboot")
"""What operators do on purpose: nobody is to be told of a failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One alert that fires."""

    alert: str
    recording: str
    labels: tuple[Mapping[str, str], ...]
    """Of each series that alerts, without the severity."""
    hold: int | None = None
    """The scrape that goes on; None: the last one."""
    times: int = 1
    """How often the fault happens."""
    minutes: int = 8
    value: str = ""
    """What `$value` is in the text."""
    alive: bool = False
    """Whether what was recorded goes on to decide and to hear, as after a planned event."""


def speaker(node: str, **more: str) -> dict[str, str]:
    """Return the labels of a series of a speaker."""
    return {**_scraped(node, "agent", "speaker-metrics"), **more}


def agent(node: str, **more: str) -> dict[str, str]:
    """Return the labels of a series of an agent."""
    return {**_scraped(node, "agent", "agent-metrics"), **more}


def _scraped(node: str, component: str, endpoint: str) -> dict[str, str]:
    pod = f"bgpd-{component}-{node}"
    return {"endpoint": endpoint, "job": f"bgpd-{component}", "node": node, "pod": pod}


PEER: Final = "router-n2-v4"
NODES: Final = ("n1", "n2", "n3")
FIRING: Final = (
    Case(
        alert="BgpdElasticIPNotAdvertised",
        recording="one-service-without-endpoints",
        labels=({"elastic_ip": "203.0.113.10", "service": "default/service-1"},),
    ),
    Case(alert="BgpdNothingAdvertised", recording="no-endpoints", labels=({},)),
    Case(alert="BgpdNodeWithoutSession", recording="link-down", hold=4, labels=({"node": "n2"},)),
    Case(
        alert="BgpdSessionDown",
        recording="link-down",
        hold=4,
        labels=(speaker("n2", peer=PEER),),
    ),
    Case(
        alert="BgpdSessionFlapping",
        recording="link-down",
        times=6,
        labels=(speaker("n2", peer=PEER, to="Established"),),
    ),
    Case(
        alert="BgpdBFDSessionDown",
        recording="link-down-bfd",
        hold=3,
        labels=(speaker("n2", peer=PEER),),
    ),
    Case(
        alert="BgpdTakeoverNotArmed",
        recording="mesh-partition",
        hold=3,
        labels=(speaker("n2"),),
    ),
    Case(
        alert="BgpdMeshMemberMissing",
        recording="mesh-partition",
        hold=3,
        labels=({"member": "n1"}, {"member": "n2"}, {"member": "n3"}),
    ),
    Case(
        alert="BgpdMeshLossy",
        recording="mesh-lossy-20",
        minutes=15,
        labels=tuple(
            speaker(node, member=member) for node in NODES for member in NODES if node != member
        ),
    ),
    Case(
        alert="BgpdTakeover",
        recording="link-down",
        minutes=5,
        labels=(speaker("n3", cause="raised"),),
    ),
    Case(
        alert="BgpdAgentMissing",
        recording="rolling-upgrade",
        hold=2,
        labels=(speaker("n1"),),
    ),
    Case(
        alert="BgpdSpeakerMissing",
        recording="rolling-upgrade",
        hold=10,
        labels=(agent("n2"),),
    ),
    Case(
        alert="BgpdExabgpCrashLooping",
        recording="exabgp-kill",
        times=6,
        labels=(speaker("n2"),),
    ),
    Case(
        alert="BgpdReconcileStalled",
        recording="drain",
        minutes=20,
        labels=tuple(agent(node) for node in NODES),
    ),
    Case(
        alert="BgpdKubernetesSilent",
        recording="api-hang",
        minutes=20,
        labels=tuple(agent(node) for node in NODES),
    ),
    Case(
        alert="BgpdDrainStuck",
        recording="drain-stuck",
        minutes=40,
        labels=(speaker("n2", state="Waiting"),),
    ),
    Case(alert="BgpdControllerNoLeader", recording="leader-hangs", labels=({},)),
    Case(
        alert="BgpdConfigurationRefused",
        recording="configuration-refused",
        labels=tuple(
            {"node": node, "type": "DocumentRefused", "reason": "BGPPeer"} for node in NODES
        ),
    ),
    Case(
        alert="BgpdConfigurationVanished",
        recording="configuration-vanished",
        labels=tuple({"node": node, "type": "ConfigurationVanished"} for node in NODES),
    ),
    Case(
        alert="BgpdPoolNearlyFull",
        recording="pool-full",
        minutes=10,
        labels=({"pool": "small"},),
        value="100%",
    ),
    Case(
        alert="BgpdServicesWaiting",
        recording="pool-full",
        minutes=10,
        labels=({"reason": "NoAddress"},),
        value="4",
    ),
    Case(
        alert="BgpdPrefixLimitNear",
        recording="prefix-limit",
        minutes=10,
        labels=({"node": "n2", "peer": PEER},),
        value="12",
    ),
    Case(
        alert="BgpdProviderStale",
        recording="provider",
        minutes=75,
        labels=tuple(agent(node, peer="packet") for node in NODES),
    ),
    Case(
        alert="BgpdHostFoughtOver",
        recording="host-fought-over",
        minutes=5,
        labels=({"node": "n2"},),
        value="8",
    ),
    Case(
        alert="BgpdHealthCheckFailing",
        recording="pod-hang",
        hold=3,
        labels=tuple(
            {"service": f"default/service-{number}", "check": "default/echo"}
            for number in range(1, 13)
        ),
    ),
)


@pytest.fixture
def promtool() -> str:
    """Return Prometheus' own tool."""
    found = shutil.which("promtool")
    if found is None:
        lacking("promtool is not installed (Debian: prometheus)", unproven="that alerts fire")
    return found


def judged(promtool: str, directory: Path, test: Mapping[str, Any]) -> str:
    """Return what promtool has against *test*: nothing where it holds."""
    file = directory / "test.yaml"
    document = {
        "rule_files": [str(RULES)],
        "evaluation_interval": f"{STEP_SECONDS}s",
        "tests": [{"interval": f"{STEP_SECONDS}s", **test}],
    }
    file.write_text(yaml.safe_dump(document))
    done = subprocess.run(
        [promtool, "test", "rules", str(file)], capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def stretched(case: Case) -> Mapping[str, tuple[float | None, ...]]:
    """Return the recording, as long as the case takes."""
    total = case.minutes * 60 // STEP_SECONDS
    return load(case.recording).stretched(
        step=STEP_SECONDS, total=total, hold=case.hold, times=case.times, alive=case.alive
    )


def series(case: Case) -> list[dict[str, str]]:
    """Return the recording as promtool takes it."""
    return [
        {"series": name, "values": values_of(values)} for name, values in stretched(case).items()
    ]


def of_cluster(cluster: str, them: Mapping[str, tuple[float | None, ...]]) -> list[dict[str, str]]:
    """Return series as promtool takes them, from a Prometheus that several clusters write to."""
    return [
        {"series": name.replace("{", f'{{cluster="{cluster}",'), "values": values_of(values)}
        for name, values in them.items()
    ]


def well(minutes: int) -> dict[str, tuple[float | None, ...]]:
    """Return the series of a cluster in which all is well: each as it was at first, and goes on."""
    total = minutes * 60 // STEP_SECONDS
    found: dict[str, tuple[float | None, ...]] = {}
    for name in ("drain", "leader-hangs"):
        found |= load(name).stretched(step=STEP_SECONDS, total=total, hold=0, alive=True)
    return found


def told(rule: Mapping[str, Any], labels: Mapping[str, str], value: str) -> dict[str, str]:
    """Return the annotations of *rule* as Prometheus makes them."""

    def filled(match: re.Match[str]) -> str:
        words = match[1].split("|")[0].strip()
        if words == "$value":
            assert value, f"{rule['alert']}: what is $value?"
            return value
        return labels[words.removeprefix("$labels.")]

    return {
        name: re.sub(r"\{\{(.+?)\}\}", filled, text) for name, text in rule["annotations"].items()
    }


_VALUES: Final = {
    ("BgpdMeshMemberMissing", "n1"): "1",
    ("BgpdMeshMemberMissing", "n2"): "2",
    ("BgpdMeshMemberMissing", "n3"): "1",
}


every_fault = pytest.mark.parametrize(
    "case", FIRING, ids=lambda case: f"{case.alert} in {case.recording}"
)


def fires(case: Case, **more: str) -> dict[str, Any]:
    """Return what promtool is to see at the end of *case*: its alert with *more* labels."""
    rule: Any = alerts()[case.alert]
    expected = [
        {
            "exp_labels": {**labels, **more, **rule["labels"]},
            "exp_annotations": told(
                rule, labels, _VALUES.get((case.alert, labels.get("member", "")), case.value)
            ),
        }
        for labels in case.labels
    ]
    at = f"{case.minutes * 60 - STEP_SECONDS}s"
    return {"eval_time": at, "alertname": case.alert, "exp_alerts": expected}


@every_fault
def test_an_alert_fires_in_its_fault(case: Case, promtool: str, tmp_path: Path) -> None:
    """With the labels of what broke, and the whole text that a person reads."""
    test = {"input_series": series(case), "alert_rule_test": [fires(case)]}
    assert judged(promtool, tmp_path, test) == ""


@every_fault
def test_a_cluster_that_is_well_hides_no_other(case: Case, promtool: str, tmp_path: Path) -> None:
    """One ruler may serve many clusters, in which nodes, peers and Services have the same names."""
    broken = of_cluster("one", stretched(case))
    test = {
        "input_series": [*broken, *of_cluster("two", well(case.minutes))],
        "alert_rule_test": [fires(case, cluster="one")],
    }
    assert judged(promtool, tmp_path, test) == ""


def test_controllers_that_are_all_gone_are_missed(promtool: str, tmp_path: Path) -> None:
    """Where they crash as soon as they start, nobody is left who could say that none leads."""
    total = 8 * 60 // STEP_SECONDS
    gone = [
        {"series": name, "values": values_of((*values[:2], *[None] * (total - 2)))}
        for name, values in load("leader-hangs").series.items()
    ]
    case = Case(alert="BgpdControllerNoLeader", recording="leader-hangs", labels=({},))
    test = {"input_series": gone, "alert_rule_test": [fires(case)]}
    assert judged(promtool, tmp_path, test) == ""


def test_a_cluster_that_is_well_fires_nothing(promtool: str, tmp_path: Path) -> None:
    """In an hour, at moments after each `for`."""
    checks = [
        {"eval_time": f"{minute}m", "alertname": alert, "exp_alerts": []}
        for alert in sorted(alerts())
        for minute in (1, 3, 6, 12, 31, 59)
    ]
    test = {"input_series": of_cluster("one", well(60)), "alert_rule_test": checks}
    assert judged(promtool, tmp_path, test) == ""


def test_every_alert_has_a_fault_in_which_it_fires() -> None:
    """One that nobody has seen fire is one that nobody knows works."""
    assert {case.alert for case in FIRING} == set(alerts())


@pytest.mark.parametrize("event", _PLANNED)
def test_a_planned_event_fires_nothing(event: str, promtool: str, tmp_path: Path) -> None:
    """While nodes are drained, upgraded and rebooted, and for a while after, all is quiet.

    A node that is switched off after its goodbye is raised for, and not told of as a takeover.
    """
    case = Case(alert="", recording=event, labels=(), minutes=12, alive=True)
    checks = [
        {"eval_time": f"{seconds}s", "alertname": alert, "exp_alerts": []}
        for alert in sorted(alerts())
        for seconds in range(60, 12 * 60, 60)
    ]
    test = {"input_series": series(case), "alert_rule_test": checks}
    assert judged(promtool, tmp_path, test) == ""
