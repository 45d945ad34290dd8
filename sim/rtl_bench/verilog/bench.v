// The accelerator (`machine`, made by sim/rtl_bench/bench_ports.py) with its DRAM and its clock. Python (sim/rtl_bench/server.py) acts only at a job's start and end.
//
// The clock is made here: a clock from outside the design costs several times more a cycle. Simulators disagree on
// whether Python, called at a clock edge, sees values before or after it; so Python works at *falling* edges of aclk
// (rising edges of host_clk), drives the s_axi_ctrl inputs there, and reads what the accelerator drove at the last
// rising edge: the host_s_axi_ctrl_* copies taken there.

`default_nettype none
`timescale 1ns / 1ps

module bench #(
    parameter BEAT_BYTES = 4,  // of one port
    parameter STRIPES = 1,
    parameter WEIGHT_STRIPES = 1,
    parameter DEPTH = 1024,  // beats of DRAM
    parameter LATENCY = 20,
    parameter CYCLES_PER_BEAT = 1
);
    localparam BITS = 8 * BEAT_BYTES;

    reg aclk = 0;
    always #5 aclk = ~aclk;

    // What Python sets.
    reg aresetn /* verilator public_flat_rw */ = 0;
    reg [7:0] stall /* verilator public_flat_rw */ = 0;
    reg [31:0] seed /* verilator public_flat_rw */ = 0;
    reg silent /* verilator public_flat_rw */ = 0;
    reg [4:0] fault /* verilator public_flat_rw */ = 0;
    reg [7:0] fault_port /* verilator public_flat_rw */ = 0;
    reg [31:0] fault_burst /* verilator public_flat_rw */ = 0;
    reg [31:0] error_base /* verilator public_flat_rw */ = 0;
    reg [31:0] error_limit /* verilator public_flat_rw */ = 0;
    reg load /* verilator public_flat_rw */ = 0;
    reg dump /* verilator public_flat_rw */ = 0;
    reg [31:0] dump_first /* verilator public_flat_rw */ = 0;
    reg [31:0] dump_beats /* verilator public_flat_rw */ = 0;
    reg [7:0] host_s_axi_ctrl_awaddr /* verilator public_flat_rw */ = 0;
    reg [2:0] host_s_axi_ctrl_awprot /* verilator public_flat_rw */ = 0;
    reg host_s_axi_ctrl_awvalid /* verilator public_flat_rw */ = 0;
    reg [31:0] host_s_axi_ctrl_wdata /* verilator public_flat_rw */ = 0;
    reg [3:0] host_s_axi_ctrl_wstrb /* verilator public_flat_rw */ = 0;
    reg host_s_axi_ctrl_wvalid /* verilator public_flat_rw */ = 0;
    reg host_s_axi_ctrl_bready /* verilator public_flat_rw */ = 0;
    reg [7:0] host_s_axi_ctrl_araddr /* verilator public_flat_rw */ = 0;
    reg [2:0] host_s_axi_ctrl_arprot /* verilator public_flat_rw */ = 0;
    reg host_s_axi_ctrl_arvalid /* verilator public_flat_rw */ = 0;
    reg host_s_axi_ctrl_rready /* verilator public_flat_rw */ = 0;

    // Of that, what all of the design depends on, a cycle later. What Python sets may change at any time, for all that a
    // simulator knows: a second copy of all logic between there and the next registers would be compiled for it.
    reg aresetn_now = 0;
    reg [7:0] stall_now = 0;
    reg [31:0] seed_now = 0;
    reg silent_now = 0;
    reg [4:0] fault_now = 0;
    reg [7:0] fault_port_now = 0;
    reg [31:0] fault_burst_now = 0;
    reg [31:0] error_base_now = 0;
    reg [31:0] error_limit_now = 0;
    always @(posedge aclk) begin
        aresetn_now <= aresetn;
        stall_now <= stall;
        seed_now <= seed;
        silent_now <= silent;
        fault_now <= fault;
        fault_port_now <= fault_port;
        fault_burst_now <= fault_burst;
        error_base_now <= error_base;
        error_limit_now <= error_limit;
    end

    // What Python reads.
    wire host_clk /* verilator public_flat_rd */ = ~aclk;
    reg host_irq /* verilator public_flat_rd */;
    reg [31:0] fault_bursts /* verilator public_flat_rd */;
    reg [6:0] violation /* verilator public_flat_rd */;
    reg load_done /* verilator public_flat_rd */;
    reg dump_done /* verilator public_flat_rd */;
    reg host_s_axi_ctrl_awready /* verilator public_flat_rd */;
    reg host_s_axi_ctrl_wready /* verilator public_flat_rd */;
    reg [1:0] host_s_axi_ctrl_bresp /* verilator public_flat_rd */;
    reg host_s_axi_ctrl_bvalid /* verilator public_flat_rd */;
    reg host_s_axi_ctrl_arready /* verilator public_flat_rd */;
    reg [31:0] host_s_axi_ctrl_rdata /* verilator public_flat_rd */;
    reg [1:0] host_s_axi_ctrl_rresp /* verilator public_flat_rd */;
    reg host_s_axi_ctrl_rvalid /* verilator public_flat_rd */;

    wire irq;
    wire [6:0] dram_violation;
    wire [31:0] dram_fault_bursts;
    wire dram_load_done, dram_dump_done;
    wire awready, wready, bvalid, arready, rvalid;
    wire [1:0] bresp, rresp;
    wire [31:0] rdata;

    always @(posedge aclk) begin
        host_irq <= irq;
        violation <= dram_violation;
        fault_bursts <= dram_fault_bursts;
        load_done <= dram_load_done;
        dump_done <= dram_dump_done;
        host_s_axi_ctrl_awready <= awready;
        host_s_axi_ctrl_wready <= wready;
        host_s_axi_ctrl_bresp <= bresp;
        host_s_axi_ctrl_bvalid <= bvalid;
        host_s_axi_ctrl_arready <= arready;
        host_s_axi_ctrl_rdata <= rdata;
        host_s_axi_ctrl_rresp <= rresp;
        host_s_axi_ctrl_rvalid <= rvalid;
    end

    // Masters: read port 0 is prog, then WEIGHT_STRIPES of wgt and STRIPES each of act and out; out has the write ports.
    localparam READS = 1 + WEIGHT_STRIPES + 2 * STRIPES;
    wire [32*READS-1:0] araddr;
    wire [8*READS-1:0] arlen;
    wire [3*READS-1:0] arsize;
    wire [2*READS-1:0] arburst;
    wire [READS-1:0] m_arvalid, m_arready, m_rvalid, m_rready, m_rlast;
    wire [BITS*READS-1:0] m_rdata;
    wire [2*READS-1:0] m_rresp;
    wire [32*STRIPES-1:0] awaddr;
    wire [8*STRIPES-1:0] awlen;
    wire [3*STRIPES-1:0] awsize;
    wire [2*STRIPES-1:0] awburst;
    wire [STRIPES-1:0] m_awvalid, m_awready, m_wvalid, m_wready, m_wlast, m_bvalid, m_bready;
    wire [BITS*STRIPES-1:0] m_wdata;
    wire [BEAT_BYTES*STRIPES-1:0] m_wstrb;
    wire [2*STRIPES-1:0] m_bresp;

    machine dut (
        .aclk(aclk),
        .aresetn(aresetn_now),
        .irq(irq),

        .s_axi_ctrl_awaddr(host_s_axi_ctrl_awaddr),
        .s_axi_ctrl_awprot(host_s_axi_ctrl_awprot),
        .s_axi_ctrl_awvalid(host_s_axi_ctrl_awvalid),
        .s_axi_ctrl_awready(awready),
        .s_axi_ctrl_wdata(host_s_axi_ctrl_wdata),
        .s_axi_ctrl_wstrb(host_s_axi_ctrl_wstrb),
        .s_axi_ctrl_wvalid(host_s_axi_ctrl_wvalid),
        .s_axi_ctrl_wready(wready),
        .s_axi_ctrl_bresp(bresp),
        .s_axi_ctrl_bvalid(bvalid),
        .s_axi_ctrl_bready(host_s_axi_ctrl_bready),
        .s_axi_ctrl_araddr(host_s_axi_ctrl_araddr),
        .s_axi_ctrl_arprot(host_s_axi_ctrl_arprot),
        .s_axi_ctrl_arvalid(host_s_axi_ctrl_arvalid),
        .s_axi_ctrl_arready(arready),
        .s_axi_ctrl_rdata(rdata),
        .s_axi_ctrl_rresp(rresp),
        .s_axi_ctrl_rvalid(rvalid),
        .s_axi_ctrl_rready(host_s_axi_ctrl_rready),

        .araddr(araddr),
        .arlen(arlen),
        .arsize(arsize),
        .arburst(arburst),
        .arvalid(m_arvalid),
        .arready(m_arready),
        .rdata(m_rdata),
        .rresp(m_rresp),
        .rlast(m_rlast),
        .rvalid(m_rvalid),
        .rready(m_rready),
        .awaddr(awaddr),
        .awlen(awlen),
        .awsize(awsize),
        .awburst(awburst),
        .awvalid(m_awvalid),
        .awready(m_awready),
        .wdata(m_wdata),
        .wstrb(m_wstrb),
        .wlast(m_wlast),
        .wvalid(m_wvalid),
        .wready(m_wready),
        .bresp(m_bresp),
        .bvalid(m_bvalid),
        .bready(m_bready)
    );

    dram #(
        .BEAT_BYTES(BEAT_BYTES),
        .DEPTH(DEPTH),
        .READ_PORTS(READS),
        .WRITE_PORTS(STRIPES),
        .LATENCY(LATENCY),
        .CYCLES_PER_BEAT(CYCLES_PER_BEAT)
    ) memory (
        .clk(aclk),
        .resetn(aresetn_now),
        .stall(stall_now),
        .seed(seed_now),
        .silent(silent_now),
        .fault(fault_now),
        .fault_port(fault_port_now),
        .fault_burst(fault_burst_now),
        .fault_bursts(dram_fault_bursts),
        .error_base(error_base_now),
        .error_limit(error_limit_now),
        .load(load),
        .load_done(dram_load_done),
        .dump(dump),
        .dump_first(dump_first),
        .dump_beats(dump_beats),
        .dump_done(dram_dump_done),
        .violation(dram_violation),

        .araddr(araddr),
        .arlen(arlen),
        .arsize(arsize),
        .arburst(arburst),
        .arvalid(m_arvalid),
        .arready(m_arready),
        .rdata(m_rdata),
        .rresp(m_rresp),
        .rlast(m_rlast),
        .rvalid(m_rvalid),
        .rready(m_rready),

        .awaddr(awaddr),
        .awlen(awlen),
        .awsize(awsize),
        .awburst(awburst),
        .awvalid(m_awvalid),
        .awready(m_awready),
        .wdata(m_wdata),
        .wstrb(m_wstrb),
        .wlast(m_wlast),
        .wvalid(m_wvalid),
        .wready(m_wready),
        .bresp(m_bresp),
        .bvalid(m_bvalid),
        .bready(m_bready)
    );
endmodule
