"""What people are told of checks: all of them, or those that failed, kept up answer by answer."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from bgpd.agent.results import Results
from bgpd.health.job import JobKey, JobState
from bgpd.model.health import Health, HTTPGet, ProbeTarget
from bgpd.model.prefix import Address
from bgpd.policy.hearing import Hearing
from bgpd.policy.probing import NODE_PORT, Inquiry, Question, QuestionKey, node_port_rhythm

HERE = Address("10.0.0.1")
NUMBERS = range(4)


def key(number: int, check: str = NODE_PORT) -> QuestionKey:
    """Return the key of the one question of *check* about a Service."""
    return QuestionKey(f"default/s{number}", check, HERE, 30_000 + number)


def inquiry(number: int, check: str = NODE_PORT) -> Inquiry:
    """Return *check* of a Service, with that question."""
    question = Question(key=key(number, check), probe=HTTPGet(), rhythm=node_port_rhythm(0))
    return Inquiry(check=check, target=ProbeTarget.HOST, successes=1, questions=(question,))


class Told:
    """A hearing and its results; answers go to both, as in the agent."""

    def __init__(self) -> None:
        self.hearing = Hearing("n1")
        self.states: dict[JobKey, JobState] = {}
        self.results = Results(self.hearing, self.states)

    def ask(self, number: int, *checks: str) -> None:
        """Ask *checks* about a Service, and nothing else."""
        self.hearing.ask(f"default/s{number}", [inquiry(number, one) for one in checks])
        gone, asked = self.hearing.moved()
        for one in gone:
            self.states.pop(one, None)
        for one in asked:
            self.states.setdefault(one, JobState(key=one))
        for one in gone:
            self.results.note(one)

    def answer(self, about: QuestionKey, health: Health, message: str = "") -> None:
        """Let one question be answered."""
        if about in self.states:
            self.states[about] = JobState(key=about, health=health, message=message, probes=1)
        self.hearing.hear(about, health, message)
        self.results.note(about)


def test_checks_can_be_told_one_by_one_while_services_come_and_go() -> None:
    """There may be a turn of the loop between two of them."""
    told = Told()
    for number in NUMBERS:
        told.ask(number, "default/a")
    assert told.results.services == len(NUMBERS)
    walk = told.results.walk()
    assert next(walk).service == "default/s0"
    told.hearing.forget("default/s1")
    told.ask(9, "default/a")
    assert [one.service for one in walk] == ["default/s2", "default/s3"]


def test_each_check_is_told_in_order() -> None:
    """By Service and by check; what has not begun yet is left out."""
    told = Told()
    told.ask(2, "default/b", "default/a")
    told.ask(1, NODE_PORT)
    told.answer(key(2, "default/a"), Health.UNHEALTHY, "10.0.0.1:30002 answered 503")
    told.hearing.ask("default/s3", [inquiry(3)])
    shown = [(one.service, one.check, one.health, one.message) for one in told.results.every]
    assert shown == [
        ("default/s1", NODE_PORT, Health.UNKNOWN, "not asked yet"),
        ("default/s2", "default/a", Health.UNHEALTHY, "10.0.0.1:30002 answered 503"),
        ("default/s2", "default/b", Health.UNKNOWN, "not asked yet"),
    ]


def test_what_failed_once_is_told_when_it_passes_again() -> None:
    """The cluster gets an Event for that, so it stays; what never failed is not there."""
    told = Told()
    told.ask(1, NODE_PORT)
    seen = []
    for health in (Health.HEALTHY, Health.UNHEALTHY, Health.HEALTHY):
        told.answer(key(1), health)
        seen.append([one.health for one in told.results.failed])
    told.ask(1)
    seen.append([one.health for one in told.results.failed])
    assert seen == [[], [Health.UNHEALTHY], [Health.HEALTHY], []]


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(NUMBERS), st.sampled_from([(), (NODE_PORT,), (NODE_PORT, "c")])),
        st.tuples(st.sampled_from(NUMBERS), st.sampled_from(list(Health))),
    ),
    max_size=30,
)


@given(steps=_STEPS)
def test_what_fails_is_the_same_by_either_way(
    steps: list[tuple[int, tuple[str, ...] | Health]],
) -> None:
    """Kept up answer by answer, or worked out from the beginning."""
    told = Told()
    for number, step in steps:
        if isinstance(step, Health):
            told.answer(key(number), step)
        else:
            told.ask(number, *step)

    def failing(found: Mapping[tuple[str, str], Health]) -> set[tuple[str, str]]:
        return {name for name, health in found.items() if health is Health.UNHEALTHY}

    every = {(one.service, one.check): one.health for one in told.results.every}
    failed = {(one.service, one.check): one.health for one in told.results.failed}
    assert failing(every) == failing(failed)
    assert failed.items() <= every.items()
