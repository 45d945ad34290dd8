"""ONNX files of public model collections, to see how many of them are imported.

    pip install torch torchvision timm ofa
    python bench/export_models.py FOLDER [SET ...]

Sets are ``torchvision``, ``timm`` and ``ofa``; each has a folder in FOLDER, with a file for each model, which is left
as it is if it is there. Weights are random, from a seed, for nothing is downloaded. ``bench/import_rates.py --models
FOLDER`` reads them.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

SEED = 0
TORCHVISION = (
    *("alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet", "inception_v3"),
    *("mnasnet1_0", "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", "regnet_y_400mf", "resnet18"),
    *("resnet50", "resnext50_32x4d", "shufflenet_v2_x1_0", "squeezenet1_1", "vgg16"),
)
TIMM = (
    *("convnext_atto", "densenet121", "dla34", "efficientnet_b0", "efficientnet_lite0", "fbnetc_100", "ghostnet_100"),
    *("hardcorenas_a", "hrnet_w18_small", "lcnet_050", "mixnet_s", "mnasnet_100", "mobilenetv2_100"),
    *("mobilenetv3_large_100", "mobilenetv3_small_100", "mobileone_s0", "regnetx_002", "regnety_002", "repvgg_a0"),
    *("resnet18", "resnet26d", "resnet50", "semnasnet_100", "spnasnet_100", "tf_efficientnet_b0", "tinynet_e", "vgg11"),
)
OFA = ("OFAResNets", "OFAMobileNetV3", "OFAProxylessNASNets")


def torchvision_models() -> Iterator[tuple[str, Any, int]]:
    """Name, model and rows of the image of each classifier."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library = torch.library.Library("torchvision", "DEF")
        with contextlib.suppress(RuntimeError):  # a build without its C++ part still has all classifiers
            library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision
    for name in TORCHVISION:
        more = {"init_weights": False, "aux_logits": name == "inception_v3"} if "inception" in name else {}
        more = {"init_weights": False, "aux_logits": False} if name == "googlenet" else more
        make = getattr(torchvision.models, name)
        yield name, lambda make=make, more=more: make(weights=None, **more), 299 if name == "inception_v3" else 224


def timm_models() -> Iterator[tuple[str, Any, int]]:
    """The same of timm."""
    import timm

    for name in TIMM:
        yield name, lambda name=name: timm.create_model(name, pretrained=False), 224


def ofa_models() -> Iterator[tuple[str, Any, int]]:
    """A SubNet of each SuperNet of ``ofa``, drawn from the seed; the SuperNets have the choices of their papers."""
    import random

    from ofa.imagenet_classification.elastic_nn import networks

    choices = {
        "OFAResNets": {"depth_list": [0, 1, 2], "expand_ratio_list": [0.2, 0.25, 0.35]},
        "OFAMobileNetV3": {"ks_list": [3, 5, 7], "expand_ratio_list": [3, 4, 6], "depth_list": [2, 3, 4]},
        "OFAProxylessNASNets": {"ks_list": [3, 5, 7], "expand_ratio_list": [3, 4, 6], "depth_list": [2, 3, 4]},
    }

    def subnet(name: str) -> Any:
        network = getattr(networks, name)(**choices[name])
        random.seed(SEED)
        network.sample_active_subnet()
        return network.get_active_subnet(preserve_weight=True)

    for name in OFA:
        yield name, lambda name=name: subnet(name), 224


SETS: dict[str, Callable[[], Iterator[tuple[str, Any, int]]]] = {
    "torchvision": torchvision_models,
    "timm": timm_models,
    "ofa": ofa_models,
}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("names", nargs=-1, type=click.Choice(list(SETS)), metavar="[SET ...]")
def main(folder: Path, names: tuple[str, ...]) -> None:
    """Write what is not there yet, and say how long each took."""
    import torch

    for set_name in names or SETS:
        (folder / set_name).mkdir(parents=True, exist_ok=True)
        for name, make, size in SETS[set_name]():
            path = folder / set_name / f"{name}.onnx"
            if path.exists():
                continue
            start = time.perf_counter()
            torch.manual_seed(SEED)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = make().eval()
                torch.onnx.export(model, (torch.zeros(1, 3, size, size),), str(path), dynamo=False, opset_version=17)
            print(f"{path}: {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
