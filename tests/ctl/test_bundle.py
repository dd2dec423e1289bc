"""One archive for whoever was not there: all that can be had, and no secret of the node."""

import asyncio
import base64
import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from bgpd.ctl import bundlefiles, bundlehost, bundlepack
from bgpd.ctl.bundlepart import Gathered, Where
from bgpd.ctl.bundleprocess import Process, inside
from bgpd.ctl.bundlesecrets import Secrets
from bgpd.ipc.message import Answer
from bgpd.model.event import Event
from bgpd.model.status import Condition
from tests.ctl.fakes import Result, bgpctl, serving
from tests.ctl.samples import FAILOVERS, NODE, SPEAKER, session

SECRETS = {
    name: f"{name}-c4n4ry-{number}"
    for number, name in enumerate(
        (
            "mesh", "desired", "bfd", "exabgp", "kept", "kept-file", "provider", "peer", "file",
            "secret", "secret-data", "header", "url", "query", "annotation", "token", "client",
            "kube-password", "token-file", "program", "applied",
        )
    )
}  # fmt: skip
"""A secret for each place where a node may hold one."""
LEAK = " ".join(SECRETS.values())
"""What a message might say by a mistake of ours: all of them."""


@dataclass
class Planted:
    """A node's files, with a secret in each."""

    directory: Path

    @property
    def options(self) -> tuple[str, ...]:
        """The command line of whoever makes the bundle."""
        return (
            *("--run-dir", str(self.directory)),
            *("--state-dir", str(self.directory / "state")),
            *("--mesh-key-file", str(self.directory / "mesh-key")),
            *("--kubeconfig", str(self.directory / "kubeconfig")),
            *("--log", str(self.directory / "agent.log"), "--timeout", "1"),
        )


