// The accelerator with its DRAM and its clock. Python (sim/bench_test.py) acts only at a job's start and end.
//
// The clock is made here: a clock from outside the design costs several times more a cycle. Simulators disagree on
// whether Python, called at a clock edge, sees values before or after it; so Python works at *falling* edges of aclk
// (rising edges of host_clk), drives the s_axi_ctrl inputs there, and reads what the accelerator drove at the last
// rising edge: the host_s_axi_ctrl_* copies taken there.

`default_nettype none
`timescale 1ns / 1ps

module bench #(
    parameter BEAT_BYTES = 4,
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

    // What Python reads.
    wire host_clk /* verilator public_flat_rd */ = ~aclk;
    reg host_irq /* verilator public_flat_rd */;
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
    wire dram_load_done, dram_dump_done;
    wire awready, wready, bvalid, arready, rvalid;
    wire [1:0] bresp, rresp;
    wire [31:0] rdata;

    always @(posedge aclk) begin
        host_irq <= irq;
        violation <= dram_violation;
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

    // Masters: prog, wgt, act, out are read ports 0 to 3.
    wire [31:0] araddr [0:3];
    wire [7:0] arlen [0:3];
    wire [2:0] arsize [0:3];
    wire [1:0] arburst [0:3];
    wire [3:0] m_arvalid, m_arready, m_rvalid, m_rready, m_rlast;
    wire [4*BITS-1:0] m_rdata;
    wire [7:0] m_rresp;
    wire [31:0] awaddr;
    wire [7:0] awlen;
    wire [2:0] awsize;
    wire [1:0] awburst;
    wire awvalid, m_awready, m_wvalid, m_wready, m_wlast, m_bvalid, m_bready;
    wire [BITS-1:0] m_wdata;
    wire [BEAT_BYTES-1:0] m_wstrb;
    wire [1:0] m_bresp;

    fastswitch dut (
        .aclk(aclk),
        .aresetn(aresetn),
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

        .m_axi_prog_araddr(araddr[0]),
        .m_axi_prog_arlen(arlen[0]),
        .m_axi_prog_arsize(arsize[0]),
        .m_axi_prog_arburst(arburst[0]),
        .m_axi_prog_arprot(),
        .m_axi_prog_arcache(),
        .m_axi_prog_arvalid(m_arvalid[0]),
        .m_axi_prog_arready(m_arready[0]),
        .m_axi_prog_rdata(m_rdata[0*BITS+:BITS]),
        .m_axi_prog_rresp(m_rresp[1:0]),
        .m_axi_prog_rlast(m_rlast[0]),
        .m_axi_prog_rvalid(m_rvalid[0]),
        .m_axi_prog_rready(m_rready[0]),

        .m_axi_wgt_araddr(araddr[1]),
        .m_axi_wgt_arlen(arlen[1]),
        .m_axi_wgt_arsize(arsize[1]),
        .m_axi_wgt_arburst(arburst[1]),
        .m_axi_wgt_arprot(),
        .m_axi_wgt_arcache(),
        .m_axi_wgt_arvalid(m_arvalid[1]),
        .m_axi_wgt_arready(m_arready[1]),
        .m_axi_wgt_rdata(m_rdata[1*BITS+:BITS]),
        .m_axi_wgt_rresp(m_rresp[3:2]),
        .m_axi_wgt_rlast(m_rlast[1]),
        .m_axi_wgt_rvalid(m_rvalid[1]),
        .m_axi_wgt_rready(m_rready[1]),

        .m_axi_act_araddr(araddr[2]),
        .m_axi_act_arlen(arlen[2]),
        .m_axi_act_arsize(arsize[2]),
        .m_axi_act_arburst(arburst[2]),
        .m_axi_act_arprot(),
        .m_axi_act_arcache(),
        .m_axi_act_arvalid(m_arvalid[2]),
        .m_axi_act_arready(m_arready[2]),
        .m_axi_act_rdata(m_rdata[2*BITS+:BITS]),
        .m_axi_act_rresp(m_rresp[5:4]),
        .m_axi_act_rlast(m_rlast[2]),
        .m_axi_act_rvalid(m_rvalid[2]),
        .m_axi_act_rready(m_rready[2]),

        .m_axi_out_araddr(araddr[3]),
        .m_axi_out_arlen(arlen[3]),
        .m_axi_out_arsize(arsize[3]),
        .m_axi_out_arburst(arburst[3]),
        .m_axi_out_arprot(),
        .m_axi_out_arcache(),
        .m_axi_out_arvalid(m_arvalid[3]),
        .m_axi_out_arready(m_arready[3]),
        .m_axi_out_rdata(m_rdata[3*BITS+:BITS]),
        .m_axi_out_rresp(m_rresp[7:6]),
        .m_axi_out_rlast(m_rlast[3]),
        .m_axi_out_rvalid(m_rvalid[3]),
        .m_axi_out_rready(m_rready[3]),
        .m_axi_out_awaddr(awaddr),
        .m_axi_out_awlen(awlen),
        .m_axi_out_awsize(awsize),
        .m_axi_out_awburst(awburst),
        .m_axi_out_awprot(),
        .m_axi_out_awcache(),
        .m_axi_out_awvalid(awvalid),
        .m_axi_out_awready(m_awready),
        .m_axi_out_wdata(m_wdata),
        .m_axi_out_wstrb(m_wstrb),
        .m_axi_out_wlast(m_wlast),
        .m_axi_out_wvalid(m_wvalid),
        .m_axi_out_wready(m_wready),
        .m_axi_out_bresp(m_bresp),
        .m_axi_out_bvalid(m_bvalid),
        .m_axi_out_bready(m_bready)
    );

    dram #(
        .BEAT_BYTES(BEAT_BYTES),
        .DEPTH(DEPTH),
        .READ_PORTS(4),
        .LATENCY(LATENCY),
        .CYCLES_PER_BEAT(CYCLES_PER_BEAT)
    ) memory (
        .clk(aclk),
        .resetn(aresetn),
        .stall(stall),
        .seed(seed),
        .error_base(error_base),
        .error_limit(error_limit),
        .load(load),
        .load_done(dram_load_done),
        .dump(dump),
        .dump_first(dump_first),
        .dump_beats(dump_beats),
        .dump_done(dram_dump_done),
        .violation(dram_violation),

        .araddr({araddr[3], araddr[2], araddr[1], araddr[0]}),
        .arlen({arlen[3], arlen[2], arlen[1], arlen[0]}),
        .arsize({arsize[3], arsize[2], arsize[1], arsize[0]}),
        .arburst({arburst[3], arburst[2], arburst[1], arburst[0]}),
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
        .awvalid(awvalid),
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
