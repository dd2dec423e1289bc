"""What becomes of an Event that the server does not take."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bgpd.kube.telling import Look, Telling
from tests.ctl.samples import NODE, SPEAKER, route
from tests.fakes.apiserver import Answer, Asked, refusal, served
from tests.kube.follow import Plain

PATIENCE = 20.0
EVENTS = "/apis/events.k8s.io/v1/namespaces/shop/events"


def terminating() -> Answer:
    """Return what a server says of anything new in a namespace that is being deleted."""
    what = "unable to create new content in namespace shop because it is being terminated"
    code, body = refusal(403, "Forbidden", f'events.k8s.io "web.1" is forbidden: {what}')
    cause = {"reason": "NamespaceTerminating", "field": "metadata.namespace"}
    return code, {**body, "details": {"name": "web.1", "causes": [cause]}}


def refused(instead: Answer) -> list[str]:
    """Return the reasons of the conditions after an Event in `shop` was answered like that."""
    shown = replace(route("203.0.113.77/32", "tor-a"), services=("shop/web",))
    advertised = replace(NODE, speaker=replace(SPEAKER, routes=(*SPEAKER.routes, shown)))
    status = NODE

    def refuse(asked: Asked) -> Answer | None:
        return instead if asked.path == EVENTS else None

    async def until(fact: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not fact():  # noqa: ASYNC110 - a condition is looked at, not reported
                await asyncio.sleep(0.005)

    async def main() -> list[str]:
        nonlocal status
        async with served() as api, asyncio.TaskGroup() as group:
            api.refuse = refuse
            access = Plain(api.port)
            telling = Telling(
                access, node="n1", agent="test", look=lambda: Look(status=status, member=None)
            )
            task = group.create_task(telling.run())
            telling.changed()
            await until(lambda: telling._known is not None)
            status = advertised
            telling.changed()
            await until(lambda: telling._series.dropped == 1)
            await asyncio.sleep(0)
            task.cancel()
            return [one.reason for one in telling.conditions if one.type == "EventsNotWritten"]

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("instead", "reasons"),
    [
        pytest.param(refusal(403, "Forbidden", "no"), ["ApiForbidden"], id="no right"),
        pytest.param(refusal(422, "Invalid", "no"), ["ApiRefused"], id="nonsense"),
        pytest.param(terminating(), [], id="its namespace is being deleted"),
        pytest.param(refusal(404, "NotFound", 'namespaces "shop" not found'), [], id="it is gone"),
    ],
)
def test_only_a_refusal_that_a_person_can_mend_is_a_condition(
    instead: Any, reasons: list[str]
) -> None:
    """An Event about a Service that goes with its namespace is nobody's business any more."""
    assert refused(instead) == reasons
