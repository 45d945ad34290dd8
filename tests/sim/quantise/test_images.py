"""Images as the model reads them and as the machine does; no torch is needed."""

import numpy as np
import pytest

from arch_model.errors import FastSwitchError
from sim.quantise.images import calibration, labelled


def test_pixels_are_exact():
    given = np.array([0, 100, 255], np.uint8).reshape(3, 1, 1)
    pixels = calibration(given, 1 / 64, 120)
    assert pixels.images.shape == (3, 1, 1, 1)
    assert pixels.real.ravel().tolist() == [-120 / 64, -20 / 64, 135 / 64]
    assert pixels.int8.ravel().tolist() == [-128, -28, 127]
    assert pixels.stored.ravel().tolist() == [0, 100, 255]
    back = (pixels.int8.astype(int) - pixels.meaning.zero) * pixels.meaning.scale
    assert back.ravel().tolist() == pixels.real.ravel().tolist()


def test_real_images_take_the_whole_range():
    given = np.linspace(-2, 3, 6).reshape(1, 1, 2, 3)
    pixels = calibration(given, 1, 0)
    assert np.array_equal(pixels.real, given.astype(np.float32))
    assert (
        np.abs((pixels.int8.astype(int) - pixels.meaning.zero) * pixels.meaning.scale - given).max()
        <= 5 / 255 / 2 + 1e-9
    )
    assert (pixels.stored.min(), pixels.stored.max()) == (0, 255)


def test_files(tmp_path):
    images = np.arange(8, dtype=np.uint8).reshape(2, 1, 2, 2)
    np.savez(tmp_path / "a.npz", images=images, labels=[1, 0])
    pixels = calibration(tmp_path / "a.npz", 1 / 255, 0)
    tests, labels = labelled(tmp_path / "a.npz", pixels)
    assert np.array_equal(tests.images, images) and labels.tolist() == [1, 0] and tests.meaning == pixels.meaning


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 3)), r"images are of shape \(2, 3\); give \(N, C, H, W\)"),
        (np.zeros((0, 3, 4, 4)), "at least one"),
        (np.zeros((1, 3, 4, 4), np.int64), "images are int64; give uint8 pixels or finite real numbers"),
        (np.full((1, 3, 4, 4), np.nan), "images are float64; give uint8 pixels or finite real numbers"),
    ],
)
def test_what_is_no_image(images, message):
    with pytest.raises(FastSwitchError, match=message):
        calibration(images, 1, 0)


@pytest.mark.parametrize(("scale", "zero"), [(0, 0), (float("nan"), 0), (-1, 0), (1, 256), (1, -1)])
def test_what_a_pixel_cannot_mean(scale, zero):
    with pytest.raises(FastSwitchError, match=r"give a positive scale and a zero of 0\.\.255"):
        calibration(np.zeros((1, 1, 2, 2), np.uint8), scale, zero)


def test_labels_that_do_not_fit(tmp_path):
    pixels = calibration(np.zeros((1, 1, 2, 2), np.uint8), 1, 0)
    for labels in ([1, 2], [0.5], [-1], [256], [[1]]):
        with pytest.raises(FastSwitchError, match=r"give 1 whole numbers of 0\.\.255"):
            labelled((np.zeros((1, 1, 2, 2), np.uint8), np.array(labels)), pixels)
    for other in (np.zeros((1, 1, 2, 3), np.uint8), np.zeros((1, 1, 2, 2))):
        with pytest.raises(FastSwitchError, match="give images of one kind"):
            labelled((other, np.array([1])), pixels)
    np.savez(tmp_path / "a.npz", images=np.zeros((1, 1, 2, 2), np.uint8))
    with pytest.raises(FastSwitchError, match="it has no array labels"):
        labelled(tmp_path / "a.npz", pixels)
