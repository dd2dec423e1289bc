"""Which documents are written, and in which order, against a server that the test makes."""

import pytest

from bgpd.controller.books import FEW, Books
from bgpd.controller.converge import News
from bgpd.controller.written import End
from bgpd.kube.vanish import SETTLE
from bgpd.model.allocation import Namespace, ServicePort
from bgpd.model.configuration import ServiceAllocation
from tests.controller.bookserver import POOLS, Server
from tests.controller.build import pool, service
from tests.policy.build import label


def test_services_with_addresses_come_first() -> None:
    """A Service that waits is not given what another one shows, whatever the order of reading."""
    server = Server()
    server.put("a")
    server.put("b", ingress=("192.0.2.0",))
    server.configure(*POOLS["less"])
    server.settle()
    assert server.documents["default/b"].ingress == ("192.0.2.0",)
    assert server.documents["default/a"].ingress == ("192.0.2.1",)


def test_an_address_is_not_given_while_another_document_shows_it() -> None:
    """It attracts traffic there until that document is written."""
    server = Server()
    server.put("a", ingress=("192.0.2.0",), pool_noted="p")
    server.configure(*POOLS["less"])
    server.settle()
    server.put("a", load_balancer_ip="192.0.2.1")
    server.put("b", load_balancer_ip="192.0.2.0")
    server.tell()
    server.decide()
    first = server.take()
    assert first is not None
    assert first.request.key == "default/a"
    assert server.take() is None
    server.answer(first, server.land(first))
    assert server.take() is None
    server.tell()
    second = server.take()
    assert second is not None
    assert (second.request.key, second.addresses) == ("default/b", ("192.0.2.0",))


def test_a_write_without_an_answer_keeps_its_address_taken() -> None:
    """It may land when nobody expects it any more; only another version rules that out."""
    server = Server()
    server.configure(*POOLS["less"])
    server.put("a")
    server.tell()
    server.decide()
    lost = server.take()
    assert lost is not None
    assert lost.addresses == ("192.0.2.0",)
    server.answer(lost, End.UNANSWERED)
    assert server.books.under_way
    server.configure(pool("p", "192.0.2.1/32"))
    server.decide()
    again = server.take()
    assert again is not None
    assert again.addresses == ("192.0.2.1",)
    server.configure(*POOLS["less"])
    server.put("b", load_balancer_ip="192.0.2.0")
    server.tell()
    server.decide()
    assert server.take() is None
    server.answer(again, server.land(again))
    server.tell()
    server.decide()
    other = server.take()
    assert other is not None
    assert (other.request.key, other.addresses) == ("default/b", ("192.0.2.0",))
    assert server.land(lost) is End.CONFLICT


def test_one_document_that_cannot_be_written_holds_up_no_other() -> None:
    """It is tried again later, more and more rarely."""
    server = Server()
    server.configure(*POOLS["one"])
    server.put("a")
    server.put("b")
    server.tell()
    server.decide()
    refused, fine = server.take(), server.take()
    assert refused is not None
    assert fine is not None
    server.answer(refused, End.REFUSED)
    server.answer(fine, server.land(fine))
    server.tell()
    server.decide()
    assert server.take() is None
    assert server.books.failures == {"default/a": 1}
    due = server.books.due(server.now)
    assert due is not None
    assert due > server.now + 10.0
    server.settle()
    assert server.documents["default/a"].ingress == ("192.0.2.0",)
    assert server.books.failures == {}


def test_a_conflict_is_decided_again_on_the_newer_document() -> None:
    """The address stays the same."""
    server = Server()
    server.configure(*POOLS["one"])
    server.put("a")
    server.tell()
    server.decide()
    decision = server.take()
    assert decision is not None
    server.put("a", labels={"x": "y"})
    assert server.land(decision) is End.CONFLICT
    server.answer(decision, End.CONFLICT)
    server.settle()
    assert server.documents["default/a"].ingress == decision.addresses


