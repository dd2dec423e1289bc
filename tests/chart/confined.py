"""A node whose processes run as the chart's containers do: its first process, in its namespaces.

`python -m tests.chart.confined FILE`: FILE has the containers as they were rendered. Each runs as
its user, with its capabilities and no others (the bounding set), without any way to gain one, and
on a root that is read-only; a BIRD beside the node hears its route. What was seen is printed.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
SEEN: Final = Path("/srv")
"""Where the programs are for a user who may not enter our home."""
PATIENCE: Final = 60.0
_BIRD: Final = """
router id 10.9.0.1;
protocol device {}
protocol kernel { ipv4 { export none; }; }
protocol bgp node {
    local 10.9.0.1 as 64601;
    neighbor 10.9.0.2 as 64512;
    ipv4 { import all; export none; };
}
"""
_DOCUMENTS: Final[tuple[dict[str, Any], ...]] = (
    {
        "apiVersion": "bgpd.io/v1alpha1",
        "kind": "IPAddressPool",
        "metadata": {"name": "p"},
        "spec": {"addresses": ["203.0.113.0/26"], "bindOnHost": True},
    },
    {
        "apiVersion": "bgpd.io/v1alpha1",
        "kind": "BGPPeer",
        "metadata": {"name": "router"},
        "spec": {"myASN": 64512, "peerASN": 64601, "peerAddress": "10.9.0.1"},
    },
    {"apiVersion": "bgpd.io/v1alpha1", "kind": "BGPAdvertisement", "metadata": {"name": "a"}},
    {
        "apiVersion": "bgpd.io/v1alpha1",
        "kind": "SpeakerPolicy",
        "metadata": {"name": "quiet"},
        "spec": {"health": {"kubelet": "", "kubeProxy": "", "healthCheckNodePort": False}},
    },
    {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "n1"},
        "status": {"addresses": [{"type": "InternalIP", "address": "10.9.0.2"}]},
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.5"}]}},
    },
    {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "web-1",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "web"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.244.0.5"], "nodeName": "n1"}],
    },
)


def run(*words: str) -> str:
    """Run a program to its end and return what it prints."""
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def network() -> None:
    """Connect this node with a router in a namespace of its own."""
    run("mount", "-t", "tmpfs", "run", "/run")
    run("ip", "link", "set", "lo", "up")
    run("ip", "netns", "add", "router")
    run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", "router")
    for before, address in (((), "10.9.0.2/24"), (("-netns", "router"), "10.9.0.1/24")):
        run("ip", *before, "address", "add", address, "dev", "eth0")
        run("ip", *before, "link", "set", "eth0", "up")


def files(home: Path) -> None:
    """Make what the containers have mounted, and a root that nobody writes."""
    run("mount", "--bind", str(ROOT), str(SEEN))
    run("mount", "-t", "tmpfs", "var", "/var/lib")
    python(home)
    for path in (home / "key", home / "documents"):
        path.mkdir(mode=0o755)
    for number, document in enumerate(_DOCUMENTS):
        (home / "documents" / f"{number}.json").write_text(json.dumps(document))
    (home / "key" / "key").write_text("00112233445566778899aabbccddeeff\n")
    (home / "key" / "key").chmod(0o440)
    os.chown(home / "key" / "key", 0, 65532)
    home.chmod(0o755)


def python(home: Path) -> None:
    """Let everybody enter the way to the interpreter, where it is in somebody's home."""
    prefix = Path(sys.base_prefix).resolve()
    closed = [one for one in reversed(prefix.parents) if not one.stat().st_mode & 0o001]
    if closed:
        aside = home / "python"
        aside.mkdir()
        run("mount", "--bind", str(prefix), str(aside))
        run("mount", "-t", "tmpfs", "-o", "mode=0755", "home", str(closed[0]))
        prefix.mkdir(parents=True)
        run("mount", "--bind", str(aside), str(prefix))


