"""From an elastic module to an archive: accuracy, sharing, and integers that the reference and the RTL agree on."""

import numpy as np
import pytest

import fastswitch as fs
from arch_model.errors import FastSwitchError
from sim.quantise.quantise import quantise

torch = pytest.importorskip("torch", reason="torch is not installed (extra train)")
from tests.sim.quantise.elastic import Elastic, pixels  # noqa: E402

SMALL, MIXED = "fashion-d111-w222", "fashion-d212-w342"
TEACHER = "fashion-d222-w444"


@pytest.fixture(scope="module")
def quantised():
    net = Elastic().eval()
    tests = pixels(64, seed=1)
    with torch.no_grad():
        labels = net(torch.from_numpy(tests / np.float32(255))).argmax(1).numpy()
    return quantise(net, pixels(), [SMALL, MIXED, TEACHER], "fashion", test=(tests, labels))


def test_the_largest_agrees_with_its_own_floats(quantised):
    """The labels are what the largest SubNet says in real numbers, so its accuracy there is 1."""
    net = quantised.subnets[TEACHER]
    assert net.top1_float == 1 and net.top1 > 0.9
    assert list(quantised.subnets) == [SMALL, MIXED, TEACHER]  # by MACs
    assert net.macs == fs.load_supernet("fashion").subnet(TEACHER).macs


def test_batch_norm_is_in_the_integers_and_not_in_the_weights(quantised):
    """Whatever gamma is, the shared weights are the convolution's own, of one scale for each filter."""
    net, stem = Elastic(), quantised.layers["stem"].astype(np.float64)
    real = net.stem.conv.weight.detach().numpy()
    scale = np.abs(real).max((1, 2, 3)) / 127 * np.where(net.stem.bn.weight.detach().numpy() < 0, -1, 1)
    assert np.abs(stem - real / scale[:, None, None, None]).max() <= 0.5001
    assert np.abs(stem).max((1, 2, 3)).tolist() == [127] * 16
    small, large = (quantised.subnets[name].ops["s1b1_conv1"] for name in (SMALL, TEACHER))
    assert len(small.bias) == 12 and len(large.bias) == 24 and small.z_in == large.z_in == -128


def test_the_integers_are_those_of_the_rtl(quantised):
    run = fs.simulate("fashion", SMALL, "tiny", weights=quantised, policy="quick")
    assert run.exact
    image = (quantised.images[0].reshape(1, 28, 28).astype(np.int16) - 128).astype(np.int8)
    assert fs.infer("fashion", SMALL, image, quantised)["linear"].ravel().tolist() == run.output.tolist()


def test_a_supernet_is_made_where_none_is_given():
    configs = {"small": {"depth": (1, 1, 1), "width": (2, 2, 2)}, "other": {"depth": (2, 1, 1), "width": (3, 2, 4)}}
    made = quantise(Elastic(), pixels(8), configs, name="mine")
    assert made.layers["parts.s1b1_conv1.conv"].shape == (18, 16, 3, 3)
    assert made.layers["linear"].shape == (10, 96, 1, 1)
    assert np.isnan(made.subnets["small"].top1) and made.metadata["test_images"] == 0


def test_recalibration_takes_the_statistics_of_the_images():
    """By hand: with one SubNet, the stem's offset is that of the images' own mean and variance."""
    net, images = Elastic().eval(), pixels(16)
    before, after = (
        quantise(net, images, [SMALL], "fashion", recalibrate=given).subnets[SMALL].ops["stem"]
        for given in (False, True)
    )
    assert not np.array_equal(before.bias, after.bias)
    with torch.no_grad():
        sums = torch.nn.functional.conv2d(torch.from_numpy(images / np.float32(255)), net.stem.conv.weight, padding=1)
    gain = net.stem.bn.weight.detach() / torch.sqrt(sums.var((0, 2, 3), correction=0) + 1e-5)
    real = net.stem.bn.bias.detach() - gain * sums.mean((0, 2, 3))
    scale = net.stem.conv.weight.detach().abs().amax((1, 2, 3)) / 127 / 255 * gain.abs()
    assert np.abs(after.bias - (real / scale).numpy()).max() < 2 + 1e-3 * np.abs(after.bias).max()


def test_subnets_that_do_not_share_are_named():
    def model(depth, width):
        net = Elastic().eval()
        net.set_active_subnet(depth, width)
        if width == (2, 2, 2):
            with torch.no_grad():
                net.parts["s2b1_conv1"].conv.weight[3] += 1
        return net

    with pytest.raises(FastSwitchError) as caught:
        quantise(model, pixels(4), [SMALL, MIXED], "fashion")
    text = str(caught.value)
    assert f"SubNet {SMALL}: layer s2b1_conv1 does not share its weights with SubNet {MIXED}" in text
    assert "\n" not in text and "108 of 2,592 differ" in text  # one filter of 12 x 3 x 3 among 24


def test_another_supernets_module_is_named():
    with pytest.raises(FastSwitchError, match=f"SubNet {SMALL}: layer stem of the SubNet is not in the module, where"):
        quantise(Elastic(stem=12), pixels(4), [SMALL], "fashion")
