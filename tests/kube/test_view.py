"""The objects in force, by key, by kind and by Service."""

from hypothesis import given
from hypothesis import strategies as st

from bgpd.kube.documents import Key, Object
from bgpd.kube.view import View
from bgpd.model.cluster import EndpointSlice, Node, Service
from bgpd.model.member import NodeName

NAMES = st.sampled_from(["a", "b", "c"])


def _service(name: str, local: str) -> tuple[Key, Object]:
    one = Service(namespace="x", name=name, load_balancer=True, local=local == "a")
    return Key("Service", "x", name), one


def _slice(name: str, service: str) -> tuple[Key, Object]:
    one = EndpointSlice(namespace="x", name=name, service=f"x/{service}")
    return Key("EndpointSlice", "x", name), one


def _node(name: str, label: str) -> tuple[Key, Object]:
    return Key("Node", "", name), Node(name=NodeName(name), labels={"l": label})


OBJECTS = st.one_of(
    st.builds(_service, NAMES, NAMES),
    st.builds(_slice, NAMES, NAMES),
    st.builds(_node, NAMES, NAMES),
)
STEPS = st.lists(st.tuples(OBJECTS, st.booleans()))


@given(steps=STEPS)
def test_every_way_to_look_at_objects_shows_the_same(
    steps: list[tuple[tuple[Key, Object], bool]],
) -> None:
    """What was put last is there, once and under its kind; what was dropped is nowhere."""
    view, naive = View(), dict[Key, Object]()
    for (key, one), stays in steps:
        assert view.put(key, one) == naive.get(key)
        naive[key] = one
        if not stays:
            assert view.drop(key) == naive.pop(key)
    assert {key: view[key] for key in view} == naive == view.copy()
    assert view.copy(without={"Node"}) == {k: one for k, one in naive.items() if k.kind != "Node"}
    assert len(view) == len(naive)
    values = naive.values()
    assert sorted(view.services, key=str) == sorted(
        (one for one in values if isinstance(one, Service)), key=str
    )
    assert {one.name for one in view.nodes} == {k.name for k in naive if k.kind == "Node"}
    assert set(view.keys_of("Service")) == {k for k in naive if k.kind == "Service"}
    for name in "abc":
        assert view.service(f"x/{name}") == naive.get(Key("Service", "x", name))
        found = {one.name for one in view.slices(f"x/{name}")}
        assert found == {
            one.name
            for one in values
            if isinstance(one, EndpointSlice) and one.service == f"x/{name}"
        }
