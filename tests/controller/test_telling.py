"""What becomes of a controller's Event that the server does not take."""

import asyncio

import pytest

from bgpd.controller.telling import Telling
from bgpd.kube.happening import Happening, Regarding
from tests.fakes.apiserver import Answer, refusal, served
from tests.kube.follow import Plain
from tests.kube.test_telling import EVENTS, terminating

PATIENCE = 20.0
GIVEN = Happening(
    reason="AddressAssigned",
    action="Assign",
    note="203.0.113.5 of pool small",
    regarding=Regarding(kind="Service", name="web", namespace="shop"),
)


@pytest.mark.parametrize(
    ("answer", "reasons"),
    [
        pytest.param(refusal(403, "Forbidden", "no"), ["ApiForbidden"], id="no right"),
        pytest.param(terminating(), [], id="its namespace is being deleted"),
    ],
)
def test_only_a_refusal_that_a_person_can_mend_is_a_condition(
    answer: Answer, reasons: list[str]
) -> None:
    """The Service goes with its namespace: nobody can or need do anything about its Event."""

    async def main() -> list[str]:
        async with served() as api, asyncio.TaskGroup() as group:
            api.refuse = lambda asked: answer if asked.path == EVENTS else None
            telling = Telling(Plain(api.port), identity="one", agent="test")
            telling.tell([GIVEN])
            task = group.create_task(telling.run())
            async with asyncio.timeout(PATIENCE):
                while telling._series.dropped < 1:  # noqa: ASYNC110 - it is looked at
                    await asyncio.sleep(0.005)
            task.cancel()
            return [one.reason for one in telling.conditions]

    assert asyncio.run(main()) == reasons
