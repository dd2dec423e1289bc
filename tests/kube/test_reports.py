"""What the agents of other nodes say of them, and how little of it is read."""

from typing import Any

import pytest

from bgpd.kube.documents import Key
from bgpd.kube.nodestatus import MESH_ANNOTATION, place_of
from bgpd.model.cluster import NodeReport
from bgpd.model.member import Member, NodeName
from bgpd.model.prefix import Address
from tests.fakes.apiserver import FakeApiServer, refusal
from tests.kube import build
from tests.kube.follow import PATHS, SERVICES, Following, follow

STATUSES = PATHS["BGPNodeStatus"]


def report(name: str, place: str | None) -> dict[str, Any]:
    """Return the BGPNodeStatus of a node whose speaker listens at *place*."""
    notes = {} if place is None else {"annotations": {MESH_ANNOTATION: place}}
    return build.ours("BGPNodeStatus", name, **notes)


PLACES = (
    pytest.param("10.0.0.1:7179", Member(name=NodeName("n"), address=Address("10.0.0.1")), id="v4"),
    pytest.param("[2001:db8::1]:8000",
                 Member(name=NodeName("n"), address=Address("2001:db8::1"), port=8000), id="v6"),
    pytest.param(None, None, id="not known yet"),
)  # fmt: skip


@pytest.mark.parametrize(("place", "member"), PLACES)
def test_a_report_says_where_a_node_listens(place: str | None, member: Member | None) -> None:
    """In the metadata, which is all that is asked for: a status may be a megabyte."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        api.apply(STATUSES, report("n", place))
        await one.until(lambda: bool(one.told))
        assert one.source.objects.reports == (NodeReport(name=NodeName("n"), member=member),)
        assert all(
            "PartialObjectMetadata" in asked.accept for asked in api.asked if asked.path == STATUSES
        )
        if member is not None:
            assert place_of(member) == place

    follow(story)


@pytest.mark.parametrize(
    "place", ["10.0.0.1", "10.0.0.1:0", "10.0.0.1:99999", "no:1", "224.0.0.1:1", ":1", "::1:x"]
)
def test_a_report_that_cannot_be_read_keeps_the_last_good_one(place: str) -> None:
    """Another node's mistake takes no member away."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        before = one.source.objects.reports
        api.apply(STATUSES, report("n", place))
        await one.until(lambda: bool(one.source.conditions))
        assert MESH_ANNOTATION in one.source.conditions[0].message
        assert one.source.objects.reports == before

    follow(story, prepare=lambda api: api.apply(STATUSES, report("n", "10.0.0.1:7179")))


def test_reports_that_may_not_be_read_hold_up_no_route() -> None:
    """Routes are decided without them; what is remembered of them stays."""

    async def story(one: Following, _: FakeApiServer) -> None:
        await one.until(lambda: one.source.synced)
        assert one.reasons == ["ApiForbidden"]
        assert one.source.objects.reports == (kept,)

    def prepare(api: FakeApiServer) -> None:
        forbidden = refusal(403, "Forbidden", "bgpnodestatuses is forbidden")
        api.refuse = lambda asked: forbidden if asked.path == STATUSES else None

    kept = NodeReport(name=NodeName("n2"))
    follow(story, prepare=prepare, remembered={Key("BGPNodeStatus", "", "n2"): kept})


def test_nodes_that_report_at_once_are_told_together() -> None:
    """Each would cost a decision on everything; a Service does not wait for them."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        for number in range(200):
            api.apply(STATUSES, report(f"n{number}", f"10.0.0.{number}:7179"))
        api.apply(SERVICES, build.service("a"))
        await one.until(lambda: len(one.changes.keys) == 201)
        assert len([told for told in one.told if told.keys]) <= 4
        (alone,) = (told for told in one.told if told.services)
        assert alone.keys == {Key("Service", "default", "a")}

    follow(story)


def test_a_report_that_comes_and_goes_is_told_twice() -> None:
    """Else an agent whose own object is deleted at once would never hear of it."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        api.apply(STATUSES, report("n", "10.0.0.1:7179"))
        api.delete(STATUSES, "n")
        await one.until(lambda: len(one.told) == 2)
        assert [bool(told.removed) for told in one.told] == [False, True]

    follow(story)
