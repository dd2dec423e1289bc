"""Two Services on one address."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgpd.allocator.sharing import Circle
from bgpd.model.allocation import ServicePort, ServiceRequest
from tests.allocator.build import V4, addresses, got, having, pool, put, refused, service


def _a(*ports: str, key: str = "k", local: str = "") -> ServiceRequest:
    return service("a", *ports, key=key, local=local)


def _b(*ports: str, key: str = "k", local: str = "") -> ServiceRequest:
    return service("b", *ports, key=key, local=local)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(_a("tcp/80"), _b("tcp/443"), id="same key, other port"),
        pytest.param(_a("tcp/53"), _b("udp/53"), id="same number, other protocol"),
        pytest.param(
            _a("tcp/80", local="x"), _b("tcp/443", local="x"), id="policy Local, same pods"
        ),
    ],
)
def test_shared(one: ServiceRequest, other: ServiceRequest) -> None:
    """Services that agree may use one address, asked for or not, and it counts once."""
    allocator = having(pool("p", "192.0.2.0/31"))
    put(allocator, one, "192.0.2.1")
    put(allocator, other, "192.0.2.1")
    assert allocator.counters("p").assigned_ipv4 == 1
    allocator.release(other.key, 0.0)
    assert allocator.counters("p").assigned_ipv4 == 1
    put(allocator, service("low"), "192.0.2.0")
    assert got(allocator.allocate(other, V4, 0.0)) == ("192.0.2.1",)


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        pytest.param(_a("tcp/80", key=""), _b("tcp/443"), "allow-shared-ip", id="the first not"),
        pytest.param(
            _a("tcp/80"),
            _b("tcp/443", key=""),
            "it has no annotation allow-shared-ip, so it shares none",
            id="the newcomer not",
        ),
        pytest.param(
            _a("tcp/80", key=""), _b("tcp/443", key=""), "in use by default/a", id="neither"
        ),
        pytest.param(_a("tcp/80"), _b("tcp/443", key="l"), "allow-shared-ip", id="other keys"),
        pytest.param(
            _a("tcp/80"),
            _b("tcp/80", "tcp/443"),
            "TCP/80 on 192.0.2.1 is in use by default/a",
            id="one port of two is taken",
        ),
        pytest.param(
            _a("tcp/80", local="x"),
            _b("tcp/443", local="y"),
            "same policy and selector",
            id="policy Local, other pods",
        ),
        pytest.param(
            _a("tcp/80"), _b("tcp/443", local="x"), "same policy", id="policies that differ"
        ),
    ],
)
def test_not_shared(one: ServiceRequest, other: ServiceRequest, why: str) -> None:
    """Services that do not agree get no address together, and the first keeps it."""
    allocator = having(pool("p", "192.0.2.1/32"))
    put(allocator, one, "192.0.2.1")
    assert why in refused(allocator.assign(other, addresses("192.0.2.1"), 0.0))
    refused(allocator.allocate(other, V4, 0.0))
    assert allocator.addresses_of(one.key) == ("192.0.2.1",)
    assert allocator.addresses_of(other.key) == ()


def test_key_and_backend_are_two_things() -> None:
    """A key that looks like a backend and a key in one does not let Services share."""
    allocator = having(pool("p", "192.0.2.1/32"))
    put(allocator, service("a", "tcp/1", key="app=xk"), "192.0.2.1")
    other = service("b", "tcp/2", key="k", local="x")
    refused(allocator.assign(other, addresses("192.0.2.1"), 0.0))


def test_sole_user_changes_its_mind() -> None:
    """Who is alone on an address may change key, policy and ports; with others it may not."""
    allocator = having(pool("p", "192.0.2.1/32"))
    put(allocator, _a("tcp/80"), "192.0.2.1")
    put(allocator, _a("tcp/81", key="l"), "192.0.2.1")
    refused(allocator.assign(_b("tcp/443"), addresses("192.0.2.1"), 0.0))
    put(allocator, _b("tcp/443", key="l"), "192.0.2.1")
    refused(allocator.assign(_a("tcp/81", key="m"), addresses("192.0.2.1"), 0.0))
    refused(allocator.assign(_a("tcp/443", key="l"), addresses("192.0.2.1"), 0.0))
    put(allocator, _a("tcp/81", "tcp/82", key="l"), "192.0.2.1")
    put(allocator, _a("tcp/82", key="l"), "192.0.2.1")
    put(allocator, service("c", "tcp/81", key="l"), "192.0.2.1")
    assert allocator.services_of("p") == 3


def test_room_comes_with_a_port() -> None:
    """An address that had no room for a port has it when the port's user leaves."""
    allocator = having(pool("p", "192.0.2.0/32"))
    put(allocator, _a("tcp/80"), "192.0.2.0")
    put(allocator, _b("tcp/443"), "192.0.2.0")
    late = service("late", "tcp/443", key="k")
    refused(allocator.allocate(late, V4, 0.0))
    allocator.release("default/b", 0.0)
    assert got(allocator.allocate(late, V4, 0.0)) == ("192.0.2.0",)


