"""Each panel, variable and annotation of a dashboard has something to show, in a real Prometheus.

It reads what was scraped in the lab (tests/chart/recording.py), and is asked what Grafana asks,
with Grafana's variables filled in as Grafana does: as All, and as a choice of every value.
"""

import re
import shutil
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from tests.chart.prometheus import Prometheus, prometheus
from tests.chart.recording import PANELS, load_panels
from tests.chart.test_dashboards import BOARDS, panels
from tests.chart.test_grafana import provisioned
from tests.lacking import lacking

pytestmark = pytest.mark.timeout(240)

USUAL: Final = "link-down-bfd"
"""The fault that is looked at in a dashboard where no other is named."""
ELSEWHERE: Final[Mapping[str, str]] = {
    "bgpd_pool_addresses": "pool-full",
    "bgpd_services_waiting": "pool-full",
    "bgpd_leader": "pool-full",
    "bgpd_agent_connected{} == 0": "rolling-upgrade",
    "bgpd_elastic_ip_advertised{}) == 0": "no-endpoints",
    "bgpd_routes_withheld": "no-endpoints",
    "bgpd_health_check_up": "pod-hang",
    "bgpd_health_probes_total": "pod-hang",
    "bgpd_reconcile_duration_seconds": "pod-hang",
    "bgpd_kube_watch_last_heard": "api-hang",
    "bgpd_provider_last_success": "provider",
    "bgpd_prefix_limit": "provider",
    "bgpd_host_restored_total": "host-fought-over",
    "bgpd_mesh_member_up{} == 0": "mesh-partition",
    "bgpd_mesh_datagrams_ignored_total": "rolling-upgrade",
}
"""By a part of the query, without what stands in braces."""
IDLE: Final = "provider"
"""Nothing happens there."""
ALERTED: Final[Mapping[str, str]] = {
    "BgpdSessionDown": "link-down-bfd",
    "BgpdBFDSessionDown": "link-down-bfd",
    "BgpdTakeover": "link-down-bfd",
    "BgpdNothingAdvertised": "no-endpoints",
    "BgpdMeshMemberMissing": "mesh-partition",
    "BgpdAgentMissing": "rolling-upgrade",
    "BgpdHealthCheckFailing": "pod-hang",
    "BgpdPoolNearlyFull": "pool-full",
    "BgpdServicesWaiting": "pool-full",
    "BgpdHostFoughtOver": "host-fought-over",
}
"""A fault, by the alert that Grafana is to find in it."""
CLUSTER: Final = "east"
_INTERVALS: Final = {"$__rate_interval": "1m", "$__interval": "1m"}
_ANNOTATION_STEP: Final = 60
_VARIABLE: Final = re.compile(r"label_values\((?P<series>.+), (?P<label>\w+)\)")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Run Prometheus over every recording, which it has of one cluster of several."""
    if shutil.which("prometheus") is None or shutil.which("promtool") is None:
        lacking(
            "prometheus is not installed (Debian: prometheus)",
            unproven="that every panel of the dashboards shows something",
        )
    names = sorted(path.name.removesuffix(".json.gz") for path in PANELS.glob("*.json.gz"))
    recordings = {name: load_panels(name) for name in names}
    directory = tmp_path_factory.mktemp("prometheus")
    with prometheus(recordings, directory, cluster=CLUSTER) as found:
        yield found


def fault_of(query: str) -> str:
    """Return the recording in which *query* has something to say."""
    bare = re.sub(r"\{[^}]*\}", "{}", query)
    return next((fault for part, fault in ELSEWHERE.items() if part in bare), USUAL)


def chosen(values: list[str]) -> str:
    """Return what Grafana writes for several values of a variable that were chosen."""
    quoted = (re.sub(r"([$^*{}\[\]'+?.()|])", r"\\\\\1", value) for value in values)
    return f"({'|'.join(quoted)})"


def filled(query: str, values: Mapping[str, str]) -> str:
    """Return *query* with its variables filled in."""
    for name, value in _INTERVALS.items():
        query = query.replace(name, value)
    return re.sub(r"\$(\w+)", lambda match: values[match[1]], query)


def variables(board: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return name, series and label of each variable that is asked for."""
    found = []
    for one in board["templating"]["list"]:
        if one["type"] == "query":
            match = _VARIABLE.fullmatch(one["query"]["query"])
            assert match is not None, one["name"]
            found.append((one["name"], match["series"], match["label"]))
    return found


