"""Two racks behind a spine: what can be seen of routes there, and what nodes say of it."""

from collections.abc import Iterable, Mapping, Sequence

from tests.lab.nodes import Node
from tests.lab.plan import router_space

Paths = Mapping[str, frozenset[str]]


def beyond_racks(spine: Paths, racks: Sequence[Paths]) -> dict[str, frozenset[str]]:
    """Return prefix -> nodes that packets from beyond the spine may get to.

    A rack whose node died may keep the dead path for itself, as long as the spine sends nothing.
    """
    by_space = {router_space(number): paths for number, paths in enumerate(racks, start=1)}
    return {
        prefix: frozenset[str]().union(*(by_space[hop].get(prefix, frozenset()) for hop in hops))
        for prefix, hops in spine.items()
    }


def not_comparable(nodes: Iterable[Node]) -> tuple[str, ...]:
    """Return which of *nodes* say that a raise moves nothing between them and another rack."""
    names = []
    for node in nodes:
        mesh = node.answer().get("mesh") or {}
        conditions = mesh.get("conditions", ())
        if any(one["type"] == "TakeoverNotComparable" and one["status"] for one in conditions):
            names.append(node.name)
    return tuple(names)
