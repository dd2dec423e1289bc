"""Where local health stands among the reasons, and what it does to a route that is advertised."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from bgpd.model.configuration import BFDProfile, NodePolicy
from bgpd.model.health import HealthCheck, HTTPGet
from bgpd.model.member import DrainTrigger, SpeakerPolicy
from bgpd.model.peer import BFD, Lever
from bgpd.model.reason import Reason
from bgpd.policy.service import decide
from bgpd.policy.startup import SLOW
from bgpd.policy.verdict import FINE, Verdict
from tests.policy.build import Cluster, node, peer, service, slices

NO = Verdict(reason=Reason.HEALTH_CHECK_FAILED, message="HealthCheck default/c: it hangs")


def test_a_verdict_withholds_every_address_and_names_the_service() -> None:
    """One sentence for each, the same for every peer."""
    asked = service("web", "198.51.100.1", "2001:db8:1::1")
    found = decide(asked, slices("n1"), Cluster().context(), NO)
    assert found.advertisements == ()
    assert {one.reason for one in found.withheld} == {Reason.HEALTH_CHECK_FAILED}
    assert {one.message for one in found.withheld} == {
        "Service default/web: HealthCheck default/c: it hangs"
    }
    assert len(found.withheld) == 2


@pytest.mark.parametrize(
    ("cluster", "asked", "serving", "reason"),
    [
        pytest.param(Cluster(), service(load_balancer=False), ("n1",), Reason.NOT_LOAD_BALANCER,
                     id="a Service that is not ours is not judged"),
        pytest.param(Cluster(), service(local=True), ("n2",), Reason.NO_LOCAL_ENDPOINTS,
                     id="without an endpoint nothing is asked"),
        pytest.param(Cluster(), service(), (), Reason.NO_ENDPOINTS,
                     id="without any endpoint neither"),
        pytest.param(Cluster(peers=()), service(), ("n1",), Reason.HEALTH_CHECK_FAILED,
                     id="health comes before peers"),
    ],
)  # fmt: skip
def test_the_first_true_reason_wins(
    cluster: Cluster, asked: object, serving: tuple[str, ...], reason: Reason
) -> None:
    """As the reasons are listed."""
    assert isinstance(asked, type(service()))
    found = decide(asked, slices(*serving), cluster.context(), NO)
    assert [one.reason for one in found.withheld] == [reason]


def test_nothing_known_is_as_if_nobody_had_asked() -> None:
    """Whoever decides without a verdict decides as ever."""
    context = Cluster().context()
    assert decide(service(), slices("n1"), context, FINE) == decide(
        service(), slices("n1"), context
    )


@pytest.mark.parametrize("lever", [Lever.MED, Lever.NONE])
def test_first_routes_rank_behind_others(lever: Lever) -> None:
    """After a slow start a node is liked as any other."""
    context = Cluster(peers=(peer(lever=lever),)).context()
    (slow,) = decide(service(), slices("n1"), context, SLOW).advertisements
    (usual,) = decide(service(), slices("n1"), context).advertisements
    assert (slow.rank, usual.rank) == (240, 0)


def test_the_context_says_what_is_checked_and_whether_to_drain() -> None:
    """Both change with documents, so they are worked out once for all Services."""
    check = HealthCheck(namespace="default", name="c", probe=HTTPGet())
    policy = NodePolicy(name="p", policy=SpeakerPolicy(drain=DrainTrigger.ON_CORDON))
    cordoned = node("n1", unschedulable=True)
    cluster = Cluster(nodes=(cordoned,), policies=(policy,), health_checks=(check,))
    context = cluster.context()
    assert context.checks.of(service()) == (check,)
    assert context.drain == "Node n1 is cordoned"
    assert Cluster().context().drain == ""


FAST = BFDProfile(name="fast", receive_interval=50, transmit_interval=60, detect_multiplier=4,
                  minimum_ttl=250, passive_mode=True, key_id=7)  # fmt: skip
NEAR = BFD(receive_milliseconds=50, transmit_milliseconds=60, multiplier=4, passive=True,
           key_id=7)  # fmt: skip
FAR = replace(NEAR, multihop=True, minimum_ttl=250)


@pytest.mark.parametrize(
    ("changes", "profiles", "bfd"),
    [
        pytest.param({}, {"fast": FAST}, None, id="a peer without a profile"),
        pytest.param({"bfd_profile": "fast"}, {"fast": FAST}, NEAR, id="a neighbor: TTL 255"),
        pytest.param({"bfd_profile": "fast", "ttl": 255}, {"fast": FAST}, FAR,
                     id="several hops: the profile's TTL"),
        pytest.param({"bfd_profile": "fast", "ttl": 1}, {"fast": FAST}, NEAR, id="one hop"),
        pytest.param({"bfd_profile": "fast", "ttl_security": 255}, {"fast": FAST}, NEAR,
                     id="GTSM says that it is near"),
        pytest.param({"bfd_profile": "fast", "ttl_security": 254}, {"fast": FAST}, FAR,
                     id="GTSM says that it is two hops away"),
        pytest.param({"bfd_profile": "fast"}, {}, None, id="a profile that nobody has"),
        pytest.param({"bfd_profile": "fast"}, None, None, id="profiles that nobody reads"),
    ],
)  # fmt: skip
def test_a_profile_becomes_the_bfd_of_a_session(
    changes: Mapping[str, Any], profiles: Mapping[str, BFDProfile] | None, bfd: BFD | None
) -> None:
    """Complete, so that the speaker looks nothing up; the session is there in any case."""
    (found,) = Cluster(peers=(peer(**changes),), bfd_profiles=profiles).context().peers
    assert found.bfd == bfd


KEYED = BFDProfile(name="keyed", password_file="/run/bfd")  # noqa: S106 - a path


@pytest.mark.parametrize(
    ("passwords", "password", "refused"),
    [
        pytest.param({"/run/bfd": "k"}, "k", "", id="the key in the file"),
        pytest.param({}, None, "BFDProfile keyed: spec.passwordFile /run/bfd", id="no file"),
        pytest.param({"/run/bfd": "k" * 21}, None, "must have 1..20 bytes", id="too long a key"),
    ],
)
def test_a_key_of_bfd_comes_from_a_file(
    passwords: Mapping[str, str], password: str | None, refused: str
) -> None:
    """Without it there is no session, and a sentence says why."""
    cluster = Cluster(
        peers=(peer(bfd_profile="keyed"),), bfd_profiles={"keyed": KEYED}, passwords=passwords
    )
    context = cluster.context()
    assert [one.bfd.password for one in context.peers if one.bfd] == [password] * bool(password)
    assert any(refused in one for one in context.errors) is bool(refused)


def test_a_key_that_goes_leaves_the_session_as_it_is() -> None:
    """A file that is being replaced closes nothing."""
    cluster = Cluster(
        peers=(peer(bfd_profile="keyed"),),
        bfd_profiles={"keyed": KEYED},
        passwords={"/run/bfd": "k"},
    )
    before = cluster.context()
    after = Cluster(peers=cluster.peers, bfd_profiles=cluster.bfd_profiles).context(before)
    assert after.peers == before.peers
    assert after.errors
