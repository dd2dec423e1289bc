"""No event and no condition is undocumented, and none is documented that does not exist."""

import pytest

from bgpd.controller.wish import Reason as Allocation
from bgpd.kube.course import Reason as SourceReason
from bgpd.kube.problem import Standing
from bgpd.model.reason import Reason
from bgpd.telemetry.conditioncatalog import CONDITIONS, KIND, SOME_OBJECTS
from bgpd.telemetry.eventcatalog import ANYWHERE, EVENTS, KEYS, LoggedEvent
from bgpd.telemetry.kubeevents import KUBERNETES_EVENTS
from tests.telemetry.source import LEVELS, literals, logged, modules, words

LOGGED = logged()
BY_NAME = {one.name: one for one in EVENTS}
OUTSIDE = {"line": "a library's sentence", "crashed": "the last line of a process"}
"""Events that no call names: the log itself makes them."""
TOLD_TOGETHER = frozenset({"startup_gate_closed", "startup_gate_opened"})
"""Events of one function, which has keys for both."""
NO_CONDITIONS = frozenset(
    {
        # Kinds, truths and parts of a program.
        *("BFDProfile", "Community", "EndpointSlice", "HealthCheck", "Namespace", "Node"),
        *("Secret", "Service", "SpeakerPolicy", "True", "False", "Unknown", "ConditionLog"),
        "Context",
        # How this boot is to the one before, and the suffix of a kind that went.
        *("Another", "First", "Same", "Gone"),
    }
)


@pytest.mark.parametrize("name", sorted(LOGGED))
def test_every_event_of_the_source_is_documented(name: str) -> None:
    """With its levels and its keys; add it to `bgpd.telemetry.eventcatalog`."""
    one = LOGGED[name]
    assert name in BY_NAME, f"logged in {sorted(one.files)}"
    known = set(BY_NAME[name].keys)
    if name in TOLD_TOGETHER:
        known = {key for other in TOLD_TOGETHER for key in BY_NAME[other].keys}
    assert one.keys <= known


@pytest.mark.parametrize("one", EVENTS, ids=lambda one: one.name)
def test_every_documented_event_is_logged(one: LoggedEvent) -> None:
    """At these levels, and with keys that the source names somewhere."""
    assert one.meaning.endswith(".")
    assert set(one.levels) <= LEVELS
    assert set(one.keys) <= set(KEYS)
    if one.name in OUTSIDE:
        return
    assert one.name in LOGGED, "nothing in the source writes it"
    # A line may choose one of two events beside one of two levels: they are told together.
    assert set(one.levels) <= LOGGED[one.name].levels


def test_events_and_keys_are_each_documented_once() -> None:
    """And every key that is explained is one of an event."""
    assert len(BY_NAME) == len(EVENTS)
    used = {key for one in EVENTS for key in one.keys} | set(ANYWHERE) | {"was"}
    assert used == set(KEYS)


def test_every_word_of_a_condition_is_documented() -> None:
    """Its type and its reason; add it to `bgpd.telemetry.conditioncatalog`."""
    known = {one.type for one in CONDITIONS} | set(SOME_OBJECTS) | NO_CONDITIONS
    known |= {word for one in CONDITIONS for word in one.reasons}
    known |= {str(one.value) for one in Reason}
    unknown = {word: sorted(where) for word, where in words().items() if word not in known}
    assert unknown == {}


def test_every_documented_condition_is_made_somewhere() -> None:
    """No word in the table is left over from one that is gone."""
    said = {text for _, tree in modules() for text in literals(tree)}
    said |= {str(one.value) for one in (*SourceReason, *Standing, *Reason)}
    for one in CONDITIONS:
        assert one.type in said, one.type
        assert one.meaning.endswith(".")
        assert one.reasons
        for reason in one.reasons:
            assert reason.startswith(KIND) or reason in said, reason


def test_conditions_are_each_documented_once() -> None:
    """A type has one row."""
    types = [one.type for one in CONDITIONS]
    assert len(types) == len(set(types))


def test_every_event_of_the_controller_is_documented() -> None:
    """The reasons of Services' Events, in the words that MetalLB's users know."""
    reasons = {one.reason for one in KUBERNETES_EVENTS}
    assert {one.value for one in Allocation} <= reasons


def test_every_documented_kubernetes_event_is_written_somewhere() -> None:
    """And none is told under a Reason's name, whose meaning is another page's."""
    told = ("kube/happening.py", "kube/wellbeing.py", "kube/problem.py", "controller/wish.py")
    said = {text for name, tree in modules() if name in told for text in literals(tree)}
    for one in KUBERNETES_EVENTS:
        assert one.reason in said, one.reason
    both = {one.reason for one in KUBERNETES_EVENTS} & {str(one.value) for one in Reason}
    assert both == {"Drained"}, "a drain is an Event of the Node by the word of the Reason"


def test_every_event_of_a_node_is_documented() -> None:
    """Whatever `happenings` and `wellbeing` tell: their words in CamelCase."""
    reasons = {one.reason for one in KUBERNETES_EVENTS}
    actions = {"Advertise", "Allocate", "Configure", "Drain", "Judge", "Peer", "Probe"}
    actions |= {"Quarantine", "RaiseGeneration"}
    kinds = {"Node", "Service", "EndpointSlice"}
    found = {
        text
        for name, tree in modules()
        if name in {"kube/happening.py", "kube/wellbeing.py"}
        for text in literals(tree)
        if text.isalnum() and text[0].isupper() and not text.isupper()
    }
    assert found - actions - kinds <= reasons
