"""A Service's status in the text of a file, and the rest of the file as its author wrote it."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bgpd.controller import manifest
from bgpd.controller.manifest import Edit, ManifestError, edited
from bgpd.kube.text import documents_in

WEB = ("default", "web")
GIVEN = Edit(ingress=[{"ip": "192.0.2.1"}], notes={"bgpd.io/ip-allocated-from-pool": "p"})
TAKEN = Edit(notes=dict.fromkeys(("bgpd.io/ip-allocated-from-pool", "metallb.io/x")))

PLAIN = """\
# What the shop needs.
apiVersion: v1
kind: Service
metadata:
  name: web   # the front door
spec:
  type: LoadBalancer
  ports:
  - {port: 80}  # plain
# end of the shop
---
# another document
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data:
  status: |
    none of your business
"""
WRITTEN = """\
# What the shop needs.
apiVersion: v1
kind: Service
metadata:
  name: web   # the front door
  annotations:
    bgpd.io/ip-allocated-from-pool: p
spec:
  type: LoadBalancer
  ports:
  - {port: 80}  # plain
status:
  loadBalancer:
    ingress:
    - ip: 192.0.2.1
# end of the shop
---
# another document
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data:
  status: |
    none of your business
"""


def test_comments_and_order_stay() -> None:
    """Only the lines of the status and of the annotation come in."""
    assert edited(PLAIN.encode(), {WEB: GIVEN}, as_json=False).decode() == WRITTEN


def test_what_was_written_is_replaced_and_taken_back() -> None:
    """And leaves no trace but an empty status."""
    other = Edit(ingress=[{"ip": "192.0.2.9"}], notes={"bgpd.io/ip-allocated-from-pool": "q"})
    moved = edited(WRITTEN.encode(), {WEB: other}, as_json=False).decode()
    expected = WRITTEN.replace("192.0.2.1", "192.0.2.9").replace("-pool: p", "-pool: q")
    assert moved == expected
    back = edited(moved.encode(), {WEB: TAKEN}, as_json=False).decode()
    assert back == PLAIN.replace(
        "{port: 80}  # plain\n", "{port: 80}  # plain\nstatus:\n  loadBalancer: {}\n"
    )


def test_a_long_file_is_not_read_anew_for_each_of_its_documents(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Hundreds of Services in one file take as many times as long as one, not its square."""
    read: list[int] = []

    def counting(text: bytes, *, json: bool) -> Any:
        read.append(len(text))
        return documents_in(text, json=json)

    monkeypatch.setattr(manifest, "documents_in", counting)
    names = [f"s{number}" for number in range(50)]
    text = "---\n".join(PLAIN.replace("name: web  ", f"name: {name}  ") for name in names)
    result = edited(text.encode(), {("default", one): GIVEN for one in names}, as_json=False)
    assert result.count(b"- ip: 192.0.2.1") == len(names)
    assert sum(read) < 10 * len(result)


def test_a_file_that_says_it_already_is_the_same() -> None:
    """Nobody is woken by a file that is written again."""
    assert edited(WRITTEN.encode(), {WEB: GIVEN}, as_json=False).decode() == WRITTEN


