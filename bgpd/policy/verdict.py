"""What local health says of one Service on this node: nothing, wait, or do not advertise it.

Facts withdraw, doubt ranks: a probe that failed often enough is a fact about the Service. What is
not known changes nothing, so a check without an answer says what it said last.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from bgpd.model.health import Health, ProbeTarget
from bgpd.model.reason import Reason
from bgpd.model.route import RANK_NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Why a Service's routes are withheld on this node, or how little they are wanted."""

    reason: Reason | None = None
    """None: they are advertised."""
    message: str = ""
    floor: int = RANK_NORMAL
    """Least rank of its routes."""


FINE: Final = Verdict()
"""What holds where nothing is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is believed of one thing that was asked, and its last answer in a sentence."""

    health: Health = Health.UNKNOWN
    message: str = ""


UNHEARD: Final = Answer()


def together(target: ProbeTarget, answers: Sequence[Answer]) -> Answer:
    """Return what the *answers* of one check mean together.

    One endpoint that works is enough for traffic to end well; of elastic IPs each is somebody's.
    Without anything to ask nothing is known.
    """
    if len(answers) == 1:
        return answers[0]
    match target:
        case ProbeTarget.ENDPOINT:
            order = (Health.HEALTHY, Health.UNKNOWN, Health.UNHEALTHY)
        case ProbeTarget.ELASTIC_IP | ProbeTarget.HOST:
            order = (Health.UNHEALTHY, Health.UNKNOWN, Health.HEALTHY)
        case other:
            assert_never(other)
    for health in order:
        found = [one for one in answers if one.health is health]
        if found:
            return Answer(health=health, message=_said(found))
    return UNHEARD


def _said(answers: Sequence[Answer]) -> str:
    """Return the first sentence, and how many others there are."""
    first = next((one.message for one in answers if one.message), "")
    return first if len(answers) < 2 else f"{first} (and {len(answers) - 1} more like it)"


def failed(check: str, answer: Answer, *, successes: int) -> Verdict:
    """Return the verdict where the HealthCheck *check* gave *answer*; the empty name is the port.

    *successes* in a row bring the routes back.
    """
    said = answer.message or "no answer"
    if not check:
        return Verdict(
            reason=Reason.HEALTH_CHECK_NODE_PORT,
            message=f"healthCheckNodePort: {said}; the routes come back when it answers 200",
        )
    answers = "a good answer" if successes == 1 else f"{successes} good answers in a row"
    return Verdict(
        reason=Reason.HEALTH_CHECK_FAILED,
        message=f"HealthCheck {check}: {said}; the routes come back after {answers}",
    )


def unanswered(checks: Iterable[str], node: str) -> Verdict:
    """Return the verdict where *checks* gave no answer since *node* booted."""
    names = ", ".join(f"HealthCheck {one}" if one else "healthCheckNodePort" for one in checks)
    return Verdict(
        reason=Reason.STARTING_UP,
        message=f"node {node} has booted, and {names} gave no answer yet; the routes wait for one",
    )
