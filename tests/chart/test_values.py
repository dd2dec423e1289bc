"""Each value is described, closed, read, and does what it says; a wrong one is refused."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
import yaml

from bgpd.kube.kinds import CONFIGURED
from bgpd.telemetry.metricsoptions import parse_addresses
from tests.chart.definitions import (
    CHART,
    KINDS,
    README,
    SCHEMA,
    readme_text,
    rows,
    schema_text,
)
from tests.chart.golden import normal
from tests.chart.render import CI, HELMS, Document, found, refusal, render, template, values_of
from tests.chart.test_render import containers, options

DEFAULTS: Final[Document] = yaml.safe_load((CHART / "values.yaml").read_text())
EVERYTHING: Final = values_of(CHART / "ci" / "everything.yaml")
OTHERWISE: Final = values_of(CHART / "ci" / "no-controller.yaml")
"""What everything.yaml cannot say at the same time."""
ALONE: Final[dict[str, tuple[Document, Any]]] = {
    "agent.manageHost": ({}, "Always"),
    "controller.networkPolicy.enabled": ({}, False),
    "mesh.existingSecret": ({}, "mine"),
    "myASN": ({"provider": "packet"}, 64512),
    "passwordSecrets.mounted": ({}, ["tor-b"]),
    "peers": ({"myASN": 64512, "provider": "packet"}, ["64601@192.0.2.1"]),
    "pool": ({}, ["203.0.113.0/26"]),
}
"""Values that mean nothing beside all others, each with what it is tried with."""
PATHS: Final = [name for name, _, _ in rows(json.loads(SCHEMA.read_text()), DEFAULTS)]


def schemas(schema: Any, path: str = "") -> Iterator[tuple[str, Document]]:
    """Yield every schema in *schema* with its place."""
    if isinstance(schema, list):
        for number, one in enumerate(schema):
            yield from schemas(one, f"{path}[{number}]")
        return
    if not isinstance(schema, dict):
        return
    yield path, schema
    for key, one in schema.items():
        if key in {"properties", "definitions"}:
            for name, each in one.items():
                yield from schemas(each, f"{path}.{name}")
        elif key in {"items", "then", "allOf", "additionalProperties"}:
            yield from schemas(one, f"{path}.{key}")


def at(values: Document, path: str) -> Any:
    """Return the value at *path*, or None."""
    found_: Any = values
    for step in path.split("."):
        found_ = found_.get(step) if isinstance(found_, dict) else None
    return found_


def put(values: Document, path: str, value: Any) -> Document:
    """Return *values* with *value* at *path*."""
    copied: Document = copy.deepcopy(values)
    place = copied
    *steps, last = path.split(".")
    for step in steps:
        place = place.setdefault(step, {})
    place[last] = value
    return copied


def test_nothing_unknown_is_taken_anywhere() -> None:
    """Every object of the schema is closed, or says why it is not."""
    for path, one in schemas(json.loads(SCHEMA.read_text())):
        if "object" in str(one.get("type")):
            closed = one.get("additionalProperties") is False
            texts = isinstance(one.get("additionalProperties"), dict)
            assert closed or texts or one.get("$comment"), path


def test_every_value_is_described() -> None:
    """In the schema and so in the README."""
    schema = json.loads(SCHEMA.read_text())
    for path, _, meaning in rows(schema, DEFAULTS):
        assert meaning[0].isupper(), path
        assert meaning.rstrip("`").endswith((".", ":")), path
    assert json.loads(schema_text()) == schema, "python -m tests.chart writes it anew"
    assert readme_text() == README.read_text(), "python -m tests.chart writes it anew"


def test_the_values_and_the_schema_name_the_same() -> None:
    """A value without a default would have no meaning where it is left out."""
    schema = json.loads(SCHEMA.read_text())
    documented = set(schema["properties"]) - {"global"}
    assert documented == set(DEFAULTS)
    assert set(KINDS) == CONFIGURED - {"L2Advertisement"}


@pytest.mark.parametrize("path", PATHS)
def test_every_value_has_an_effect(path: str) -> None:
    """With everything set, each value that goes back to its default changes what is rendered."""
    default = at(DEFAULTS, path)
    base, value = ALONE.get(path, (EVERYTHING, at(EVERYTHING, path)))
    if value is None or value == default:
        base, value = OTHERWISE, at(OTHERWISE, path)
    assert value not in (None, default), "neither everything.yaml nor no-controller.yaml sets it"
    with_it, without = put(base, path, value), put(base, path, default)
    assert normal(template(with_it)) != normal(template(without))


def daemon(values: Document) -> Document:
    """Return the pod of the DaemonSet."""
    found_: Document = found(render(values), "DaemonSet", "bgpd-agent")["spec"]["template"]["spec"]
    return found_


def container(name: str) -> Callable[[Document], Document]:
    """Return what finds a container by its name."""

    def find(values: Document) -> Document:
        return dict(containers(render(values)))[name]

    return find


SPEAKER: Final = container("bgpd-agent/speaker")
AGENT: Final = container("bgpd-agent/agent")
CONTROLLER: Final = container("bgpd-controller/controller")


def documents(values: Document) -> Document:
    """Return the documents of the values by kind and name."""
    data = found(render(values), "ConfigMap", "bgpd-documents").get("data") or {}
    them = [one for text in data.values() for one in yaml.safe_load_all(text) if one]
    return {f"{one['kind']} {one['metadata']['name']}": one.get("spec") for one in them}


def test_three_values_are_a_pool_an_advertisement_and_peers() -> None:
    """What `helm install` with three values configures."""
    values = {"pool": ["203.0.113.0/26"], "myASN": 64512, "peers": ["64601@192.0.2.1"]}
    assert documents(values) == {
        "IPAddressPool default": {"addresses": ["203.0.113.0/26"]},
        "BGPAdvertisement default": {"ipAddressPools": ["default"]},
        "BGPPeer peer-1": {"myASN": 64512, "peerASN": 64601, "peerAddress": "192.0.2.1"},
    }


def test_two_values_suffice_where_a_provider_names_the_routers() -> None:
    """And the agents may add the route to them, because providers have it so."""
    values = {"pool": ["203.0.113.0/26"], "provider": "packet"}
    assert documents(values)["BGPPeer packet"] == {"provider": "packet"}
    assert AGENT(values)["securityContext"]["capabilities"]["add"] == ["NET_ADMIN"]


def test_without_values_there_are_no_documents() -> None:
    """They come from the API then."""
    assert documents({}) == {}


def test_autonomous_systems_of_four_bytes_stay_numbers() -> None:
    """Helm reads numbers as Go's floats, and might write 4.2e+09."""
    values = {"myASN": 4200000001, "peers": ["4200000002@192.0.2.1", {"peerASN": 4200000003}]}
    found_ = documents(values)
    assert found_["BGPPeer peer-1"]["myASN"] == 4200000001
    assert found_["BGPPeer peer-1"]["peerASN"] == 4200000002
    assert found_["BGPPeer peer-2"]["peerASN"] == 4200000003


