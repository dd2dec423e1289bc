"""What helm makes of the chart: the same with either helm, valid, and as its rules say."""

import base64
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from bgpd.mesh import keys
from tests.chart.definitions import CHART
from tests.chart.golden import golden_path, golden_text, normal
from tests.chart.installed import shipped
from tests.chart.render import (
    CI,
    HELMS,
    NAMESPACE,
    Document,
    documents,
    found,
    helm,
    render,
    template,
)
from tests.chart.render import values_of as values

OLDEST, NEWEST = "1.33", "1.37"
"""Of the versions of Kubernetes that are supported and whose schemas there are."""
FOREIGN = {"PodMonitor": "podmonitor", "PrometheusRule": "prometheusrule"}
"""Kinds of the Prometheus operator, and what we know of their fields."""
WORKLOADS = {"DaemonSet", "Deployment", "Job"}
every_ci = pytest.mark.parametrize("path", CI, ids=lambda one: one.stem)


def pods(documents: list[Document]) -> list[tuple[str, Document]]:
    """Return the pods of all workloads, each with the workload's name."""
    return [
        (one["metadata"]["name"], one["spec"]["template"])
        for one in documents
        if one["kind"] in WORKLOADS
    ]


def containers(documents: list[Document]) -> list[tuple[str, Document]]:
    """Return all containers, each with its name in a sentence."""
    return [
        (f"{name}/{one['name']}", one)
        for name, pod in pods(documents)
        for one in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"])
    ]


@pytest.mark.parametrize("program", HELMS)
@every_ci
def test_helm_finds_nothing_to_say(path: Path, program: str) -> None:
    """`helm lint --strict` passes with the values of every file in ci/."""
    words = ("--strict", CHART, "--values", path, "--kube-version", "1.36.0")
    done = helm("lint", *words, program=program)
    assert done.returncode == 0, done.stdout + done.stderr


@every_ci
def test_helm_3_and_4_make_the_same(path: Path) -> None:
    """Nobody's cluster changes because of the helm that somebody has."""
    three, four = (normal(template(values(path), program)) for program in HELMS)
    assert three == four


@every_ci
def test_what_is_rendered_is_what_was_reviewed(path: Path) -> None:
    """A change of a template shows in tests/chart/golden; `python -m tests.chart` writes it."""
    assert golden_path(path).read_text() == golden_text(path)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@every_ci
def test_every_object_is_valid(path: Path, version: str) -> None:
    """The oldest and the newest Kubernetes know each field of each object, and its type."""
    for one in render(values(path)):
        if one["kind"] in FOREIGN:
            path = Path(__file__).parent / "schemas" / f"{FOREIGN[one['kind']]}.json"
            jsonschema.Draft7Validator(json.loads(path.read_text())).validate(one)
        else:
            kubernetes_validate.validate(one, version, strict=True)


