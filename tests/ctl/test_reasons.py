"""Every `Reason` is reached by facts, explained, and documented, by one word everywhere."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given

from bgpd.agent.metrics import Reading
from bgpd.agent.metrics import families as agent_families
from bgpd.ctl.explainask import prefix_of
from bgpd.ctl.explainchain import chains
from bgpd.ctl.explainlink import Chain, Step
from bgpd.ctl.explainnode import outlook, outlook_text
from bgpd.ctl.explainsubject import covers, subjects
from bgpd.ctl.explaintext import chains_document, chains_text
from bgpd.ctl.gates import AGENT_GATES, MEANINGS, PEER_GATES, Decider, gate_of
from bgpd.ctl.view import View
from bgpd.kube.wellbeing import wellbeing
from bgpd.kube.withholding import withholding
from bgpd.model.cluster import EXCLUDE_LABEL
from bgpd.model.grounds import PeerRoute, SpeakerRoutes
from bgpd.model.peer import PeerName
from bgpd.model.prefix import Address, Prefix
from bgpd.model.reason import Reason
from bgpd.model.route import Attributes
from bgpd.model.status import DrainPhase, DrainStatus
from bgpd.policy.verdict import FINE
from bgpd.speaker.metrics import _routes as speaker_routes
from bgpd.telemetry import agentmetrics
from bgpd.telemetry.exposition import render
from bgpd.telemetry.instruments import Histogram
from bgpd.telemetry.withheld import WithheldLog
from tests.agent.test_judging import WAIT
from tests.agent.test_planner import endpoints, ours, service
from tests.ctl.reasonrig import Case, Station, cases, changed, labeled, selecting
from tests.ctl.samples import NODE, SPEAKER, route
from tests.ctl.test_table import calm, views

PAGE: Final = Path(__file__).parents[2] / "docs/reference/reasons.md"
HOP: Final = Address("10.0.0.1")
REASONS: Final = [pytest.param(reason, id=reason.value) for reason in Reason]


def explained(case: Case) -> tuple[Chain, ...]:
    """Return the chains that `bgpctl explain` shows for *case*."""
    found = subjects(case.view, case.what, prefix_of(case.what), case.grounds)
    return chains(case.view, found, case.routes)


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_is_reached_and_explained_by_its_word(reason: Reason) -> None:
    """From documents or from what routers say, through the real parts, to the word on a screen."""
    reached = cases(reason)
    assert reached
    for case in reached:
        stops = [
            link
            for chain in explained(case)
            for link in (*chain.links, *(one for peer in chain.peers for one in peer.links))
            if link.step is Step.STOPS
        ]
        assert reason in [one.reason for one in stops]
        text = chains_text(explained(case))
        assert f"{reason.value}:" in text
        assert max(map(len, text.splitlines())) <= 80
        assert reason.value in str(chains_document(explained(case)))


@pytest.mark.parametrize("reason", REASONS)
def test_a_chain_passes_what_comes_before_and_does_not_reach_what_comes_after(
    reason: Reason,
) -> None:
    """No gate behind the one that stops is told as if it had been asked."""
    for case in cases(reason):
        for chain in explained(case):
            ways = [(*chain.links, *peer.links) for peer in chain.peers] or [chain.links]
            for way in ways:
                steps = [one.step for one in way]
                stop = steps.index(Step.STOPS) if Step.STOPS in steps else len(steps)
                assert all(step is Step.PASSED for step in steps[:stop])
                assert all(step is Step.NOT_REACHED for step in steps[stop + 1 :])


@pytest.mark.parametrize("reason", REASONS)
def test_the_word_is_the_same_in_explain_log_metric_and_event(reason: Reason) -> None:
    """Whoever greps for it at 3 a.m. finds the same thing in four places, and one page on it."""
    for case in cases(reason):
        word = f'reason="{reason.value}"'
        assert f"{reason.value}:" in chains_text(explained(case))
        (line,) = WithheldLog().look((case.withheld,), 0.0)
        assert ("reason", reason.value) in line.keys
        assert re.search(rf"^bgpd_routes_withheld{{{word}}} [1-9]", _metrics(case), re.MULTILINE)
        assert reason.value in _events(case)
    assert f"\n## {reason.value}\n" in PAGE.read_text()


def _metrics(case: Case) -> str:
    """Return what Prometheus reads of whoever decided."""
    if case.view.agent is not None:
        histogram = Histogram(agentmetrics.RECONCILE_SECONDS)
        reading = Reading(most=1000, reconciles=histogram, withheld=(case.withheld,))
        return "".join(render(agent_families(reading)))
    assert case.view.speaker is not None
    return "".join(render(speaker_routes(case.view.speaker)))


def _events(case: Case) -> list[str]:
    """Return the reasons of the Events about a route that is withheld from now on."""
    prefix = case.withheld.prefix or Prefix("203.0.113.1/32")
    peer = case.withheld.peer or PeerName("tor-a")
    gone = replace(SPEAKER, routes=(route(prefix, peer),))
    before = replace(NODE, speaker=gone, withheld=(), services={prefix: ("default/web",)})
    after = replace(before, speaker=replace(gone, routes=()), withheld=(case.withheld,))
    drained = replace(gone, routes=(), drain=DrainStatus(phase=DrainPhase.DRAINED))
    return [
        *(one.reason for one in withholding(before, after)),
        *(one.reason for one in wellbeing(before, replace(before, speaker=drained))),
    ]


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_says_who_decides_and_what_would_change_it(reason: Reason) -> None:
    """One entry each, and one gate each."""
    found = MEANINGS[reason]
    gate = gate_of(reason)
    assert found.meaning.endswith(".")
    assert found.change
    agents, speakers = gate in AGENT_GATES, gate in PEER_GATES
    assert (found.decider is Decider.AGENT) is (agents and not speakers)


def test_the_gates_come_in_the_order_in_which_the_reasons_are_decided() -> None:
    """`Reason` says that its order is that of evaluation: the gates are the same order."""
    told = [reason for gate in (*AGENT_GATES, *PEER_GATES) for reason in gate.reasons]
    assert len(told) == len(set(told)) == len(Reason)
    order = list(Reason)
    places = [order.index(gate.reasons[0]) for gate in AGENT_GATES]
    assert places == sorted(places)


def test_a_service_with_every_fault_is_told_them_in_the_order_of_the_gates() -> None:
    """Mended one by one, each gate is the next to stop it: the chain is policy's own order."""
    station = Station()
    parts = dict(station.parts)
    wrong = service("web", "198.51.100.1")
    station.with_(
        service=changed(wrong, type="ClusterIP", loadBalancerClass="a.b/c"),
        advertisement=selecting("nodeSelectors"),
        node=labeled(parts["node"], EXCLUDE_LABEL),
        endpoints=endpoints("web", "n2"),
    )
    station.node.judge.general = WAIT
    nobody = ours("BGPAdvertisement", "all", peers=["x"])
    mends: list[tuple[Reason, dict[str, Any]]] = [
        (Reason.NOT_LOAD_BALANCER, {"service": changed(wrong, loadBalancerClass="a.b/c")}),
        (Reason.OTHER_LOAD_BALANCER_CLASS, {"service": {**parts["service"], "status": {}}}),
        (Reason.NO_ADDRESS, {"service": wrong}),
        (Reason.ADDRESS_NOT_IN_POOL, {"service": parts["service"]}),
        (Reason.NODE_NOT_SELECTED, {"advertisement": selecting("serviceSelectors")}),
        (Reason.NO_MATCHING_ADVERTISEMENT, {"advertisement": nobody}),
        (Reason.NODE_EXCLUDED, {"node": parts["node"]}),
        (Reason.NO_LOCAL_ENDPOINTS, {"endpoints": parts["endpoints"]}),
        (Reason.STARTING_UP, {}),
        (Reason.NO_PEER, {"advertisement": parts["advertisement"]}),
    ]
    gates = [gate.name for gate in AGENT_GATES]
    reached = []
    for reason, mend in mends:
        case = station.write().case(reason)
        (chain,) = explained(case)
        assert chain.stop is not None
        reached.append(gates.index(chain.stop.gate))
        station.with_(**mend)
        if reason is Reason.STARTING_UP:
            station.node.judge.general = FINE
            station.node.again(["default/web"])
    assert reached == sorted(reached)
    assert station.write().node.planner.advertises("default/web")


