"""What the log says of health: a line for each Service, one for many, and what a start awaits."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from bgpd.agent.noting import SHOWN, HealthLog, StartLog
from bgpd.model.health import Health, StartupPolicy
from bgpd.model.prefix import Prefix
from bgpd.model.reason import Reason, Withheld
from bgpd.policy.startup import Boot, Gate, Look
from tests.agent.test_judging import CHECK, WEB, Node, check

Line = tuple[str, str, dict[str, Any]]


class Log:
    """The lines of a log, with a clock that stands."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.now = 100.0
        self.something = asyncio.Event()

    def note(self, level: str, event: str, keys: Iterable[tuple[str, object]]) -> None:
        """Remember a line."""
        self.lines.append((level, event, {key: value for key, value in keys if value}))
        self.something.set()

    @property
    def events(self) -> list[str]:
        """The events since this was asked for last."""
        found = [event for _, event, _ in self.lines]
        self.lines.clear()
        return found


class Services:
    """Decisions that the test makes."""

    def __init__(self) -> None:
        self.unwell: Mapping[str, Withheld] = {}
        self.gone = False

    def withhold(self, reason: Reason, count: int) -> None:
        """Withhold *count* Services."""
        names = (f"shop/s{number:02}" for number in range(count))
        prefix = Prefix("203.0.113.1/32")
        self.unwell = {
            name: Withheld(service=name, prefix=prefix, reason=reason, message=f"{name}: 503")
            for name in names
        }

    def advertises(self, service: str) -> bool:
        """Return whether nothing speaks against it."""
        return not self.gone and service not in self.unwell

    def knows(self, service: str) -> bool:
        """Return whether there is such a Service."""
        return service in self.unwell or not self.gone


def test_a_service_that_a_check_withholds_is_a_line_and_so_is_its_return() -> None:
    """The line names Service, reason, check and answer; nothing is said twice."""
    node, log = Node(), Log()
    node.fill()
    health = HealthLog(log.note, node.planner, node.judge.hearing.blamed, lambda: log.now)
    health.write()
    assert log.lines == []
    node.answer(Health.UNHEALTHY)
    health.write()
    health.write()
    (line,) = log.lines
    assert line[:2] == ("warning", "service_withheld")
    assert (line[2]["service"], line[2]["reason"], line[2]["check"]) == (
        WEB, "HealthCheckFailed", CHECK,
    )  # fmt: skip
    assert "it is Unhealthy" in line[2]["message"]
    log.lines.clear()
    node.answer(Health.HEALTHY)
    health.write()
    health.write()
    (line,) = log.lines
    assert line[:2] == ("info", "service_returned")
    assert line[2] == {"service": WEB, "reason": "HealthCheckFailed is over"}


def test_a_check_with_a_slip_that_is_removed_brings_a_line_of_return() -> None:
    """Whoever takes it back sees that this was it."""
    node, log = Node(), Log()
    node.fill()
    health = HealthLog(log.note, node.planner, node.judge.hearing.blamed, lambda: log.now)
    node.answer(Health.UNHEALTHY)
    health.write()
    slip = check()
    slip["spec"] = {**slip["spec"], "serviceSelectors": [{"matchLabels": {"app": "x"}}]}  # type: ignore[dict-item]
    node.fill(slip, checked=False)
    health.write()
    assert log.events == ["service_withheld", "service_returned"]


@pytest.mark.parametrize(
    ("count", "begun", "over"),
    [
        pytest.param(SHOWN, ["service_withheld"] * SHOWN, ["service_returned"] * SHOWN, id="few"),
        pytest.param(SHOWN + 1, ["services_withheld"], ["services_returned"], id="many"),
    ],
)
def test_many_that_change_together_are_one_line(
    count: int, begun: list[str], over: list[str]
) -> None:
    """The line says how many, and names the first."""
    services, log = Services(), Log()
    health = HealthLog(log.note, services, lambda _: CHECK, lambda: log.now)
    services.withhold(Reason.HEALTH_CHECK_FAILED, count)
    health.write()
    if count > SHOWN:
        assert log.lines[0][2]["services"] == count
        assert log.lines[0][2]["first"] == "shop/s00"
        assert log.lines[0][2]["check"] == CHECK
    assert log.events == begun
    services.unwell = {}
    health.write()
    assert log.events == over