def test_other_annotations_and_conditions_stay() -> None:
    """Of the status only what is ours changes, comments between annotations stay, too."""
    text = """\
apiVersion: v1
kind: Service
metadata:
  annotations:
    a: b # mine
    # which pool
    bgpd.io/ip-allocated-from-pool: old
    c: d
  name: web
status:
  conditions:
  - {type: Other, status: "True"}
  - {type: AddressOutsidePools, status: "True"}
spec: {type: LoadBalancer}
"""
    edit = Edit(ingress=GIVEN.ingress, notes=GIVEN.notes, condition_type="AddressOutsidePools")
    found = edited(text.encode(), {WEB: edit}, as_json=False).decode()
    assert (
        "    a: b # mine\n    # which pool\n    bgpd.io/ip-allocated-from-pool: p\n    c: d\n"
        in found
    )
    content = yaml.safe_load(found)
    assert content["status"] == {
        "conditions": [{"type": "Other", "status": "True"}],
        "loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]},
    }


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{apiVersion: v1, kind: Service, metadata: {name: web}}", id="flow style"),
        pytest.param(
            "apiVersion: v1\nkind: Service\nmetadata: {name: web, annotations: {a: b}}",
            id="metadata in flow style, without an end of line",
        ),
        pytest.param(
            "kind: List\napiVersion: v1\nitems:\n- kind: Service\n  apiVersion: v1\n"
            "  metadata:\n    name: web\n- kind: ConfigMap\n  apiVersion: v1\n"
            "  metadata: {name: x}\n",
            id="in a List",
        ),
        pytest.param(
            "kind: Service\napiVersion: v1\nmetadata: &m\n  name: web\nx: *m\n", id="with an alias"
        ),
        pytest.param("kind: Service\nmetadata:\n  name: web\nstatus:\n", id="an empty status"),
        pytest.param(
            "kind: Service\nmetadata:\n  name: web\n  annotations: {}\nstatus: {}\n",
            id="empty maps",
        ),
        pytest.param(
            'kind: Service\nmetadata:\n  name: "web"\n  namespace: default\n'
            "spec:\n  x: |\n    a\n\n"
            "    # no comment\n\n# comment\n",
            id="a text of several lines at the end",
        ),
        pytest.param("%YAML 1.1\n---\nkind: Service\nmetadata:\n  name: web\n...\n", id="marks"),
    ],
)
def test_whatever_the_style_the_status_comes_in(text: str) -> None:
    """And everything else means what it meant."""
    before = yaml.safe_load(text)
    after = yaml.safe_load(edited(text.encode(), {WEB: GIVEN}, as_json=False))
    services = [after, before] if after["kind"] == "Service" else [after["items"][0], None]
    assert services[0].pop("status") == {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    notes = services[0]["metadata"]["annotations"]
    assert notes.pop("bgpd.io/ip-allocated-from-pool") == "p"
    if after["kind"] == "Service":
        before.pop("status", None)
        after["metadata"]["annotations"] or after["metadata"].pop("annotations")
        before["metadata"].get("annotations") or before["metadata"].pop("annotations", None)
        assert {**after, "x": 0} == {**before, "x": 0}
    else:
        assert after["items"][1] == before["items"][1]


def test_json_is_written_as_json() -> None:
    """A file of that name holds nothing else."""
    text = json.dumps({"kind": "Service", "metadata": {"name": "web"}})
    found = json.loads(edited(text.encode(), {WEB: GIVEN}, as_json=True))
    assert found["status"]["loadBalancer"]["ingress"] == [{"ip": "192.0.2.1"}]


def test_a_file_that_cannot_be_read_is_not_written() -> None:
    """Whoever is in the middle of editing it loses nothing."""
    with pytest.raises(ManifestError, match="line 2"):
        edited(b"kind: Service\n  metadata: [\n", {WEB: GIVEN}, as_json=False)


_TEXTS = st.text("abc:#-{}[]'\" \n\t0é", max_size=8)
_VALUES = st.recursive(
    _TEXTS | st.integers() | st.booleans() | st.none(),
    lambda one: st.lists(one, max_size=3) | st.dictionaries(_TEXTS, one, max_size=3),
    max_leaves=8,
)


@given(
    spec=_VALUES,
    annotations=st.dictionaries(_TEXTS.filter(bool), _TEXTS, max_size=3),
    flow=st.sampled_from([None, True, False]),
    ahead=_VALUES,
)
def test_any_document_keeps_its_meaning(
    spec: Any, annotations: dict[str, str], flow: bool | None, ahead: Any
) -> None:
    """Whatever a Service says, and whatever stands in front of it in the file."""
    service = {
        "kind": "Service",
        "metadata": {"annotations": annotations, "name": "web"},
        "spec": spec,
    }
    text = yaml.safe_dump_all([{"a": ahead}, service], default_flow_style=flow, sort_keys=False)
    after = list(yaml.safe_load_all(edited(text.encode(), {WEB: GIVEN}, as_json=False)))
    assert after[0] == {"a": ahead}
    assert after[1]["spec"] == spec
    assert after[1]["metadata"]["annotations"] == {
        **annotations,
        "bgpd.io/ip-allocated-from-pool": "p",
    }
    assert after[1]["status"]["loadBalancer"] == {"ingress": [{"ip": "192.0.2.1"}]}
