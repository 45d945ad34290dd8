import numpy as np
import pytest
import yaml

from arch_model.network.layer import Kind, Layer
from mapper.importers import NetworkError, read_network, read_problem, read_problems, write_problem

SHAPE = {"name": "CNN_Layer", "dimensions": ["C", "M", "R", "S", "N", "P", "Q"]}
SIZES = {"C": 4, "M": 8, "R": 3, "S": 3, "N": 1, "P": 6, "Q": 5, "Wstride": 2, "Hstride": 2}


def read(tmp_path, content):
    (path := tmp_path / "conv1.yaml").write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return read_problem(path)


def layer_of(tmp_path, **problem):
    (layer,) = read(tmp_path, {"problem": problem}).subnet.layers
    return layer


def test_by_hand(tmp_path):
    """6 output rows of stride 2 and kernel 3 read (6 - 1) 2 + 3 = 13 rows."""
    layer = layer_of(tmp_path, shape=SHAPE, instance=SIZES)
    assert (layer.name, layer.K, layer.C, layer.H, layer.W, layer.P, layer.Q) == ("conv1", 8, 4, 13, 11, 6, 5)
    assert layer.macs == 8 * 4 * 9 * 30 and (layer.padding, layer.inputs) == (0, ("input",))


def test_older_files(tmp_path):
    """Sizes beside the shape, K for M, a shape by name or none, strides by default."""
    sizes = {"C": 4, "K": 8, "R": 1, "S": 3, "N": 1, "P": 6, "Q": 5}
    for shape in ({}, {"shape": "cnn-layer"}, {"shape": "cnn_layer"}):
        layer = layer_of(tmp_path, **shape, **sizes)
        assert (layer.K, layer.R, layer.S, layer.H, layer.W, layer.stride) == (8, 1, 3, 6, 7, 1)


def test_a_default_stride(tmp_path):
    strides = [{"name": "Wstride", "default": 3}, {"name": "Hstride", "default": 3}]
    sizes = {key: value for key, value in SIZES.items() if "stride" not in key}
    assert layer_of(tmp_path, shape={**SHAPE, "coefficients": strides}, instance=sizes).stride == 3


def test_groups(tmp_path):
    """Without K and M depthwise; with G, C and M count the channels of one group."""
    sizes = {"C": 16, "R": 5, "S": 5, "N": 1, "P": 10, "Q": 10}
    layer = layer_of(tmp_path, shape={"dimensions": ["C", "R", "S", "N", "P", "Q"]}, instance=sizes)
    assert (layer.K, layer.C, layer.groups, layer.macs) == (16, 16, 16, 16 * 25 * 100)
    spaces = [{"name": "Weights", "projection": [[["G"]], [["C"]], [["M"]], [["R"]], [["S"]]]}]
    sizes |= {"M": 32, "G": 2}
    layer = layer_of(tmp_path, shape={**SHAPE, "data-spaces": spaces}, instance=sizes)
    assert (layer.K, layer.C, layer.groups, layer.macs) == (64, 32, 2, 2 * 32 * 16 * 25 * 100)


@pytest.mark.parametrize("seed", range(3))
def test_round_trip(tmp_path, seed):
    rng = np.random.default_rng(seed)
    path = tmp_path / "x.yaml"
    layers = [Layer("x", Kind.LINEAR, 10, 64)]
    for _ in range(40):
        groups, r, stride = int(rng.choice([1, 1, 2, 4])), int(rng.choice([1, 3, 5])), int(rng.integers(1, 4))
        k, c = (groups * int(n) for n in rng.integers(1, 9, 2))
        h, w = (int(size) for size in rng.integers(r + 1, 30, 2))
        layers.append(Layer("x", Kind.CONV, k, c, r, r, h, w, stride, int(rng.integers(0, r)), groups))
    for layer in layers:
        write_problem(path, layer)
        (back,) = read_problem(path).subnet.layers
        for fact in ("name", "kind", "K", "C", "R", "S", "P", "Q", "stride", "groups", "macs", "weight_bytes"):
            assert getattr(back, fact) == getattr(layer, fact), (fact, layer)
        written = path.read_text()
        write_problem(path, back)
        assert path.read_text() == written


