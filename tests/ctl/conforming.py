"""Hold what bgpctl prints against its published schema, more strictly than a reader would."""

from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from bgpd.ctl.schemas import PRINTED, schema_of


def faults(document: Any) -> list[str]:
    """Return what of *document* is not as the schema of its kind says, also fields too many."""
    if document["kind"] == "List":
        return []  # Kubernetes' own, for kubectl apply
    validator = _validator(str(document["kind"]))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


@cache
def _validator(kind: str) -> Draft202012Validator:
    schema = schema_of(next(one for one in PRINTED if one.kind == kind))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(_closed(schema))


def _closed(schema: Any) -> Any:
    """Return *schema* without room for fields that it does not name."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _closed(one) for name, one in schema.items()}
    if "properties" in schema and schema.get("type") == "object":
        found["additionalProperties"] = False
    return found