@pytest.mark.parametrize(
    ("manage", "more", "capability"),
    [
        ("Auto", {}, False),
        ("Auto", {"provider": "packet"}, True),
        ("Auto", {"peers": [{"myASN": 1, "peerASN": 2, "gateway": "default"}]}, True),
        ("Auto", {"speakerPolicy": {"host": {"egress": True}}}, True),
        ("Auto", {"speakerPolicy": {"host": {"egress": False}}}, False),
        ("Auto", {"speakerPolicy": {"drain": "WaitForConnections"}}, True),
        ("Auto", {"speakerPolicy": {"drain": "OnCordon"}}, False),
        ("Auto", {"documents": [{"kind": "IPAddressPool", "metadata": {"name": "p"},
                                 "spec": {"addresses": ["203.0.113.0/26"], "bindOnHost": True}}]},
         True),
        ("Always", {}, True),
        ("Never", {"provider": "packet"}, False),
    ],
)  # fmt: skip
def test_the_agent_manages_the_host_where_that_is_asked_for(
    manage: str, more: Document, capability: bool
) -> None:
    """NET_ADMIN and root come with what needs them; who cannot count connections always waits."""
    context = AGENT({"agent": {"manageHost": manage}, **more})["securityContext"]
    assert ("NET_ADMIN" in context["capabilities"].get("add", [])) is capability
    assert context["runAsUser"] == (0 if capability else 65532)