def test_projections_that_timeloop_needs(tmp_path):
    """Every dimension is projected on; inputs are sums of products of kernel and output positions."""
    write_problem(path := tmp_path / "x.yaml", Layer("x", Kind.CONV, 8, 4, 3, 3, 8, 8, 2, 1, groups=2))
    problem = yaml.safe_load(path.read_text())["problem"]
    shape, spaces = problem["shape"], {space["name"]: space for space in problem["shape"]["data_spaces"]}
    assert set(problem["instance"]) == {*shape["dimensions"], *(entry["name"] for entry in shape["coefficients"])}
    assert spaces["Inputs"]["projection"][-2:] == [
        [["R", "Wdilation"], ["P", "Wstride"]],
        [["S", "Hdilation"], ["Q", "Hstride"]],
    ]
    used = {term[0] for space in spaces.values() for axis in space["projection"] for term in axis}
    assert used == set(shape["dimensions"]) and spaces["Outputs"]["read_write"] is True


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("a: [", "not YAML"),
        ("", 'key "problem" is missing'),
        ("- 1\n", 'key "problem" is missing'),
        ({"problem": 3}, 'key "problem" is missing'),
        ({"problem": {"shape": "gemm", "instance": {}}}, "problem.shape is 'gemm'; give cnn_layer"),
        ({"problem": {"shape": {"dimensions": ["M", "N", "K"]}}}, "has the dimensions K, M, N; give a convolution's"),
        ({"problem": {"shape": {}, "instance": {}}}, "problem.shape has no dimensions"),
        ({"problem": {"shape": SHAPE, "instance": 3}}, "problem.instance is 3"),
        ({"problem": {"shape": SHAPE, "instance": {**SIZES, "P": 0}}}, "P is 0; give a whole number, at least 1"),
        ({"problem": {"shape": SHAPE, "instance": {**SIZES, "P": "six"}}}, "P is 'six'"),
        ({"problem": {"shape": SHAPE, "instance": {**SIZES, "N": 0}}}, "N is 0; give a whole number, at least 1"),
        ({"problem": {"shape": SHAPE, "instance": {**SIZES, "Wdilation": 2}}}, "Wdilation is 2; give 1"),
        ({"problem": {"shape": SHAPE, "instance": {**SIZES, "Hstride": 1}}}, "Wstride is 2 and Hstride 1; give one"),
        ({"problem": {"shape": SHAPE, "instance": {"C": 1}}}, "problem.instance has no R"),
        ({"problem": {"shape": {**SHAPE, "data_spaces": [3]}, "instance": SIZES}}, "data_spaces"),
    ],
)
def test_bad_files(tmp_path, content, text):
    with pytest.raises(NetworkError) as caught:
        read(tmp_path, content)
    assert text in str(caught.value) and "\n" not in str(caught.value)


