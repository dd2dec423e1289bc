"""What nodes are told, their addresses, their control groups, and the way to them."""

import json
import socket
import threading
from pathlib import Path

import pytest
import yaml

from tests.cluster import cgroups, net, nodefiles, router, second
from tests.cluster.nodecluster import group_name
from tests.cluster.relay import Relay


def test_every_node_has_addresses_and_pods_of_its_own() -> None:
    """Twenty nodes share nothing, and none has the address of the router or the control plane."""
    nodes = net.nodes(20)
    own = [address for node in nodes for address in node.addresses]
    pods = [pods for node in nodes for pods in node.pods]
    assert len({*own, net.ROUTER, net.SECOND, net.CONTROL, net.CLIENT}) == len(own) + 4
    assert len(set(pods)) == len(pods)


def test_a_node_runs_its_kubelet_in_its_own_group_and_trusts_the_cluster_alone() -> None:
    """Two clusters of one machine meet nowhere, and no kubelet answers strangers."""
    node = net.Node(2)
    files = nodefiles.files(node, "bgpd-x", "/usr/bin/runc", {"n1": "192.0.2.11"}, {"ca.crt": "A"})
    kubelet = yaml.safe_load(files["/etc/kubelet.yaml"])
    assert kubelet["cgroupRoot"] == "/bgpd-x/n2"
    assert kubelet["authentication"]["anonymous"] == {"enabled": False}
    assert files["/etc/kubernetes/ca.crt"] == "A"
    assert "192.0.2.11 n1\n" in files["/etc/hosts"]
    plugins = json.loads(files["/etc/cni/net.d/10-pods.conflist"])["plugins"]
    assert plugins[0]["ipam"]["ranges"][0] == [{"subnet": "10.244.2.0/24"}]


def test_each_start_of_a_node_is_another_boot() -> None:
    """What tells a reboot from a restart is the boot's ID, in a node as on a machine."""
    assert nodefiles.kernel() != nodefiles.kernel()


def test_the_router_takes_nodes_of_both_families_and_spreads(tmp_path: Path) -> None:
    """BIRD answers whoever asks from the segment, and uses all equal paths."""
    command = router.prepare(tmp_path)
    text = (tmp_path / "bird.conf").read_text()
    assert command[-1] == "bird.pid"
    assert text.count("merge paths on") == 2
    assert "neighbor range 192.0.2.0/24 as 64512" in text


def test_the_second_router_asks_each_node_for_its_password(tmp_path: Path) -> None:
    """It has a session of its own with each node, and hears the first router beside them."""
    text = second.configuration({"n1": "192.0.2.11", "n2": "192.0.2.12"}, "secret")
    assert text.count('password "secret"') == 2
    assert "neighbor 192.0.2.1 as 64513" in text
    router.prepare(tmp_path)
    assert "neighbor 192.0.2.3 as 64513" in (tmp_path / "bird.conf").read_text()


def test_two_directories_of_one_name_have_different_groups(tmp_path: Path) -> None:
    """Checkouts beside each other may both have a cluster `default`."""
    assert group_name(tmp_path / "a" / "default") != group_name(tmp_path / "b" / "default")


def _version_1(top: Path) -> Path:
    for name in ("cpuset", "memory"):
        (top / name).mkdir(parents=True)
        (top / name / "tasks").touch()
    (top / "cpuset" / "cpuset.cpus").write_text("0-1\n")
    (top / "cpuset" / "cpuset.mems").write_text("0\n")
    (top / "cpu" / "bgpd-x").mkdir(parents=True)
    (top / "cpu" / "tasks").touch()
    (top / "cpu" / "bgpd-x" / "cpu.shares").write_text("1024\n")
    return top


def test_groups_of_version_1_get_processors_and_go_again(tmp_path: Path) -> None:
    """An empty cpuset could start no process; what was made is removed from every hierarchy."""
    top = _version_1(tmp_path / "cgroup")
    cgroups.make("bgpd-x", ["n1", "n2"], top)
    assert (top / "cpuset/bgpd-x/n2/cpuset.cpus").read_text() == "0-1\n"
    assert int((top / "cpu/bgpd-x/cpu.shares").read_text()) > 20 * 1024
    for file in top.rglob("bgpd-x/**/cpu*.*"):
        file.unlink()  # in the kernel's they go with their directory
    (top / "memory/bgpd-x/n1/kubepods/pod1").mkdir(parents=True)
    cgroups.empty("bgpd-x", "n1", top)
    assert (top / "memory/bgpd-x/n1").is_dir()
    assert not (top / "memory/bgpd-x/n1/kubepods").exists()
    cgroups.remove("bgpd-x", top)
    assert not [*top.glob("*/bgpd-x")]


def test_groups_of_version_2_hand_their_controllers_down(tmp_path: Path) -> None:
    """Where there is one hierarchy, controllers are switched on from the top to the node."""
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    (tmp_path / "bgpd-x").mkdir()
    (tmp_path / "bgpd-x" / "cgroup.controllers").write_text("cpu memory\n")
    cgroups.make("bgpd-x", ["n1"], tmp_path)
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory"
    assert (tmp_path / "bgpd-x" / "n1").is_dir()


@pytest.mark.parametrize("size", [1, 300_000])
def test_a_relay_passes_on_what_it_is_given_and_the_end_of_it(size: int) -> None:
    """What a client says arrives whole behind the relay, and the answer comes back."""
    with socket.create_server(("127.0.0.1", 0)) as behind:

        def echo() -> None:
            taken, _ = behind.accept()
            with taken:
                said = b""
                while part := taken.recv(65536):
                    said += part
                taken.sendall(said)

        answering = threading.Thread(target=echo)
        answering.start()
        relay = Relay()
        relay.serve(lambda: socket.create_connection(behind.getsockname()))
        with socket.create_connection(("127.0.0.1", relay.port)) as client:
            client.sendall(b"x" * size)
            client.shutdown(socket.SHUT_WR)
            heard = b""
            while part := client.recv(65536):
                heard += part
        answering.join()
        relay.close()
    assert heard == b"x" * size
