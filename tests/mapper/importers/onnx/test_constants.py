import numpy as np
import pytest
from onnx import helper

from mapper.importers.onnx.constants import ELEMENTS, ConstantFolder, NotWorkedOut, elements

OPSETS = [helper.make_opsetid("", 18)]
SMALL = np.arange(6, dtype=np.float32).reshape(2, 3)


def ints(*values):
    return np.array(values, np.int64)


CASES = [
    ("Add", [SMALL, np.float32([[1], [2]])], {}),
    ("Sqrt", [SMALL], {}),
    ("Transpose", [SMALL], {}),
    ("Concat", [SMALL, SMALL], {"axis": 0}),
    ("Gather", [SMALL, ints(0, 1, 0, 1)], {"axis": 0}),
    ("Expand", [SMALL, ints(4, 1, 3)], {}),
    ("Tile", [SMALL, ints(2, 3)], {}),
    ("Range", [np.int64(2), np.int64(20), np.int64(3)], {}),
    ("ConstantOfShape", [ints(3, 4)], {}),
    ("Pad", [SMALL, ints(1, 0, 0, 2)], {}),
    ("MatMul", [SMALL, SMALL.T.copy()], {}),
    ("ReduceSum", [SMALL], {}),
]


@pytest.mark.parametrize(("kind", "inputs", "attributes"), CASES, ids=[case[0] for case in CASES])
def test_a_constant_is_worked_out_and_is_no_larger_than_was_said(kind, inputs, attributes):
    names = [f"i{n}" for n in range(len(inputs))]
    node = helper.make_node(kind, names, ["y"], **attributes)
    (made,) = ConstantFolder(OPSETS).evaluate(node, dict(zip(names, inputs, strict=True)))
    assert 0 < made.size <= elements(node, inputs)


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [
        ("ConstantOfShape", [ints(10**6, 10**6)]),
        ("Expand", [SMALL, ints(10**12, 2, 3)]),
        ("Tile", [SMALL, ints(10**6, 10**6)]),
        ("Range", [np.float64(0), np.float64(1e18), np.float64(1)]),
        ("Range", [np.float64(0), np.float64(1), np.float64(0)]),
        ("Range", [np.float64(0), np.float64(np.inf), np.float64(1)]),
        ("Pad", [SMALL, ints(10**9, 0, 0, 10**9)]),
        ("Add", [np.zeros((1, 100_000), np.float32), np.zeros((100_000, 1), np.float32)]),
        ("Add", [np.zeros(3, np.float32), np.zeros(4, np.float32)]),
        ("MatMul", [np.zeros((1024, 1024), np.float32)] * 2),
        ("Loop", [ints(10**18)]),
        ("Conv", [np.zeros((1, 1, 9, 9), np.float32)] * 2),
        ("NoSuchThing", [SMALL]),
    ],
)
def test_what_is_too_large_or_takes_too_long_is_not(kind, inputs):
    names = [f"i{n}" for n in range(len(inputs))]
    with pytest.raises(NotWorkedOut):
        ConstantFolder(OPSETS).evaluate(helper.make_node(kind, names, ["y"]), dict(zip(names, inputs, strict=True)))


def test_all_constants_of_a_model_have_one_budget():
    folder = ConstantFolder(OPSETS)
    node = helper.make_node("ConstantOfShape", ["i"], ["y"])
    folder.evaluate(node, {"i": ints(1)})
    with pytest.raises(NotWorkedOut):
        folder.evaluate(node, {"i": ints(ELEMENTS)})
