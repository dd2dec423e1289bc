"""A HealthCheck means what it says, wherever it stands, and nothing waits for the kind."""

from dataclasses import replace
from typing import Any

import pytest

from bgpd.kube.documents import Key, read
from bgpd.model.health import (
    DNS,
    GRPC,
    NTP,
    TLS,
    Exec,
    HealthCheck,
    HTTPGet,
    ProbeTarget,
    Rhythm,
    TCPSocket,
)
from bgpd.model.prefix import Address
from bgpd.model.selector import Operator, Requirement
from tests.fakes.apiserver import FakeApiServer, refusal
from tests.kube import build
from tests.kube.build import Document, ours, text
from tests.kube.follow import PATHS, SERVICES, Following, follow

CHECKS = PATHS["HealthCheck"]
PLAIN = HealthCheck(namespace="default", name="h", probe=TCPSocket())
WEB = Requirement(key="app", operator=Operator.IN, values=frozenset({"web"}))


def check(name: str = "h", namespace: str | None = None, **spec: Any) -> Document:
    """Return a HealthCheck."""
    found = ours("HealthCheck", name, spec)
    if namespace is not None:
        found["metadata"]["namespace"] = namespace
    return found


def only(document: Document) -> HealthCheck:
    """Return the one check of *document*."""
    found = read("f.yaml", text(document))
    assert found.problems == ()
    (one,) = found.objects.values()
    assert isinstance(one, HealthCheck)
    return one


@pytest.mark.parametrize(
    ("spec", "changes"),
    [
        pytest.param({"tcpSocket": {}}, {}, id="the least"),
        pytest.param({"httpGet": {}}, {"probe": HTTPGet()}, id="a GET of the root"),
        pytest.param(
            {"httpGet": {"port": 8443, "path": "/z", "host": "h", "headers": {"A": "b"},
                         "statuses": ["200", "300-399"], "body": "fine",
                         "tls": {"verify": True, "serverName": "s", "caFile": "/ca"}}},
            {"probe": HTTPGet(port=8443, path="/z", host="h", headers={"A": "b"},
                              statuses=((200, 200), (300, 399)), body="fine",
                              tls=TLS(verify=True, server_name="s", ca_file="/ca"))},
            id="a GET of everything"),
        pytest.param({"tcpSocket": {"port": 25, "send": "QUIT\r\n", "expect": "220", "tls": {}}},
                     {"probe": TCPSocket(port=25, send="QUIT\r\n", expect="220", tls=TLS())},
                     id="a word on a connection"),
        pytest.param({"dns": {"name": "a.b", "type": "AAAA", "port": 53, "tcp": True,
                              "rcode": "NXDOMAIN", "answers": ["::1"]}},
                     {"probe": DNS(name="a.b", type="AAAA", port=53, tcp=True, rcode="NXDOMAIN",
                                   answers=("::1",))}, id="a query"),
        pytest.param({"ntp": {"maxStratum": 3, "maxOffsetMilliseconds": 9}},
                     {"probe": NTP(max_stratum=3, max_offset_milliseconds=9)}, id="the time"),
        pytest.param({"ntp": {}}, {"probe": NTP()}, id="any time at all"),
        pytest.param({"grpc": {"service": "s"}}, {"probe": GRPC(service="s")}, id="gRPC"),
        pytest.param({"exec": {"command": ["/bin/true", ""]}},
                     {"probe": Exec(command=("/bin/true", ""))}, id="a program"),
        pytest.param({"tcpSocket": {}, "target": "ElasticIP"},
                     {"target": ProbeTarget.ELASTIC_IP}, id="another target"),
        pytest.param({"tcpSocket": {}, "sourceAddress": "2001:DB8::1"},
                     {"source_address": Address("2001:db8::1")}, id="a source"),
        pytest.param({"tcpSocket": {}, "serviceSelectors": [{"matchLabels": {"app": "web"}}]},
                     {"service_selectors": ((WEB,),)}, id="some Services"),
        pytest.param({"tcpSocket": {}, "periodMilliseconds": 100},
                     {"rhythm": Rhythm(period_milliseconds=100, timeout_milliseconds=100)},
                     id="who asks often waits no longer than until the next question"),
        pytest.param({"tcpSocket": {}, "periodMilliseconds": 50, "timeoutMilliseconds": 60000,
                      "failureThreshold": 100, "successThreshold": 2},
                     {"rhythm": Rhythm(period_milliseconds=50, timeout_milliseconds=60000,
                                       failure_threshold=100, success_threshold=2)},
                     id="a rhythm whose timeout is longer than its period"),
    ],
)  # fmt: skip
def test_a_check_means_what_it_says(spec: Document, changes: dict[str, object]) -> None:
    """What is left out has its default."""
    assert only(check(**spec)) == replace(PLAIN, **changes)  # type: ignore[arg-type]


