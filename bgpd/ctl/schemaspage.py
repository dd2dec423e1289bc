"""The page that names the schema of every document that bgpctl prints."""

from bgpd.ctl.schemas import PRINTED

_HEAD = """\
# What `-o json` prints

<!-- Written by scripts/docs from the types of what is printed; do not edit. -->

Every document has `apiVersion` and `kind`, its fields always stand in the same order, and lists
are sorted. A field that is named in a schema is always there, as `null`, `""` or an empty list
where there is nothing; what is not known is `null`. A later version may add fields and words, and
takes none away without saying so in the changelog. `-o yaml` prints the same.

| kind | printed by | schema |
| --- | --- | --- |
"""


def page() -> str:
    """Return the page."""
    return _HEAD + "".join(
        f"| {one.kind} | `{one.command} -o json` | [{one.kind}.json](schemas/{one.kind}.json) |\n"
        for one in PRINTED
    )
