"""Which columns each command shows on the terminal."""

from __future__ import annotations

from reports.terminal import Column, count, digits, exact, hundredths, ms, percent, short, signed_percent

RUN_COLUMNS = (
    Column("query", "query", 5),
    Column("min_accuracy", "accuracy>=", 10, percent),
    Column("max_latency_s", "ms<=", 9, ms),
    Column("subnet", "SubNet", 17, left=True),
    Column("cached_subgraph", "SubGraph in PB", 17, left=True),
    Column("dram_bytes", "DRAM bytes", 11, count),
    Column("pb_saved_bytes", "PB saved", 9, count),
    Column("predicted_cycles", "predicted", 10, count),
    Column("simulated_cycles", "simulated", 10, count),
    Column("cycle_error", "diff", 7, signed_percent),
    Column("predicted_class", "class", 5),
    Column("label", "label", 5),
    Column("bit_exact", "", 9, exact, left=True),
)

COSIM_COLUMNS = (
    Column("name", "layer", 24, left=True),
    Column("predicted_cycles", "predicted", 11, count),
    Column("simulated_cycles", "simulated", 11, count),
    Column("predicted_dram_bytes", "DRAM bytes", 11, count),
    Column("simulated_dram_bytes", "simulated", 11, count),
    Column("utilisation", "used", 7, percent),
    Column("mismatches", "mismatches", 10, count),
)

WHOLE_COLUMNS = (
    Column("subnet", "SubNet", 36, left=True),
    Column("part", "part", 5, left=True),
    *COSIM_COLUMNS[1:5],
    COSIM_COLUMNS[-1],
)

LAYER_COLUMNS = (
    Column("kind", "kind", 7, left=True),
    *(Column(size, size, 5) for size in "KCRSHW"),
    Column("stride", "stride", 6),
    Column("padding", "pad", 3),
    Column("groups", "groups", 6),
    Column("P", "P", 4),
    Column("Q", "Q", 4),
    Column("macs", "MACs", 13, count),
    Column("weight_bytes", "weight bytes", 12, count),
    Column("activation", "activation", 10, left=True),
    Column("inputs", "inputs", 6, ", ".join, left=True),
)

PREDICT_COLUMNS = (
    Column("subnet", "SubNet", 28, left=True),
    Column("layers", "layers", 6),
    Column("unsupported", "cannot run", 10),
    Column("macs", "MACs", 13, count),
    Column("cycles", "cycles", 11, count),
    Column("latency_s", "ms", 9, ms),
    Column("utilisation", "used", 7, percent),
    Column("dram_bytes", "DRAM bytes", 12, count),
    Column("pb_hit_bytes", "PB saved", 11, count),
    Column("energy_j", "mJ", 8, ms),
)

MAP_COLUMNS = (
    Column("subnet", "SubNet", 20, left=True),
    Column("layer", "layer, stand-alone", 28, left=True),
    Column("cycles", "cycles", 11, count),
    Column("utilisation", "used", 7, percent),
    Column("dram_bytes", "DRAM bytes", 12, count),
    Column("energy_j", "mJ", 8, ms),
    Column("bound", "bound", 12, left=True),
)

NOISE_COLUMNS = (
    Column("trial", "trial", 5),
    Column("accuracy", "accuracy", 8, percent),
    Column("seconds", "CPU s", 7, hundredths),
)

PARTITION_COLUMNS = (
    Column("fraction", "digital", 8, percent),
    Column("loss", "loss, points", 12, hundredths),
)

STUDY_COLUMNS = (
    Column("part", "part", 12, left=True),
    Column("encoding", "encoding", 14, left=True),
    Column("adc_bits", "ADC bits", 8),
    Column("ranking", "ranking", 15, left=True),
    Column("member", "SubNet", 17, left=True),
    Column("digital_fraction", "digital", 8, percent),
    Column("accuracy_mean", "accuracy", 8, percent),
    Column("loss_points", "loss, points", 12, hundredths),
)

SUBNET_COLUMNS = (
    Column("image", "image", 5),
    Column("depth", "depth", 5, digits),
    Column("top1", "top-1 %", 7, hundredths),
    Column("macs", "MACs", 13, count),
    Column("params", "params", 10, count),
    Column("weight_mib", "int8 MiB", 8, hundredths),
)

SERVE_COLUMNS = (
    Column("policy", "policy", 15, left=True),
    Column("cache", "cache", 8, left=True),
    Column("mean_latency_s", "mean ms", 9, ms),
    Column("p50_latency_s", "median", 9, ms),
    Column("p99_latency_s", "p99", 9, ms),
    Column("mean_service_s", "service", 9, ms),
    Column("gap_to_offline", "to best", 8, signed_percent),
    Column("accuracy", "accuracy", 8, percent),
    Column("accuracy_attainment", "as asked", 8, percent),
    Column("slo_attainment", "in time", 8, percent),
    Column("pb_hit_fraction", "PB hits", 7, percent),
    Column("dram_bytes", "DRAM bytes", 15, count),
    Column("energy_j", "joules", 9, short),
    Column("switches", "switches", 8, count),
)

QUEUE_COLUMNS = (
    Column("policy", "policy", 30, left=True),
    Column("slo_attainment", "in time", 8, percent),
    Column("accuracy", "accuracy", 8, percent),
    Column("attainment_bound", "at most", 8, percent),
    Column("ours_as_accurate", "ours", 8, percent),
    Column("p50_latency_s", "median", 9, ms),
    Column("p99_latency_s", "p99", 9, ms),
    Column("dropped", "dropped", 9, count),
    Column("refused", "refused", 9, count),
    Column("energy_per_answer_j", "mJ each", 8, ms),
    Column("switches", "switches", 8, count),
)

TABLE_COLUMNS = (
    Column("done", "SubNets", 8, count),
    Column("total", "of", 8, count),
    Column("different", "different steps", 16, count),
)