def test_a_digest_wins_over_a_tag_and_a_tag_over_the_version() -> None:
    """As everywhere."""
    digest = "sha256:" + "a" * 64
    for image, wanted in (
        ({}, "localhost/bgpd:0.1.0"),
        ({"tag": "v2"}, "localhost/bgpd:v2"),
        ({"tag": "v2", "digest": digest}, f"localhost/bgpd:v2@{digest}"),
        ({"digest": digest}, f"localhost/bgpd:0.1.0@{digest}"),
        ({"repository": "mirror.example:5000/a/b"}, "mirror.example:5000/a/b:0.1.0"),
    ):
        assert {one["image"] for _, one in containers(render({"image": image}))} == {wanted}


def test_metrics_are_on_the_loopback_address_until_a_prometheus_asks() -> None:
    """Then on the node's address too; the kubelet goes on asking on the loopback address."""
    alone: Document = {}
    asked: Document = {"monitoring": {"podMonitor": {"enabled": True}}}
    assert options(SPEAKER(alone))["--metrics-address"] == "127.0.0.1:7180"
    assert options(AGENT(asked))["--metrics-address"] == "127.0.0.1:7181,[$(BGPD_HOST_IP)]:7181"
    assert options(CONTROLLER(alone))["--metrics-address"] == "[$(BGPD_POD_IP)]:7182"
    for values in (alone, asked):
        assert AGENT(values)["livenessProbe"]["httpGet"]["host"] == "127.0.0.1"
        assert "host" not in CONTROLLER(values)["livenessProbe"]["httpGet"]


def test_metrics_are_served_on_nodes_of_either_family() -> None:
    """Kubernetes puts the node's address in place of the variable, of whichever family it is."""
    told = options(AGENT({"monitoring": {"podMonitor": {"enabled": True}}}))["--metrics-address"]
    for address in ("192.0.2.7", "2001:db8::7"):
        first, second = parse_addresses(told.replace("$(BGPD_HOST_IP)", address))
        assert (first.host, second.host) == ("127.0.0.1", address)
        assert first.port == second.port == 7181


def test_no_kubelet_ends_sessions_because_a_port_does_not_answer() -> None:
    """Whoever floods or holds the speaker's metrics port costs nothing but metrics."""
    assert [name for name in SPEAKER({}) if name.endswith("Probe")] == []


def test_with_a_certificate_probes_speak_tls() -> None:
    """Otherwise the first upgrade that sets it would restart every pod for ever."""
    values = {"monitoring": {"tlsSecret": "t", "podMonitor": {"enabled": True}}}
    for one in (AGENT(values), CONTROLLER(values)):
        assert one["livenessProbe"]["httpGet"]["scheme"] == "HTTPS"
    for one in (SPEAKER(values), AGENT(values), CONTROLLER(values)):
        assert "--metrics-tls-cert" in options(one)
    monitors = [one for one in render(values) if one["kind"] == "PodMonitor"]
    ends = [end for one in monitors for end in one["spec"]["podMetricsEndpoints"]]
    assert {one["scheme"] for one in ends} == {"https"}
    assert len(ends) == 3


def test_the_default_tolerates_every_taint() -> None:
    """Also bgpd.io/drain: a drained node needs its agent."""
    assert daemon({})["tolerations"] == [{"operator": "Exists"}]


def test_passwords_are_files_of_the_agent_alone() -> None:
    """No environment variable, no right to Secrets, and nothing for the speaker."""
    values = {"passwordSecrets": {"mounted": ["tor-a"]}}
    mounts = {one["name"]: one["mountPath"] for one in AGENT(values)["volumeMounts"]}
    assert mounts["password-0"] == "/etc/bgpd/passwords/tor-a"
    assert not any("password" in one["name"] for one in SPEAKER(values)["volumeMounts"])
    assert not any(one["metadata"]["name"] == "bgpd-agent-passwords" for one in render(values))


