# FuseSoC's target `synth` reads this into Vivado's project: synthesis is out of context, and the constraints say so.
# NOT RUN: no Vivado was there when this was written. A Tcl interpreter with stand-ins for Vivado's commands has run it.
set_property USED_IN {out_of_context synthesis implementation} [get_files fastswitch.xdc]
set_property -name {STEPS.SYNTH_DESIGN.ARGS.MORE OPTIONS} -value {-mode out_of_context} -objects [get_runs synth_1]