def everything(board: Mapping[str, Any]) -> dict[str, str]:
    """Return what Grafana writes for each variable where all of it is chosen."""
    asked = (one for one in board["templating"]["list"] if one["type"] == "query")
    return {one["name"]: one["allValue"] for one in asked}


def every_value(running: Prometheus, board: dict[str, Any], fault: str) -> dict[str, str]:
    """Return each variable with all its values chosen, each asked for with those before it."""
    values = everything(board)
    for name, series, label in variables(board):
        if found := running.label_values(filled(series, values), label, fault):
            values[name] = chosen(found)
    return values


def lines(board: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield title, query and legend of each line; what is 0 when nothing is wrong as it is then."""
    for panel in panels(board):
        for target in panel["targets"]:
            query = target["expr"].removesuffix(" or vector(0)")
            yield panel["title"], query, target.get("legendFormat") or ""


def test_every_fault_is_looked_at() -> None:
    """A recording that no panel is asked over, or a rule that no query meets, proves nothing."""
    met = {fault_of(query) for board in BOARDS for _, query, _ in lines(board)}
    assert met == {path.name.removesuffix(".json.gz") for path in PANELS.glob("*.json.gz")}
    assert met == {USUAL, *ELSEWHERE.values()}


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: str(board["uid"]))
def test_each_panel_shows_something(running: Prometheus, board: dict[str, Any]) -> None:
    """Each line has a number in its fault, and the labels that its legend speaks of.

    A line that ends in `or vector(0)` is asked without it: the 0 would be there over nothing.
    """
    every = {fault: every_value(running, board, fault) for fault in running.hours}
    empty = []
    for title, query, legend in lines(board):
        fault = fault_of(query)
        for values in (everything(board), every[fault]):
            asked = filled(query, values)
            rows = running.rows(asked, fault)
            if not rows:
                empty.append(f"{title}: nothing in {fault} for {asked}")
            for label in re.findall(r"\{\{\s*(\w+)\s*\}\}", legend):
                assert all(label in row for row in rows), f"{title}: no {label} for the legend"
    assert not empty, "\n".join(empty)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: str(board["uid"]))
def test_a_choice_of_nothing_shows_nothing(running: Prometheus, board: dict[str, Any]) -> None:
    """A panel that ignores what was chosen would show the numbers of others."""
    for title, query, _ in lines(board):
        for name in sorted(set(re.findall(r"\$([a-z]\w+)", query))):
            values = everything(board) | {name: "nobody"}
            asked = filled(query, values)
            assert not running.rows(asked, fault_of(query)), f"{title}: {asked} ignores ${name}"


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: str(board["uid"]))
def test_each_variable_has_values_to_choose_from(
    running: Prometheus, board: dict[str, Any]
) -> None:
    """The nodes of the lab are among them, and each list needs those before it."""
    values: dict[str, str] = {}
    for name, series, label in variables(board):
        found = running.label_values(filled(series, values), label, USUAL)
        assert found, name
        if name in {"node", "member"}:
            assert found == ["n1", "n2", "n3"]
        if name == "cluster":
            assert found == [CLUSTER]
        values[name] = chosen(found)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: str(board["uid"]))
def test_a_takeover_is_marked_in_every_graph(running: Prometheus, board: dict[str, Any]) -> None:
    """By the annotation, at the node that raised the generation."""
    (takeovers,) = (one for one in board["annotations"]["list"] if one["name"] == "Takeovers")
    query = filled(takeovers["expr"], everything(board))
    rows = running.rows(query, USUAL, step=_ANNOTATION_STEP)
    assert rows
    assert {row["node"] for row in rows} <= {"n1", "n2", "n3"}


@pytest.mark.parametrize("name", sorted(ALERTED))
def test_the_query_of_an_alert_in_grafana_finds_its_fault(running: Prometheus, name: str) -> None:
    """Also where it was written out, because nobody records for it; and it finds nothing idle."""
    query = provisioned()[name]["data"][0]["model"]["expr"]
    assert running.rows(query, ALERTED[name])
    assert running.rows(query, IDLE) == []