@pytest.mark.parametrize("path", [CHART / "values.yaml", *CI], ids=lambda one: one.stem)
def test_the_schema_takes_what_the_chart_shows(path: Any) -> None:
    """The defaults and the files of ci/ are legal for any JSON Schema validator, not helm alone."""
    import jsonschema  # noqa: PLC0415

    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.Draft7Validator(schema).validate(values_of(path))


@pytest.mark.parametrize("program", HELMS)
def test_a_misspelled_value_is_refused(program: str) -> None:
    """Whatever it is called, one more letter is no value; all of them are named."""
    values: Document = {}
    for path in PATHS:
        values = put(values, f"{path}x", at(DEFAULTS, path))
    lines = [one.strip() for one in refusal(values, program).splitlines()]
    for path in PATHS:
        place, _, last = path.rpartition(".")
        # Helm 3: `- image: Additional property tagx is not allowed`; 4: `- at '/image': ...`.
        pointer = "".join(f"/{step}" for step in place.split(".") if step)
        there = (f"- {place or '(root)'}: ", f"- at '{pointer}': ")
        assert any(one.startswith(there) and f"{last}x" in one for one in lines), path


@pytest.mark.parametrize("program", HELMS)
@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"peers": ["64601@192.0.2.1"]}, "set myASN"),
        ({"myASN": 64512}, "set peers or provider"),
        ({"advertisement": {"asPathPrepend": 1}}, "set pool"),
        (
            {"myASN": 1, "peers": [{"name": "a", "peerASN": 2}, {"name": "a", "peerASN": 3}]},
            "the name a stands twice",
        ),
        (
            {
                "pool": ["203.0.113.0/26"],
                "documents": [
                    {
                        "kind": "IPAddressPool",
                        "metadata": {"name": "default"},
                        "spec": {"addresses": ["198.51.100.0/28"]},
                    }
                ],
            },
            "more than one IPAddressPool default",
        ),
        (
            {
                "provider": "packet",
                "peers": [{"name": "packet", "myASN": 1, "peerASN": 2, "peerAddress": "192.0.2.1"}],
            },
            "more than one BGPPeer packet",
        ),
        (
            {"commonLabels": {"app.kubernetes.io/instance": "mine"}},
            "commonLabels: app.kubernetes.io/instance is a label that the chart sets",
        ),
        (
            {"nodes": {"labels": {"app.kubernetes.io/component": "mine"}}},
            "nodes.labels: app.kubernetes.io/component is a label that the chart sets",
        ),
        (
            {"mesh": {"existingSecret": "mine", "rotation": "1"}},
            "remove mesh.rotation",
        ),
        (
            {
                "speakerPolicy": {"drainSeconds": 100},
                "nodes": {"terminationGracePeriodSeconds": 60},
            },
            "set at least 115",
        ),
        (
            {
                "documents": [
                    {
                        "kind": "SpeakerPolicy",
                        "metadata": {"name": "b"},
                        "spec": {"drainSeconds": 100},
                    }
                ],
                "nodes": {"terminationGracePeriodSeconds": 60},
            },
            "the drain of the SpeakerPolicy b in documents takes 100 s",
        ),
        ({"pool": ["203.0.113.0/99"]}, "203.0.113.0/99 is no block"),
        ({"pool": ["203.0.113.0/26", "2001:db8::/129"]}, "2001:db8::/129 is no block"),
        ({"pool": ["203.0.113.7-203.0.113.256"]}, "203.0.113.7-203.0.113.256 is no block"),
        ({"myASN": 1, "peers": ["64601@192.0.2.300"]}, "64601@192.0.2.300 has no IPv4 or IPv6"),
        ({"myASN": 1, "peers": ["4294967296@192.0.2.1"]}, "must be 1..4294967295"),
        ({"speaker": {"metricsPort": 7181}}, "give one of them another"),
        ({"agent": {"metricsPort": 443}}, "add NET_BIND_SERVICE to agent.capabilities"),
        ({"pool": ["203.0.113.40-203.0.113.4"]}, "203.0.113.40-203.0.113.4 runs backwards"),
        (
            {"myASN": 1, "peers": ["2@2001:db8::a", "3@2001:DB8::A"]},
            "peer-1 and peer-2 have one address",
        ),
        (
            {"speakerPolicy": {"drainSeconds": 5, "drainMilliseconds": 100}},
            "which say the same; remove one",
        ),
        (
            {
                "myASN": 1,
                "peers": [
                    {
                        "peerASN": 2,
                        "peerAddress": "192.0.2.1",
                        "passwordFile": "/etc/bgpd/passwords/tor/password",
                    }
                ],
            },
            "add tor to the list",
        ),
        (
            {
                "documents": [
                    {
                        "kind": "BGPPeer",
                        "metadata": {"name": "p"},
                        "spec": {"provider": "vultr", "passwordSecret": {"name": "vultr-bgp"}},
                    }
                ]
            },
            "which agents may not read; add vultr-bgp",
        ),
    ],
    ids=[
        "peers without our own ASN",
        "our own ASN without peers",
        "an advertisement of no pool",
        "two peers of one name",
        "a document of the name that a value has",
        "a peer of the provider's name",
        "a label of all that selects pods",
        "a label of pods that selects them",
        "a new key for a Secret that is somebody else's",
        "less time than the drain takes",
        "less time than the drain of a document takes",
        "a block that is longer than an address",
        "a block of IPv6 that is longer than an address",
        "a range that ends with no address",
        "a router without an address",
        "an autonomous system of 33 bits",
        "two processes on one port of the node",
        "a port that takes a right, and no right",
        "a range whose ends are the wrong way round",
        "two routers at one address",
        "a drain of seconds and of milliseconds",
        "a key in a Secret that is not mounted",
        "a key in a Secret that may not be read",
    ],
)
def test_values_that_contradict_each_other_are_refused(
    values: Document, words: str, program: str
) -> None:
    """In one sentence that says what to do."""
    text = refusal(values, program)
    assert words in text
    (line,) = (one for one in text.splitlines() if words in one)
    assert "execution error" in line


