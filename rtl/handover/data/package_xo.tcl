# Packages the accelerator @NAME@ as a kernel for Vitis, the file alveo/fastswitch.xo. In the delivered folder:
#
#     vivado -mode batch -source alveo/package_xo.tcl
#     v++ --link --target hw --platform PLATFORM --config alveo/link.cfg --output fastswitch.xclbin alveo/fastswitch.xo
#
# NOT RUN: neither Vivado nor Vitis was there when this was written. A Tcl interpreter with stand-ins for their commands
# has run it.

set here [file dirname [file normalize [info script]]]
set root [file dirname $here]
set out [file join $here ip]
set part @PART@
if {[llength $argv] > 0} { set part [lindex $argv 0] }

create_project -force package_xo [file join $here build package_xo] -part $part
add_files -norecurse [list [file join $root rtl fastswitch.v] [file join $here fastswitch_kernel.v]]
set_property top fastswitch_kernel [current_fileset]
update_compile_order -fileset sources_1

ipx::package_project -root_dir $out -vendor @VENDOR@ -library @LIBRARY@ -taxonomy /KernelIP -import_files -force
set core [ipx::current_core]
set_property name fastswitch_kernel $core
set_property version @VERSION@ $core
set_property display_name {FastSwitch @NAME@} $core
set_property auto_family_support_level level_2 $core
set_property sdx_kernel true $core
set_property sdx_kernel_type rtl $core
foreach bus {@BUSES@} { ipx::associate_bus_interfaces -busif $bus -clock ap_clk $core }
ipx::associate_bus_interfaces -clock ap_clk -reset ap_rst_n $core
set_property core_revision 1 $core
ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::check_integrity -kernel $core
ipx::save_core $core

# Software writes the registers itself (user_managed): the kernel has none of Vitis' own start and done bits.
package_xo -force -xo_path [file join $here fastswitch.xo] -kernel_name fastswitch_kernel \
    -ctrl_protocol user_managed -ip_directory $out -kernel_xml [file join $here kernel.xml]
close_project
puts "packaged [file join $here fastswitch.xo]"