def test_keys_that_ss_prints_are_not_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a socket with TCP MD5 `ss -i` prints the key, its comma as a number, before everything."""
    fake = tmp_path / "ss"
    fake.write_text(
        "#!/bin/sh\n"
        "for word; do\n"
        "case $word in -*i*) echo 's3cr\\054etNetid md5keys:192.0.2.1/32=' ;; esac\n"
        "done\n"
        "echo tcp ESTAB\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    text = bundlehost.host(5.0).texts["host/sockets.txt"]
    assert "tcp ESTAB" in text
    assert "s3cr" not in text


def test_half_of_a_write_is_left_out(tmp_path: Path) -> None:
    """A full disk keeps a new password out of every file that secrets are learned from, but one."""
    (tmp_path / "desired.json").write_text('{"peers": [{"password": "the-old-one"}]}')
    (tmp_path / "desired.json.new").write_text('{"peers": [{"password": "the-new-one"}, {"na')
    found = bundlefiles.state(tmp_path)
    assert set(found.documents) == {"state/desired.json"}
    assert found.texts == {}
    assert found.missing == {
        "state/desired.json.new": "is half of a write, so its secrets cannot be told"
    }


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture(name="planted")
def _planted(tmp_path: Path) -> Planted:
    """Write everything that a node has on its disk."""
    said = SECRETS
    documents, state = tmp_path / "documents", tmp_path / "state"
    for path in (documents, state):
        path.mkdir()
    (tmp_path / "mesh-key").write_text(f"{said['mesh']}\n")
    (tmp_path / "peer.key").write_text(f"{said['file']}\n")
    (tmp_path / "token").write_text(said["token-file"])
    (tmp_path / "kubeconfig").write_text(json.dumps(_kubeconfig(tmp_path)))
    (tmp_path / "agent.log").write_text(f"2026-11-22T03:12:07.152Z info agent x={LEAK}\n")
    for name, content in _state(tmp_path, documents).items():
        (state / name).write_text(content if isinstance(content, str) else json.dumps(content))
    (documents / "all.yaml").write_text(
        "".join(f"---\n{json.dumps(one)}\n" for one in _documents(tmp_path))
    )
    (documents / "broken.yaml").write_text(f'password: "{said["peer"]}\nx: [\n')
    return Planted(tmp_path)


def _kubeconfig(directory: Path) -> dict[str, Any]:
    user = {
        "token": SECRETS["token"],
        "tokenFile": str(directory / "token"),
        "client-key-data": _b64(SECRETS["client"]),
        "password": SECRETS["kube-password"],
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        # Nobody listens there: the API server is dead.
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": user}],
    }


def _state(directory: Path, documents: Path) -> dict[str, Any]:
    return {
        "desired.json": {
            "boot_id": "b",
            "desired": {
                "peers": [
                    {
                        "name": "a",
                        "password": SECRETS["desired"],
                        "bfd": {"password": SECRETS["bfd"]},
                    }
                ]
            },
        },
        "exabgp.conf": f"neighbor 192.0.2.1 {{\n\tmd5-password {_b64(SECRETS['exabgp'])};\n}}\n",
        "objects.json": {
            "version": 1,
            "origin": f"directory:{documents} cluster n1",
            "passwords": {str(directory / "peer.key"): SECRETS["kept-file"]},
            "objects": [
                {"kind": "BGPPeer", "name": "a", "object": {"password": SECRETS["kept"]}},
                {
                    "kind": "HealthCheck",
                    "object": {"http_get": {"headers": {"X": SECRETS["header"]}}},
                },
            ],
        },
        "provider.json": {
            "a": {"peers": [{"address": "192.0.2.1", "password": SECRETS["provider"]}]}
        },
        "boot": "7a0dc20c\n",
        "half.json": f'{{"password": "{SECRETS["kept"]}',
    }  # fmt: skip


def _documents(directory: Path) -> Iterator[dict[str, Any]]:
    applied = json.dumps({"spec": {"password": SECRETS["applied"]}})
    yield {
        "kind": "BGPPeer",
        "metadata": {
            "name": "tor-a",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied},
        },
        "spec": {
            "password": SECRETS["peer"],
            "passwordFile": str(directory / "peer.key"),
            "providerURL": f"http://me:{SECRETS['url']}@192.0.2.9/x?key={SECRETS['query']}",
        },
    }
    yield {"kind": "Secret", "stringData": {"password": SECRETS["secret"]}}
    yield {"kind": "Secret", "data": {"password": _b64(SECRETS["secret-data"])}}
    yield {
        "kind": "Node",
        "metadata": {"name": "n1", "annotations": {"m.example/0-bgp-pass": SECRETS["annotation"]}},
    }
    yield {
        "kind": "HealthCheck",
        "metadata": {"name": "check"},
        "spec": {
            "httpGet": {"headers": {"Authorization": f"Bearer {SECRETS['header']}"}},
            "exec": {"command": ["look", f"--password={SECRETS['program']}"]},
        },
    }


def _answers() -> tuple[Mapping[str, Answer], Mapping[str, Answer]]:
    """Return what a node answers whose programs say every secret by mistake."""
    sick = session("tor-a", "192.0.2.1", last_error=LEAK)
    condition = Condition(type="DocumentRefused", status=True, reason="BGPPeer", message=LEAK)
    speaker = replace(SPEAKER, sessions=(sick,), conditions=(condition,))
    node = replace(NODE, speaker=speaker, conditions=(condition,), source=LEAK)
    event = Event(at=1.0, level="error", event="state", keys=(("problem", LEAK),), process="agent")
    failover = replace(FAILOVERS[0], cause=LEAK)
    return (
        {"status": Answer(content=node), "events": Answer(content=[event])},
        {
            "status": Answer(content=speaker),
            "events": Answer(content=[event]),
            "timeline": Answer(content=[failover]),
        },
    )


def _bundle(planted: Planted, *, agent: bool = True, speaker: bool = True) -> tuple[Result, bytes]:
    path = planted.directory / "out.tar.gz"
    answers = _answers()

    async def story() -> Result:
        async with serving(
            planted.directory,
            agent=answers[0] if agent else None,
            speaker=answers[1] if speaker else None,
        ):
            return await bgpctl("debug", "bundle", str(path), *planted.options)

    result = asyncio.run(story())
    assert path.stat().st_mode & 0o777 == 0o600
    return result, path.read_bytes()


def _unpacked(content: bytes) -> dict[str, bytes]:
    """Return the content of each file, by its name below the one directory."""
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        found = {}
        for entry in tar.getmembers():
            assert entry.mode == 0o600
            file = tar.extractfile(entry)
            assert file is not None
            found[entry.name.partition("/")[2]] = file.read()
        return found


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield quote(secret, safe="")
    yield secret.encode().hex()
    yield _b64(secret).rstrip("=")
    yield _b64(f"{secret}\n").rstrip("=")


def test_no_secret_of_the_node_is_in_the_bundle(planted: Planted) -> None:
    """One is planted in every place that may hold one, and every message tries to tell them all."""
    result, content = _bundle(planted)
    assert result.status == 0, result.errors
    files = _unpacked(content)
    everything = {**files, "stdout": result.output.encode(), "stderr": result.errors.encode()}
    found = [
        (name, place)
        for name, data in everything.items()
        for place, secret in SECRETS.items()
        if any(form.encode() in data for form in _forms(secret))
    ]
    assert found == []
    # And yet it is all there.
    assert b"<removed>" in files["status.json"]
    for name in (
        *("status.json", "status.txt", "events.json", "timeline.json", "doctor.json"),
        *("versions.json", "state/desired.json", "state/exabgp.conf", "state/objects.json"),
        *("state/provider.json", "documents/all.yaml.json", "logs/0-agent.log"),
    ):
        assert files[name], name


def test_the_manifest_tells_what_is_there_and_what_is_not(planted: Planted) -> None:
    """With the hash of each file, and a sentence for each part that is missing."""
    result, content = _bundle(planted)
    files = _unpacked(content)
    manifest = json.loads(files["manifest.json"])
    assert manifest["kind"] == "DebugBundle"
    assert manifest["node"] == "n1"
    assert {one["name"] for one in manifest["files"]} == set(files) - {"manifest.json"}
    missing = manifest["missing"]
    assert "so its secrets cannot be told" in missing["state/half.json"]
    assert missing["documents/broken.yaml"].startswith("is no YAML")
    assert any("127.0.0.1:1" in why for name, why in missing.items() if "cluster" in name)
    assert "without" in result.errors


@pytest.mark.parametrize(
    ("agent", "speaker", "missing"),
    [
        pytest.param(False, True, ["events of the agent", "status of the agent"], id="agent dead"),
        pytest.param(
            True, False, ["events of the speaker", "status of the speaker"], id="speaker dead"
        ),
        pytest.param(
            False, False, ["status of the agent", "status of the speaker"], id="both dead"
        ),
    ],
)
def test_it_works_whoever_is_dead(
    planted: Planted, *, agent: bool, speaker: bool, missing: list[str]
) -> None:
    """What lies on the disk is there all the same, and the rest is a sentence."""
    result, content = _bundle(planted, agent=agent, speaker=speaker)
    assert result.status == 0
    files = _unpacked(content)
    manifest = json.loads(files["manifest.json"])
    for name in missing:
        assert "no such socket" in manifest["missing"][name]
    assert "state/desired.json" in files
    assert "documents/all.yaml.json" in files
    for place, secret in SECRETS.items():
        assert not any(secret.encode() in data for data in files.values()), place


def test_a_node_with_nothing_is_a_bundle_too(tmp_path: Path) -> None:
    """No socket, no state directory, no cluster: the host and the reasons remain."""
    line = ("debug", "bundle", "--run-dir", str(tmp_path), "--state-dir", str(tmp_path / "no"))
    result = asyncio.run(bgpctl(*line, str(tmp_path / "x.tar.gz"), HOME=str(tmp_path)))
    assert result.status == 0
    manifest = json.loads(_unpacked((tmp_path / "x.tar.gz").read_bytes())["manifest.json"])
    assert "No such file or directory" in manifest["missing"]["state"]
    assert "nothing here names a cluster" in manifest["missing"]["cluster"]


def test_logs_that_nobody_has_are_missing_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container has no journal: whoever reads the bundle is told where the logs are."""
    monkeypatch.setenv("PATH", str(tmp_path))
    where = Where(
        run_dir=tmp_path,
        state_dir=tmp_path,
        mesh_key_file=tmp_path,
        kubeconfig=None,
        logs=(),
        timeout=1.0,
    )
    assert "kubectl logs" in bundlefiles.logs(where).missing["logs"]


