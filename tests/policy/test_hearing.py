"""What probes make of a Service: what withholds it, what keeps it waiting, what changes nothing."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.model.health import Health, HTTPGet, ProbeTarget, Rhythm
from bgpd.model.prefix import Address
from bgpd.model.reason import Reason
from bgpd.policy.hearing import Hearing
from bgpd.policy.probing import NODE_PORT, Inquiry, Question, QuestionKey
from bgpd.policy.verdict import Answer, together

UP, DOWN, UNKNOWN = Health.HEALTHY, Health.UNHEALTHY, Health.UNKNOWN
WEB = "default/web"
CHECK = "default/check"


def inquiry(
    *addresses: str,
    check: str = CHECK,
    target: ProbeTarget = ProbeTarget.ENDPOINT,
    successes: int = 1,
) -> Inquiry:
    """Return a check that asks *addresses*."""
    return Inquiry(
        check=check,
        target=target,
        successes=successes,
        questions=tuple(
            Question(
                key=QuestionKey(WEB, check, Address(one), 80), probe=HTTPGet(), rhythm=Rhythm()
            )
            for one in addresses
        ),
    )


def key(address: str, check: str = CHECK) -> QuestionKey:
    """Return the key of a question of `inquiry`."""
    return QuestionKey(WEB, check, Address(address), 80)


def reason(hearing: Hearing) -> Reason | None:
    """Return why the Service is withheld."""
    verdict = hearing.verdict(WEB)
    return None if verdict is None else verdict.reason


@pytest.mark.parametrize(
    ("target", "answers", "expected"),
    [
        pytest.param(ProbeTarget.ENDPOINT, [], UNKNOWN, id="nothing to ask is Unknown"),
        pytest.param(ProbeTarget.ENDPOINT, [DOWN, UP], UP, id="one endpoint is enough"),
        pytest.param(ProbeTarget.ENDPOINT, [DOWN, UNKNOWN], UNKNOWN, id="one may yet answer"),
        pytest.param(ProbeTarget.ENDPOINT, [DOWN, DOWN], DOWN, id="no endpoint works"),
        pytest.param(ProbeTarget.ELASTIC_IP, [DOWN, UP], DOWN, id="each elastic IP must work"),
        pytest.param(ProbeTarget.ELASTIC_IP, [UNKNOWN, UP], UNKNOWN, id="one is not known yet"),
        pytest.param(ProbeTarget.HOST, [UP], UP, id="the host works"),
    ],
)
def test_what_answers_mean_together(
    target: ProbeTarget, answers: list[Health], expected: Health
) -> None:
    """By what the check is about."""
    assert together(target, [Answer(health=one) for one in answers]).health is expected


def test_a_check_that_fails_withholds_and_says_why() -> None:
    """The sentence names the check, the last answer, and what brings the routes back."""
    hearing = Hearing("n1")
    assert hearing.ask(WEB, [inquiry("10.1.0.1", successes=2)])
    assert reason(hearing) is None
    assert hearing.hear(key("10.1.0.1"), DOWN, "10.1.0.1:80 answered 503")
    verdict = hearing.verdict(WEB)
    assert verdict is not None
    assert verdict.reason is Reason.HEALTH_CHECK_FAILED
    assert "HealthCheck default/check: 10.1.0.1:80 answered 503" in verdict.message
    assert "after 2 good answers in a row" in verdict.message
    assert hearing.hear(key("10.1.0.1"), UP, "10.1.0.1:80 answered 200")
    assert hearing.verdict(WEB) is None


def test_a_port_that_says_no_has_a_reason_of_its_own() -> None:
    """It is kube-proxy that says so, and no person's HealthCheck."""
    hearing = Hearing("n1")
    hearing.ask(WEB, [inquiry("10.0.0.1", check=NODE_PORT, target=ProbeTarget.HOST)])
    hearing.hear(key("10.0.0.1", NODE_PORT), DOWN, "10.0.0.1:80 answered 503")
    verdict = hearing.verdict(WEB)
    assert verdict is not None
    assert verdict.reason is Reason.HEALTH_CHECK_NODE_PORT
    assert "healthCheckNodePort: 10.0.0.1:80 answered 503" in verdict.message


