"""Whatever happens to documents, in whatever order it is heard, no address is shown twice."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bgpd.controller.converge import Decision
from bgpd.controller.written import End
from bgpd.model.allocation import FamilyPolicy
from tests.controller.bookserver import POOLS, Server
from tests.controller.build import BOTH, ONE

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
    st.tuples(st.just("policy"), _NAMES, st.sampled_from(list(FamilyPolicy))),
    st.tuples(st.just("delete"), _NAMES),
    st.tuples(st.just("pools"), st.sampled_from(sorted(POOLS))),
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
        self.server.configure(*POOLS["less"])
        self.put("a", "192.0.2.0", "")
        self.settle()
        self.late: list[Decision] = []

    def put(self, name: str, address: str, wanted: str) -> None:
        """Create or change a Service."""
        self.server.put(name, load_balancer_ip=address, pool_wanted="" if address else wanted)

    def policy(self, name: str, policy: FamilyPolicy) -> None:
        """Have a Service ask for one family, or for both."""
        families = ONE if policy is FamilyPolicy.SINGLE_STACK else BOTH
        self.server.put(name, family_policy=policy, cluster_ips=families)

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
        self.server.configure(*POOLS[which])

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