@pytest.mark.parametrize("wish", ["", "192.0.2.1"])
def test_a_range_that_goes_from_one_pool_to_another_takes_its_services_along(wish: str) -> None:
    """Two documents are written one after the other; in between the address is in no pool."""
    server = Server()
    server.configure(pool("p", "192.0.2.0/30"), pool("q", "198.51.100.0/31"))
    server.put("a", ingress=("192.0.2.1",), pool_noted="p", load_balancer_ip=wish)
    server.settle()
    server.configure(pool("p", "192.0.2.2/31"), pool("q", "198.51.100.0/31"))
    server.decide()
    assert server.take() is None
    server.now += 0.5
    server.configure(pool("p", "192.0.2.2/31"), pool("q", "198.51.100.0/31", "192.0.2.0/31"))
    server.settle()
    found = server.documents["default/a"]
    assert (found.ingress, found.pool_noted) == (("192.0.2.1",), "q")


def test_a_label_that_is_taken_off_and_put_on_again_changes_no_address() -> None:
    """All of the namespace would have lost theirs, and got them back in another order."""
    chosen = ServiceAllocation(namespace_selectors=(label("team", "x"),))
    pools = (pool("p", "192.0.2.0/29", allocation=chosen),)
    server = Server()
    server.books.configure(pools, (Namespace(name="default", labels={"team": "x"}),))
    for name, address in (("a", "192.0.2.2"), ("b", "192.0.2.1"), ("c", "192.0.2.0")):
        server.put(name, ingress=(address,), pool_noted="p")
    server.settle()
    before = {key: one.ingress for key, one in server.documents.items()}
    server.books.configure(pools, (Namespace(name="default"),))
    server.put("d")
    server.tell()
    server.decide()
    assert server.take() is None
    server.now += 0.5
    server.books.configure(pools, (Namespace(name="default", labels={"team": "x"}),))
    server.settle()
    after = {key: one.ingress for key, one in server.documents.items()}
    assert after == {**before, "default/d": ("192.0.2.3",)}
    server.books.configure(pools, (Namespace(name="default"),))
    server.settle()
    assert {one.ingress for one in server.documents.values()} == {()}


def test_an_address_that_is_in_no_pool_is_not_waited_for_for_long() -> None:
    """It is not routed: after the pause the Service moves, and is told."""
    server = Server()
    server.configure(pool("p", "192.0.2.0/30"))
    server.put("a", ingress=("192.0.2.1",), pool_noted="p")
    server.settle()
    server.configure(pool("p", "192.0.2.2/31"))
    server.decide()
    assert server.take() is None
    due = server.books.due(server.now)
    assert due == server.now + SETTLE
    server.now = due
    server.decide()
    moved = server.take()
    assert moved is not None
    assert moved.addresses == ("192.0.2.2",)


def test_a_pool_that_is_gone_is_not_waited_for_again() -> None:
    """Whoever says that it is gone has waited, and from then on no agent routes its addresses."""
    server = Server()
    server.configure(pool("p", "192.0.2.0/30"))
    server.put("a", ingress=("192.0.2.1",), pool_noted="p")
    server.settle()
    server.configure(pool("q", "198.51.100.0/31"))
    server.decide()
    moved = server.take()
    assert moved is not None
    assert moved.addresses == ("198.51.100.0",)


def test_nothing_is_written_about_a_document_that_is_another_one_by_now() -> None:
    """It would be refused, and without an answer the address would be kept from others for good."""
    server = Server()
    server.configure(*POOLS["one"])
    server.put("a")
    server.tell()
    server.decide()
    server.put("a", labels={"x": "y"})
    server.tell()
    assert server.take() is None
    server.decide()
    decision = server.take()
    assert decision is not None
    assert decision.request is server.documents["default/a"]


