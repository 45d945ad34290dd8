"""Small files that public reports brought, where they are at hand: each is right, or refused by name."""

import numpy as np

from arch_model.network.layer import Kind
from mapper.importers import GRAPHS, NetworkError, read_onnx
from tests.mapper.importers.float_network import run_floats
from tests.mapper.importers.onnx.nets import session
from tests.mapper.importers.test_quantisers import fuzzer
from tests.published_tables import published_or_skip

assert fuzzer  # a fixture
REFUSED = {
    "add_8x1_to_8_channels_8_rows": "it adds a constant of shape (8, 1) that is not one value a channel",
    "bn_training_mode": "its training_mode is 1; give 0",
    "skip_depth_to_space_then_pool": "there is no layer for this operator",
    "pad_same_upper_stride2_even": "padding is 0, 0, 1, 1",
    "conv_dilation2": "dilations are 2, 2",
}
CLAIMED = {
    "amd_quark_xint8_allconv": GRAPHS,
    "bias_int8_own_pow2_scale_as_vitis_ai_quark": (),
    "bias_int32_product_scale_control": GRAPHS[1:],
    "qdq_opset21_output_dtype_int8_no_zero_point": (),
    "symmetric_int8_relu_chain": (),
    "uint8_zp0_relu_kept_chain": (),
    "qlinearconv_uint8_image": GRAPHS,
}
SIMPLE = (Kind.CONV, Kind.LINEAR, Kind.ADD, Kind.SCALE, Kind.POOL)


def test_reported_files(fuzzer):
    """Claims hold and what is not claimed is near; float layers are onnxruntime's; a refusal names its node."""
    cases = published_or_skip("onnx")
    rng, read = np.random.default_rng(0), set()
    for path in sorted(cases.glob("*.onnx")):
        try:
            network = read_onnx(path)
        except NetworkError as error:
            assert REFUSED.get(path.stem, "") in str(error) and "\n" not in str(error)
            continue
        read.add(path.stem)
        if network.runnable:
            assert not fuzzer.judge(path, rng, 1).is_bad, path
        elif network.floats and all(layer.kind in SIMPLE for layer in network.subnet.layers):
            first, last = network.subnet.layers[0], network.subnet.layers[-1].name
            x = rng.normal(0, 1, (1, first.C, first.H, first.W)).astype(np.float32)
            theirs = session(path).run(None, {"x": x})[0][0]
            made = run_floats(network, x[0])[last].reshape(theirs.shape)
            np.testing.assert_allclose(made, theirs, rtol=1e-3, atol=1e-4, err_msg=path.stem)
    assert not read & set(REFUSED)
    for name, graphs in CLAIMED.items():
        assert read_onnx(cases / f"{name}.onnx").bit_exact == graphs, name
    skipped = read_onnx(cases / "skip_depth_to_space_then_pool.onnx", skip_unsupported=True).subnet
    assert [(layer.kind, layer.C, layer.H) for layer in skipped.layers[1:]] == [("maxpool", 4, 32), ("pool", 4, 16)]
