"""Selectors choose what Kubernetes says they choose."""

import pytest

from bgpd.model.selector import Operator, Requirement, Selectors
from bgpd.policy.selector import matches_any

ON_A = Requirement(key="rack", operator=Operator.IN, values=frozenset({"a", "b"}))
OFF_A = Requirement(key="rack", operator=Operator.NOT_IN, values=frozenset({"a"}))
HAS = Requirement(key="rack", operator=Operator.EXISTS)
LACKS = Requirement(key="rack", operator=Operator.DOES_NOT_EXIST)


@pytest.mark.parametrize(
    ("selectors", "labels", "chosen"),
    [
        pytest.param((), {}, True, id="no selectors choose everything"),
        pytest.param(((),), {}, True, id="the empty selector chooses everything"),
        pytest.param(((ON_A,),), {"rack": "b"}, True, id="in: one of the values"),
        pytest.param(((ON_A,),), {"rack": "c"}, False, id="in: another value"),
        pytest.param(((ON_A,),), {}, False, id="in: no such label"),
        pytest.param(((OFF_A,),), {"rack": "a"}, False, id="not in: one of the values"),
        pytest.param(((OFF_A,),), {"rack": "c"}, True, id="not in: another value"),
        pytest.param(((OFF_A,),), {}, True, id="not in: no such label is chosen"),
        pytest.param(((HAS,),), {"rack": ""}, True, id="Exists: an empty value exists"),
        pytest.param(((HAS,),), {}, False, id="Exists: no such label"),
        pytest.param(((LACKS,),), {}, True, id="DoesNotExist: no such label"),
        pytest.param(((LACKS,),), {"rack": "a"}, False, id="DoesNotExist: the label is there"),
        pytest.param(((ON_A, OFF_A),), {"rack": "a"}, False, id="all requirements must hold"),
        pytest.param(((LACKS,), (ON_A,)), {"rack": "a"}, True, id="any selector may match"),
    ],
)
def test_a_selector_chooses_by_labels(
    selectors: Selectors, labels: dict[str, str], *, chosen: bool
) -> None:
    """Each operator means what it means for kubectl."""
    assert matches_any(selectors, labels) is chosen
