"""What a test sees of an installation: the objects that the server keeps, the ports that answer."""

import http.client
import ssl
import time
from collections.abc import Iterable
from itertools import product
from typing import Final

from tests.chart.installed import ACCOUNT, NAMESPACE
from tests.cluster.api import Api, ApiError, Document

OPERATOR: Final = "monitoring.coreos.com"
_INSIDE: Final = (
    "/api/v1/{}/configmaps",
    "/api/v1/{}/serviceaccounts",
    "/apis/apps/v1/{}/daemonsets",
    "/apis/apps/v1/{}/deployments",
    "/apis/policy/v1/{}/poddisruptionbudgets",
    "/apis/networking.k8s.io/v1/{}/networkpolicies",
    "/apis/rbac.authorization.k8s.io/v1/{}/roles",
    f"/apis/{OPERATOR}/v1/{{}}/podmonitors",
    f"/apis/{OPERATOR}/v1/{{}}/prometheusrules",
)
_GLOBAL: Final = (
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
)
_HEAVY: Final = ("CustomResourceDefinition", "ConfigMap", "PrometheusRule")
"""Kinds of which the head alone is kept: what they hold is proved elsewhere."""
_PATIENCE: Final = 30.0
_PORTS: Final = (7180, 7181, 7182, 17180, 17181, 17182)
_TRUSTING: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_TRUSTING.check_hostname, _TRUSTING.verify_mode = False, ssl.CERT_NONE


def kept(api: Api) -> dict[str, Document]:
    """Return the objects of the installation, by kind and name, as the server has stored them."""
    found: dict[str, Document] = {}
    for path in (*(one.format(f"namespaces/{NAMESPACE}") for one in _INSIDE), *_GLOBAL):
        listed = _listed(api, path)
        kind = listed["kind"].removesuffix("List")
        for one in listed["items"]:
            name = one["metadata"]["name"]
            if name.startswith("bgpd") or name.endswith(".bgpd.io"):
                one["metadata"].pop("managedFields", None)
                if kind in _HEAVY:
                    one = {"metadata": one["metadata"]}  # noqa: PLW2901 - its head alone
                found[f"{kind}/{name}"] = one
    return found


def _listed(api: Api, path: str) -> Document:
    """Return a collection; one that is new is not served at once."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            found: Document = api.request("GET", path)
        except ApiError as error:
            if error.status != 429 or time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return found


def served(api: Api) -> Document:
    """Return our kinds that the server serves, and whether the agents' account has tokens."""
    try:
        listed = api.request("GET", "/apis/bgpd.io/v1alpha1")["resources"]
    except ApiError:
        listed = []
    kinds = sorted({one["kind"] for one in listed if "/" not in one["name"]})
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{ACCOUNT}/token"
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    try:
        api.request("POST", path, asked, dryRun="All")
    except ApiError as error:
        return {"kinds": kinds, "token": error.reason}
    return {"kinds": kinds, "token": "granted"}


def scrapes(addresses: Iterable[str], token: str) -> dict[str, Document]:
    """Return what answers to whoever asks for metrics: the place -> its scheme, status and text.

    Each place is asked with and without *token*.
    """
    found = {}
    for address, port in product(addresses, _PORTS):
        for scheme in ("http", "https"):
            without, bearing = (_scrape(scheme, address, port, one) for one in ("", token))
            if without is not None and bearing is not None:
                found[f"{address}:{port}"] = {
                    "scheme": scheme,
                    "without a token": without[0],
                    "status": bearing[0],
                    "names": sorted({_name(row) for row in bearing[1].splitlines() if row}),
                }
                break  # a server without TLS would wait for the end of what it takes for a request
    return found


def _scrape(scheme: str, address: str, port: int, token: str) -> tuple[int, str] | None:
    """Return the status and the text of one answer; None where nobody speaks *scheme*."""
    one: http.client.HTTPConnection
    if scheme == "http":
        one = http.client.HTTPConnection(address, port, timeout=5)
    else:
        one = http.client.HTTPSConnection(address, port, timeout=5, context=_TRUSTING)
    try:
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        one.request("GET", "/metrics", headers=bearer)
        answer = one.getresponse()
        return answer.status, answer.read().decode()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        one.close()


def _name(row: str) -> str:
    return "" if row.startswith("#") else row.partition("{")[0].partition(" ")[0]
