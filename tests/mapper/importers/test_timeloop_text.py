"""Files of Timeloop's front end that include others and go on from mappings."""

import pytest

from mapper.importers import NetworkError, read_problem

BASE = """\
problem_base: &problem_base
  version: 0.4
  shape:
    name: CNN_Layer
    dimensions: [C, M, R, S, N, P, Q]
    coefficients: [{name: Wstride, default: 1}, {name: Hstride, default: 1}]
  instance: {N: 1, Wstride: 2, Hstride: 2}
"""
FILE = """\
{{include_text('%s')}}
problem:
  <<<: *problem_base
  instance: {C: 16, M: 32, P: 7, Q: 7, R: 3, S: 3}
"""


def test_a_file_that_includes_its_base(tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "net" / "base.yaml").write_text(BASE.replace("stride: 2", "stride: 1"))
    for name, stride in (("base.yaml", 1), ("../base.yaml", 2)):
        (tmp_path / "net" / "a.yaml").write_text(FILE % name)
        (layer,) = read_problem(tmp_path / "net" / "a.yaml").subnet.layers
        assert (layer.C, layer.K, layer.P, layer.stride, layer.H) == (16, 32, 7, stride, 6 * stride + 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (FILE % "none.yaml", r"line 1: the file that it includes, .*none.yaml, does not exist"),
        (FILE % "/etc/passwd", r"line 1: it includes '/etc/passwd'; give a file beside this one"),
        (FILE % "", r"line 1: it includes ''"),
        (FILE % "a.yaml", r"line 1: 'a.yaml' includes other files itself"),
        ("{{include_text('base.yaml')}}\n" * 9 + "problem: 1", r"it includes more than 8 files"),
        ("problem: {<<<: 3}", r"<<< is 3; give a mapping to go on from"),
        ("problem: {<<<: *none}", r"the alias .none repeats nothing before it"),
        ("{{include('base.yaml')}}\nproblem: 1", r"not YAML|where a key should"),
        ("{{include_text('base.yaml')}} x\nproblem: 1", r"not YAML|where a key should"),
        ("{{include_text('.')}}\nproblem: 1", r"cannot be read .Is a directory."),
    ],
)
def test_what_cannot_be_included(tmp_path, text, message):
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(NetworkError, match=message):
        read_problem(tmp_path / "a.yaml")