def test_no_module_makes_up_a_word() -> None:
    """Whoever withholds a route does it with a member of `Reason`, never with a text of its own."""
    root = Path(__file__).parents[2] / "bgpd"
    made = [
        path
        for path in root.rglob("*.py")
        if re.search(r"Withheld\([^)]*reason=[\"']", path.read_text(), re.DOTALL)
    ]
    assert made == []


def test_an_address_in_a_block_that_is_advertised_as_one_is_explained_by_the_block() -> None:
    """`aggregationLength`: the route that routers hear is not the /32 that people ask for."""
    station = Station().with_(advertisement=ours("BGPAdvertisement", "all", aggregationLength=28))
    view, grounds = station.write().view(), station.grounds()
    block = Prefix("203.0.113.0/28")
    told = PeerRoute(peer=PeerName("tor-a"), prefix=block, told=Attributes(next_hop=HOP))
    routes = SpeakerRoutes(node="n1", routes=(told,), established=(PeerName("tor-a"),))
    for what in ("default/web", "203.0.113.1"):
        found = subjects(view, what, prefix_of(what), grounds)
        (chain,) = chains(view, found, routes, peer="tor-a")
        assert chain.prefix == block
        assert "advertised to tor-a" in chains_text([chain])


@pytest.mark.parametrize(
    ("block", "prefix", "answer"),
    [
        ("203.0.113.0/28", "203.0.113.15/32", True),
        ("203.0.113.0/28", "203.0.113.16/32", False),
        ("203.0.113.1/32", "203.0.113.1/32", True),
        ("203.0.113.1/32", "203.0.113.0/28", False),
        ("2001:db8::/64", "2001:db8::7/128", True),
        ("2001:db8::/64", "203.0.113.1/32", False),
    ],
)
def test_a_block_covers_what_is_in_it(block: str, prefix: str, answer: bool) -> None:
    """Of its own family."""
    assert covers(Prefix(block), Prefix(prefix)) is answer


@calm
@given(view=views)
def test_every_screen_of_explain_fits_a_terminal(view: View) -> None:
    """Whatever state a node is in, and whatever is asked: 80 columns, and never a traceback."""
    services = view.agent.services if view.agent is not None else {}
    asked = {
        *services,
        *(name for names in services.values() for name in names),
        *(one.service or str(one.prefix) for one in view.withheld),
        *(one.prefix for one in (view.speaker.routes if view.speaker is not None else ())),
    }
    for what in sorted(asked):
        found = chains(view, subjects(view, what, prefix_of(what), ()), None)
        text = chains_text(found)
        assert max(map(len, text.splitlines()), default=0) <= 80
        assert len(json.loads(json.dumps(chains_document(found)))) == len(found)
    outlooks = (outlook(view, ()), outlook(view, tuple(services)), outlook(view, "nobody knows"))
    assert all(max(map(len, outlook_text(one).splitlines())) <= 80 for one in outlooks)
