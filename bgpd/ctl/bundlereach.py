"""What a node's processes and its cluster answer over the network."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from bgpd.ctl import bundlekeys
from bgpd.ctl.bundlepart import MOST_BYTES, Gathered, Where, why
from bgpd.ctl.bundleprocess import Process
from bgpd.model.errors import BgpdError

_PORTS: Final = {"speaker": 7180, "agent": 7181, "controller": 7182}


def metrics(running: Iterable[Process], seconds: float) -> Gathered:
    """Return what each process lets Prometheus see."""
    found = Gathered()
    said = {one.what: one.options.get("metrics-address", "") for one in running}
    tokens = {one.what: bundlekeys.token_of(one) for one in running}
    for what, port in _PORTS.items():
        if what == "controller" and what not in said:
            continue
        name = f"metrics/{what}.txt"
        problems = []
        for address in (said.get(what) or f"127.0.0.1:{port}").split(","):
            try:
                found.texts[name] = _scraped(address, tokens.get(what, ""), seconds)
                break
            except (OSError, ValueError) as error:
                problems.append(f"{address}: {why(error)}")
        else:
            found.missing[name] = "; ".join(problems)
    return found


def _scraped(address: str, token: str, seconds: float) -> str:
    import http.client  # noqa: PLC0415 - nothing else of bgpctl needs it
    import ssl  # noqa: PLC0415

    host, _, port = address.strip().rpartition(":")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    # The certificate is for those who trust what they read; here it is only shown.
    secure = ssl._create_unverified_context()  # noqa: S323, SLF001
    last: Exception = OSError("no answer")
    for connection in (
        http.client.HTTPConnection(host.strip("[]"), int(port), timeout=seconds),
        http.client.HTTPSConnection(host.strip("[]"), int(port), timeout=seconds, context=secure),
    ):
        try:
            connection.request("GET", "/metrics", headers=headers)
            reply = connection.getresponse()
            text = reply.read(MOST_BYTES).decode("utf-8", "replace")
            if reply.status == http.client.OK:
                return text
            last = OSError(f"status {reply.status}")
            break
        except (OSError, http.client.HTTPException) as error:
            last = OSError(why(error) or type(error).__name__)
        finally:
            connection.close()
    raise last


def cluster(where: Where, running: Iterable[Process]) -> Gathered:
    """Return what the API has of ours, where something here names a cluster."""
    from bgpd.ctl import fleetlook  # noqa: PLC0415
    from bgpd.ctl.cluster import Cluster, access_of, has_access  # noqa: PLC0415

    kubeconfig = where.kubeconfig or bundlekeys.kubeconfig_of(running)
    if not has_access(kubeconfig):
        return Gathered(missing={"cluster": "nothing here names a cluster; use --kubeconfig"})
    found = Gathered()
    paths = (*fleetlook.NODES, *fleetlook.CONFIGURATION, *fleetlook.EVENTS)
    with Cluster(access_of(kubeconfig), within=where.timeout) as asked:
        for path in paths:
            name = f"cluster/{path.rpartition('/')[2]}.json"
            try:
                documents = list(filter(_ours, asked.every(path)))
            except BgpdError as error:
                found.missing[name] = str(error)
                if _unreachable(found.missing, paths):
                    break
                continue
            found.documents[name] = documents
    return found


def _unreachable(missing: Mapping[str, str], paths: Iterable[str]) -> bool:
    """Return whether nothing was answered yet: each further question would wait as long."""
    return len(missing) == 1 and next(iter(missing)).endswith(
        f"{next(iter(paths)).rpartition('/')[2]}.json"
    )


def _ours(one: Mapping[str, Any]) -> bool:
    """Return whether *one* is worth its bytes: of Events those that we wrote."""
    if one.get("kind") != "Event":
        return True
    return str(one.get("reportingController") or "").startswith("bgpd.io/")
