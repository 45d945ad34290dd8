# Packages the accelerator @NAME@ as an IP of Vivado's catalogue, in vivado/ip. In the delivered folder:
#
#     vivado -mode batch -source vivado/package_ip.tcl
#     vivado -mode batch -source vivado/package_ip.tcl -tclargs PART   for another than @PART@
#
# NOT RUN: no Vivado was there when this was written. A Tcl interpreter with stand-ins for Vivado's commands has run it.

set here [file dirname [file normalize [info script]]]
set root [file dirname $here]
set out [file join $here ip]
set part @PART@
if {[llength $argv] > 0} { set part [lindex $argv 0] }

# Name of each master, whether it writes too, bits of its data, bursts that it may have under way (reads, writes).
set masters {
@MASTERS@
}

create_project -force package_ip [file join $here build package_ip] -part $part
add_files -norecurse [file join $root rtl fastswitch.v]
set_property top fastswitch [current_fileset]
add_files -fileset constrs_1 -norecurse [file join $root constraints fastswitch.xdc]
# Clock and delays hold for the module by itself; in a block design the clock comes from its source.
set_property USED_IN {out_of_context synthesis implementation} [get_files fastswitch.xdc]
update_compile_order -fileset sources_1

ipx::package_project -root_dir $out -vendor @VENDOR@ -library @LIBRARY@ -taxonomy /UserIP -import_files -force
set core [ipx::current_core]
set_property name fastswitch $core
set_property version @VERSION@ $core
set_property display_name {FastSwitch @NAME@} $core
set_property description {SubGraph-Stationary accelerator @NAME@, description @HASH@} $core
set_property vendor_display_name FastSwitch $core
set_property auto_family_support_level level_2 $core

# A parameter of a bus interface, whether Vivado has inferred it or not.
proc set_bus_parameter {bus name value} {
    set found [ipx::get_bus_parameters $name -of_objects $bus]
    if {[llength $found] == 0} { set found [ipx::add_bus_parameter $name $bus] }
    set_property value $value $found
}

# The bus interface of that name; Vivado infers it from the names of its ports.
proc bus_interface {name} {
    set found [ipx::get_bus_interfaces $name -of_objects [ipx::current_core]]
    if {[llength $found] != 1} { error "bus interface $name was not inferred" }
    return $found
}

foreach {name mode bits reads writes} $masters {
    set bus [bus_interface $name]
    foreach {parameter value} [list \
        PROTOCOL AXI4  READ_WRITE_MODE $mode  DATA_WIDTH $bits  ADDR_WIDTH @ADDRESS_BITS@  ID_WIDTH 0 \
        AWUSER_WIDTH 0  ARUSER_WIDTH 0  WUSER_WIDTH 0  RUSER_WIDTH 0  BUSER_WIDTH 0 \
        HAS_BURST 1  HAS_CACHE 1  HAS_PROT 1  HAS_LOCK 0  HAS_QOS 0  HAS_REGION 0 \
        HAS_WSTRB 1  HAS_BRESP 1  HAS_RRESP 1 \
        SUPPORTS_NARROW_BURST 0  MAX_BURST_LENGTH @MAX_BURST@ \
        NUM_READ_OUTSTANDING $reads  NUM_WRITE_OUTSTANDING $writes  NUM_READ_THREADS 1  NUM_WRITE_THREADS 1 \
    ] { set_bus_parameter $bus $parameter $value }
    ipx::associate_bus_interfaces -busif $name -clock aclk $core
}

set bus [bus_interface s_axi_ctrl]
foreach {parameter value} [list \
    PROTOCOL AXI4LITE  DATA_WIDTH 32  ADDR_WIDTH @CONTROL_BITS@  NUM_READ_OUTSTANDING 1  NUM_WRITE_OUTSTANDING 1 \
] { set_bus_parameter $bus $parameter $value }
ipx::associate_bus_interfaces -busif s_axi_ctrl -clock aclk $core
ipx::associate_bus_interfaces -clock aclk -reset aresetn $core
set_bus_parameter [bus_interface aresetn] POLARITY ACTIVE_LOW
set_bus_parameter [bus_interface irq] SENSITIVITY LEVEL_HIGH

# The registers, for the address editor and for the hardware description that PYNQ reads.
set map [ipx::get_memory_maps s_axi_ctrl -of_objects $core]
if {[llength $map] == 0} {
    set map [ipx::add_memory_map s_axi_ctrl $core]
    set_property slave_memory_map_ref s_axi_ctrl $bus
}
set block [lindex [ipx::get_address_blocks -of_objects $map] 0]
if {$block eq ""} { set block [ipx::add_address_block registers $map] }
set_property usage register $block
set_property width 32 $block
set_property range @CONTROL_RANGE@ $block
# Name, byte offset, access and reset value of each.
foreach {name offset access reset} {
@REGISTERS@
} {
    set register [ipx::add_register $name $block]
    set_property address_offset $offset $register
    set_property size 32 $register
    set_property access $access $register
    set_property reset_value $reset $register
}

set_property core_revision 1 $core
ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::check_integrity $core
ipx::save_core $core
close_project
puts "packaged $out"