def test_any_of_several_checks_withholds() -> None:
    """All of them must be content."""
    hearing = Hearing("n1")
    hearing.ask(WEB, [inquiry("10.1.0.1"), inquiry("10.1.0.1", check="default/second")])
    hearing.hear(key("10.1.0.1"), UP, "")
    hearing.hear(key("10.1.0.1", "default/second"), DOWN, "")
    assert reason(hearing) is Reason.HEALTH_CHECK_FAILED
    assert "default/second" in str(hearing.verdict(WEB))


def test_another_set_of_endpoints_keeps_what_is_known_of_the_check() -> None:
    """A new endpoint beside one that hangs is not known yet, so the Service stays withheld."""
    hearing = Hearing("n1")
    hearing.ask(WEB, [inquiry("10.1.0.1")])
    hearing.hear(key("10.1.0.1"), DOWN, "")
    assert hearing.ask(WEB, [inquiry("10.1.0.1", "10.1.0.2")])
    assert reason(hearing) is Reason.HEALTH_CHECK_FAILED
    hearing.hear(key("10.1.0.2"), UP, "")
    assert reason(hearing) is None


def test_a_check_with_nothing_to_ask_any_more_withholds_nothing() -> None:
    """Its last endpoint here went: what it said of it is no word about others."""
    hearing = Hearing("n1")
    hearing.ask(WEB, [inquiry("10.1.0.1")])
    hearing.hear(key("10.1.0.1"), DOWN, "")
    assert hearing.ask(WEB, [])
    assert reason(hearing) is None
    assert not hearing.questions
    assert WEB not in hearing
    assert not hearing.hear(key("10.1.0.1"), DOWN, "an answer that comes too late")


def test_the_same_questions_are_no_news() -> None:
    """Whoever asks need not begin anew."""
    hearing = Hearing("n1")
    assert hearing.ask(WEB, [inquiry("10.1.0.1")])
    assert not hearing.ask(WEB, [inquiry("10.1.0.1")])
    assert not hearing.ask("default/other", [])