@every_ci
def test_no_two_objects_have_one_name(path: Path) -> None:
    """The second would take the place of the first."""
    names = [
        (one["apiVersion"], one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"])
        for one in render(values(path))
    ]
    assert len(names) == len(set(names))


@every_ci
def test_objects_are_in_the_namespace_of_the_release(path: Path) -> None:
    """Nothing is left of the name that the files have in its place."""
    text = template(values(path)).replace(NAMESPACE, "elsewhere")
    for one in render(values(path)):
        namespace = one["metadata"].get("namespace")
        assert namespace in {None, NAMESPACE}
        for subject in one.get("subjects", ()):
            assert subject["namespace"] == NAMESPACE
    assert "system:serviceaccount:bgpd-system" not in text


@every_ci
def test_every_object_says_whose_it_is(path: Path) -> None:
    """`kubectl get all -l app.kubernetes.io/instance=bgpd` finds them."""
    for one in render(values(path)):
        labels = one["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == "bgpd"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"


@every_ci
def test_containers_may_do_nothing_but_what_they_need(path: Path) -> None:
    """All drop every capability, escalate nothing, write nowhere, have the runtime's seccomp."""
    documents = render(values(path))
    for name, pod in pods(documents):
        assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
    for name, one in containers(documents):
        context = one["securityContext"]
        assert context["capabilities"]["drop"] == ["ALL"], name
        assert context["allowPrivilegeEscalation"] is False, name
        assert context["readOnlyRootFilesystem"] is True, name
        added = context["capabilities"].get("add", [])
        # Kubernetes gives capabilities to root alone: with none, nobody needs to be root.
        assert (context["runAsUser"] == 0) is bool(added), name
        assert context["runAsNonRoot"] is (context["runAsUser"] != 0), name
        assert context["runAsGroup"] == 65532, name
        assert "privileged" not in context, name


def test_an_ordinary_installation_has_no_capability_but_chown() -> None:
    """That is the init container's, which gives the host's directories to user 65532."""
    added = {
        name: one["securityContext"]["capabilities"].get("add")
        for name, one in containers(render({"pool": ["203.0.113.0/26"]}))
    }
    assert {name: one for name, one in added.items() if one} == {"bgpd-agent/prepare": ["CHOWN"]}


@every_ci
def test_images_have_a_tag_or_a_digest(path: Path) -> None:
    """What runs is what was tested."""
    for name, one in containers(render(values(path))):
        last = one["image"].rpartition("/")[2]
        assert ":" in last or "@" in last, name
        assert not last.endswith(":latest"), name


@every_ci
def test_containers_ask_for_memory_and_are_not_throttled(path: Path) -> None:
    """A limit on CPU would break timers of 40 ms."""
    for name, one in containers(render(values(path))):
        assert one["resources"]["requests"]["memory"], name
        assert one["resources"]["limits"]["memory"], name
        assert "cpu" not in one["resources"]["limits"], name


@every_ci
def test_what_is_referred_to_exists(path: Path) -> None:
    """Volumes, ports, ServiceAccounts, ConfigMaps and Secrets are in the chart or in the values."""
    settings = values(path)
    documents = render(settings)
    there = {(one["kind"], one["metadata"]["name"]) for one in documents}
    secrets = settings.get("passwordSecrets", {}).get("mounted", [])
    own = {("Secret", one) for one in (*secrets, "mesh-key", "metrics-tls", "metrics-token")}
    for name, pod in pods(documents):
        spec = pod["spec"]
        if settings.get("rbac", {}).get("create", True):
            assert ("ServiceAccount", spec["serviceAccountName"]) in there, name
        for volume in spec.get("volumes", ()):
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in there, name
            if "secret" in volume:
                assert ("Secret", volume["secret"]["secretName"]) in there | own, name
        volumes = {one["name"] for one in spec.get("volumes", ())}
        mounted: set[str] = set()
        for one in (*spec.get("initContainers", ()), *spec["containers"]):
            mounts = one.get("volumeMounts", ())
            mounted |= {mount["name"] for mount in mounts}
            ports = {port["name"] for port in one.get("ports", ())}
            paths = [mount["mountPath"] for mount in mounts]
            assert len(paths) == len(set(paths)), name
            names = [variable["name"] for variable in one.get("env", ())]
            assert len(names) == len(set(names)), name
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                if probe in one:
                    assert one[probe]["httpGet"]["port"] in ports, name
        assert mounted == volumes, name


@every_ci
def test_no_mount_hides_what_the_image_runs(path: Path) -> None:
    """A directory of the host in the place of one with programs leaves nothing to be started."""
    dockerfile = (CHART.parents[1] / "packaging/image/Dockerfile").read_text()
    (searched,) = re.findall(r'PATH="([^"]+)"', dockerfile)
    programs = [Path(one) for one in searched.split(":")]
    for name, one in containers(render(values(path))):
        for mount in one.get("volumeMounts", ()):
            hidden = [each for each in programs if each.is_relative_to(mount["mountPath"])]
            assert not hidden, f"{name}: {mount['name']}"


@pytest.mark.parametrize("word", ["1234", "1e3", "true", "null"])
def test_names_that_look_like_something_else_stay_texts(word: str) -> None:
    """Releases, namespaces and Secrets may be called so, and YAML takes them for numbers."""
    values = {
        "mesh": {"existingSecret": word},
        "passwordSecrets": {"mounted": [word]},
        "monitoring": {"tlsSecret": word, "tokenSecret": word, "podMonitor": {"enabled": True}},
        "clusterUID": f"{word}:",
        "loadBalancerClass": f"{word}:",
    }
    for one in documents(template(values, release=word, namespace=word)):
        assert one["metadata"]["labels"]["app.kubernetes.io/instance"] == word
        assert one["metadata"].get("namespace", word) == word
        if one["kind"] in FOREIGN:
            path = Path(__file__).parent / "schemas" / f"{FOREIGN[one['kind']]}.json"
            jsonschema.Draft7Validator(json.loads(path.read_text())).validate(one)
        else:
            kubernetes_validate.validate(one, NEWEST, strict=True)


def test_a_label_of_a_part_wins_over_one_of_all() -> None:
    """One that stands twice is an error for a strict API server, and here."""
    own = {"labels": {"team": "own"}}
    monitors = {"enabled": True, **own}
    them = render(
        {
            "commonLabels": {"team": "all"},
            "nodes": own,
            "controller": own,
            "monitoring": dict.fromkeys(("podMonitor", "prometheusRule", "dashboards"), monitors),
        }
    )
    assert {pod["metadata"]["labels"]["team"] for _, pod in pods(them)} == {"own", "all"}
    told = {one["kind"] for one in them if one["metadata"]["labels"]["team"] == "own"}
    assert told == {"PodMonitor", "PrometheusRule", "ConfigMap"}


def test_any_name_of_a_secret_becomes_a_volume() -> None:
    """A Secret's name may have dots and 253 letters; a volume's has 63 letters without dots."""
    names = ["tor-a.example.com", "x" * 253, "tor-a-example-com"]
    daemon = found(render({"passwordSecrets": {"mounted": names}}), "DaemonSet", "bgpd-agent")
    spec = daemon["spec"]["template"]["spec"]
    secrets = {
        one["name"]: one["secret"]["secretName"] for one in spec["volumes"] if "secret" in one
    }
    assert all(re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", one) for one in secrets)
    (agent,) = spec["containers"]
    assert [
        (secrets[one["name"]], one["mountPath"])
        for one in agent["volumeMounts"]
        if one["mountPath"].startswith("/etc/bgpd/passwords/")
    ] == [(one, f"/etc/bgpd/passwords/{one}") for one in names]


@every_ci
def test_selectors_select_their_own_pods(path: Path) -> None:
    """Of the DaemonSet, the Deployment, the budget, the policy and the monitors."""
    documents = render(values(path))
    labels = {
        one["metadata"]["name"]: one["spec"]["template"]["metadata"]["labels"]
        for one in documents
        if one["kind"] in {"DaemonSet", "Deployment"}
    }
    for one in documents:
        spec = one.get("spec") or {}
        if one["kind"] in {"DaemonSet", "Deployment", "PodDisruptionBudget", "PodMonitor"}:
            wanted = spec["selector"]["matchLabels"]
        elif one["kind"] == "NetworkPolicy":
            wanted = spec["podSelector"]["matchLabels"]
        else:
            continue
        matched = [name for name, has in labels.items() if wanted.items() <= has.items()]
        assert matched == [one["metadata"]["name"]], one["metadata"]["name"]


@every_ci
def test_labels_of_pods_have_no_version(path: Path) -> None:
    """An upgrade of the chart that changes nothing else restarts nothing."""
    for name, pod in pods(render(values(path))):
        versions = [key for key, text in pod["metadata"]["labels"].items() if "0.1.0" in text]
        assert not versions, name


@every_ci
def test_rights_have_no_wildcard_and_read_no_secret_without_a_name(path: Path) -> None:
    """A stolen token is worth as little as can be."""
    for one in render(values(path)):
        for rule in one.get("rules", ()) if one["kind"] in {"Role", "ClusterRole"} else ():
            words = [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
            assert "*" not in words, one["metadata"]["name"]
            if "secrets" in rule["resources"]:
                assert rule["resourceNames"], one["metadata"]["name"]
                assert set(rule["verbs"]) == {"get", "list", "watch"}


@every_ci
def test_the_speaker_has_no_token_and_the_agent_no_key(path: Path) -> None:
    """Only the agent speaks to the API server, and only the speaker to the mesh."""
    daemon = found(render(values(path)), "DaemonSet", "bgpd-agent")["spec"]["template"]["spec"]
    assert daemon["automountServiceAccountToken"] is False
    (speaker,) = (one for one in daemon["initContainers"] if one["name"] == "speaker")
    (agent,) = daemon["containers"]
    assert "token" not in {one["name"] for one in speaker["volumeMounts"]}
    assert "mesh" not in {one["name"] for one in agent["volumeMounts"]}
    assert speaker["restartPolicy"] == "Always"
    names = [one["name"] for one in daemon["initContainers"]]
    assert names == ["prepare", "speaker"], "the directories are there before the speaker"


def test_a_pod_has_the_time_that_a_drain_takes() -> None:
    """And 15 s beside it; a shorter one is refused in a sentence (test_values.py)."""
    for policy, grace in (
        ({}, 60),
        ({"drainSeconds": 10}, 60),
        ({"drain": "WaitForConnections"}, 75),
        ({"drain": "WaitForConnections", "drainSeconds": 600}, 615),
        ({"drainMilliseconds": 1500}, 60),
    ):
        one = {"kind": "SpeakerPolicy", "metadata": {"name": "rack-b"}, "spec": policy}
        for said in ({"speakerPolicy": policy}, {"documents": [one]}):
            daemon = found(render(said), "DaemonSet", "bgpd-agent")
            spec = daemon["spec"]["template"]["spec"]
            assert spec["terminationGracePeriodSeconds"] == grace
            speaker = next(one for one in spec["initContainers"] if one["name"] == "speaker")
            assert options(speaker)["--term-timeout"] == str(grace - 10)


@every_ci
def test_bgpctl_takes_the_documents_of_the_values(path: Path, tmp_path: Path) -> None:
    """What helm let through is what the agents take: `bgpctl validate` finds nothing."""
    data = found(render(values(path)), "ConfigMap", "bgpd-documents").get("data") or {}
    for name, text in data.items():
        (tmp_path / name).write_text(text)
    if not data:
        return
    line = [sys.executable, "-m", "bgpd.ctl", "validate", str(tmp_path)]
    done = subprocess.run(
        line, check=False, capture_output=True, text=True, cwd=CHART.parents[1], timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_key_of_the_mesh_is_one_that_the_speaker_takes(tmp_path: Path) -> None:
    """The Secret, mounted, is a key of 32 random bytes, and another one each time."""
    seen = set()
    for program in HELMS:
        # Past the cache of renders: each has a key of its own.
        secret = found(render({"commonLabels": {"helm": program}}, program), "Secret", "bgpd-mesh")
        directory = tmp_path / program
        directory.mkdir(mode=0o750)
        (directory / "key").write_bytes(base64.b64decode(secret["data"]["key"]))
        (directory / "key").chmod(0o440)
        loaded = keys.load_with_warnings(directory)
        assert [len(one) for one in loaded.keys] == [32]
        assert loaded.warnings == ()
        seen.add(loaded.keys)
    assert len(seen) == 2


def test_the_definitions_of_our_kinds_are_the_files_and_are_kept() -> None:
    """What the tests of the kinds read, with a note for helm."""
    documents = render({})
    crds = [one for one in documents if one["kind"] == "CustomResourceDefinition"]
    assert len(crds) == len(list((CHART / "files" / "crds").glob("*.yaml")))
    for one in crds:
        assert one["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    spec = {one["metadata"]["name"]: one["spec"] for one in crds}
    for path in (CHART / "files" / "crds").glob("*.yaml"):
        source = yaml.safe_load(path.read_text())
        assert as_go(spec[source["metadata"]["name"]]) == as_go(source["spec"])


def as_go(content: Any) -> Any:
    """Return *content* as helm reads it: Go's numbers have 53 bits."""
    return json.loads(json.dumps(content), parse_int=float)


def test_rights_and_admission_are_the_files() -> None:
    """What the tests of the rights prove on a real API server is what is shipped."""
    documents = render({})
    for one in (*shipped("rbac"), *shipped("admission")):
        ours = found(documents, one["kind"], one["metadata"]["name"])
        assert {key: text for key, text in ours.items() if key != "metadata"} == {
            key: text for key, text in one.items() if key != "metadata"
        }


def test_the_hook_waits_less_long_than_it_may() -> None:
    """The Job says which nodes are not clean before Kubernetes ends it."""
    job = found(render({"uninstall": {"timeoutSeconds": 300}}), "Job", "bgpd-uninstall")
    assert "--timeout=300" in job["spec"]["template"]["spec"]["containers"][0]["args"]
    assert job["spec"]["activeDeadlineSeconds"] == 360
    # It must not wait on a node that is dead, as one that tolerates everything may.
    assert "tolerations" not in job["spec"]["template"]["spec"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-delete"
    deletes = job["metadata"]["annotations"]["helm.sh/hook-delete-policy"]
    assert "hook-failed" not in deletes, "the log of one that failed says which nodes"


def options(one: Document) -> dict[str, str]:
    """Return the options of a container's command line."""
    words = [word.partition("=") for word in one["args"] if word.startswith("--")]
    return {name: value for name, _, value in words}


@every_ci
def test_the_command_lines_are_known_to_the_programs(path: Path) -> None:
    """Each option is one that `bgpd` has."""
    known: dict[str, str] = {}
    for name, one in containers(render(values(path))):
        command = [word for word in one["args"] if not word.startswith(("-", "/"))]
        text = known.setdefault(" ".join(command), _help(command))
        for option in options(one):
            assert re.search(rf"(?m)^\s+{option}\b", text), f"{name} {option}"


def _help(command: list[str]) -> str:
    line = [sys.executable, "-m", "bgpd.ctl.daemon", *command, "--help"]
    done = subprocess.run(
        line, check=True, capture_output=True, text=True, cwd=CHART.parents[1], timeout=60
    )
    return done.stdout


def test_the_chart_has_the_version_of_the_program() -> None:
    """`appVersion` is the tag of the image, which is the version of the package."""
    project: Any = tomllib.loads((CHART.parents[1] / "pyproject.toml").read_text())
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == project["project"]["version"]
    crds = {one["kind"] for one in yaml.safe_load(chart["annotations"]["artifacthub.io/crds"])}
    there = {
        yaml.safe_load(path.read_text())["spec"]["names"]["kind"]
        for path in (CHART / "files" / "crds").glob("*.yaml")
    }
    assert crds == there


def test_dashboards_and_rules_are_shipped_as_they_are() -> None:
    """Templates of Grafana and Prometheus in them are theirs, not helm's."""
    documents = render({"monitoring": {"dashboards": {"enabled": True}}})
    shipped = {
        name: text
        for one in documents
        if one["kind"] == "ConfigMap" and "dashboard" in one["metadata"]["name"]
        for name, text in one["data"].items()
    }
    files = {one.name: json.loads(one.read_text()) for one in CHART.glob("files/dashboards/*.json")}
    assert {name: json.loads(text) for name, text in shipped.items()} == files
