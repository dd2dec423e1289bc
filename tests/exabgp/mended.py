"""Each mend is shown twice: the fault without it, the cure with it."""

import pytest

each_way = pytest.mark.parametrize("mended", [True, False], ids=["mended", "without the mend"])
