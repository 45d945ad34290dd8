"""Files of users are opened by the readers of ``arch_model.files`` (and ``mapper.importers.onnx.file``) alone.

Whatever else reads one of these formats reads what the project itself has written or ships, and is listed with why.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[3]
ROOMS = ("arch_model", "mapper", "rtl", "sim", "reports")

DOORS = {
    "arch_model/files/cifar10.py",
    "arch_model/files/yaml_file.py",
    "arch_model/files/json_file.py",
    "arch_model/files/csv_file.py",
    "arch_model/files/npz_file.py",
    "arch_model/files/parquet_file.py",
    "arch_model/files/text.py",
    "mapper/importers/onnx/file.py",
}
OPENERS = {
    **dict.fromkeys(("yaml.load", "yaml.safe_load", "yaml.load_all", "yaml.parse", "yaml.compose"), "YAML"),
    **dict.fromkeys(("json.load", "json.loads"), "JSON"),
    **dict.fromkeys(("csv.reader", "csv.DictReader", "pd.read_csv", "pd.read_table", "pd.read_excel"), "CSV"),
    **dict.fromkeys(("np.load", "np.loadtxt", "np.genfromtxt", "np.fromfile", "pickle.load", "pickle.loads"), "arrays"),
    **dict.fromkeys(("pq.read_table", "pq.ParquetFile", "pq.ParquetDataset", "pd.read_parquet"), "Parquet"),
    **dict.fromkeys(("onnx.load", "onnx.load_model", "onnx.load_from_string"), "ONNX"),
    **dict.fromkeys(("gzip.open", "gzip.decompress", "bz2.open", "lzma.open", "zipfile.ZipFile"), "packed"),
}
OWN = {
    "arch_model/files/journal.py": "lines of JSON that it wrote itself, one by one, of which the last may be cut",
    "arch_model/files/question.py": "JSON that it has just written",
    "arch_model/files/results_folder.py": "question.json of a folder that it made",
    "reports/sushi_sweep.py": "lines of JSON that it wrote itself",
    "rtl/driver/package.py": "the board's driver has NumPy alone and no package of ours; it checks for itself",
    "rtl/synth/place.py": "reports of nextpnr",
    "rtl/synth/synthesis.py": "reports of Yosys, and what it kept of them",
    "sim/rtl_bench/bench.py": "answers of the simulation that it runs",
    "sim/rtl_bench/bench_process.py": "arguments of its own process",
    "sim/rtl_bench/server.py": "jobs that sim/rtl_bench/bench.py writes",
    "sim/rtl_bench/generated.py": "its cache, whose names are digests",
    "sim/rtl_bench/rtl_device.py": "memory that it shares with its own process",
    "sim/cosim/whole_networks.py": "rows that it wrote itself",
    "sim/workers.py": "values between its own processes",
}


def _called(tree):
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
        ):
            yield f"{node.func.value.id}.{node.func.attr}", node.lineno


def test_nothing_else_opens_these_formats():
    found = []
    for path in sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if name in DOORS:
            continue
        for call, line in _called(ast.parse(path.read_text())):
            if call in OPENERS and name not in OWN:
                found.append(f"{name}:{line}: {call} opens {OPENERS[call]}")
    assert not found, found
    assert all((ROOT / name).is_file() for name in OWN)


def test_no_door_lets_objects_in():
    for path in (path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        text = path.read_text()
        name = path.relative_to(ROOT).as_posix()
        if name == "sim/workers.py":
            continue
        if name == "arch_model/files/cifar10.py":  # the official files are pickled: its Unpickler takes arrays alone
            assert "class _Plain(pickle.Unpickler)" in text and "pickle.load" not in text
            text = text.replace("import pickle\n", "")
        assert "allow_pickle=True" not in text and "yaml.unsafe_load" not in text and "import pickle" not in text, path


def test_arrow_converts_without_threads():
    """``to_frame`` alone: see ``parquet_file`` for what its threads do to a process that ends."""
    for path in (path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        if path.name != "parquet_file.py":
            assert ".to_pandas(" not in path.read_text(), path
