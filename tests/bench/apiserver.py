"""An API server of prepared bytes, a process of its own: `python -m tests.bench.apiserver COUNT`.

Its objects are as long as real ones, managed fields and all.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

NODES = 20
_NODE = "node-{}"


class _Server:
    """Streams every object, then what changes."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._version = 10 + 2 * count
        self._slices: list[asyncio.StreamWriter] = []

    async def run(self) -> None:
        """Serve; say the port, and change endpoints when a line `RATE SECONDS` says so."""
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            rate, seconds = map(int, line.split())
            print(await self._change(rate, seconds), flush=True)

    async def _change(self, rate: int, seconds: int) -> int:
        loop = asyncio.get_running_loop()
        start, sent = loop.time(), 0
        while (passed := loop.time() - start) < seconds:
            while sent < passed * rate:
                number = sent % self._count
                self._version += 1
                ready = (sent // self._count) % 2 == 1
                line = _event("MODIFIED", _slice(number, self._version, ready=ready))
                for writer in self._slices:
                    writer.write(b"%x\r\n%s\r\n" % (len(line), line))
                sent += 1
            await asyncio.sleep(0.002)
        return sent

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode().partition("?")[0]
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for line in self._lines(path.rpartition("/")[2]):
            writer.write(b"%x\r\n%s\r\n" % (len(line), line))
            await writer.drain()
        if path.endswith("endpointslices"):
            self._slices.append(writer)
        with suppress(ConnectionError):
            await reader.read()
        writer.close()

    def _lines(self, plural: str) -> Iterator[bytes]:
        match plural:
            case "services":
                for number in range(self._count):
                    yield _event("ADDED", _service(number, 10 + number))
            case "endpointslices":
                for number in range(self._count):
                    yield _event("ADDED", _slice(number, 10 + self._count + number, ready=True))
            case "nodes":
                for number in range(NODES):
                    yield _event("ADDED", _node(number))
            case "ipaddresspools":
                yield _event("ADDED", _ours("IPAddressPool", {"addresses": ["10.0.0.0/8"]}))
            case "bgppeers":
                spec = {"myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.1"}
                yield _event("ADDED", _ours("BGPPeer", spec))
            case "bgpadvertisements":
                yield _event("ADDED", _ours("BGPAdvertisement", {}))
            case _:
                pass
        metadata = {
            "resourceVersion": str(self._version),
            "annotations": {"k8s.io/initial-events-end": "true"},
        }
        yield _event("BOOKMARK", {"kind": "X", "apiVersion": "v1", "metadata": metadata})


def _event(verb: str, document: dict[str, Any]) -> bytes:
    return json.dumps({"type": verb, "object": document}, separators=(",", ":")).encode() + b"\n"


def _metadata(name: str, version: int, **more: Any) -> dict[str, Any]:
    managed = {
        "manager": "kube-controller-manager",
        "operation": "Update",
        "apiVersion": "v1",
        "time": "2026-11-22T19:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {
            "f:metadata": {"f:labels": {".": {}, "f:app": {}, "f:tier": {}}},
            "f:spec": {},
        },
    }
    return {
        "name": name,
        "namespace": "shop",
        "uid": f"0d6c1f0e-5f0b-4b0e-9a53-{version:012d}",
        "resourceVersion": str(version),
        "creationTimestamp": "2026-11-22T19:00:00Z",
        "managedFields": [managed, managed],
        **more,
    }


def _service(number: int, version: int) -> dict[str, Any]:
    return {
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": _metadata(
            f"service-{number}", version, labels={"app": f"service-{number}", "tier": "web"}
        ),
        "spec": {
            "type": "LoadBalancer",
            "clusterIP": "10.96.1.1",
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}],
            "selector": {"app": f"service-{number}"},
            "externalTrafficPolicy": "Local",
            "healthCheckNodePort": 31000,
        },
        "status": {"loadBalancer": {"ingress": [{"ip": _address(number)}]}},
    }


def _slice(number: int, version: int, *, ready: bool) -> dict[str, Any]:
    labels = {
        "kubernetes.io/service-name": f"service-{number}",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        "app": f"service-{number}",
    }
    return {
        "kind": "EndpointSlice",
        "apiVersion": "discovery.k8s.io/v1",
        "metadata": _metadata(f"service-{number}-x7k2p", version, labels=labels),
        "addressType": "IPv4",
        "endpoints": [_endpoint(number, one, ready=ready) for one in range(5)],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }


def _endpoint(number: int, one: int, *, ready: bool) -> dict[str, Any]:
    return {
        "addresses": [_address(100_000 + 5 * number + one)],
        "conditions": {"ready": ready, "serving": ready, "terminating": False},
        "nodeName": _NODE.format((number + one) % NODES if one else 0),
        "targetRef": {"kind": "Pod", "namespace": "shop", "name": f"service-{number}-{one}"},
        "zone": "rack-1",
    }


def _node(number: int) -> dict[str, Any]:
    images = [{"names": [f"registry.example/app-{one}:1"], "sizeBytes": one} for one in range(50)]
    return {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": _metadata(_NODE.format(number), 5, labels={"rack": "1"}),
        "status": {
            "addresses": [{"type": "InternalIP", "address": f"192.0.2.{10 + number}"}],
            "conditions": [{"type": "Ready", "status": "True"}],
            "images": images,
        },
    }


def _ours(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "bgpd.io/v1alpha1",
        "kind": kind,
        "metadata": _metadata("bench", 5),
        "spec": spec,
    }


def _address(number: int) -> str:
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_Server(int(sys.argv[1])).run())