def test_an_agent_that_hangs_costs_its_own_parts(planted: Planted) -> None:
    """It accepts and says nothing; the bundle does not wait for it for long."""
    path = planted.directory / "out.tar.gz"

    async def story() -> Result:
        async with serving(planted.directory, agent={}, speaker=_answers()[1]):
            return await bgpctl("debug", "bundle", str(path), *planted.options)

    result = asyncio.run(story())
    assert result.status == 0
    manifest = json.loads(_unpacked(path.read_bytes())["manifest.json"])
    assert "no answer within 1 s" in manifest["missing"]["status of the agent"]


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """Status 1, and nothing on standard output."""
    line = ("debug", "bundle", "--run-dir", str(tmp_path), "--state-dir", str(tmp_path))
    result = asyncio.run(bgpctl(*line, str(tmp_path / "no" / "x.tar.gz")))
    assert (result.status, result.output) == (1, "")
    assert "cannot be written: No such file or directory; name another" in result.errors


def test_a_secret_that_two_parts_make_up_goes_too() -> None:
    """Whatever stands in a name, a number, or between the lines of a metric."""
    secrets = Secrets()
    for one in ("hunter2-long", "65530"):
        secrets.add(one)
    found = Gathered(
        documents={"a.json": {"hunter2-long": ["x", 65530], "rate": 0.65530}},
        texts={"metrics/speaker.txt": 'bgpd_x{peer="hunter2-long"} 65530\n', "hunter2-long": "x"},
    )
    files = bundlepack.cleaned(found, secrets)
    for name, data in files.items():
        assert re.search(rb"hunter2-long|65530", name.encode() + data) is None, name
    text = bundlepack.manifest(files, {"b": "hunter2-long"}, secrets, {"node": "65530"})
    assert b"hunter2-long" not in text


def test_a_process_in_a_container_has_its_files_below_its_root(tmp_path: Path) -> None:
    """What it calls /etc/bgpd is not ours; where that cannot be seen, ours is looked at."""
    process = Process(what="agent", pid=2**22 + 1, words=("python", "-m", "bgpd.agent", "--a=b=c"))
    assert process.options == {"a": "b=c"}
    assert inside(process, str(tmp_path)) == tmp_path
