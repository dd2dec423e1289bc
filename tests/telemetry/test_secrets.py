"""No secret of a node is in its logs, its answers, its metrics, its events or its bundle.

A canary is planted in every place where a running node holds a secret, also in documents that are
refused because of what stands beside it; then everything that a person can see is searched.
"""

import base64
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.exabgp.space import ROOT, Space, eventually, need

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

NODE_ADDRESS, ROUTER, PROVIDED = "10.9.0.1", "10.9.0.2", "10.9.0.9"
PLACES = (
    *("mesh", "inline", "long", "secret", "encoded", "file", "bfd", "header", "url", "query"),
    *("provider", "annotation", "token", "program", "broken", "scraper"),
)
CANARY = {place: f"{place}-c4n4ry-word" for place in PLACES}
_SCRAPE = """
import sys, urllib.request
for port in (7180, 7181):
    wish = urllib.request.Request(f"http://127.0.0.1:{port}/metrics")
    wish.add_header("Authorization", "Bearer " + sys.argv[1])
    print(urllib.request.urlopen(wish, timeout=30).read().decode())
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30)
    except OSError as error:
        print(error)
"""


class World:
    """A node with agent and speaker in a namespace that reaches nobody."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.space = Space()
        self.run_dir, self.state_dir = directory / "run", directory / "state"
        self._documents, self._web = directory / "documents", directory / "web"
        for path in (self._documents, self._web):
            path.mkdir()
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Plant everything, and start at the level that says most."""
        self.space.run("ip", "address", "add", f"{NODE_ADDRESS}/24", "dev", "lo")
        for name, text in (("mesh-key", "mesh"), ("peer.key", "file"), ("token", "token")):
            self._file(name, CANARY[text])
        self._file("scraper", CANARY["scraper"])
        (self._web / "metadata").write_text(json.dumps(_metadata()))
        documents = list(_documents(self.directory))
        text = "".join(f"---\n{json.dumps(one)}\n" for one in documents)
        (self._documents / "all.yaml").write_text(text)
        # A slip of the pen beside a password.
        (self._documents / "slip.yaml").write_text(f'password: "{CANARY["broken"]}\nx: [\n')
        self._begin("-m", "http.server", "8080", "--directory", str(self._web), log="web.log")
        common = (
            *("--node", "n1", "--run-dir", str(self.run_dir), "--state-dir", str(self.state_dir)),
            *("--log-level", "debug", "--metrics-token-file", str(self.directory / "scraper")),
        )
        bgpd = ("-m", "bgpd.ctl.daemon")
        key = ("--mesh-key-file", str(self.directory / "mesh-key"))
        self._begin(*bgpd, "speaker", *common, *key, log="speaker.log")
        source = ("--source", f"directory:{self._documents}", "--cluster-uid", "c")
        self._begin(*bgpd, "agent", *common, *source, log="agent.log")

    def ctl(self, *words: str) -> str:
        """Return what bgpctl says."""
        line = (sys.executable, "-m", "bgpd.ctl", *words, "--run-dir", str(self.run_dir))
        return self.run(*line)

    def run(self, *line: str) -> str:
        """Return what a command says inside."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            self.space.wrap(*line),
            capture_output=True, text=True, check=False, timeout=90, env=environment,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout + done.stderr

    def log(self, name: str) -> str:
        """Return what a process wrote."""
        return (self.directory / f"{name}.log").read_text()

    def close(self) -> None:
        """End everything."""
        self.space.close()
        for process in self._processes:
            process.wait()

    def _begin(self, *words: str, log: str) -> None:
        process = self.space.start(sys.executable, *words, log=self.directory / log)
        self._processes.append(process)

    def _file(self, name: str, text: str) -> None:
        path = self.directory / name
        path.write_text(f"{text}\n")
        path.chmod(0o600)


def _metadata() -> dict[str, Any]:
    """Return what a provider says."""
    neighbor = {
        "address_family": 4,
        "customer_as": 65000,
        "customer_ip": NODE_ADDRESS,
        "md5_enabled": True,
        "md5_password": CANARY["provider"],
        "multihop": True,
        "peer_as": 65530,
        "peer_ips": [PROVIDED],
        "routes_in": [],
        "routes_out": [],
    }
    address = {
        "address": NODE_ADDRESS,
        "address_family": 4,
        "cidr": 24,
        "gateway": "10.9.0.254",
        "management": True,
        "netmask": "255.255.255.0",
        "network": "10.9.0.0",
        "public": False,
    }
    return {"bgp_neighbors": [neighbor], "network": {"addresses": [address]}}


def _documents(directory: Path) -> Iterator[dict[str, Any]]:
    ours, plain = "bgpd.io/v1alpha1", {"namespace": "bgpd-system"}
    session = {"myASN": 65000, "peerASN": 65530, "sourceAddress": NODE_ADDRESS}

    def peer(name: str, address: str, **spec: Any) -> dict[str, Any]:
        return {
            "apiVersion": ours,
            "kind": "BGPPeer",
            "metadata": {"name": name, **plain},
            "spec": {**session, "peerAddress": address, **spec},
        }

    yield {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": "n1",
            "labels": {"kubernetes.io/hostname": "n1"},
            "annotations": {
                "metal.equinix.com/bgp-peers-0-bgp-pass": _b64(CANARY["annotation"]),
                "metal.equinix.com/bgp-peers-0-peer-ip": "no address",
                "metal.equinix.com/bgp-peers-0-peer-asn": "65530",
            },
        },
        "status": {
            "addresses": [{"type": "InternalIP", "address": NODE_ADDRESS}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }
    yield peer("inline", ROUTER, password=CANARY["inline"], bfdProfile="fast")
    yield peer("long", "10.9.0.3", password=CANARY["long"] * 8)
    yield peer("by-secret", "10.9.0.4", passwordSecret={"name": "key", "namespace": "bgpd-system"})
    yield peer("by-file", "10.9.0.5", passwordFile=str(directory / "peer.key"))
    yield peer("odd", "10.9.0.6", passwordSecret={"name": "odd", "namespace": "bgpd-system"})
    fetched = {key: session[key] for key in ("myASN", "peerASN")}
    for name, url in (
        ("packet", "http://127.0.0.1:8080/metadata"),
        ("named", f"http://me:{CANARY['url']}@127.0.0.1:8080/no?key={CANARY['query']}"),
    ):
        yield {
            "apiVersion": ours,
            "kind": "BGPPeer",
            "metadata": {"name": name, **plain},
            "spec": {
                **(fetched if name == "named" else {}),
                "provider": "packet",
                "providerURL": url,
                "providerTokenFile": str(directory / "token"),
            },
        }
    yield {
        "apiVersion": ours,
        "kind": "BGPPeer",
        "metadata": {"name": "annotated", **plain},
        "spec": {"provider": "annotations"},
    }
    for name, data in (
        ("key", {"stringData": {"password": CANARY["secret"]}}),
        ("odd", {"data": {"password": f"{_b64(CANARY['encoded'])}!"}}),
    ):
        yield {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/basic-auth",
            "metadata": {"name": name, **plain},
            **data,
        }
    yield {
        "apiVersion": ours,
        "kind": "BFDProfile",
        "metadata": {"name": "fast", **plain},
        "spec": {"password": CANARY["bfd"]},
    }
    for name, probe in (
        ("header", {"httpGet": {"headers": {"X-Key": CANARY["header"]}, "port": 80}}),
        ("wrong", {"httpGet": {"headers": {"X Key\n": CANARY["header"]}}}),
        ("program", {"exec": {"command": ["/no", f"--password={CANARY['program']}"]}}),
    ):
        yield {
            "apiVersion": ours,
            "kind": "HealthCheck",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"serviceSelectors": [{}], **probe},
        }


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> Iterator[World]:
    need("ip", "unshare", "nsenter", unproven="that a node's secrets are seen by nobody")
    world = World(tmp_path)
    try:
        world.start()
        yield world
    finally:
        world.close()


def _seen(world: World) -> Iterator[tuple[str, str]]:
    """Yield everything that a person can see, by name."""
    for name in ("agent", "speaker"):
        yield f"{name}.log", world.log(name)
    for words in (
        *(("status",), ("status", "-o", "wide"), ("status", "-o", "json"), ("explain",)),
        *(("events", "-o", "wide"), ("events", "-o", "json"), ("timeline", "-o", "json")),
        *(("get", "peers", "-o", "json"), ("get", "healthchecks", "-o", "json")),
        *(("get", "peers", "-o", "wide"), ("doctor", "-o", "json"), ("explain", "inline")),
    ):
        yield " ".join(words), world.ctl(*words)
    yield "metrics", world.run(sys.executable, "-c", _SCRAPE, CANARY["scraper"])
    path = world.directory / "bundle.tar.gz"
    logs = (f"--log={world.directory}/{name}.log" for name in ("agent", "speaker"))
    yield (
        "debug bundle",
        world.ctl(*("debug", "bundle", str(path), "--state-dir", str(world.state_dir), *logs)),
    )
    with tarfile.open(path) as tar:
        for one in tar.getmembers():
            file = tar.extractfile(one)
            assert file is not None
            yield f"bundle/{one.name.partition('/')[2]}", file.read().decode()


def test_no_secret_of_a_running_node_is_seen_anywhere(world: World) -> None:
    """Not in the clear and not in base64, at the level of the log that says most."""
    eventually(lambda: CANARY["provider"] in _held(world), "a session of the provider's", 90.0)
    eventually((world.state_dir / "objects.json").exists, "the agent's memory", 90.0)
    seen = dict(_seen(world))
    found = {
        (name, place)
        for name, text in seen.items()
        for place, secret in CANARY.items()
        for form in (secret, _b64(secret).rstrip("="), _b64(f"{secret}\n").rstrip("="))
        if form in text
    }
    assert found == set()
    # And what was to be seen was there, the refusals too.
    whole = world.log("agent").rpartition("\n")[0]  # the agent goes on to write
    log = [json.loads(line) for line in whole.splitlines()]
    refused = " ".join(one.get("message", "") for one in log)
    for words in ("long", "odd", "wrong", "slip.yaml"):
        assert words in refused, words
    assert "bgpd_bgp_session_up" in seen["metrics"]
    assert "inline" in seen["status -o json"]
    held = _held(world)
    for place in ("inline", "secret", "file", "bfd", "provider"):
        assert CANARY[place] in held, f"{place} was not even known to the speaker"
    parts = ("metrics/agent.txt", "state/desired.json", "state/exabgp.conf", "state/provider.json")
    for part in (*parts, "documents/all.yaml.json"):
        assert f"bundle/{part}" in seen


def _held(world: World) -> str:
    """Return what the speaker keeps on its disk."""
    path = world.state_dir / "desired.json"
    return path.read_text() if path.exists() else ""