def test_room_wakes_whoever_waits() -> None:
    """Few of them at once, many together a moment later."""
    server = Server()
    server.configure(pool("p", "192.0.2.0/32"))
    server.put("first")
    for number in range(FEW + 2):
        server.put(f"s{number}")
    server.settle()
    assert len(server.books.pending) == FEW + 2
    server.delete("first")
    server.tell()
    assert server.books.settled
    server.now += 1.0
    server.decide()
    assert server.take() is not None


def test_nobody_is_warned_of_one_thing_again_and_again() -> None:
    """A Service that is asked again and has the same answer has no news."""
    server = Server()
    server.configure(pool("p", "192.0.2.0/32"))
    server.put("a")
    server.put("b")
    server.settle()
    server.configure(pool("p", "192.0.2.0/32"))
    news: list[News] = []
    while (decision := server.books.decide(server.now)) is not None:
        news += decision.news
    assert news == []


def test_two_that_swap_their_addresses_do_not_wait_for_each_other() -> None:
    """Each is to have what the other's document still shows: so both go, and come back."""
    server = Server()
    server.configure(*POOLS["less"])
    server.put("a", load_balancer_ip="192.0.2.0")
    server.put("b", load_balancer_ip="192.0.2.1")
    server.settle()
    server.put("a", load_balancer_ip="192.0.2.1")
    server.put("b", load_balancer_ip="192.0.2.0")
    server.settle()
    assert server.documents["default/a"].ingress == ("192.0.2.1",)
    assert server.documents["default/b"].ingress == ("192.0.2.0",)
    assert server.faults == []


def test_sharers_may_show_one_address() -> None:
    """That is no leftover of another Service."""
    server = Server()
    server.configure(pool("p", "192.0.2.0/32"))
    ports = [frozenset({ServicePort(protocol="TCP", number=number)}) for number in (80, 81)]
    server.put("a", sharing_key="k", ports=ports[0])
    server.put("b", sharing_key="k", ports=ports[1])
    server.settle()
    assert {one.ingress for one in server.documents.values()} == {("192.0.2.0",)}


@pytest.mark.parametrize("end", [End.FAILED, End.UNANSWERED, End.CONFLICT, End.REFUSED])
def test_whatever_goes_wrong_a_service_gets_its_address_in_the_end(end: End) -> None:
    """And it is the one that it was to get."""
    server = Server()
    server.configure(*POOLS["one"])
    server.put("a")
    for _ in range(4):
        server.now += 60.0
        server.tell()
        server.decide()
        decision = server.take()
        assert decision is not None
        assert decision.addresses == ("192.0.2.0",)
        server.answer(decision, end)
    server.settle()
    assert server.documents["default/a"].ingress == ("192.0.2.0",)


def test_a_namespace_that_no_pool_chooses_asks_for_no_decision() -> None:
    """In a busy cluster they come and go all the time, and ten thousand Services are many."""
    server = Server()
    chosen = pool("q", "198.51.100.0/31", allocation=ServiceAllocation(namespaces=("a", "new")))
    server.configure(*POOLS["one"], chosen)
    server.put("a")
    server.settle()
    server.books.configure((*POOLS["one"], chosen), (Namespace(name="other"),))
    assert server.books.decide(server.now) is None
    server.configure(*POOLS["one"])
    assert server.books.decide(server.now) is not None


def test_what_services_show_is_noted_in_pieces_before_anything_is_decided() -> None:
    """A leader that begins beside ten thousand of them renews its Lease in between."""
    books = Books()
    for number in range(4):
        books.seen(service(f"s{number}", f"192.0.2.{number}"), 0.0)
    books.seen(service("a"), 0.0)
    books.configure(POOLS["one"], ())
    assert books.note(0.0, most=3)
    assert [books.allocator.addresses_of(f"default/s{one}") for one in (2, 3)] == [
        ("192.0.2.2",),
        (),
    ]
    while (decision := books.decide(0.0)) is not None:
        assert decision.pending == (decision.request.name == "a")
    assert books.allocator.addresses_of("default/s3") == ("192.0.2.3",)
