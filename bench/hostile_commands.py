"""Hostile command lines: values out of range, of another kind or none at all, options that clash, files that are none.

    python bench/hostile_commands.py [--jobs 2] [--seed 1] [--kind numbers]

Each case begins with a command line that works and spoils it: an option gets a hostile value, or that of another
option; one is added, dropped, doubled or spelt as version 0.1.0 did; an output is an input, a folder or a device. What
counts as a fault is said in ``hostile_runner.py``. Nothing is simulated: ``run`` and ``cosim`` find no simulator.
"""

from __future__ import annotations

import json
import posixpath
import random
import string
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import click
from hostile_files import small_model
from hostile_runner import Case, main

Words = list[str]

COUNT = 1000

TEXTS = (
    *(
        "",
        " ",
        "\t",
        "\0",
        "a\0b",
        "\udcff",
        "caf\udce9",
        "x\ny",
        "\x1b[31mred",
        "\r",
        "\u202e",
        "\U0001f680",
        "\ufeff",
    ),
    *("-", "--", "---", "=", ",", ",,", ":", "::", "/", ".", "..", "~", "*", "%s%n", "{}", "[]", "null", "true", "'\""),
    *(
        "x" * 300,
        "x" * 5000,
        "x" * 100_001,
        "../" * 200,
        "a,b",
        "a,,b",
        "a:b:c",
        "None",
        "nan",
        "absent",
        "$HOME",
        "`id`",
    ),
)
NUMBERS = (
    *("-1", "0", "-0", "1.5", "1e3", "1e308", "1e400", "1e-400", "nan", "inf", "-inf", "0x10", "1_0_0", "+7", "1,000"),
    *(
        "9" * 20,
        "9" * 400,
        "9" * 5000,
        "-" + "9" * 40,
        "\u0663",
        "\u00bd",
        "1e99999999",
        "1/2",
        "1e",
        "e1",
        "--1",
        "1 2",
    ),
)
INPUTS = (
    *(
        "absent",
        "absent/file",
        "folder",
        "folder/",
        "folder/note.txt",
        "/dev/null",
        "/dev/zero",
        "/dev/full",
        "/dev/tty",
    ),
    *("/proc/self/mem", "/proc/self/environ", "/etc/passwd", "layers.csv", "nets.json", "stream.csv", "machine.yaml"),
    *("empty", "binary", "subgraph.json", "topology.csv", "/", ".", "x" * 300, "a\nb", "-", "/dev/stdin", "//absent"),
)
OUTPUTS = (
    *(
        "/dev/full",
        "/dev/null",
        "/dev/zero",
        "/proc/none",
        "/proc/self/out",
        "folder",
        "folder/note.txt/in",
        "binary/in",
    ),
    *(
        "layers.csv",
        "nets.json",
        "stream.csv",
        "machine.yaml",
        "subgraph.json",
        "topology.csv",
        "/",
        ".",
        "x" * 300,
        "a\nb",
    ),
    *("./layers.csv", "folder/../nets.json", "/dev/stdout/in", "nowhere/deep/er/out", "-", "out.csv/"),
)
SPECIAL = {
    "--vary": (
        "KP=",
        "=",
        "KP=1:2",
        "KP=2:1:1",
        "KP=1:10:0",
        "KP=1e99999999",
        "KP=0:1e30:1e-30",
        "KP=0",
        "KP=-4",
        "KP=4 KP=8",
        "PB=0:1GB:1B",
        "PB=1",
        "PB=1XB",
        "PB=nanMB",
        "FOO=1",
        "KP=4,4",
        "DRAM=1e30GB/s",
        "CLOCK=5GHz",
        "CLOCK=1e30Hz",
        "KP=1:1e9:1",
        "KP=\u0664",
        "DRAM=1GB/s INTERVAL=2",
        "LATENCY=1e20",
        "BITS=7",
        "KP=2,4 CP" + "=3" * 50,
    ),
    "--arrivals": (
        "poisson:0",
        "poisson:1e300",
        "poisson:nan",
        "gamma:1",
        "gamma:1,1e300",
        "gamma:1,-1",
        "bursty:1,2",
        "diurnal:0,1,1e300",
        "diurnal:0,0,1",
        "diurnal:2,1,1",
        "deterministic:1e-300",
        "deterministic:",
        "poisson",
        "poisson:1,2",
        "uniform:1",
        "diurnal:0,1e9,1e9",
        "gamma:1e9,1e6",
    ),
    "--layer": (
        "K=0 C=3",
        "K=4",
        "K=4 C=3 R=9",
        "K=1e9 C=1e9",
        "K=" + "9" * 400 + " C=3",
        "K=4 C=3 H=-1",
        "K=4 C=3 K=5",
        "K=4 C=3 stride=0",
        "K=4 C=3 groups=3",
        "K=4 C=3 padding=99",
        "K=4.5 C=3",
        "Z=4",
        "K=99999999 C=99999999 H=9 W=9",
        "K=4 C=3 R=3 S=3 H=1 W=1 stride=7",
        "K=4 C=3 H=999999999 W=999999999",
        "K",
    ),
    "--variation": (
        "gaussian:1e30",
        "lognormal:-1",
        "lognormal:nan",
        "lognormal:",
        "gaussian",
        "none:1",
        "lognormal:0.5,read=inf",
        "lognormal:0.5,foo=1",
        "lognormal:0.5,per-cell,per-cell",
        "gaussian:0.1,stuck=1/1",
        "cauchy:1",
        "gaussian:0.1,drift=1e300/1@1",
        "gaussian:0.1,on-off=0",
        "gaussian:0.1,ir=1e30",
    ),
    "--subnets": (
        "0",
        "-1",
        "99999",
        "9" * 400,
        "fashion-d111-w222,fashion-d111-w222",
        "fashion-d999-w999",
        "fashion-",
        "resnet50D_MAC@0.6B",
        "diverse-0",
        ",",
        "fashion-d111-w222,",
        "217",
        "1e3",
        *INPUTS,
    ),
    "--subnet": ("nobody", "largest,smallest", "0", *INPUTS[:6]),
    "--space": ("nope", "Fashion", "fashion ", "ofa-resnet50", "compofa-elastic", *INPUTS[:4]),
    "--accelerator": ("huge", "sushi-zcu104", "u50", "Tiny", *INPUTS),
    "--objectives": ("", ",", "speed", "latency,latency", "latency,", "accuracy", "all", "latency;area"),
    "--backend": (
        "joblib:0",
        "joblib:-1",
        "joblib:1e9",
        "joblib:" + "9" * 30,
        "joblib:x",
        "mpi",
        "joblib:1:2",
        "dask",
        ":",
        "ray:",
    ),
    "--sampler": ("grid", "random", "nsga2", "tpe", "annealing", "GRID"),
    "--cached": ("fit", "best", "none", "all", *INPUTS),
    "--policy": ("strict-accuracy", "static", "static:nobody", "fastest", "static:", "Strict-Latency"),
    "--cache": ("static", "static:nobody", "all", "sushi", "forecast:1"),
    "--part": ("everything", "shared,cost", "smallest"),
}
"""Values that an option of this name might be given."""

