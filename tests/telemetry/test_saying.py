"""What the log says of conditions."""

from bgpd.model.status import Condition
from bgpd.telemetry.saying import begun, end_of, over


def condition(message: str, type_: str = "SourceDegraded", reason: str = "Missing") -> Condition:
    """Return a condition."""
    return Condition(type=type_, status=True, reason=reason, message=message)


A, AB = condition("does not know a"), condition("does not know a, b")


def test_what_goes_on_in_other_words_is_not_over() -> None:
    """It grew: that is told, and nothing is said to have ended."""
    assert begun({A}, {AB}) == [AB]
    assert list(over({A}, {AB})) == []
    assert list(over({AB}, {A})) == []


def test_what_ended_is_over() -> None:
    """Also beside a condition of another reason that begins."""
    other = condition("is away", reason="Unreachable")
    assert list(over({A}, set())) == [A]
    assert list(over({A}, {other})) == [A]
    assert list(over({A, other}, {AB})) == [other]


def test_a_document_that_is_corrected_is_over_although_another_is_refused() -> None:
    """Each refused document is a condition of its own."""
    first, second = (condition(name, "DocumentRefused", "BGPPeer") for name in ("one", "two"))
    assert list(over({first}, {second})) == [first]


def test_the_end_does_not_repeat_the_complaint_as_if_it_held() -> None:
    """Type and reason are named; what it was has a key of its own."""
    keys = dict(end_of(A))
    assert keys["reason"] == "Missing"
    assert keys["message"] == "SourceDegraded (Missing) is over"
    assert keys["was"] == A.message
