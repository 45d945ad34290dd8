"""A YAML file is what its content says."""

import pytest

from mapper.importers import NetworkError, read_network

PRODUCT = """\
- {id: 0, operator_type: Gemm, equation: "O[m][n]+=I[m][d]*W[d][n]", loop_dims: [M, N, D], loop_sizes: [2, 3, 4]}
"""
PROBLEM = "problem: {instance: {C: 4, M: 3, R: 1, S: 1, P: 2, Q: 1}}"


def test_a_list_is_a_workload_and_a_mapping_a_problem(tmp_path):
    for name, text in (("a.yaml", PRODUCT), ("b.yml", PROBLEM)):
        (tmp_path / name).write_text(text)
        (layer,) = read_network(tmp_path / name).subnet.layers
        assert (layer.K, layer.C, layer.P, layer.macs) == (3, 4, 2, 24)
    for text in ("7", "", "a: 1"):
        (tmp_path / "c.yaml").write_text(text)
        with pytest.raises(NetworkError, match='key "problem" is missing; give a Timeloop problem'):
            read_network(tmp_path / "c.yaml")