def test_a_layer_without_weights_is_no_problem(tmp_path):
    with pytest.raises(NetworkError, match="layer a: a layer of kind pool is no Timeloop problem"):
        write_problem(tmp_path / "x.yaml", Layer("a", Kind.POOL, 8, 8, H=4, W=4))


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        ({"instance": {**SIZES, "HStride": 4}}, "HStride is 4 and Hstride 2; give one of them"),
        ({"instance": {**SIZES, "Hstrid": 4}}, "problem.instance.Hstrid is not a key; did you mean Hstride?"),
        ({"instance": {**SIZES, "H": 14}}, "H is 14; give 13, what the other sizes need"),
        ({"instance": {**SIZES, "stride": 2}}, "problem.instance.stride is not a key"),
        ({"instance": {**SIZES, "c": 3}}, "problem.instance.c is not a key"),
        ({"instance": {**SIZES, 7: 3}}, "problem.instance.7 is not a key"),
        ({"instance": {**SIZES, "x" * 5000: 3}}, "is not a key"),
        ({"shape": SHAPE, "instance": {**SIZES, "K": 8}}, "problem.instance.K is not a key"),
        ({"instances": SIZES}, "problem.instance.instances is not a key"),
        ({"instance": SIZES, "instanse": 1}, "problem.instanse is not a key; did you mean instance?"),
        ({"instance": SIZES, "C": 3}, "problem.C is not a key"),
        ({"shape": {**SHAPE, "dims": 1}, "instance": SIZES}, "problem.shape.dims is not a key"),
        ({"shape": {**SHAPE, "data_spaces": [], "data-spaces": []}, "instance": SIZES}, "data_spaces and data-spaces"),
        ({"shape": {**SHAPE, "dimensions": [*SHAPE["dimensions"], "C"]}, "instance": SIZES}, "each dimension once"),
        (
            {"shape": {**SHAPE, "coefficients": [{"name": "HStride"}]}, "instance": SIZES},
            "coefficients.HStride is not a",
        ),
        ({"shape": {**SHAPE, "coefficients": [{"name": "Hstride"}] * 2}, "instance": SIZES}, "Hstride is given twice"),
        ({"shape": {**SHAPE, "coefficients": ["Hstride"]}, "instance": SIZES}, "give name and default of each"),
        ({"instance": {"K": 8, **SIZES}}, "K and M, both the output channels"),
    ],
)
def test_a_key_that_nobody_reads_is_an_error(tmp_path, problem, message):
    with pytest.raises(NetworkError) as error:
        layer_of(tmp_path, **problem)
    assert message in str(error.value) and len(str(error.value)) < 500


def test_what_a_file_has_beside_the_problem(tmp_path):
    whole = {"problem": {"shape": SHAPE, "instance": SIZES}}
    for key in ("architecture", "mapper", "variables", "problem_base"):
        assert read(tmp_path, {**whole, key: {"anything": 1}}).subnet.layers
    with pytest.raises(NetworkError, match=r"problems is not a key; did you mean problem\?"):
        read(tmp_path, {**whole, "problems": {}})
    with pytest.raises(NetworkError, match="line 2: key problem is given twice"):
        read(tmp_path, "problem: {instance: {C: 1}}\nproblem: {instance: {C: 2}}\n")


def test_coefficients_in_other_capitals_are_read_and_said(tmp_path):
    """Over a value of 1, which the shape that all files share states; the sizes of the input follow."""
    plain = {key: value for key, value in SIZES.items() if "stride" not in key}
    for more in ({}, {"Wstride": 1, "Hstride": 1, "H": 1, "W": 1}):
        network = read(
            tmp_path, {"problem": {"shape": SHAPE, "instance": {**plain, "HStride": 2, "WStride": 2, **more}}}
        )
        (layer,) = network.subnet.layers
        assert (layer.stride, layer.H, layer.W) == (2, 13, 11)
        assert network.notes[0].startswith("conv1: HStride is read as Hstride, the name that Timeloop knows")


def test_batches_and_densities_are_said(tmp_path):
    network = read(tmp_path, {"problem": {"shape": SHAPE, "instance": {**SIZES, "N": 4, "densities": {"Inputs": 0.5}}}})
    assert network.subnet.layers == (layer_of(tmp_path, shape=SHAPE, instance=SIZES),)
    assert "densities {'Inputs': 0.5} are not used" in network.notes[0] and "its 4 images" in network.notes[1]
    head = dict.fromkeys(("R", "S", "P", "Q"), 1) | {"C": 64, "M": 10, "N": 4}
    assert layer_of(tmp_path, shape=SHAPE, instance=head).macs == 4 * 640  # a linear layer: images are rows


