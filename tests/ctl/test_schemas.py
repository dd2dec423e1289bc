"""Facts about the published schemas: every document is as its own says, and each has been tried."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from bgpd.ctl import difftext, doctor, eventlist, explainnode, migratetable, probetable
from bgpd.ctl.diffrows import difference
from bgpd.ctl.doctorchecks import CHECKS
from bgpd.ctl.document import dump, joined_document, status_document, timeline_document
from bgpd.ctl.explaineverywhere import everywhere
from bgpd.ctl.fleet import fleet_of
from bgpd.ctl.fleetstatus import fleet_document, fleet_status
from bgpd.ctl.hostview import HostView, host_document
from bgpd.ctl.listdocument import item_document, list_document
from bgpd.ctl.probeplan import Outcome
from bgpd.ctl.rehearsal import rehearse
from bgpd.ctl.rehearsaltext import rehearsal_document
from bgpd.ctl.resource import NOUNS, Noun
from bgpd.ctl.schemas import FOLDER, PRINTED, files, schema_of
from bgpd.ctl.timelinejoin import join
from bgpd.ctl.validate import document as validation_document
from bgpd.ctl.validate import validate
from bgpd.ctl.view import View
from bgpd.ipc.message import Answer
from bgpd.migrate.check import check
from bgpd.migrate.walk import stand
from bgpd.model.grounds import PeerRoute, SpeakerRoutes
from bgpd.model.peer import PeerName
from bgpd.model.prefix import Address, Prefix
from bgpd.model.route import Advertisement, Attributes
from tests.agent.test_planner import ours
from tests.ctl.conforming import faults
from tests.ctl.doctorsamples import NOTHING, WELL
from tests.ctl.fakes import Result, bgpctl, serving
from tests.ctl.samples import FAILOVERS, FINE, ILL, NODE, NOW, SICK, SPEAKER
from tests.ctl.test_diff import PATH, ROW, WISH, agent, speaker
from tests.ctl.test_events import DOWN
from tests.ctl.test_explain_fleet import NODES, carrying, withholding
from tests.ctl.test_hostview import STATUS
from tests.ctl.test_listing import INVENTORY, both, near
from tests.ctl.test_migratetable import HALF_WAY
from tests.ctl.test_probe import ROUTER
from tests.ctl.test_rehearsal import PRESENT
from tests.ctl.test_table import calm, views
from tests.ctl.timelinesamples import TAKEOVER
from tests.migrate.build import OURS, cluster

ROOT: Final = Path(__file__).parents[2]
FLEET: Final = fleet_of([*NODES, carrying("n1"), withholding("n2")])
ROUTES: Final = SpeakerRoutes(
    node="n1",
    routes=(
        PeerRoute(
            peer=PeerName("tor-a"),
            prefix=Prefix("203.0.113.9/32"),
            wanted=Advertisement(peer=PeerName("tor-a"), prefix=Prefix("203.0.113.9/32")),
            told=Attributes(next_hop=Address("10.0.0.1"), med=7),
        ),
    ),
)
WITH_CHECKS: Final = replace(FINE, agent=replace(NODE, health=ILL))
SCENE: Final = near(WITH_CHECKS, inventory=INVENTORY, routes=ROUTES)

Document = Mapping[str, object]


def listed(noun: Noun) -> Document:
    """Return a list of what the node has."""
    return list_document(noun.kind, noun.items(SCENE))


def first(noun: Noun) -> Document:
    """Return the first item of it."""
    return item_document(noun.kind, noun.items(SCENE)[0])


MADE: Final[Mapping[str, Callable[[], Document]]] = {
    "NodeStatus": lambda: status_document(SICK),
    "FleetStatus": lambda: fleet_document(fleet_status(both(FINE, SICK), where="https://api")),
    "HostStatus": lambda: host_document(HostView(status=STATUS, node="n1")),
    "FailoverList": lambda: timeline_document(FAILOVERS),
    "JoinedFailoverList": lambda: joined_document(join(TAKEOVER)),
    "EventList": lambda: eventlist.document((DOWN,), {"agent": "gone"}),
    "Examination": lambda: doctor.document((*examined(WELL), *examined(NOTHING)), "n1"),
    "Validation": lambda: validation_document(validate((Path("/nonexistent"),))),
    "RouteDifference": lambda: difftext.difference_document(
        difference(speaker(ROW, replace(ROW, told=None)), agent(WISH), [PATH])
    ),
    "Rehearsal": lambda: rehearsal_document(
        rehearse(PRESENT, [ours("BGPAdvertisement", "all", communities=["65000:7"])])
    ),
    "ProbeResult": lambda: probetable.document(
        Outcome(address=Address("203.0.113.9"), nodes=("n1", "n2"), routers=(ROUTER,))
    ),
    "ExplanationList": lambda: everywhere(FLEET, "web", now=NOW, since=NOW - 60).document,
    "NodeOutlook": lambda: explainnode.outlook_document(
        explainnode.outlook(FINE, (Prefix("203.0.113.10/32"),))
    ),
    "Migration": lambda: migratetable.stand_document(stand(cluster(*HALF_WAY), OURS)),
    "MigrationCheck": lambda: migratetable.check_document(check(cluster(*HALF_WAY), lambda _: ())),
    **{f"{noun.kind}List": partial(listed, noun) for noun in NOUNS},
    **{noun.kind: partial(first, noun) for noun in NOUNS},
}


def examined(facts: Any) -> tuple[doctor.Finding, ...]:
    """Return what doctor says of *facts*."""
    return tuple(doctor.examine(facts, CHECKS))


@pytest.mark.parametrize("printed", PRINTED, ids=lambda printed: printed.kind)
def test_each_kind_of_document_is_as_its_schema_says(printed: Any) -> None:
    """None is described that nobody has seen, and no field is too many."""
    document = json.loads(dump(MADE[printed.kind](), "json"))
    assert document["kind"] == printed.kind
    assert faults(document) == []


def test_every_kind_has_one_schema() -> None:
    """And every schema is one by the rules of JSON Schema."""
    kinds = [one.kind for one in PRINTED]
    assert sorted(kinds) == sorted(set(kinds)) == sorted(MADE)
    for one in PRINTED:
        Draft202012Validator.check_schema(schema_of(one))


@given(view=views)
@calm
def test_every_status_is_as_its_schema_says(view: View) -> None:
    """Whatever a node says, and whatever of it cannot be had."""
    assert faults(json.loads(dump(status_document(view), "json"))) == []


def test_a_field_too_many_is_found() -> None:
    """The comparison is worth something."""
    document = json.loads(dump(status_document(FINE), "json"))
    document["speaker"]["sessions"][0]["surprise"] = 1
    del document["state"]
    assert len(faults(document)) == 2


def test_fields_say_what_they_mean() -> None:
    """What the source says of a field is what its schema says."""
    schema = json.loads(files()["Session.json"])
    status = schema["$defs"]["SessionStatus"]["properties"]
    assert status["holdTime"]["description"].startswith("Negotiated, seconds")
    assert status["holdTime"]["type"] == ["integer", "null"]
    assert "Established" in status["state"]["enum"]


def test_the_page_names_every_schema() -> None:
    """A reader finds which command prints what, and each link leads somewhere."""
    page = (ROOT / "docs/reference/schemas.md").read_text()
    for one in PRINTED:
        assert f"`{one.command} -o json`" in page
        assert (ROOT / FOLDER / f"{one.kind}.json").is_file()


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("status",), id="status"),
        pytest.param(("timeline",), id="timeline"),
        pytest.param(("events",), id="events"),
        pytest.param(("explain",), id="explain"),
        pytest.param(("explain", "default/web"), id="explain a Service"),
        pytest.param(("explain", "node"), id="explain node"),
        pytest.param(("get", "host"), id="get host"),
        *(pytest.param(("get", noun.plural), id=f"get {noun.plural}") for noun in NOUNS),
        pytest.param(("get", "session", "tor-a"), id="get one session"),
    ],
)
def test_what_a_command_prints_is_as_its_schema_says(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    """The program itself, as a script would call it."""
    answers = {
        "status": Answer(content=WITH_CHECKS.agent),
        "inventory": Answer(content=INVENTORY),
        "events": Answer(content=[DOWN]),
        "grounds": Answer(content=[]),
    }
    speaking = {
        "status": Answer(content=SPEAKER),
        "routes": Answer(content=ROUTES),
        "timeline": Answer(content=FAILOVERS),
        "events": Answer(content=[DOWN]),
        "drain": Answer(content={"alone": []}),
    }

    async def story() -> Result:
        async with serving(tmp_path, agent=answers, speaker=speaking):
            return await bgpctl(*words, "-o", "json", "--run-dir", str(tmp_path))

    result = asyncio.run(story())
    assert result.status in {0, 3}, result.errors
    document = json.loads(result.output)
    assert document["apiVersion"] == "bgpd.io/v1alpha1"
    assert faults(document) == []
