# A block design for @BOARD@: the processing system, the accelerator @NAME@, its @COUNT@ memory ports, clock, reset and
# interrupt. Needs vivado/ip, which vivado/package_ip.tcl makes. In the delivered folder:
#
#     vivado -mode batch -source vivado/block_design.tcl                        the design, checked
#     vivado -mode batch -source vivado/block_design.tcl -tclargs bitstream     and fastswitch.bit, fastswitch.hwh
#
# NOT RUN: no Vivado was there when this was written. A Tcl interpreter with stand-ins for Vivado's commands has run it.

set here [file dirname [file normalize [info script]]]
set out [file join $here build block_design]
set part @PART@
set bitstream [expr {[lindex $argv 0] eq "bitstream"}]
if {![file isdirectory [file join $here ip]]} { error "run vivado/package_ip.tcl first: vivado/ip is not there" }

create_project -force block_design $out -part $part
set board [lindex [lsort [get_board_parts -quiet *:@BOARD_PATTERN@:*]] end]
if {$board eq ""} {
    error "Vivado has no board files of @BOARD@; install them (without them the processing system's DDR is not set up)"
}
set_property board_part $board [current_project]
set_property ip_repo_paths [file join $here ip] [current_project]
update_ip_catalog

create_bd_design system
set ps [create_bd_cell -type ip -vlnv xilinx.com:ip:zynq_ultra_ps_e ps]
apply_bd_automation -rule xilinx.com:bd_rule:zynq_ultra_ps_e -config {apply_board_preset "1"} $ps
# Clock PL0, one interrupt, one master for the registers, and a slave port for each group of the accelerator's masters.
set_property -dict [list \
    CONFIG.PSU__FPGA_PL0_ENABLE 1 \
    CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ @MHZ@ \
    CONFIG.PSU__USE__IRQ0 1 \
    CONFIG.PSU__USE__M_AXI_GP0 1 \
    CONFIG.PSU__USE__M_AXI_GP1 0 \
    CONFIG.PSU__USE__M_AXI_GP2 0 \
@PS_PORTS@
] $ps

set accelerator [create_bd_cell -type ip -vlnv @VENDOR@:@LIBRARY@:fastswitch fastswitch_0]
set reset [create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset reset]
connect_bd_net [get_bd_pins ps/pl_resetn0] [get_bd_pins reset/ext_reset_in]

# The nets that every block is on.
set clocked [list [get_bd_pins ps/pl_clk0] [get_bd_pins reset/slowest_sync_clk] [get_bd_pins fastswitch_0/aclk] \
    [get_bd_pins ps/maxihpm0_fpd_aclk]]
set resets [list [get_bd_pins reset/peripheral_aresetn] [get_bd_pins fastswitch_0/aresetn]]

# Between masters and a slave: conversion of widths, and where several share a slave, arbitration.
proc interconnect {name masters slave} {
    upvar clocked clocked resets resets
    create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect $name
    set_property -dict [list CONFIG.NUM_SI [llength $masters] CONFIG.NUM_MI 1] [get_bd_cells $name]
    set index 0
    foreach master $masters {
        connect_bd_intf_net [get_bd_intf_pins $master] [get_bd_intf_pins [format "%s/S%02d_AXI" $name $index]]
        incr index
    }
    connect_bd_intf_net [get_bd_intf_pins $name/M00_AXI] [get_bd_intf_pins $slave]
    lappend clocked [get_bd_pins $name/aclk]
    lappend resets [get_bd_pins $name/aresetn]
}

interconnect registers {ps/M_AXI_HPM0_FPD} fastswitch_0/s_axi_ctrl
# The slave port of the processing system, its clock, and the accelerator's masters on it.
foreach {port clock masters} {
@CONNECTIONS@
} {
    set pins {}
    foreach master $masters { lappend pins fastswitch_0/$master }
    interconnect memory_[string tolower $port] $pins ps/$port
    lappend clocked [get_bd_pins ps/$clock]
}
connect_bd_net {*}$clocked
connect_bd_net {*}$resets
connect_bd_net [get_bd_pins fastswitch_0/irq] [get_bd_pins ps/pl_ps_irq0]

# Registers where Vivado puts them; of memory the masters, which have 32 address bits, see the lower DDR alone.
assign_bd_address
foreach segment [get_bd_addr_segs -quiet -of_objects [get_bd_addr_spaces fastswitch_0/m_axi_*]] {
    if {![string match *DDR_LOW* $segment]} { exclude_bd_addr_seg $segment }
}
validate_bd_design
save_bd_design

set file [get_files system.bd]
set wrapper [make_wrapper -files $file -top]
add_files -norecurse $wrapper
set_property top system_wrapper [current_fileset]
generate_target all $file
if {$bitstream} {
    launch_runs impl_1 -to_step write_bitstream -jobs 4
    wait_on_run impl_1
    if {[get_property PROGRESS [get_runs impl_1]] ne "100%"} { error "implementation has failed; see $out" }
    open_run impl_1
    report_timing_summary -file [file join $out timing.rpt]
    report_utilization -file [file join $out utilization.rpt]
    puts "worst slack: [get_property SLACK [get_timing_paths -delay_type max]] ns"
    file copy -force [glob -directory $out block_design.runs/impl_1/*.bit] [file join $here fastswitch.bit]
    file copy -force [lindex [glob -directory $out block_design.gen/sources_1/bd/system/hw_handoff/*.hwh] 0] \
        [file join $here fastswitch.hwh]
}
close_project
