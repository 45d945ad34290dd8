"""``fastswitch explore``: many machines priced for some SubNets, the best of them found."""

from __future__ import annotations

from pathlib import Path

import click

from reports.commands.interrupt import Interrupted
from reports.commands.memory import say_varied_memory
from reports.commands.numbers import Count
from reports.commands.options import (
    cached_option,
    force_option,
    out_option,
    report_option,
    seed_option,
    space_option,
    subnets_option,
)
from reports.terminal import counting, show_summary


@click.command(
    "explore",
    epilog='\b\nExample:  fastswitch explore --space ofa-resnet50 --subnets 10 --vary "KP=8,16,32 CP=4,9,16 '
    'PB=0:8MB:0.5MB DRAM=2.4,9.6,19.2GB/s" --out explored',
)
@space_option(required=True)
@subnets_option("What every machine runs.", required=True)
@click.option(
    "--vary",
    required=True,
    metavar='"KNOB=VALUES ..."',
    help="What is varied: KP, CP, PB, DB, SB, OB, OUT, ZSB, CLOCK, DRAM, LATENCY, INTERVAL, BITS, STRIPES, WSTRIPES, "
    "PIXELS; "
    "values as 8,16,32 or start:stop:step, sizes with a unit such as MB, KiB, GB/s, MHz.",
)
@click.option(
    "--objectives",
    default="latency,energy,area",
    show_default=True,
    metavar="NAME,...",
    help="Of latency, energy, area, accuracy, dsp, bram, lut.",
)
@out_option("Folder of the study; the same command goes on with what is there.")
@click.option(
    "--accelerator",
    default="zcu104",
    show_default=True,
    metavar="NAME|FILE",
    help="The machine whose other numbers stay: a preset or a YAML file.",
)
@click.option(
    "--sampler",
    default="grid",
    show_default=True,
    metavar="NAME",
    help="Which points: grid (all), random, or Optuna's nsga2, nsga3, tpe, qmc.",
)
@click.option("--points", type=Count(1, 20_000_000, "each is a row in memory"), help="How many points; not for a grid.")
@seed_option
@click.option(
    "--backend",
    default="joblib",
    show_default=True,
    metavar="NAME[:WHERE]",
    help="joblib[:N], ray[:ADDRESS] or dask[:ADDRESS]; N local workers, without it one a core.",
)
@cached_option("fit", file=False)
@click.option("--exact", is_flag=True, help="Price every point exactly, not only those that can be on the front.")
@report_option
@force_option
def command(
    space: str,
    subnets: str,
    vary: str,
    objectives: str,
    out: Path,
    accelerator: str,
    sampler: str,
    points: int | None,
    seed: int,
    backend: str,
    cached: str,
    exact: bool,
    report: bool,
    force: bool,
) -> int:
    """Price machines: every combination of the knobs' values, or those that a sampler takes.

    Points are screened by an estimate; those that can be on the front are then priced exactly, each SubNet as one
    Program. Points are on disk as they come. Killed at any moment and started again, it goes on and repeats none of
    them. Ends with status 1 if no point is legal.
    """
    from reports.explore.quantities import quantity_range
    from sim.explore import exact_front, explore, load_study
    from sim.explore.run import PRICING, SCREENING
    from sim.explore.study import MAPPING

    if report:
        from reports.explore import require_libraries, write_report

        require_libraries()  # before the work that it shows
    names = tuple(objectives.split(","))
    done: dict[str, tuple[int, int]] = {}
    with counting() as on_count:

        def count(stage: str, now: int, of: int) -> None:
            done[stage] = now, of
            on_count(stage, now, of)

        try:
            table = explore(
                *(space, subnets, vary, names, out, accelerator, sampler, points, seed, backend, cached, count, force),
                exact=exact,
            )
        except KeyboardInterrupt:
            now, of = done.get(SCREENING, (0, 0))
            priced = f", {done[PRICING][0]:,} of them priced exactly" if PRICING in done else ""
            where = f"; {now:,} of {of:,} points are in {out}{priced}, the same command goes on with them"
            raise Interrupted(where if of else "") from None
        study = load_study(out)
        try:
            page = write_report(study, out, on_count) if report else None
        except KeyboardInterrupt:
            raise Interrupted(f"; all points are in {out}, the same command writes the report") from None
    legal = int(table["legal"].sum())
    summary: dict[str, object] = {"points": len(table), "legal": legal}
    if legal:
        summary["priced exactly"] = int((table["price"] == "exact").sum())
        summary["mapping policy"] = MAPPING
        summary["on the Pareto front"] = int(exact_front(table, names).sum())
        for name in names:
            summary[name] = quantity_range(name, table[name])
        for name, error in study.errors.items():
            summary[f"{name}'s estimate"] = str(error)
    show_summary(summary)
    say_varied_memory(study.base, [knob.name for knob in study.knobs])
    if not legal:
        click.echo(f"note: no point is legal; the first: {table['why'].iloc[0]}", err=True)
    click.echo(f"table  {out / 'points.parquet'}")
    if page:
        click.echo(f"page   {page}")
    return 0 if legal else 1