ROW = "0,0,0,small,1,4,3,5,5,1,1,1,0,5,5,300,12"
HEADER = "network,layer_index,supernet_layer_index,name,N,K,C,H,W,R,S,stride,padding,out_H,out_W,macs,weight_bytes"

Base = tuple[str, tuple[tuple[str, ...], ...]]
BASES: tuple[Base, ...] = (
    ("subnets", (("--space", "fashion"), ("--sample", "3"), ("--seed", "1"), ("--json",))),
    (
        "predict",
        (("--subnets", "fashion-d111-w222"), ("--csv", "out.csv"), ("--accelerator", "tiny"), ("--cached", "none")),
    ),
    ("predict", (("--subnets", "nets.json"), ("--csv", "out.csv"), ("--cached", "subgraph.json"))),
    ("map", (("--layer", "K=4 C=3 R=3 S=3 H=8 W=8"), ("--accelerator", "tiny"), ("--objective", "latency"))),
    ("table", (("--space", "fashion"), ("--subnets", "2"), ("--subgraphs", "2"), ("--out", "made"))),
    (
        "serve",
        (
            ("--subnets", "fashion-d111-w222"),
            ("--candidates", "1"),
            ("--queries", "5"),
            ("--arrivals", "poisson:100"),
            ("--csv", "out.csv"),
            ("--on-infeasible", "best-effort"),
        ),
    ),
    ("serve", (("--subnets", "fashion-d111-w222"), ("--candidates", "1"), ("--stream", "stream.csv"), ("--json",))),
    (
        "explore",
        (
            ("--space", "fashion"),
            ("--subnets", "fashion-d111-w222"),
            ("--vary", "KP=2,4"),
            ("--accelerator", "tiny"),
            ("--backend", "joblib:1"),
            ("--no-report",),
            ("--out", "made"),
        ),
    ),
    ("package", (("--subnets", "fashion-d111-w222"), ("--subgraphs", "0"), ("--out", "made"))),
    (
        "noise",
        (
            ("--variation", "none"),
            ("--subnet", "smallest"),
            ("--images", "8"),
            ("--trials", "1"),
            ("--jobs", "1"),
            ("--csv", "out.csv"),
        ),
    ),
    (
        "partition",
        (
            ("--variation", "none"),
            ("--subnet", "smallest"),
            ("--images", "8"),
            ("--trials", "1"),
            ("--jobs", "1"),
            ("--max-loss", "50"),
            ("--ranking", "magnitude"),
            ("--out", "made"),
        ),
    ),
    (
        "hybrid",
        (
            ("--out", "made"),
            ("--part", "layers"),
            ("--subnet", "smallest"),
            ("--images", "8"),
            ("--trials", "1"),
            ("--full-images", "8"),
            ("--full-trials", "1"),
            ("--rank-images", "8"),
            ("--family", "1"),
            ("--jobs", "1"),
            ("--max-loss", "90"),
            ("--no-report",),
        ),
    ),
    ("import", (("topology.csv",), ("--csv", "out.csv"))),
    ("import", (("topology.csv",), ("--timeloop", "made"), ("--json",))),
    (
        "quantise",
        (
            ("math:floor",),
            ("--images", "images.npz"),
            ("--space", "fashion"),
            ("--subnets", "fashion-d111-w222"),
            ("--npz", "made.npz"),
        ),
    ),
    ("verify", (("model.onnx",), ("--random", "2"), ("--accelerator", "tiny"), ("--json",))),
    ("run", (("--queries", "1"), ("--out", "made"), ("--simulator", "icarus"), ("--subnets", "fashion-d111-w222"))),
    ("cosim", (("--layers", "layers.csv"), ("--csv", "out.csv"), ("--simulator", "icarus"))),
    ("cosim", (("--subnets", "fashion-d111-w222"), ("--out", "made"), ("--simulator", "icarus"))),
    ("rtl", (("--out", "made"), ("--place",))),
)
"""Command lines that work in seconds (or find no simulator), option by option."""