def test_lowest_of_free_and_shared() -> None:
    """Free addresses and those that can be shared are one order: the lowest counts."""
    allocator = having(pool("p", "192.0.2.0/29"))
    put(allocator, _a("tcp/80"), "192.0.2.2")
    assert got(allocator.allocate(service("x", "tcp/1", key="k"), V4, 0.0)) == ("192.0.2.0",)
    put(allocator, service("y"), "192.0.2.1")
    allocator.release("default/x", 0.0)
    put(allocator, service("z"), "192.0.2.0")
    assert got(allocator.allocate(service("x", "tcp/1", key="k"), V4, 0.0)) == ("192.0.2.2",)


def test_nobody_new_joins_a_reserved_address() -> None:
    """An address that is reserved while shared stays with its users and gets no more."""
    allocator = having(pool("p", "192.0.2.0/31"))
    put(allocator, _a("tcp/80"), "192.0.2.0")
    put(allocator, _b("tcp/443"), "192.0.2.0")
    allocator.set_pools([pool("p", "192.0.2.0/31", reserved=("192.0.2.0/32",))], ())
    late = service("late", "tcp/1", key="k")
    assert got(allocator.allocate(late, V4, 0.0)) == ("192.0.2.1",)
    assert "reserved" in refused(allocator.assign(late, addresses("192.0.2.0"), 0.0))
    put(allocator, _b("tcp/444"), "192.0.2.0")
    assert allocator.counters("p").available_ipv4 == 0


_PORT = st.integers(1, 4).map(lambda number: ServicePort(protocol="TCP", number=number))
_STEP = st.tuples(st.integers(0, 5), st.frozensets(_PORT, max_size=3), st.booleans())


@given(st.lists(_STEP, max_size=60))
@settings(max_examples=200, deadline=None)
def test_circle_against_a_search(steps: list[tuple[int, frozenset[ServicePort], bool]]) -> None:
    """What a circle remembers never hides an address, however users come and go."""
    circle = Circle()
    users: dict[int, list[frozenset[ServicePort]]] = {}
    for ordinal, ports, leaves in steps:
        taken = frozenset().union(*users.get(ordinal, ()))
        if leaves and users.get(ordinal):
            circle.remove(ordinal, users[ordinal].pop(0), last=not users[ordinal])
            if not users[ordinal]:
                del users[ordinal]
        elif not leaves and ports.isdisjoint(taken):
            circle.add(ordinal, ports, joinable=True)
            users.setdefault(ordinal, []).append(ports)
        fitting = [one for one in sorted(users) if ports.isdisjoint(frozenset().union(*users[one]))]
        assert circle.first_for(ports) == (fitting[0] if fitting else None)
    assert len(circle) == len(users)