def test_who_starts_up_or_is_deleted_is_no_line() -> None:
    """What the node waits for has a line of its own, and nobody waits for what is deleted."""
    services, log = Services(), Log()
    health = HealthLog(log.note, services, lambda _: "", lambda: log.now)
    services.withhold(Reason.STARTING_UP, 1)
    health.write()
    services.unwell = {}
    health.write()
    assert log.events == []
    services.withhold(Reason.FLAPPING, 1)
    health.write()
    assert log.events == ["service_withheld"]
    services.unwell, services.gone = {}, True
    health.write()
    services.gone = False
    health.write()
    assert log.events == []


def test_lines_follow_at_once_and_then_a_second_later() -> None:
    """What was gathered last is written when the agent ends."""

    async def story() -> None:
        services, log = Services(), Log()
        clock = asyncio.get_running_loop().time
        health = HealthLog(log.note, services, lambda _: "", clock)
        services.withhold(Reason.FLAPPING, 1)
        health.soon()
        async with asyncio.timeout(10.0):
            await log.something.wait()
        assert log.events == ["service_withheld"]
        services.unwell = {}
        health.soon()
        assert health._waiting is not None
        assert health._waiting.when() > clock() + 0.5
        health.close()
        assert log.events == ["service_returned"]

    asyncio.run(story())


def looks(boot: Boot, tell: Callable[[Log, Callable[..., None]], None], **startup: int) -> Log:
    """Let *tell* look at a gate with what it says of kube-proxy; return the log."""
    log = Log()
    gate = Gate(boot, "n1", log.now)
    started = StartLog(log.note, gate, boot, lambda: log.now)

    def look(kube_proxy: Health = Health.UNKNOWN, *, awaited: bool = False) -> None:
        policy = StartupPolicy(**startup)
        gate.look(Look(policy=policy, kube_proxy=kube_proxy, awaited=awaited), log.now)
        started.looked()

    tell(log, look)
    started.over()
    return log


def test_a_boot_says_why_it_waits_for_what_and_until_when() -> None:
    """First for kube-proxy, then for the delay: each is a line, once."""

    def tell(log: Log, look: Callable[..., None]) -> None:
        look(awaited=True)
        look(awaited=True)
        log.now += 3
        look(Health.HEALTHY, awaited=True)
        log.now += 2
        look(Health.HEALTHY, awaited=True)
        look(Health.HEALTHY, awaited=True)

    log = looks(Boot.ANOTHER, tell, delay_seconds=2)
    kinds = [event for _, event, _ in log.lines]
    assert kinds == [
        "startup_gate_closed", "startup_gate_closed", "startup_gate_opened", "startup_over",
    ]  # fmt: skip
    words = [keys for _, _, keys in log.lines]
    assert words[0]["cause"] == "the boot ID changed"
    assert "kube-proxy" in words[0]["waits_for"]
    assert "spec.startup.delaySeconds" in words[1]["waits_for"]
    assert words[2] == {"cause": "the boot ID changed", "seconds": "5.0"}


def test_a_gate_that_opens_without_kube_proxy_is_a_warning() -> None:
    """The node is in doubt from then on."""

    def tell(log: Log, look: Callable[..., None]) -> None:
        look(awaited=True)
        log.now += 60
        look(awaited=True)

    _, opened, _ = looks(Boot.ANOTHER, tell).lines
    assert opened[:2] == ("warning", "startup_gate_opened")
    assert opened[2]["although"] == "kube-proxy is not healthy yet"


@pytest.mark.parametrize("boot", [Boot.SAME, Boot.FIRST])
def test_a_start_that_waits_for_nothing_is_no_line(boot: Boot) -> None:
    """A restart in the same boot, and a node that is new."""
    assert looks(boot, lambda _, look: look()).lines == []
