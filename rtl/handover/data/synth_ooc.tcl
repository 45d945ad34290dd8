# Synthesises the accelerator @NAME@ out of context, that is without pads and without a design around it. With the word
# `route` it is placed and routed, too. In the delivered folder:
#
#     vivado -mode batch -source vivado/synth_ooc.tcl
#     vivado -mode batch -source vivado/synth_ooc.tcl -tclargs route
#     vivado -mode batch -source vivado/synth_ooc.tcl -tclargs synth PART   for another than @PART@
#
# Reports and checkpoints are in vivado/build/ooc.
# NOT RUN: no Vivado was there when this was written. A Tcl interpreter with stand-ins for Vivado's commands has run it.

set here [file dirname [file normalize [info script]]]
set root [file dirname $here]
set out [file join $here build ooc]
set step synth
set part @PART@
if {[llength $argv] > 0} { set step [lindex $argv 0] }
if {[llength $argv] > 1} { set part [lindex $argv 1] }
if {$step ni {synth route}} { error "the step is $step; give synth or route" }
file mkdir $out

create_project -in_memory -part $part
read_verilog [file join $root rtl fastswitch.v]
read_xdc -mode out_of_context [file join $root constraints fastswitch.xdc]
# No I/O buffers: -mode out_of_context. Hierarchy is kept, so that reports name units.
synth_design -top fastswitch -part $part -mode out_of_context -flatten_hierarchy none
write_checkpoint -force [file join $out synth.dcp]
report_utilization -hierarchical -hierarchical_depth 4 -file [file join $out synth_utilization.rpt]
report_ram_utilization -file [file join $out synth_ram.rpt]
report_timing_summary -delay_type max -max_paths 10 -file [file join $out synth_timing.rpt]

if {$step eq "route"} {
    opt_design
    place_design
    phys_opt_design
    route_design
    write_checkpoint -force [file join $out route.dcp]
    report_utilization -hierarchical -hierarchical_depth 4 -file [file join $out route_utilization.rpt]
    report_timing_summary -max_paths 10 -file [file join $out route_timing.rpt]
    report_power -file [file join $out route_power.rpt]
}
puts "worst slack of @PERIOD@ ns: [get_property SLACK [get_timing_paths -delay_type max]] ns"
