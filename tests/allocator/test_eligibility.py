"""Which pools a Service may use, and in which order they are asked."""

import pytest

from bgpd.allocator.eligibility import Eligibility
from bgpd.model.allocation import Namespace
from bgpd.model.configuration import IPAddressPool, ServiceAllocation
from bgpd.model.selector import Selectors
from tests.allocator.build import label, pool, service

_TENANT_A = label("tenant", "a")
_EDGE = label("team", "edge")


def _rule(
    priority: int = 0,
    namespaces: tuple[str, ...] = (),
    namespace_selectors: Selectors = (),
    service_selectors: Selectors = (),
) -> ServiceAllocation:
    return ServiceAllocation(
        priority=priority,
        namespaces=namespaces,
        namespace_selectors=namespace_selectors,
        service_selectors=service_selectors,
    )


_NAMESPACES = (Namespace(name="ns-a", labels={"tenant": "a"}), Namespace(name="ns-b"))


@pytest.mark.parametrize(
    ("allocation", "namespace", "labels", "may"),
    [
        pytest.param(None, "ns-b", {}, True, id="a pool without serviceAllocation is for all"),
        pytest.param(_rule(priority=7), "ns-b", {}, True, id="a priority alone excludes nobody"),
        pytest.param(_rule(), "ns-b", {}, True, id="an empty serviceAllocation excludes nobody"),
        pytest.param(_rule(namespaces=("ns-a",)), "ns-a", {}, True, id="a namespace by name"),
        pytest.param(_rule(namespaces=("ns-a",)), "ns-b", {}, False, id="another namespace"),
        pytest.param(
            _rule(namespace_selectors=(_TENANT_A,)), "ns-a", {}, True, id="a namespace by label"
        ),
        pytest.param(
            _rule(namespace_selectors=(_TENANT_A,)), "ns-b", {}, False, id="without the label"
        ),
        pytest.param(
            _rule(namespaces=("ns-b",), namespace_selectors=(_TENANT_A,)),
            "ns-b",
            {},
            True,
            id="names and selectors of namespaces add up",
        ),
        pytest.param(
            _rule(namespace_selectors=(label("tenant", "gone"),)),
            "ns-b",
            {},
            False,
            id="a selector that chooses no namespace excludes everybody",
        ),
        pytest.param(
            _rule(namespace_selectors=((),)),
            "unseen",
            {},
            False,
            id="a namespace that is not known is chosen by no selector",
        ),
        pytest.param(
            _rule(service_selectors=(_EDGE,)), "ns-b", {"team": "edge"}, True, id="by a label"
        ),
        pytest.param(
            _rule(service_selectors=(_EDGE,)), "ns-b", {"team": "core"}, False, id="other label"
        ),
        pytest.param(
            _rule(namespaces=("ns-a",), service_selectors=(_EDGE,)),
            "ns-a",
            {},
            False,
            id="namespace and Service must both be chosen: the Service is not",
        ),
        pytest.param(
            _rule(namespaces=("ns-a",), service_selectors=(_EDGE,)),
            "ns-b",
            {"team": "edge"},
            False,
            id="namespace and Service must both be chosen: the namespace is not",
        ),
    ],
)
def test_admits(
    allocation: ServiceAllocation | None, namespace: str, labels: dict[str, str], may: bool
) -> None:
    """A pool is for those that its serviceAllocation chooses, and says why for the others."""
    document = pool("p", "192.0.2.0/24", allocation=allocation)
    eligibility = Eligibility([document], _NAMESPACES)
    assert eligibility.admits(document, namespace, labels) is may
    barred = eligibility.barred(document, service("s", namespace=namespace, labels=labels))
    assert (barred is None) is may
    assert barred is None or barred.startswith("IPAddressPool p: spec.serviceAllocation")


def test_reason_names_what_is_chosen() -> None:
    """The sentence tells whether the namespace or the labels do not fit, and what would."""
    document = pool("p", "192.0.2.0/24", allocation=_rule(0, ("ns-a",), (), (_EDGE,)))
    eligibility = Eligibility([document], _NAMESPACES)
    elsewhere = eligibility.barred(document, service("s", namespace="ns-b"))
    assert elsewhere is not None
    assert "does not choose namespace ns-b, but ns-a" in elsewhere
    unlabeled = eligibility.barred(document, service("s", namespace="ns-a"))
    assert unlabeled is not None
    assert "serviceSelectors do not choose the labels of Service ns-a/s" in unlabeled


def test_unseen_namespace_is_said() -> None:
    """A namespace whose labels have not been seen is not confused with one that does not fit."""
    document = pool("p", "192.0.2.0/24", allocation=_rule(namespace_selectors=(_TENANT_A,)))
    barred = Eligibility([document], _NAMESPACES).barred(document, service("s", namespace="new"))
    assert barred is not None
    assert "namespace new (its labels are not known)" in barred


def _named(pools: tuple[IPAddressPool, ...]) -> list[str]:
    return [one.name for one in pools]


def test_order() -> None:
    """Pinned pools by priority, 0 last, then by name; after them the others by name."""
    pools = [
        pool("open-z", "192.0.2.0/32"),
        pool("open-a", "192.0.2.1/32"),
        pool("manual", "192.0.2.2/32", auto_assign=False),
        pool("last", "192.0.2.3/32", allocation=_rule(0)),
        pool("ten-b", "192.0.2.4/32", allocation=_rule(10)),
        pool("ten-a", "192.0.2.5/32", allocation=_rule(10)),
        pool("nine", "192.0.2.6/32", allocation=_rule(9, ("ns-a",))),
        pool("others", "192.0.2.7/32", allocation=_rule(1, ("ns-b",))),
        pool("pinned-manual", "192.0.2.8/32", allocation=_rule(1), auto_assign=False),
    ]
    queue = Eligibility(pools, _NAMESPACES).queue("ns-a")
    assert _named(queue.pinned) == ["nine", "ten-a", "ten-b", "last"]
    assert _named(queue.general) == ["open-a", "open-z"]
    assert Eligibility(reversed(pools), _NAMESPACES).queue("ns-a") == queue
