"""Where labelled images come from."""

import gzip
from dataclasses import replace

import numpy as np
import pytest

from arch_model.errors import FastSwitchError
from arch_model.network.weights import load_weights
from sim.noise.engine.network import Network
from sim.noise.sensitivity.images import find_ranking_images, find_test_images, with_images


def idx(array):
    return gzip.compress(bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes() + array.tobytes())


@pytest.fixture
def installed(tmp_path):
    rng = np.random.default_rng(1)
    for split, count in (("t10k", 1200), ("train", 40)):
        images, labels = rng.integers(0, 256, (count, 28, 28)).astype(np.uint8), np.arange(count).astype(np.uint8) % 10
        (tmp_path / f"{split}-images-idx3-ubyte.gz").write_bytes(idx(images))
        (tmp_path / f"{split}-labels-idx1-ubyte.gz").write_bytes(idx(labels))
    return tmp_path


def test_the_shipped_images_do_for_a_thousand(installed):
    weights = load_weights()
    found = find_test_images(weights, 1000, installed)
    assert (found.images == weights.images).all() and found.source == "the shipped test images"


def test_weights_without_images_take_those_of_a_file(tmp_path):
    weights = load_weights()
    bare = replace(weights, images=weights.images[:0], labels=weights.labels[:0])
    with pytest.raises(FastSwitchError, match=r"the weights come without test images; give --data FILE\.npz"):
        find_test_images(bare, 5, None)
    network = Network.of_subnet("smallest", weights)
    np.savez(tmp_path / "a.npz", images=weights.images[3:9, None], labels=weights.labels[3:9])
    held = with_images(bare, network, tmp_path / "a.npz")
    found = find_test_images(held, 6, None)
    assert found.source == str(tmp_path / "a.npz") and (found.images[:, 0] == weights.images[3:9]).all()
    assert (find_ranking_images(held, 100, None).labels == weights.labels[3:9]).all()
    with pytest.raises(FastSwitchError, match="it goes with --onnx, these SubNets have images of their own"):
        with_images(weights, network, tmp_path / "a.npz")
    for images, said in (
        (weights.images[3:9, None, 1:], r"SubNet fashion-d111-w222 takes images of \(1, 28, 28\) \(C, H, W\)"),
        (weights.images[3:9, None] / 25, "its images go from 0 to 10.2; give pixels, uint8 or 0 to 1"),
    ):
        np.savez(tmp_path / "b.npz", images=images, labels=weights.labels[3:9])
        with pytest.raises(FastSwitchError, match=said):
            with_images(bare, network, tmp_path / "b.npz")


def test_more_come_from_the_data_set(installed, tmp_path):
    weights = load_weights()
    found = find_test_images(weights, 1100, installed)
    assert found.images.shape == (1100, 28, 28) and found.labels[11] == 1
    with pytest.raises(FastSwitchError, match=r"images is 1201; give 1\.\.1200"):
        find_test_images(weights, 1201, installed)
    with pytest.raises(FastSwitchError, match=r"images is 1100; give 1\.\.1000"):
        find_test_images(weights, 1100, tmp_path / "nowhere")


def test_rankings_are_made_on_training_images_if_there_are_any(installed, tmp_path):
    weights = load_weights()
    assert find_ranking_images(weights, 30, installed).source == "the training set of Fashion-MNIST"
    assert find_ranking_images(weights, 30, tmp_path / "nowhere").source == "the shipped test images"


def test_a_damaged_file_is_named(installed):
    (installed / "train-labels-idx1-ubyte.gz").write_bytes(b"not gzip")
    with pytest.raises(FastSwitchError, match=r"train-labels-idx1-ubyte\.gz: not an idx file"):
        find_ranking_images(load_weights(), 30, installed)