@pytest.mark.parametrize("program", HELMS)
@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"pool": "203.0.113.0/26"}, "pool"),
        ({"pool": ["203.0.113.0"]}, "pool"),
        ({"peers": ["192.0.2.1"]}, "peers"),
        ({"myASN": 1, "peers": [{"peerASN": 0}]}, "peerASN"),
        ({"myASN": 1, "peers": [{"password": "x"}]}, "password"),
        ({"myASN": 1, "peers": [{"takeover": {"lever": "luck"}}]}, "lever"),
        ({"myASN": 1, "peers": ["2@192.0.2.1", "2@192.0.2.1"]}, "peers"),
        ({"provider": "linode"}, "provider"),
        ({"documents": [{"kind": "Service", "metadata": {"name": "x"}}]}, "kind"),
        ({"documents": [{"kind": "BGPPeer", "metadata": {}}]}, "name"),
        (
            {"documents": [{"kind": "BGPPeer", "metadata": {"name": "a"}, "spec": {"asn": 1}}]},
            "asn",
        ),
        ({"image": {"digest": "abc"}}, "digest"),
        ({"controller": {"replicas": 0}}, "replicas"),
        ({"speaker": {"capabilities": ["SYS_ADMIN"]}}, "capabilities"),
        ({"log": {"level": "loud"}}, "level"),
        ({"nodes": {"stateDirectory": "var/lib"}}, "stateDirectory"),
        ({"agent": {"metricsPort": 70000}}, "metricsPort"),
    ],
    ids=lambda one: json.dumps(one) if isinstance(one, dict) else one,
)
def test_values_out_of_range_are_refused(values: Document, place: str, program: str) -> None:
    """The schema names the place."""
    assert place in refusal(values, program)
