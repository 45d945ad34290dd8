"""SuperNets of ONNX models: a model is a SuperNet with one SubNet, several are the SubNets of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from arch_model.errors import FastSwitchError
from arch_model.files.shown import shown
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.network.weights import SuperNetWeights
from arch_model.spaces import own_file
from arch_model.spaces.registry import register_supernet, ships
from mapper.importers.family import Family, join_networks
from mapper.importers.network import Network, NetworkError
from mapper.importers.onnx.graph import read_onnx
from mapper.importers.onnx.walk import SKIP_HINT

SUFFIX = ".onnx"

_FAMILIES: dict[str, Family] = {}
"""Imported networks by the name of the SuperNet that they became."""

Source = str | Path | SuperNet | Network
"""A SuperNet, or what says where one is: a name, a file, an object of a module, ONNX models, an imported network."""


def load_supernet(source: Source | Sequence[Network | str | Path]) -> SuperNet:
    """Load a SuperNet: one that ships or was registered, one that a file or module makes, or ONNX models as one.

    A Python file is run as Python runs a script, except that its ``__name__`` is not ``__main__``; the SuperNet of a
    file, a module or ONNX models is registered by its name (``register_supernet``). Run only files that you would run
    yourself.

    Parameters
    ----------
    source : a name such as ``"ofa-resnet50"``; ``"FILE.yaml"``, a space file (docs/reference/space-file.md);
        ``"FILE.py"``, a file that makes one SuperNet; ``"FILE.py:NAME"``, the SuperNet that the file calls NAME;
        ``"MODULE:OBJECT"``, a SuperNet, or a function without arguments that makes one, of a module that is installed
        or in the current folder; ``"MODEL.onnx"``, a network, which is a SuperNet with one SubNet; or
        ``"A.onnx,B.onnx"`` or a list of models, which are SubNets that share the weights which they have in common.
        An imported network (``read_network``) is a model, too. A SuperNet is what it is.

    Returns
    -------
    SuperNet

    Raises
    ------
    SpaceError
        There is no such SuperNet, file or module, an error in it (the line says where), or it makes none or several.
    NetworkError
        An ONNX model cannot be read.

    Examples
    --------
    >>> fashion = load_supernet("fashion")
    >>> len(fashion.subnet_names()), fashion.weight_bytes
    (216, 389136)
    """
    if isinstance(source, Network):
        return join_networks([source]).supernet
    if isinstance(source, SuperNet):
        return source
    if isinstance(source, str | Path):
        paths = model_paths(source)
        return register_family(read_family(paths), paths) if paths else own_file.load_supernet(source)
    paths = [str(one) for one in source if not isinstance(one, Network)]
    return register_family(read_family(source), paths if len(paths) == len(source) else ())


def the_subnet(space: SuperNet, subnet: SubNet | Network | str) -> SubNet:
    """A SubNet of a SuperNet.

    Parameters
    ----------
    space : the SuperNet.
    subnet : itself, its name, or the network that was imported as it.

    Examples
    --------
    >>> the_subnet(load_supernet("fashion"), "fashion-d111-w222").name
    'fashion-d111-w222'
    """
    if isinstance(subnet, Network):
        return space.subnet(subnet.subnet.name)
    return space.subnet(subnet) if isinstance(subnet, str) else subnet


def model_paths(text: str | Path) -> list[str]:
    """The ONNX models that a text names, by commas; none if it says something else.

    >>> model_paths("nets/a.onnx,b.onnx"), model_paths("fashion"), model_paths("a.onnx,b")
    (['nets/a.onnx', 'b.onnx'], [], [])
    """
    if Path(text).suffix.lower() == SUFFIX and Path(text).exists():  # a comma may be in a file's name
        return [str(text)]
    parts = [part.strip() for part in str(text).split(",")]
    return parts if all(Path(part).suffix.lower() == SUFFIX for part in parts) else []


def read_family(models: Sequence[Network | str | Path]) -> Family:
    """Read ONNX models as the SubNets of one SuperNet (:func:`~mapper.importers.family.join_networks`).

    Parameters
    ----------
    models : files, or networks that were read. SubNets are called as the files are, with "_" in the place of commas.

    Raises
    ------
    NetworkError
        There is none, one is given twice, or one cannot be read.
    """
    networks: list[Network] = []
    seen: set[Path] = set()
    for model in models:
        if isinstance(model, Network):
            networks.append(model)
            continue
        path = Path(model)
        if path.suffix.lower() != SUFFIX:
            raise NetworkError(f"model is {shown(str(model))}; give a FILE{SUFFIX}")
        if path.resolve() in seen:
            raise NetworkError(f"{model} is given twice; give each model once")
        seen.add(path.resolve())
        networks.append(read_model(path))
    family = join_networks([_named(network) for network in networks])
    name = family.supernet.name
    return family if not ships(name) else join_networks([_named(network) for network in networks], f"{name}{SUFFIX}")


def register_family(
    family: Family, paths: Sequence[str], drawn: Callable[[], SuperNetWeights] | None = None
) -> SuperNet:
    """Make a family's SuperNet known by its name, with its integers if it has them.

    Parameters
    ----------
    family : imported networks.
    paths : the files that they come from.
    drawn : gives integers of a family that has none. None: it stays without.
    """
    _FAMILIES[family.supernet.name] = family
    weights = family.to_weights if family.runnable else drawn
    return register_supernet(family.supernet, ",".join(paths), weights)


def models_of(space: SuperNet) -> Mapping[str, Network]:
    """The networks that a SuperNet's SubNets were imported as, by name; {} if they were not, or lack integers.

    >>> dict(models_of(load_supernet("fashion")))
    {}
    """
    family = _FAMILIES.get(space.name)
    return family.networks if family is not None and family.supernet == space and family.runnable else {}


def read_model(path: str | Path) -> Network:
    """Read an ONNX model where there is no option to leave something out, which its errors would name.

    Parameters
    ----------
    path : the file.

    Raises
    ------
    NetworkError
        As :func:`~mapper.importers.onnx.graph.read_onnx` does.
    """
    try:
        return read_onnx(path)
    except NetworkError as error:
        raise NetworkError(str(error).removesuffix(SKIP_HINT)) from None
    except FastSwitchError as error:
        raise NetworkError(f"{path}: {error}") from None


def _named(network: Network) -> Network:
    name = network.subnet.name.replace(",", "_")
    return network if name == network.subnet.name else replace(network, subnet=replace(network.subnet, name=name))