_ADDRESSES = st.lists(st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3"]), unique=True)


@given(steps=st.lists(st.tuples(_ADDRESSES, st.booleans()), max_size=12))
def test_what_moved_leads_to_what_is_asked(steps: list[tuple[list[str], bool]]) -> None:
    """Whoever follows now and then asks the same, and forgets what was away in between."""
    hearing, followed = Hearing("n1"), dict[QuestionKey, Question]()
    away = set[QuestionKey]()
    for addresses, look in steps:
        hearing.ask(WEB, [inquiry(*addresses)] if addresses else [])
        away |= followed.keys() - hearing.questions.keys()
        if look:
            gone, asked = hearing.moved()
            assert away <= gone
            followed = {key: one for key, one in followed.items() if key not in gone} | asked
            away.clear()
            assert followed == hearing.questions
    hearing.moved()
    assert hearing.moved() == (set(), {})


def test_after_a_boot_a_service_waits_for_its_answers() -> None:
    """Nothing that was true before the boot is; the first good answer lets it through."""
    hearing = Hearing("n1", starting=True)
    hearing.ask(WEB, [inquiry("10.1.0.1")])
    assert reason(hearing) is Reason.STARTING_UP
    assert hearing.waiting
    hearing.hear(key("10.1.0.1"), UP, "")
    assert reason(hearing) is None
    assert not hearing.waiting
    hearing.hear(key("10.1.0.1"), UNKNOWN, "")
    assert reason(hearing) is None


def test_after_a_boot_a_check_that_fails_is_said_to_fail() -> None:
    """It is not merely late."""
    hearing = Hearing("n1", starting=True)
    hearing.ask(WEB, [inquiry("10.1.0.1")])
    hearing.hear(key("10.1.0.1"), DOWN, "")
    assert reason(hearing) is Reason.HEALTH_CHECK_FAILED


@pytest.mark.parametrize("ports", [True, False])
def test_a_port_is_waited_for_only_where_one_may_answer(ports: bool) -> None:
    """In a cluster without kube-proxy nobody stands behind it."""
    hearing = Hearing("n1", starting=True, ports=ports)
    hearing.ask(WEB, [inquiry("10.0.0.1", check=NODE_PORT, target=ProbeTarget.HOST)])
    assert (reason(hearing) is Reason.STARTING_UP) is ports
    assert hearing.give_up(lambda _: False) == ((WEB,) if ports else ())
    assert reason(hearing) is None


@pytest.mark.parametrize("unasked", [True, False])
def test_what_cannot_be_asked_is_not_waited_for_for_ever(unasked: bool) -> None:
    """A check that can be asked gets its answer, if only that there is none."""
    hearing = Hearing("n1", starting=True, ports=True)
    hearing.ask(WEB, [inquiry("10.1.0.1", "10.1.0.2")])
    assert hearing.give_up(lambda key: unasked or key.address == "10.1.0.2") == (
        (WEB,) if unasked else ()
    )
    assert (reason(hearing) is None) is unasked


@pytest.mark.parametrize(
    ("target", "answered"),
    [(ProbeTarget.ELASTIC_IP, UP), (ProbeTarget.ENDPOINT, DOWN)],
)
def test_an_address_that_cannot_be_asked_is_not_waited_for_beside_one_that_can(
    target: ProbeTarget, answered: Health
) -> None:
    """An elastic IP of another family than `sourceAddress`, say: what it would say is Unknown."""
    hearing = Hearing("n1", starting=True)
    hearing.ask(WEB, [inquiry("10.1.0.1", "10.1.0.2", target=target)])
    hearing.hear(key("10.1.0.1"), answered, "")
    assert reason(hearing) is Reason.STARTING_UP
    assert hearing.give_up(lambda _: False) == ()
    assert hearing.give_up(lambda one: one == key("10.1.0.2")) == (WEB,)
    assert reason(hearing) is None
    assert not hearing.waiting


@pytest.mark.parametrize(
    ("withheld", "expected"),
    [
        pytest.param({}, None, id="what was advertised goes on"),
        pytest.param({WEB: {CHECK: "it hung"}}, Reason.HEALTH_CHECK_FAILED,
                     id="what was withheld stays so"),
        pytest.param({WEB: {CHECK: ""}}, Reason.STARTING_UP, id="what waited goes on waiting"),
        pytest.param({WEB: {"default/gone": "it hung"}}, None,
                     id="a check that is no more says nothing"),
    ],
)  # fmt: skip
def test_an_agent_goes_on_where_the_one_before_ended(
    withheld: Mapping[str, Mapping[str, str]], expected: Reason | None
) -> None:
    """In the same boot, as long as its own probes are unanswered."""
    hearing = Hearing("n1", withheld=withheld)
    hearing.ask(WEB, [inquiry("10.1.0.1")])
    assert reason(hearing) is expected
    hearing.hear(key("10.1.0.1"), UP, "")
    assert reason(hearing) is None
    assert hearing.withheld == {}


def test_what_is_remembered_is_not_lost_before_it_is_asked_for() -> None:
    """Two restarts in a row are as one."""
    kept = {WEB: {CHECK: "it hung"}}
    assert Hearing("n1", withheld=kept).withheld == kept
    hearing = Hearing("n1", withheld=kept)
    hearing.ask(WEB, [inquiry("10.1.0.1")])
    assert hearing.withheld == kept


def test_what_is_remembered_of_services_that_are_no_more_is_forgotten() -> None:
    """Once every Service has been seen."""
    hearing = Hearing("n1", withheld={"default/gone": {CHECK: "it hung"}})
    hearing.settle()
    assert hearing.withheld == {}


_STEPS = st.lists(
    st.tuples(st.sampled_from(["10.1.0.1", "10.1.0.2"]), st.sampled_from(list(Health)))
)


@given(steps=_STEPS)
def test_unknown_changes_nothing(steps: list[tuple[str, Health]]) -> None:
    """From an answer that is none no Service is withheld, and none comes back."""
    hearing = Hearing("n1")
    hearing.ask(WEB, [inquiry("10.1.0.1", "10.1.0.2")])
    for address, health in steps:
        before = reason(hearing)
        hearing.hear(key(address), health, "")
        if health is UNKNOWN:
            assert reason(hearing) is before


@given(steps=_STEPS)
def test_a_restart_in_the_same_boot_changes_nothing(steps: list[tuple[str, Health]]) -> None:
    """Whatever was heard, an agent that asks anew withholds what was withheld, and no more."""
    hearing = Hearing("n1", starting=True)
    asked = [inquiry("10.1.0.1", "10.1.0.2")]
    hearing.ask(WEB, asked)
    for address, health in steps:
        hearing.hear(key(address), health, "x")
    after = Hearing("n1", withheld=hearing.withheld)
    after.ask(WEB, asked)
    assert reason(after) is reason(hearing)
