"""From the types of what bgpctl prints to JSON Schema: no schema can promise another shape.

`shape` follows `bgpd.ctl.document.plain`: dataclasses become objects with all their fields in
camelCase, enums their values, None is null. What stands below a field in the source becomes its
description.
"""

import ast
import dataclasses
import enum
import inspect
import textwrap
import types
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from bgpd.ctl.document import camel

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_PLAIN: Final[Mapping[Any, str]] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
}

Schema = dict[str, Any]


class Definitions:
    """The schemas of dataclasses, each once, by name."""

    def __init__(self, without: Mapping[type[Any], frozenset[str]] | None = None) -> None:
        """Leave out the fields that *without* names: they are not printed."""
        self._without = without or {}
        self.found: dict[str, Schema] = {}

    def shape(self, form: Any) -> Schema:
        """Return the schema of the type *form*.

        A mapping of names to types is an object, and a list of one of them an array of those.
        """
        if isinstance(form, Mapping):
            return _object({name: self.shape(one) for name, one in form.items()})
        if isinstance(form, list):
            return {"type": "array", "items": self.shape(form[0])}
        return self._named(form)

    def _named(self, form: Any) -> Schema:
        if form is Any or form is object:
            return {}
        if form in _PLAIN:
            return {"type": _PLAIN[form]}
        if hasattr(form, "__supertype__"):  # a NewType
            return self.shape(form.__supertype__)
        if isinstance(form, type):
            return self._class(form)
        return self._generic(form)

    def forms(self, form: type[Any]) -> dict[str, Any]:
        """Return the types of the fields of the dataclass *form*, by their printed names."""
        hints = get_type_hints(form)
        return {camel(field.name): hints[field.name] for field in dataclasses.fields(form)}

    def fields(self, form: type[Any]) -> dict[str, Schema]:
        """Return the schemas of the fields of the dataclass *form*, by their printed names."""
        hints = get_type_hints(form)
        said = _said_of_fields(form)
        found = {}
        for field in dataclasses.fields(form):
            if field.name in self._without.get(form, ()):
                continue
            schema = self.shape(hints[field.name])
            if field.name in said:
                schema = {**schema, "description": said[field.name]}
            found[camel(field.name)] = schema
        return found

    def _class(self, form: type[Any]) -> Schema:
        if issubclass(form, enum.Enum):
            values = [one.value for one in form]
            return {"type": _PLAIN[type(values[0])], "enum": values}
        if not dataclasses.is_dataclass(form):
            raise TypeError(f"{form} has no schema")
        name = form.__name__
        if name not in self.found:
            self.found[name] = {}  # a type may hold itself
            described = {"description": _first_line(form)}
            self.found[name] |= {**described, **_object(self.fields(form))}
        return {"$ref": f"#/$defs/{name}"}

    def _generic(self, form: Any) -> Schema:
        origin, arguments = get_origin(form), get_args(form)
        if origin in {Union, types.UnionType}:
            return self._union(arguments)
        if origin is Literal:
            return {"enum": list(arguments)}
        if origin in {tuple, list, frozenset} or (
            inspect.isclass(origin) and issubclass(origin, (list, tuple))
        ):
            return self._array(arguments)
        if inspect.isclass(origin) and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.shape(arguments[1])}
        raise TypeError(f"{form} has no schema")

    def _array(self, arguments: tuple[Any, ...]) -> Schema:
        if len(arguments) > 1 and arguments[1] is not Ellipsis:
            items = [self.shape(one) for one in arguments]
            count = len(items)
            return {"type": "array", "prefixItems": items, "minItems": count, "maxItems": count}
        return {"type": "array", "items": self.shape(arguments[0])}

    def _union(self, arguments: tuple[Any, ...]) -> Schema:
        every = [self.shape(one) for one in arguments]
        if all(set(one) == {"type"} for one in every):
            return {"type": [one["type"] for one in every]}
        return {"anyOf": every}


def _object(properties: Mapping[str, Schema]) -> Schema:
    """Return the schema of an object: all of it is always there, and more may be one day."""
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


def _first_line(form: type[Any]) -> str:
    return _flat((form.__doc__ or "").partition("\n\n")[0])


def _said_of_fields(form: type[Any]) -> dict[str, str]:
    """Return the text below each field of *form* in its source."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(form))).body[0]
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    said = {}
    for before, after in pairwise(body):
        if (
            isinstance(before, ast.AnnAssign)
            and isinstance(before.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        ):
            said[before.target.id] = _flat(after.value.value)
    return said


def _flat(text: str) -> str:
    return " ".join(text.split())