def test_checks_of_two_namespaces_may_have_one_name() -> None:
    """They belong to the Services beside them."""
    found = read("f.yaml", text(check("h", "a", ntp={}), check("h", "b", tcpSocket={})))
    assert set(found.objects) == {Key("HealthCheck", "a", "h"), Key("HealthCheck", "b", "h")}
    assert found.problems == ()


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Authorization": "geheim\n"}, id="a line end"),
        pytest.param({"Authorization": "geheim" * 300}, id="too long"),
        pytest.param({"Authorization": ["geheim"]}, id="a list"),
        pytest.param({"Authorization": "geheim", "X-Number": 1}, id="a number beside it"),
        pytest.param(["geheim"], id="no map"),
    ],
)
def test_a_header_that_is_refused_is_not_shown(headers: object) -> None:
    """It may be a token, and the sentence is read by everybody."""
    found = read("f.yaml", text(check(httpGet={"headers": headers})))
    (problem,) = found.problems
    assert problem.refused
    assert "spec.httpGet.headers" in problem.message
    assert "up to 16 names" in problem.message
    assert "geheim" not in problem.message + problem.value


def test_checks_of_all_namespaces_are_followed() -> None:
    """One that is refused keeps its last good version; the others are not touched."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        assert {each.key for each in one.source.objects.health_checks} == {"a/h", "b/h"}
        api.apply(CHECKS, check("h", "a", ntp={}, tcpSocket={}))
        await one.until(lambda: bool(one.source.problems))
        assert {each.key for each in one.source.objects.health_checks} == {"a/h", "b/h"}
        (problem,) = one.source.problems
        assert problem.message.startswith("API (HealthCheck a/h): spec: exactly one probe")

    def prepare(api: FakeApiServer) -> None:
        api.apply(CHECKS, check("h", "a", ntp={}))
        api.apply(CHECKS, check("h", "b", tcpSocket={}))

    follow(story, prepare=prepare)


def test_an_older_installation_knows_no_checks_and_goes_on() -> None:
    """Without the kind everything else is decided, and a condition says what is missing."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.until(lambda: one.source.synced)
        assert Key("Service", "default", "a") in one.source.objects
        assert one.reasons == ["KindNotInstalled"]
        assert "healthchecks.bgpd.io" in one.source.conditions[0].message
        api.install(CHECKS)
        api.apply(CHECKS, check(ntp={}))
        await one.until(lambda: bool(one.source.objects.health_checks))
        await one.until(lambda: one.reasons == [])

    def prepare(api: FakeApiServer) -> None:
        api.apply(SERVICES, build.service("a"))
        api.uninstall(CHECKS)

    follow(story, prepare=prepare)


def test_an_agent_that_may_not_read_checks_goes_on() -> None:
    """The rights of an older installation do not name them."""

    async def story(one: Following, _: FakeApiServer) -> None:
        await one.until(lambda: one.source.synced)
        assert Key("Service", "default", "a") in one.source.objects
        assert one.reasons == ["ApiForbidden"]

    def prepare(api: FakeApiServer) -> None:
        forbidden = refusal(403, "Forbidden", "healthchecks is forbidden")
        api.apply(SERVICES, build.service("a"))
        api.refuse = lambda asked: forbidden if asked.path == CHECKS else None

    follow(story, prepare=prepare)
