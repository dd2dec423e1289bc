"""What is said in the status of an object about what became of it."""

from typing import Any

import pytest

from bgpd.controller.review import READY, call, review
from bgpd.kube.documents import Key
from bgpd.kube.mirror import SOURCE
from bgpd.kube.problem import Problem, Standing

PEER = Key("BGPPeer", "", "tor")
L2 = Key("L2Advertisement", "", "old")


def problem(key: Key, path: str, standing: Standing, source: str = SOURCE) -> Problem:
    """Return a problem of *key*."""
    message = f"{path} of {key.name}"
    return Problem(
        source=source, kind=key.kind, name=key.name, path=path, message=message, standing=standing
    )


@pytest.mark.parametrize(
    ("problems", "ready", "others"),
    [
        pytest.param([], (True, "Accepted"), [], id="nothing is wrong"),
        pytest.param(
            [problem(PEER, "spec.bfdProfile", Standing.UNSUPPORTED)],
            (True, "Accepted"),
            [("NotSupported", "BfdProfile")],
            id="a field is not supported",
        ),
        pytest.param(
            [
                problem(PEER, "spec.vrf", Standing.UNSUPPORTED),
                problem(PEER, "spec.bfdProfile", Standing.UNSUPPORTED),
                problem(PEER, "spec.connectTime", Standing.IGNORED),
            ],
            (True, "Accepted"),
            [("FieldIgnored", "ConnectTime"), ("NotSupported", "SeeMessage")],
            id="several fields",
        ),
        pytest.param(
            [problem(PEER, "spec.myASN", Standing.REFUSED)],
            (False, "DocumentRefused"),
            [],
            id="it is refused",
        ),
        pytest.param(
            [problem(PEER, "", Standing.UNSUPPORTED)],
            (False, "NotSupported"),
            [("NotSupported", "BGPPeer")],
            id="the whole kind is not supported",
        ),
    ],
)
def test_an_object_says(
    problems: list[Problem], ready: tuple[bool, str], others: list[tuple[str, str]]
) -> None:
    """Ready first, then what else a person should know."""
    first, *rest = review([PEER], problems)[PEER]
    assert (first.type, first.status, first.reason) == (READY, *ready)
    assert sorted((one.type, one.reason) for one in rest) == others


def test_metallbs_objects_and_services_are_not_judged() -> None:
    """What is wrong with them is said elsewhere; their status is not ours."""
    service = Key("Service", "default", "web")
    foreign = problem(PEER, "spec.vrf", Standing.UNSUPPORTED, source="API, metallb.io")
    assert review([service], [foreign]) == {}


def wanted(before: dict[str, Any], *problems: Problem) -> Any:
    """Return the request for the peer."""
    verdicts = review([PEER], problems)[PEER]
    return call(PEER, verdicts, "ns", before=before, moment="now")


def conditions(request: Any) -> dict[str, dict[str, str]]:
    """Return the conditions of a request by their types."""
    assert request is not None
    return {one["type"]: one for one in request.document["status"]["conditions"]}


def test_what_an_object_says_already_is_not_written() -> None:
    """And a condition that goes on keeps its time, whatever else changes."""
    first = conditions(wanted({}))
    assert first[READY]["lastTransitionTime"] == "now"
    before = {"status": {"conditions": [{**first[READY], "lastTransitionTime": "then"}]}}
    assert wanted(before) is None
    field = problem(PEER, "spec.bfdProfile", Standing.UNSUPPORTED)
    second = conditions(wanted(before, field))
    assert second[READY]["lastTransitionTime"] == "then"
    assert second["NotSupported"]["lastTransitionTime"] == "now"
    assert wanted({"status": {"conditions": list(second.values())}}) is not None
    broken = conditions(wanted(before, problem(PEER, "spec.myASN", Standing.REFUSED)))
    assert broken[READY]["lastTransitionTime"] == "now"
    assert broken[READY]["status"] == "False"