def line(container: dict[str, Any], home: Path) -> list[str]:
    """Return the command line that runs *container* with its security context."""
    context = container["securityContext"]
    assert context["readOnlyRootFilesystem"]
    assert not context["allowPrivilegeEscalation"]
    assert context["capabilities"]["drop"] == ["ALL"]
    added = [one.lower() for one in context["capabilities"].get("add", ())]
    bounds = "".join(f",+{one}" for one in added)
    return [
        *("unshare", "--mount", "--propagation", "private", "--", "sh", "-c"),
        'mount -o remount,bind,ro / && exec "$@"',
        *("sh", "setpriv", "--no-new-privs", f"--bounding-set=-all{bounds}", "--inh-caps=-all"),
        *(f"--reuid={context['runAsUser']}", f"--regid={context['runAsGroup']}", "--clear-groups"),
        *("env", "-i", f"PYTHONPATH={SEEN}", "PYTHONDONTWRITEBYTECODE=1", "BGPD_NODE=n1"),
        *("PATH=/usr/bin:/bin", f"{SEEN}/.venv/bin/python", "-m", "bgpd.ctl.daemon"),
        *words(container["args"], home),
    ]


def words(args: list[str], home: Path) -> list[str]:
    """Return a container's arguments for a host without Kubernetes."""
    instead = {
        "--source": f"directory:{home / 'documents'}",
        "--mesh-key-file": str(home / "key"),
        "--documents": "",
        "--log-format": "text",
    }
    found = []
    for word in args:
        option, _, _ = word.partition("=")
        if option not in instead:
            found.append(word)
        elif instead[option]:
            found.append(f"{option}={instead[option]}")
    return found


def privilege(pid: int) -> dict[str, str]:
    """Return who a process is for the kernel."""
    text = Path(f"/proc/{pid}/status").read_text()
    fields = dict(row.partition(":\t")[::2] for row in text.splitlines())
    wanted = ("Uid", "Gid", "CapEff", "CapPrm", "CapBnd", "NoNewPrivs")
    return {name: fields[name].split("\t")[0] for name in wanted}


def descendants(pid: int) -> list[int]:
    """Return *pid* and every process below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in descendants(int(child)))]


def main() -> None:
    """Run the containers until the router has the route, and print what was seen."""
    home = Path(sys.argv[1]).parent
    containers = json.loads(Path(sys.argv[1]).read_text())
    network()
    files(home)
    (home / "bird.conf").write_text(_BIRD)
    bird = ("bird", "-f", "-c", str(home / "bird.conf"), "-s", str(home / "bird.ctl"))
    router = subprocess.Popen(["ip", "netns", "exec", "router", *bird])
    prepared = subprocess.run(
        line(containers["prepare"], home), check=False, capture_output=True, text=True
    )
    logs = {name: (home / f"{name}.log").open("wb") for name in ("speaker", "agent")}
    running = {
        name: subprocess.Popen(line(containers[name], home), stdout=log, stderr=log)
        for name, log in logs.items()
    }
    end = time.monotonic() + PATIENCE
    route = ""
    while time.monotonic() < end and not route:
        time.sleep(0.2)
        birdc = ("birdc", "-s", str(home / "bird.ctl"), "show", "route", "for", "203.0.113.5")
        shown = subprocess.run(birdc, check=False, capture_output=True, text=True).stdout
        route = next((row for row in shown.splitlines() if "203.0.113.5/32" in row), "")
    time.sleep(1.0)
    seen = {
        "route": route,
        "prepare": prepared.stderr,
        "addresses": run("ip", "-o", "address"),
        "processes": {
            name: [privilege(pid) for pid in descendants(one.pid)] for name, one in running.items()
        },
        "ended": {name: one.poll() for name, one in (*running.items(), ("router", router))},
        "logs": {name: (home / f"{name}.log").read_text()[-20000:] for name in running},
    }
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