OLD = (
    ("cosim", "--subnet", "fashion-d111-w222"),
    ("run", "--subnet", "fashion-d111-w222"),
    ("serve", "--trace", "stream.csv"),
    ("hybrid", "--report", "study"),
    ("table", "--out", "t.parquet"),
    ("package", "--out", "p.npz"),
    ("partition", "--out", "p.json"),
)
"""Spellings of version 0.1.0."""


def cases(seed: int) -> Iterator[Case]:
    """The cases of a seed."""
    files = _files()
    draw = random.Random(seed)
    commands = {name: _command(name) for name in {name for name, _ in BASES}}
    for _ in range(COUNT):
        name, base = draw.choice(BASES)
        kind, spoil = draw.choices(KINDS, [weight for *_, weight in _WEIGHTED])[0]
        words = spoil(draw, commands[name], [list(part) for part in base])
        environment = {"PATH": ""} if name in ("run", "cosim", "rtl") else {}
        yield Case(f"command line: {kind}", (name, *words), files, _forced(words), environment=environment)
    for command, option, value in OLD:
        yield Case("command line: old spelling", (command, option, value), files)
    for words in (
        (),
        ("bake",),
        ("--frob",),
        ("",),
        ("\0",),
        ("\udcff",),
        ("x" * 5000,),
        ("run", "run"),
        ("-",),
        ("--",),
    ):
        yield Case("command line: no command", words, files)


