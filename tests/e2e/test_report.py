"""What a run says, and what runs in it."""

import pytest

from tests.cluster.error import ClusterError
from tests.e2e import workload
from tests.e2e.confinement import differences
from tests.e2e.pages import commands
from tests.e2e.report import Finding, bursts, page, table
from tests.e2e.story import REPOSITORY, VALUES, reference


def test_a_promise_holds_up_to_its_limit() -> None:
    """A figure without a limit is told and not judged."""
    findings = [
        Finding(what="worst gap", value=500, unit="ms", limit=500),
        Finding(what="packets lost", value=1, unit="", limit=0),
        Finding(what="time", value=9, unit="s"),
    ]
    assert [one.held for one in findings] == [True, False, True]
    lines = table(findings).splitlines()
    assert lines[0].endswith("held (at most 500)")
    assert "NOT HELD (at most 0)" in lines[1]
    assert lines[2].endswith("9 s")


def test_losses_are_told_as_bursts() -> None:
    """Whoever has to find out why needs to know when, not a thousand times."""
    assert bursts([3.0, 1.0, 1.2, 1.4]) == "1.00-1.40 (3), 3.00-3.00 (1)"


def test_the_chart_is_told_three_things() -> None:
    """Three values suffice: a pool, our ASN and the peers."""
    assert len(VALUES) == 3
    assert reference().startswith(f"{REPOSITORY}:")


def test_the_workload_is_reached_on_the_node_that_it_runs_on() -> None:
    """Each node answers for itself, so that a client sees which one it was."""
    _, deployment, service = workload.documents("image:1", 3)
    assert service["spec"]["externalTrafficPolicy"] == "Local"
    assert {port["protocol"] for port in service["spec"]["ports"]} == {"TCP", "UDP"}
    assert deployment["spec"]["replicas"] == 3


def test_stories_stand_beside_each_other() -> None:
    """The page has a row for each step and a column for each helm; what was missed is said."""
    findings = [
        Finding(what="image", value=7.5, unit="s"),
        Finding(what="upgrade", value=20, unit="s", story="helm 3"),
        Finding(what="  lost", value=0, unit="", limit=0, story="helm 3"),
        Finding(what="uninstall", value=9, unit="s", story="helm 3"),
        Finding(what="upgrade", value=22, unit="s", story="helm 4"),
        Finding(what="  lost", value=2, unit="", limit=0, story="helm 4"),
        Finding(what="other key", value=8, unit="s", story="helm 4"),
        Finding(what="  lost", value=0, unit="", limit=0, story="helm 4"),
        Finding(what="uninstall", value=7, unit="s", story="helm 4"),
    ]
    assert page(findings, "Measured once.").splitlines()[-9:] == [
        "",
        "| what | helm 3 | helm 4 | at most |",
        "| --- | --- | --- | --- |",
        "| image | 7.5 s | 7.5 s | - |",
        "| upgrade | 20 s | 22 s | - |",
        "| ... lost | 0 | 2 | 0 (missed) |",
        "| other key | - | 8 s | - |",
        "| ... lost | - | 0 | 0 |",
        "| uninstall | 9 s | 7 s | - |",
    ]


def test_the_story_types_what_the_pages_say() -> None:
    """The commands of both rotations are those of the pages, and a heading that went is named."""
    assert "--set mesh.rotation=2026-11" in commands("how-to/rotate-mesh-key.md", "With the chart")
    own = commands("how-to/rotate-mesh-key.md", "With a Secret of your own (`mesh.existingSecret`)")
    assert own.count("my-mesh") == 2
    changed = commands("how-to/rotate-password.md", "2. Change it here")
    assert "generic tor-a" in changed
    assert '"$PASSWORD" | kubectl apply -f -' in changed
    with pytest.raises(ClusterError, match="no commands below 'Elsewhere'"):
        commands("how-to/rotate-password.md", "Elsewhere")


def test_a_right_too_many_is_named() -> None:
    """A process with another bounding set, without a filter or with a root to write is told."""
    process = {
        "Name": ["python3"],
        "Uid": ["65532"] * 4,
        "Gid": ["65532"] * 4,
        "NoNewPrivs": ["1"],
        "Seccomp": ["2"],
        **{name: [f"{0:016x}"] for name in ("CapBnd", "CapInh", "CapAmb")},
        "root": ["ro"],
    }
    rendered = {
        "Uid": "65532",
        "Gid": "65532",
        "NoNewPrivs": "1",
        "Seccomp": "2",
        **dict.fromkeys(("CapBnd", "CapInh", "CapAmb"), f"{0:016x}"),
        "root": "ro",
    }
    assert differences(rendered, [process]) == []
    more = {"CapBnd": ["00000000a80425fb"], "Seccomp": ["0"], "root": ["rw"]}
    assert differences(rendered, [process, {**process, **more}]) == [
        "python3: Seccomp is 0, rendered is 2",
        "python3: CapBnd is 00000000a80425fb, rendered is 0000000000000000",
        "python3: root is rw, rendered is ro",
    ]
