"""The YAML of points as changes of another's."""

from hypothesis import given
from hypothesis import strategies as st

from reports.explore.machine_text import changed_lines


@given(st.lists(st.lists(st.text("ab: ", max_size=4), min_size=1, max_size=5), min_size=2, max_size=4))
def test_lines_put_into_the_base_give_the_text(texts):
    base, *others = ("".join(f"{line}\n" for line in lines) for lines in texts)
    for other, changed in zip(others, changed_lines(base, others), strict=True):
        if isinstance(changed, str):
            assert changed == other
            continue
        lines = base.splitlines()
        for at, line in changed:
            lines[at] = line
        assert "".join(f"{line}\n" for line in lines) == other