def _forced(words: Words) -> tuple[str, ...]:
    """What the command is told to replace: its outputs, by ``--force``, unless another option names them, too."""
    if "--force" not in words:
        return ()
    named = [posixpath.normpath(after) for word, after in pairwise(words) if word in _WRITING and after]
    other = {posixpath.normpath(after) for word, after in pairwise(words) if word not in _WRITING and after}
    return tuple(name for name in named if name not in other)


def _command(name: str) -> click.Command:
    import fastswitch

    command = fastswitch.cli.get_command(click.Context(fastswitch.cli), name)
    assert command is not None
    return command


def _files() -> dict[str, bytes]:
    """What every case finds in its folder."""
    from arch_model.spaces import get_space, subnet_entry

    fashion = get_space("fashion")
    nets = [subnet_entry(fashion.subnet(name)) for name in ("fashion-d111-w222", "fashion-d211-w222")]
    graph = [[4, 1], *([0, 0] for _ in fashion.layers[1:])]
    columns = "Layer name,IFMAP Height,IFMAP Width,Filter Height,Filter Width,Channels,Num Filter,Strides,"
    topology = f"{columns}\na,8,8,3,3,3,4,1,\n"
    return {
        "layers.csv": f"{HEADER}\n{ROW}\n".encode(),
        "nets.json": json.dumps(nets).encode(),
        "subgraph.json": json.dumps(graph).encode(),
        "stream.csv": b"arrival_s,accuracy,latency_s\n0,0.9,1\n1,0.9,1\n",
        "topology.csv": topology.encode(),
        "model.onnx": small_model(),
        "machine.yaml": b"name: mine\nclock_hz: 1e308\n",
        "empty": b"",
        "binary": bytes(range(256)),
        "folder/note.txt": b"kept\n",
    }


# ---- ways to spoil a command line; each gets its options as lists of words ----


def _flat(options: Sequence[Words]) -> Words:
    return [word for option in options for word in option]


def _place(draw: random.Random, options: list[Words]) -> Words:
    """An option that has a value, or the first."""
    return draw.choice([option for option in options if len(option) > 1] or options)


def _numbers(draw: random.Random, command: click.Command, options: list[Words]) -> Words:
    """A number that is none, or out of all bounds, for an option that takes one."""
    names = [
        param.opts[0]
        for param in command.params
        if isinstance(param, click.Option) and not param.is_flag and getattr(param.type, "name", "") in _NUMERIC
    ]
    if not names:
        return _texts(draw, command, options)
    name = draw.choice(names)
    return _flat([*[option for option in options if option[0] != name], [name, draw.choice(NUMBERS)]])


def _texts(draw: random.Random, command: click.Command, options: list[Words]) -> Words:
    """A text that is no value of anything."""
    option = _place(draw, options)
    option[-1] = draw.choice(TEXTS)
    if draw.random() < 0.2 and option[0].startswith("--"):
        option[:] = ["=".join(option)]
    return _flat(options)


