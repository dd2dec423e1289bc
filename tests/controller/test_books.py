"""Which documents are written, and in which order, against a server that the test makes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgpd.controller.books import FEW, Books, End
from bgpd.controller.converge import Decision, News
from bgpd.model.allocation import Namespace, ServicePort, ServiceRequest
from bgpd.model.configuration import IPAddressPool, ServiceAllocation
from tests.controller.build import pool, service

_POOLS: dict[str, tuple[IPAddressPool, ...]] = {
    "one": (pool("p", "192.0.2.0/30"),),
    "less": (pool("p", "192.0.2.0/31"),),
    "other": (pool("q", "198.51.100.0/31"),),
    "two": (pool("p", "192.0.2.0/31"), pool("q", "198.51.100.0/31")),
    "none": (),
}


class Server:
    """Documents with versions, and books that are told of them sooner or later."""

    def __init__(self) -> None:
        self.books = Books()
        self.documents: dict[str, ServiceRequest] = {}
        self.faults: list[str] = []
        self.now = 0.0
        self.under_way: list[Decision] = []
        self._version = 0
        self._untold: list[Callable[[], None]] = []

    def put(self, name: str, **fields: Any) -> None:
        """Create or change a document."""
        before = self.documents.get(f"default/{name}", service(name))
        self._store(replace(before, **fields))

    def delete(self, name: str) -> None:
        """Delete a document."""
        key = f"default/{name}"
        if self.documents.pop(key, None) is not None:
            self._untold.append(lambda: self.books.gone(key, self.now))

    def configure(self, *pools: IPAddressPool) -> None:
        """Change the pools."""
        self.books.configure(pools, ())

    def tell(self, most: int = 1000) -> None:
        """Tell the books of what happened, the oldest first."""
        for _ in range(min(most, len(self._untold))):
            self._untold.pop(0)()

    def decide(self) -> None:
        """Decide on everything that is known."""
        while self.books.decide(self.now) is not None:
            pass

    def take(self) -> Decision | None:
        """Let the books begin a write."""
        decision = self.books.next_write()
        if decision is not None:
            self.under_way.append(decision)
        return decision

    def land(self, decision: Decision) -> End:
        """Apply a write as a server does: with the version that it was meant for, or not at all."""
        request = decision.request
        document = self.documents.get(request.key)
        if document is None:
            return End.GONE
        if document.resource_version != request.resource_version:
            return End.CONFLICT
        self._store(
            replace(
                document,
                ingress=decision.addresses or (),
                pool_noted=decision.pool,
                kept=decision.kept,
            )
        )
        return End.WRITTEN

    def settle(self) -> None:
        """Let everything become quiet."""
        for one in [*self.under_way]:
            self.answer(one, self.land(one))
        for _ in range(100):
            self.now += 60.0
            self.tell()
            self.decide()
            while (decision := self.take()) is not None:
                self.answer(decision, self.land(decision))
                self.tell()
                self.decide()
            if self.books.settled and not self._untold:
                return

    def answer(self, decision: Decision, end: End) -> None:
        """Tell the books what became of a write."""
        self.under_way.remove(decision)
        self.books.ended(decision, end, self.now, chance=0.5)

    def _store(self, document: ServiceRequest) -> None:
        self._version += 1
        document = replace(document, resource_version=str(self._version))
        self.documents[document.key] = document
        self._untold.append(lambda: self.books.seen(document, self.now))
        users: dict[str, str] = {}
        for one in self.documents.values():
            for address in one.ingress:
                user = users.setdefault(address, one.key)
                if user != one.key:
                    self.faults.append(f"{address}: {user} and {one.key}")


def test_services_with_addresses_come_first() -> None:
    """A Service that waits is not given what another one shows, whatever the order of reading."""
    server = Server()
    server.put("a")
    server.put("b", ingress=("192.0.2.0",))
    server.configure(*_POOLS["less"])
    server.settle()
    assert server.documents["default/b"].ingress == ("192.0.2.0",)
    assert server.documents["default/a"].ingress == ("192.0.2.1",)


def test_an_address_is_not_given_while_another_document_shows_it() -> None:
    """It attracts traffic there until that document is written."""
    server = Server()
    server.put("a", ingress=("192.0.2.0",), pool_noted="p")
    server.configure(*_POOLS["less"])
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
    server.configure(*_POOLS["less"])
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
    server.configure(*_POOLS["less"])
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
    server.configure(*_POOLS["one"])
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
    server.configure(*_POOLS["one"])
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


_NAMES = st.sampled_from(["a", "b", "c"])
_ADDRESSES = st.sampled_from(["", "192.0.2.0", "192.0.2.1", "198.51.100.0", "203.0.113.1"])
_SWAPS = st.sampled_from(["192.0.2.0", "192.0.2.1"])
_TIGHT = st.one_of(
    # Two Services after two addresses, heard and decided on at once: that is where it is tight.
    st.tuples(st.just("swap"), st.sampled_from(["a", "b"]), _SWAPS),
    st.tuples(st.just("take")),
    st.tuples(st.just("end"), st.integers(0, 1), st.sampled_from(["land", "late"])),
    st.tuples(st.just("land"), st.just(0)),
)
_STEPS = st.one_of(
    st.tuples(st.just("put"), _NAMES, _ADDRESSES, st.sampled_from(["", "p", "q"])),
    st.tuples(st.just("delete"), _NAMES),
    st.tuples(st.just("pools"), st.sampled_from(sorted(_POOLS))),
    st.tuples(st.just("tell"), st.integers(1, 3)),
    st.tuples(st.just("decide")),
    st.tuples(st.just("take")),
    st.tuples(
        st.just("end"), st.integers(0, 9), st.sampled_from(["land", "landed", "late", "fail"])
    ),
    st.tuples(st.just("land"), st.integers(0, 9)),
    st.tuples(st.just("wait"), st.floats(0.1, 40.0)),
)


class Story:
    """What happens to a server, step by step."""

    def __init__(self) -> None:
        self.server = Server()
        self.server.configure(*_POOLS["less"])
        self.put("a", "192.0.2.0", "")
        self.settle()
        self.late: list[Decision] = []

    def put(self, name: str, address: str, wanted: str) -> None:
        """Create or change a Service."""
        self.server.put(name, load_balancer_ip=address, pool_wanted="" if address else wanted)

    def swap(self, name: str, address: str) -> None:
        """Have a Service ask for another address, and hear of it at once."""
        self.put(name, address, "")
        self.server.tell()
        self.server.decide()

    def settle(self) -> None:
        """Let everything become quiet, except what nobody waits for."""
        self.server.settle()

    def delete(self, name: str) -> None:
        """Delete a Service."""
        self.server.delete(name)

    def pools(self, which: str) -> None:
        """Change the pools."""
        self.server.configure(*_POOLS[which])

    def tell(self, most: int) -> None:
        """Let some events arrive."""
        self.server.tell(most)

    def decide(self) -> None:
        """Decide on all that is known."""
        self.server.decide()

    def take(self) -> None:
        """Begin a write."""
        self.server.take()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.server.now += seconds

    def end(self, index: int, how: str) -> None:
        """End a write; one that gets no answer may have landed, or land later, or never."""
        server = self.server
        if not server.under_way:
            return
        decision = server.under_way[index % len(server.under_way)]
        match how:
            case "fail":
                server.answer(decision, End.FAILED)
            case "land":
                server.answer(decision, server.land(decision))
            case _:
                server.answer(decision, End.UNANSWERED)
                if how == "landed":
                    server.land(decision)
                else:
                    self.late.append(decision)

    def land(self, index: int) -> None:
        """Let a write land whose answer nobody waits for any more."""
        if self.late:
            self.server.land(self.late.pop(index % len(self.late)))


@settings(max_examples=600)
@given(steps=st.lists(_TIGHT, max_size=30) | st.lists(_STEPS, max_size=60))
def test_no_address_is_ever_shown_twice(steps: list[tuple[Any, ...]]) -> None:
    """Whatever is created, changed, deleted, lost or late, and in whatever order it is heard."""
    story = Story()
    server = story.server
    for word, *arguments in steps:
        getattr(story, word)(*arguments)
        assert server.faults == []
    while story.late:
        story.land(0)
        assert server.faults == []
    server.settle()
    assert server.faults == []
    assert not server.books.under_way
    books = server.books
    for key, document in server.documents.items() if books.pools else ():
        if key not in books.kept:
            assert set(document.ingress) == set(books.allocator.addresses_of(key))


def test_two_that_swap_their_addresses_do_not_wait_for_each_other() -> None:
    """Each is to have what the other's document still shows: so both go, and come back."""
    server = Server()
    server.configure(*_POOLS["less"])
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
    server.configure(*_POOLS["one"])
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
    server.configure(*_POOLS["one"], chosen)
    server.put("a")
    server.settle()
    server.books.configure((*_POOLS["one"], chosen), (Namespace(name="other"),))
    assert server.books.decide(server.now) is None
    server.configure(*_POOLS["one"])
    assert server.books.decide(server.now) is not None


def test_what_services_show_is_noted_in_pieces_before_anything_is_decided() -> None:
    """A leader that begins beside ten thousand of them renews its Lease in between."""
    books = Books()
    for number in range(4):
        books.seen(service(f"s{number}", f"192.0.2.{number}"), 0.0)
    books.seen(service("a"), 0.0)
    books.configure(_POOLS["one"], ())
    assert books.note(0.0, most=3)
    assert [books.allocator.addresses_of(f"default/s{one}") for one in (2, 3)] == [
        ("192.0.2.2",),
        (),
    ]
    while (decision := books.decide(0.0)) is not None:
        assert decision.pending == (decision.request.name == "a")
    assert books.allocator.addresses_of("default/s3") == ("192.0.2.3",)
