"""The same lists for programs: stable names in stable order, as their schemas say."""

from collections.abc import Sequence
from typing import Any, Final

from bgpd.ctl.document import API_VERSION, plain

LIST: Final = "List"


def list_document(kind: str, items: Sequence[Any]) -> dict[str, object]:
    """Return what `bgpctl get` prints of several *items*, or of none."""
    return {
        "apiVersion": API_VERSION,
        "kind": f"{kind}{LIST}",
        "items": [plain(one) for one in items],
    }


def item_document(kind: str, item: Any) -> dict[str, object]:
    """Return what `bgpctl get` prints of the one item that was asked for by its name."""
    found = plain(item)
    fields = found if isinstance(found, dict) else {}
    return {"apiVersion": API_VERSION, "kind": kind, **fields}