def _values(draw: random.Random, command: click.Command, options: list[Words]) -> Words:
    """A value that its option might be given, and that means nothing."""
    names = [param.opts[0] for param in command.params if param.opts[0] in SPECIAL]
    if not names:
        return _texts(draw, command, options)
    name = draw.choice(names)
    return _flat([*[option for option in options if option[0] != name], [name, draw.choice(SPECIAL[name])]])


def _inputs(draw: random.Random, command: click.Command, options: list[Words]) -> Words:
    """Another file, a folder or a device for an option that reads one."""
    names = [param.opts[0] for param in command.params if param.opts[0] in _READING]
    if not names or options[0][0] in ("topology.csv", "model.onnx"):
        option = _place(draw, options) if names else options[0]
        option[-1] = draw.choice(INPUTS)
        return _flat(options)
    name = draw.choice(names)
    return _flat([*[option for option in options if option[0] != name], [name, draw.choice(INPUTS)]])


def _outputs(draw: random.Random, command: click.Command, options: list[Words]) -> Words:
    """An output that is an input, a folder or a device."""
    names = [param.opts[0] for param in command.params if param.opts[0] in _WRITING]
    if not names:
        return _texts(draw, command, options)
    name = draw.choice(names)
    words = _flat([*[option for option in options if option[0] != name], [name, draw.choice(OUTPUTS)]])
    return [*words, "--force"] if draw.random() < 0.1 and any("--force" in p.opts for p in command.params) else words


def _added(draw: random.Random, command: click.Command, options: list[Words]) -> Words:
    """Options that may not go together: two more of the command's, with values that might be."""
    for param in draw.sample(command.params, min(2, len(command.params))):
        name = param.opts[0]
        if not isinstance(param, click.Option) or name in _LONG:
            continue
        options.append([name] if param.is_flag else [name, _plausible(draw, name, param)])
    return _flat(options)


def _rearranged(draw: random.Random, command: click.Command, options: list[Words]) -> Words:
    """One option dropped, doubled, without its value, or with that of another; or a word that is none of them."""
    how = draw.randrange(5)
    option = draw.choice(options)
    if how == 0:
        options.remove(option)
    elif how == 1:
        options.append(list(option))
    elif how == 2:
        option[1:] = []
    elif how == 3:
        other = _place(draw, options)
        option[-1], other[-1] = other[-1], option[-1]
    else:
        word = "".join(draw.choices(string.printable + "\u00e9\udc80", k=draw.randrange(1, 20)))
        options.insert(draw.randrange(len(options) + 1), [draw.choice(("", "-", "--")) + word])
    return _flat(options)


_NUMERIC = ("count", "number", "integer", "integer range", "float", "float range")
_READING = {
    "--layers",
    "--stream",
    "--table",
    "--weights",
    "--data",
    "--onnx",
    "--partition",
    "--accelerator",
    "--cached",
    "--subnets",
}
_WRITING = {"--csv", "--out", "--plot", "--scalesim", "--timeloop", "--trace"}
_LONG = {"--exact", "--synth", "--help", "--report", "--version"}
"""Options that are legal here and begin minutes of work."""


def _plausible(draw: random.Random, name: str, param: click.Option) -> str:
    if isinstance(param.type, click.Choice):
        return str(draw.choice(list(param.type.choices)))
    if getattr(param.type, "name", "") in _NUMERIC:
        return draw.choice(("1", "2", "3"))
    return draw.choice(SPECIAL.get(name) or (OUTPUTS if name in _WRITING else INPUTS))


Spoil = Callable[[random.Random, click.Command, list[Words]], Words]
_WEIGHTED: tuple[tuple[str, Spoil, int], ...] = (
    ("numbers", _numbers, 4),
    ("texts", _texts, 4),
    ("values", _values, 5),
    ("inputs", _inputs, 4),
    ("outputs", _outputs, 4),
    ("options together", _added, 4),
    ("rearranged", _rearranged, 3),
)
KINDS = tuple((kind, spoil) for kind, spoil, _ in _WEIGHTED)


if __name__ == "__main__":
    main(cases, __doc__.splitlines()[0])
