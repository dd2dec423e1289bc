"""The values for helm of an example are the same configuration as its documents."""

from pathlib import PurePosixPath
from typing import Any

import pytest

from tests.chart.render import HELMS, documents, found, render, values_of
from tests.examples.sets import EXAMPLES, SETS, Set

FOR_HELM = [one for one in SETS if (EXAMPLES / one.name / "helm").exists()]
each_of_them = pytest.mark.parametrize("one", FOR_HELM, ids=lambda one: one.name)


def rendered(one: Set, program: str = HELMS[0]) -> list[dict[str, Any]]:
    """Return what the chart makes of the example's values."""
    return render(values_of(EXAMPLES / one.name / "helm" / "values.yaml"), program)


def by_name(text: str) -> dict[tuple[str, str], Any]:
    """Return kind and name -> the document."""
    return {(one["kind"], one["metadata"]["name"]): one for one in documents(text)}


def routing(one: Set) -> dict[tuple[str, str], Any]:
    """Return the documents of the example that helm's values stand for."""
    return by_name((EXAMPLES / one.name / "routing.yaml").read_text())


def test_each_provider_has_values() -> None:
    """Whoever installs by helm at a provider writes no document about routes."""
    assert [one for one in SETS if one.site] == FOR_HELM


@pytest.mark.parametrize("program", HELMS)
@each_of_them
def test_the_chart_makes_the_documents_of_them(one: Set, program: str) -> None:
    """No other ones, and none that differs."""
    made = found(rendered(one, program), "ConfigMap", "bgpd-documents")["data"]
    assert by_name("\n".join(made.values())) == routing(one)


@each_of_them
def test_an_agent_may_do_what_the_provider_needs(one: Set) -> None:
    """Add host routes, and read the password or the token that the customer brings."""
    made = rendered(one)
    pod = found(made, "DaemonSet", "bgpd-agent")["spec"]["template"]["spec"]
    (agent,) = (each for each in pod["containers"] if each["name"] == "agent")
    assert agent["securityContext"]["capabilities"]["add"] == ["NET_ADMIN"]
    (peer,) = (each["spec"] for (kind, _), each in routing(one).items() if kind == "BGPPeer")
    if "passwordSecret" in peer:
        (rule,) = found(made, "Role", "bgpd-agent-passwords")["rules"]
        assert rule["resourceNames"] == [peer["passwordSecret"]["name"]]
    if "providerTokenFile" in peer:
        place = str(PurePosixPath(peer["providerTokenFile"]).parent)
        assert place in {each["mountPath"] for each in agent["volumeMounts"]}


@each_of_them
def test_the_page_says_how_they_are_installed(one: Set) -> None:
    """The file by its path, and the names of the sessions that come of it."""
    page = (EXAMPLES / one.name / "README.md").read_text()
    assert f"--values config/examples/{one.name}/helm/values.yaml" in page
    assert next(iter(one.routes)) in page
