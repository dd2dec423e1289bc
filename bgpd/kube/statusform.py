"""What every status that we write to the API is made of: conditions, and words that have an end.

An object's `status` is written by machines into a store that refuses more than 1.5 MB, so no text
and no list is without a bound. The schema of the API server is made from the same bounds.
"""

from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct

MOST_CONDITIONS: Final = 64
LONGEST: Final = 1024
"""Characters of a sentence."""
LONG: Final = 512
"""The same where there is one for each session."""
SHORT: Final = 256
"""The same where there are many of them."""
SHORTER: Final = 128
MOST_INT: Final = 2**53
"""What every reader of JSON keeps exactly."""


def says(description: str, *, most: int | None = None) -> Meta:
    """Return what the schema says of a text or a list: what it is, and how long it may be."""
    return Meta(description=description, max_length=most)


def number(description: str, most: int = MOST_INT) -> Meta:
    """Return what the schema says of a number that is never below 0."""
    return Meta(description=description, ge=0, le=most)


Truth: TypeAlias = Literal["True", "False", "Unknown"]
Name: TypeAlias = Annotated[str, Meta(max_length=253)]
Word: TypeAlias = Annotated[str, Meta(max_length=64)]
PrefixText: TypeAlias = Annotated[str, Meta(max_length=49)]
ServiceText: TypeAlias = Annotated[str, Meta(max_length=320)]
AddressText: TypeAlias = Annotated[str, Meta(max_length=45)]
TimeText: TypeAlias = Annotated[str, Meta(extra_json_schema={"format": "date-time"}, max_length=40)]


class Form(Struct, rename="camel", kw_only=True, gc=False, omit_defaults=True):
    """A part of a status: what has its default is not sent."""


class ConditionForm(Form, kw_only=True):
    """A condition in Kubernetes' shape (metav1.Condition)."""

    type: Annotated[str, says("What the condition is about, as an adjective.", most=316)]
    status: Annotated[Truth, Meta(description="True, False or Unknown.")]
    observed_generation: (
        Annotated[int, number("The metadata.generation that the condition was set for.")] | None
    ) = None
    last_transition_time: Annotated[TimeText, Meta(description="When the status last changed.")]
    reason: Annotated[str, Meta(description="Why, in one word.", min_length=1, max_length=LONGEST)]
    message: Annotated[str, says("Why, in a sentence with names in it.", most=32768)]


Conditions: TypeAlias = Annotated[
    list[ConditionForm], says("What a person should know, Ready first.", most=MOST_CONDITIONS)
]
