"""The documents of single faults: all are understood, and say what the fault is about."""

import json
from collections.abc import Callable

import pytest

from bgpd.kube.documents import read
from bgpd.model.cluster import Node
from tests.lab import extras
from tests.lab.documents import Document, configuration, merged, node, service, services
from tests.lab.faults import FAULTS
from tests.lab.plan import Plan

PLAN = Plan(quick=True)


def text(documents: list[Document]) -> bytes:
    """Return *documents* as a file holds them."""
    return "".join(f"---\n{json.dumps(one)}\n" for one in documents).encode()


@pytest.mark.parametrize("fault", sorted(name for name, one in FAULTS.items() if not one.api))
def test_every_document_that_a_fault_brings_is_understood(fault: str) -> None:
    """A refused document would leave the fault without what it is about."""
    special = FAULTS[fault].documents(PLAN)
    plain = [*configuration(PLAN), *(service(PLAN, number) for number in services(PLAN))]
    found = read("lab.yaml", text(merged(plain, special)))
    assert [str(one) for one in found.problems] == []
    assert len(found.objects) == len(merged(plain, special))


@pytest.mark.parametrize(
    ("mark", "marked"),
    [
        pytest.param(node, (False, False, False), id="plain"),
        pytest.param(extras.cordoned, (True, False, False), id="cordoned"),
        pytest.param(extras.tainted, (False, True, False), id="tainted"),
        pytest.param(extras.shutting_down, (False, False, True), id="shutting down"),
    ],
)
def test_a_marked_node_is_read_as_what_it_says(
    mark: Callable[[Plan, str], Document], marked: tuple[bool, bool, bool]
) -> None:
    """Each mark is one fact about the Node, and no other."""
    (found,) = read("nodes.yaml", text([mark(PLAN, "n1")])).objects.values()
    assert isinstance(found, Node)
    assert (found.unschedulable, found.drain_taint, found.shutting_down) == marked


def test_special_documents_stand_in_place_of_their_namesakes() -> None:
    """What has the same kind and name is replaced, the rest stays, in order."""
    plain = [{"kind": "A", "metadata": {"name": name}, "spec": 1} for name in ("one", "two")]
    special = [{"kind": "A", "metadata": {"name": "one"}, "spec": 2}]
    assert merged(plain, special) == [*special, plain[1]]