def product_shape(*spaces):
    made = [{"name": name, "projection": [[[axis]] for axis in axes]} for name, axes in spaces]
    return {"dimensions": ["M", "N", "K"], "data_spaces": [*made[:2], {**made[2], "read_write": True}]}


def test_matrix_products(tmp_path):
    """(M, K) x (K, N): K is in both operands, and N in the weights, which come second or are called so."""
    sizes = {"M": 5, "N": 7, "K": 11}
    for spaces, rows in (
        ((("A", "MK"), ("B", "NK"), ("Z", "MN")), 5),
        ((("Weights", "NK"), ("Inputs", "MK"), ("Outputs", "MN")), 5),
        ((("A", "NK"), ("B", "MK"), ("Z", "MN")), 7),
    ):
        layer = layer_of(tmp_path, shape=product_shape(*spaces), instance=sizes)
        assert (rows, 35 // rows, 11) == (layer.P, layer.K, layer.C)
    for spaces in (
        (("A", "MK"), ("B", "MK"), ("Z", "MN")),
        (("A", "MK"), ("B", "MN"), ("Z", "MN")),
        (("A", "MNK"), ("B", "NK"), ("Z", "MN")),
    ):
        with pytest.raises(NetworkError, match="give the data spaces of a matrix product"):
            layer_of(tmp_path, shape=product_shape(*spaces), instance=sizes)


def test_a_folder_is_a_network(tmp_path):
    """In the order of the numbers in the names; what others include has no problem of its own."""
    (folder := tmp_path / "toy").mkdir()
    for name, channels in (("10", 3), ("9", 2), ("2", 1)):
        sizes = yaml.safe_dump({"problem": {"shape": SHAPE, "instance": {**SIZES, "C": channels}}})
        (folder / f"{name}.yaml").write_text(sizes)
    (folder / "base.yaml").write_text("problem_base: {version: 0.4}\n")
    (folder / "notes.txt").write_text("not read")
    network = read_network(folder)
    assert (network.subnet.name, [(layer.name, layer.C) for layer in network.subnet.layers]) == (
        "toy",
        [("2", 1), ("9", 2), ("10", 3)],
    )
    assert network.notes == ("base.yaml has no problem and is left out",)
    (folder / "3.yaml").write_text("problem: {instance: {C: 0}}")
    with pytest.raises(NetworkError, match=r"3\.yaml: C is 0"):
        read_problems(folder)
    (empty := tmp_path / "empty").mkdir()
    with pytest.raises(NetworkError, match="empty holds no Timeloop problem; give a folder with"):
        read_problems(empty)
    with pytest.raises(NetworkError, match="none cannot be read"):
        read_problems(tmp_path / "none")


def inputs(rows, columns):
    return {"data_spaces": [{"name": "Inputs", "projection": [[["N"]], [["C"]], rows, columns]}]}


BOTH = ([["R"], ["P", "Wstride"]], [["S"], ["Q", "Hstride"]])


def test_coefficients_of_projections_have_values_and_values_are_projected(tmp_path):
    assert layer_of(tmp_path, shape={**SHAPE, **inputs(*BOTH)}, instance=SIZES).stride == 2
    for rows, columns, said in (
        ([["R", "Wdilation"], ["P", "Wstride"]], BOTH[1], r"projects \['R', 'Wdilation'\]"),
        ([["R"], ["P", "Wstride", "Hstride"]], BOTH[1], r"projects \['P', 'Wstride', 'Hstride'\]"),
        ([["R"], ["P", 2]], BOTH[1], r"projects \['P', 2\]"),
        ([["R"], ["P"]], BOTH[1], "Wstride is 2 and no projection has it"),
    ):
        with pytest.raises(NetworkError, match=said):
            layer_of(tmp_path, shape={**SHAPE, **inputs(rows, columns)}, instance=SIZES)
