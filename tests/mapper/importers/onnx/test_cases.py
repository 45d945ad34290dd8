"""Small files that public reports brought, where they are at hand: each is right, or refused by name."""

import numpy as np

from mapper.importers import GRAPHS, NetworkError, read_onnx
from tests.mapper.importers.float_network import results
from tests.mapper.importers.onnx.nets import session
from tests.mapper.importers.test_quantisers import fuzzer
from tests.published_tables import published_or_skip

assert fuzzer  # a fixture
REFUSED = {
    "bn_training_mode": "its training_mode is 1; give 0",
    "skip_depth_to_space_then_pool": "there is no layer for this operator",
    "branch_resize_nearest": "a STORE writes neighbouring pixels next to each other",
    "q_image_two_scales": "the image already has another scale",
}
FAULTY = {"head_argmax"}  # it says that ArgMax gives floats: onnxruntime does not load it
CLAIMED = {
    "q_s8_weights_zp_minus1": GRAPHS[1:],
    "amd_quark_xint8_allconv": GRAPHS,
    "bias_int8_own_pow2_scale_as_vitis_ai_quark": (),
    "bias_int32_product_scale_control": GRAPHS[1:],
    "qdq_opset21_output_dtype_int8_no_zero_point": (),
    "symmetric_int8_relu_chain": (),
    "uint8_zp0_relu_kept_chain": (),
    "qlinearconv_uint8_image": GRAPHS,
}


def test_reported_files(fuzzer):
    """Claims hold and what is not claimed is near; float layers are onnxruntime's; a refusal names its node."""
    cases = published_or_skip("onnx")
    rng, read, compared = np.random.default_rng(0), set(), 0
    for path in sorted(cases.glob("*.onnx")):
        try:
            network = read_onnx(path)
        except NetworkError as error:
            assert REFUSED.get(path.stem, "") in str(error) and "\n" not in str(error)
            continue
        read.add(path.stem)
        if network.runnable:
            assert not fuzzer.judge(path, rng, 1).is_bad, path
        elif network.floats and path.stem not in FAULTY:
            (asked,) = session(path).get_inputs()
            x = rng.normal(0, 1, asked.shape).astype(np.float32)
            theirs = session(path).run(None, {asked.name: x})
            made = [results(network, image[None]).values() for image in x]  # a batch is its images, one by one
            for ours, own in zip(zip(*made, strict=True), theirs, strict=True):
                np.testing.assert_allclose(np.reshape(ours, own.shape), own, rtol=1e-3, atol=1e-4, err_msg=path.stem)
                compared += 1
    assert not read & set(REFUSED)
    assert compared >= 20
    for name, graphs in CLAIMED.items():
        assert read_onnx(cases / f"{name}.onnx").bit_exact == graphs, name
    skipped = read_onnx(cases / "skip_depth_to_space_then_pool.onnx", skip_unsupported=True).subnet
    assert [(layer.kind, layer.C, layer.H) for layer in skipped.layers[1:]] == [("maxpool", 4, 32), ("pool", 4, 16)]
