"""What an agent knows is what Prometheus sees, and what it does not know has no series."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.agent.metrics import Reading, elastic_ip, families
from bgpd.model.health import Health, ProbeResult
from bgpd.model.prefix import Prefix
from bgpd.model.reason import Reason, Withheld
from bgpd.telemetry import agentmetrics, commonmetrics
from bgpd.telemetry.catalog import exposed_by
from bgpd.telemetry.exposition import render
from bgpd.telemetry.instruments import Histogram
from bgpd.telemetry.metric import Process
from bgpd.telemetry.speakermetrics import AT_THE_LAST_GATE
from tests.lab.samples import Family, gauges, read, value

NOTHING = Reading(most=1000, reconciles=Histogram(agentmetrics.RECONCILE_SECONDS))
NUMBERS = st.integers(0, 40)


def ip(number: int) -> Prefix:
    """Return an elastic IP."""
    return Prefix(f"192.0.2.{number}/32")


def withheld(number: int, reason: Reason, service: str = "") -> Withheld:
    """Return an elastic IP that is not advertised."""
    name = service or f"d/s{number}"
    return Withheld(service=name, prefix=ip(number), reason=reason, message="because")


def scrape(reading: Reading) -> dict[str, Family]:
    """Return what a scrape reads of *reading*."""
    return read("".join(render(families(reading))))


def wanted(*numbers: int) -> dict[Prefix, tuple[str, ...]]:
    """Return that each of *numbers* is wanted for a Service of its own."""
    return {ip(number): (f"d/s{number}",) for number in numbers}


def states(reading: Reading) -> dict[str, float]:
    """Return how many elastic IPs are in which state."""
    return gauges(scrape(reading), "bgpd_elastic_ips", "state")


def each(reading: Reading, name: str) -> dict[tuple[str, str], float]:
    """Return the series of each elastic IP: address and Service -> value."""
    found = {}
    for (_, labels), number in scrape(reading)[name].series.items():
        of = dict(labels)
        found[of["elastic_ip"], of["service"]] = number
    return found


def test_every_metric_of_the_catalog_is_there_whatever_is_known() -> None:
    """A metric that appears with its first event loses that event in a rate."""
    common = {one.name for one in vars(commonmetrics).values() if hasattr(one, "name")}
    expected = {one.name for one in exposed_by(Process.AGENT)} - common
    assert scrape(NOTHING).keys() == expected


def test_nothing_is_said_of_routers_while_the_speaker_cannot_be_asked() -> None:
    """Nobody knows what routers are offered: 0 would say that they are offered nothing."""
    unknown = replace(NOTHING, services=wanted(1, 2))
    assert states(unknown) == {}
    assert each(unknown, "bgpd_elastic_ip_advertised") == {}
    assert value(scrape(unknown), "bgpd_speaker_connected") == 0
    assert value(scrape(unknown), "bgpd_elastic_ip_series") == 1


def test_an_elastic_ip_counts_as_advertised_while_a_router_is_offered_it() -> None:
    """What is wanted but offered to nobody is withheld from routers, whoever withholds it."""
    known = replace(
        NOTHING,
        services=wanted(1, 2),
        withheld=(withheld(3, Reason.NO_ENDPOINTS),),
        offered=frozenset({ip(1)}),
    )
    assert states(known) == {"Advertised": 1, "Withheld": 2}
    assert each(known, "bgpd_elastic_ip_advertised") == {
        ("192.0.2.1", "d/s1"): 1,
        ("192.0.2.2", "d/s2"): 0,
        ("192.0.2.3", "d/s3"): 0,
    }


def test_a_shared_elastic_ip_is_healthy_service_by_service() -> None:
    """It is one address, offered or not; health withholds one of its Services."""
    shared = replace(
        NOTHING,
        services={ip(1): ("d/a",)},
        withheld=(withheld(1, Reason.HEALTH_CHECK_FAILED, "d/b"),),
        unwell={"d/b"},
        offered=frozenset({ip(1)}),
    )
    assert each(shared, "bgpd_elastic_ip_advertised") == {
        ("192.0.2.1", "d/a"): 1,
        ("192.0.2.1", "d/b"): 1,
    }
    assert each(shared, "bgpd_elastic_ip_healthy") == {
        ("192.0.2.1", "d/a"): 1,
        ("192.0.2.1", "d/b"): 0,
    }


@pytest.mark.parametrize(
    ("most", "there"),
    [
        pytest.param(3, True, id="as many as may have series of their own"),
        pytest.param(2, False, id="one more"),
        pytest.param(0, False, id="none may"),
    ],
)
def test_each_elastic_ip_has_series_up_to_a_number_of_them(most: int, there: bool) -> None:
    """Beyond it none has, and one metric says so; the sums are told always."""
    many = replace(NOTHING, most=most, services=wanted(1, 2, 3), offered=frozenset({ip(1)}))
    assert bool(each(many, "bgpd_elastic_ip_advertised")) is there
    assert bool(each(many, "bgpd_elastic_ip_healthy")) is there
    assert value(scrape(many), "bgpd_elastic_ip_series") == there
    assert states(many) == {"Advertised": 1, "Withheld": 2}


def test_series_go_with_what_they_are_about() -> None:
    """A Service that is gone, a check that is gone, a provider that nobody names any more."""
    before = replace(
        NOTHING,
        services=wanted(1),
        offered=frozenset({ip(1)}),
        checks=(ProbeResult(check="d/c", service="d/s1", health=Health.HEALTHY),),
        providers={"rack": 1000.0},
    )
    gone = ("bgpd_elastic_ip_advertised", "bgpd_health_check_up", "bgpd_elastic_ip_healthy")
    assert all(scrape(before)[name].series for name in gone)
    after = scrape(replace(NOTHING, offered=frozenset()))
    assert not any(after[name].series for name in gone)
    assert not after["bgpd_provider_last_success_timestamp_seconds"].series


def test_each_reason_of_the_agent_is_counted_and_no_other() -> None:
    """The speaker counts its own: a sum over both counts no route twice."""
    reading = replace(
        NOTHING,
        withheld=(
            withheld(1, Reason.NO_ENDPOINTS),
            withheld(2, Reason.NO_ENDPOINTS),
            withheld(3, Reason.FLAPPING),
        ),
    )
    counted = gauges(scrape(reading), "bgpd_routes_withheld", "reason")
    assert counted["NoEndpoints"] == 2
    assert counted["Flapping"] == 1
    assert sum(counted.values()) == 3
    gate = {reason.value for reason in AT_THE_LAST_GATE} - {Reason.FAMILY_NOT_NEGOTIATED.value}
    assert counted.keys() == {reason.value for reason in Reason} - gate


def test_what_is_not_known_of_a_check_is_not_told() -> None:
    """Unknown is neither up nor down; the port of a Service goes by the name that people use."""
    checks = (
        ProbeResult(check="d/c", service="d/s1", health=Health.UNKNOWN),
        ProbeResult(check="d/c", service="d/s2", health=Health.UNHEALTHY),
        ProbeResult(check="", service="d/s3", health=Health.HEALTHY),
    )
    series = scrape(replace(NOTHING, checks=checks))["bgpd_health_check_up"].series
    assert {dict(labels)["service"]: up for (_, labels), up in series.items()} == {
        "d/s2": 0,
        "d/s3": 1,
    }
    assert {dict(labels)["check"] for _, labels in series} == {"d/c", "healthCheckNodePort"}


def test_a_part_of_the_node_is_one_thing_at_a_time() -> None:
    """One of the three is 1."""
    reading = replace(NOTHING, node={"carrier": Health.UNHEALTHY, "kubelet": Health.UNKNOWN})
    series = scrape(reading)["bgpd_node_health"].series
    true = {tuple(dict(labels).values()) for (_, labels), holds in series.items() if holds}
    assert true == {("carrier", "Unhealthy"), ("kubelet", "Unknown")}
    assert len(series) == 6


@pytest.mark.parametrize(
    ("prefix", "shown"),
    [
        pytest.param("192.0.2.1/32", "192.0.2.1", id="an IPv4 address"),
        pytest.param("2001:db8::1/128", "2001:db8::1", id="an IPv6 address"),
        pytest.param("192.0.2.0/24", "192.0.2.0/24", id="a block that is advertised as one"),
        pytest.param("2001:db8::/32", "2001:db8::/32", id="an IPv6 block of 32 bits"),
    ],
)
def test_an_elastic_ip_is_called_as_people_call_it(prefix: str, shown: str) -> None:
    """By its address."""
    assert elastic_ip(Prefix(prefix)) == shown


@given(desired=st.sets(NUMBERS), held=st.sets(NUMBERS), offered=st.sets(NUMBERS))
def test_every_elastic_ip_is_in_one_state(
    desired: Iterable[int], held: Iterable[int], offered: Iterable[int]
) -> None:
    """However far the speaker lags behind, each that anybody knows is counted once."""
    reading = replace(
        NOTHING,
        services=wanted(*desired),
        withheld=tuple(withheld(number, Reason.NO_ENDPOINTS) for number in held),
        offered=frozenset(ip(number) for number in offered),
    )
    counted = states(reading)
    assert sum(counted.values()) == len({*desired, *held, *offered})
    assert counted["Advertised"] == len(set(offered))
