// Runs the accelerator `@NAME@` on Programs that its compiler made, and compares memory, cycles (to 1 %) and transfers
// with what was computed and predicted. Verilog-2001 and no Python: before.hex and after.hex are in the folder that it
// runs in.
//
//   +stall=N   0 to 255: each handshake of the memory pauses in N of 256 cycles, and so does the host's side of the
//              control port. Cycles are then printed and not compared. Without it, 0.
//   +seed=N    of the pauses. Without it, 1.
//
// Ends with a line that begins with PASS, or with FAIL and an exit status other than 0.

`default_nettype none
`timescale 1ns / 1ps

module smoke;
    localparam BEAT_BYTES = @BEAT_BYTES@;  // of one port
    localparam STRIPES = @STRIPES@;
    localparam WEIGHT_STRIPES = @WEIGHTS@;
    localparam DEPTH = @DEPTH@;  // beats of memory
    localparam LATENCY = @LATENCY@;  // cycles from an address to its first beat
    localparam CYCLES_PER_BEAT = @CYCLES_PER_BEAT@;
    localparam BITS = 8 * BEAT_BYTES;
    localparam SHOWN = 8;  // wrong beats that are printed

@REGISTERS@

    reg aclk, aresetn;
    reg [7:0] stall;
    integer asked;
    reg [31:0] seed, lottery;
    integer failures, i;
    reg [BITS-1:0] expected [0:DEPTH-1];

    initial aclk = 0;
    always #5 aclk = ~aclk;

    // ---- the accelerator and its memory -----------------------------------------------------------------------
    localparam READS = 1 + WEIGHT_STRIPES + 2 * STRIPES;  // prog, then every stripe of wgt, of act, of out
    wire irq;
    wire [6:0] violation;
    wire load_done, dump_done;

    reg [7:0] awaddr, araddr_ctrl;
    reg awvalid, wvalid, bready, arvalid_ctrl, rready_ctrl;
    reg [31:0] wdata;
    wire awready, wready, bvalid, arready_ctrl, rvalid_ctrl;
    wire [1:0] bresp, rresp_ctrl;
    wire [31:0] rdata_ctrl;

    wire [32*READS-1:0] araddr;
    wire [8*READS-1:0] arlen;
    wire [3*READS-1:0] arsize;
    wire [2*READS-1:0] arburst;
    wire [READS-1:0] m_arvalid, m_arready, m_rvalid, m_rready, m_rlast;
    wire [BITS*READS-1:0] m_rdata;
    wire [2*READS-1:0] m_rresp;
    wire [32*STRIPES-1:0] m_awaddr;
    wire [8*STRIPES-1:0] m_awlen;
    wire [3*STRIPES-1:0] m_awsize;
    wire [2*STRIPES-1:0] m_awburst;
    wire [STRIPES-1:0] m_awvalid, m_awready, m_wvalid, m_wready, m_wlast, m_bvalid, m_bready;
    wire [BITS*STRIPES-1:0] m_wdata;
    wire [BEAT_BYTES*STRIPES-1:0] m_wstrb;
    wire [2*STRIPES-1:0] m_bresp;

    machine dut (
        .aclk(aclk), .aresetn(aresetn), .irq(irq),
        .s_axi_ctrl_awaddr(awaddr), .s_axi_ctrl_awprot(3'd0), .s_axi_ctrl_awvalid(awvalid),
        .s_axi_ctrl_awready(awready), .s_axi_ctrl_wdata(wdata), .s_axi_ctrl_wstrb(4'hf),
        .s_axi_ctrl_wvalid(wvalid), .s_axi_ctrl_wready(wready), .s_axi_ctrl_bresp(bresp),
        .s_axi_ctrl_bvalid(bvalid), .s_axi_ctrl_bready(bready), .s_axi_ctrl_araddr(araddr_ctrl),
        .s_axi_ctrl_arprot(3'd0), .s_axi_ctrl_arvalid(arvalid_ctrl), .s_axi_ctrl_arready(arready_ctrl),
        .s_axi_ctrl_rdata(rdata_ctrl), .s_axi_ctrl_rresp(rresp_ctrl), .s_axi_ctrl_rvalid(rvalid_ctrl),
        .s_axi_ctrl_rready(rready_ctrl),
        .araddr(araddr), .arlen(arlen), .arsize(arsize), .arburst(arburst), .arvalid(m_arvalid),
        .arready(m_arready), .rdata(m_rdata), .rresp(m_rresp), .rlast(m_rlast), .rvalid(m_rvalid),
        .rready(m_rready),
        .awaddr(m_awaddr), .awlen(m_awlen), .awsize(m_awsize), .awburst(m_awburst), .awvalid(m_awvalid),
        .awready(m_awready), .wdata(m_wdata), .wstrb(m_wstrb), .wlast(m_wlast), .wvalid(m_wvalid),
        .wready(m_wready), .bresp(m_bresp), .bvalid(m_bvalid), .bready(m_bready)
    );

    dram #(
        .BEAT_BYTES(BEAT_BYTES), .DEPTH(DEPTH), .READ_PORTS(READS), .WRITE_PORTS(STRIPES), .LATENCY(LATENCY),
        .CYCLES_PER_BEAT(CYCLES_PER_BEAT)
    ) memory (
        .clk(aclk), .resetn(aresetn), .stall(stall), .seed(seed), .error_base(32'd0), .error_limit(32'd0),
        .silent(1'b0), .fault(5'd0), .fault_port(8'd0), .fault_burst(32'd0), .fault_bursts(),
        .load(1'b0), .load_done(load_done), .dump(1'b0), .dump_first(32'd0), .dump_beats(32'd0),
        .dump_done(dump_done), .violation(violation),
        .araddr(araddr), .arlen(arlen), .arsize(arsize), .arburst(arburst), .arvalid(m_arvalid),
        .arready(m_arready), .rdata(m_rdata), .rresp(m_rresp), .rlast(m_rlast), .rvalid(m_rvalid),
        .rready(m_rready),
        .awaddr(m_awaddr), .awlen(m_awlen), .awsize(m_awsize), .awburst(m_awburst), .awvalid(m_awvalid),
        .awready(m_awready), .wdata(m_wdata), .wstrb(m_wstrb), .wlast(m_wlast), .wvalid(m_wvalid),
        .wready(m_wready), .bresp(m_bresp), .bvalid(m_bvalid), .bready(m_bready)
    );

    // ---- the host: a master of the control port ---------------------------------------------------------------
    // It acts at falling edges of the clock, and looks at what it is answered just before the rising one, so that no
    // simulator's order of events matters.
    reg aw_taken, w_taken, b_came, ar_taken, r_came;
    task step;  // to the next falling edge
        begin
            #4 aw_taken = awvalid && awready;
            w_taken = wvalid && wready;
            b_came = bvalid && bready;
            ar_taken = arvalid_ctrl && arready_ctrl;
            r_came = rvalid_ctrl && rready_ctrl;
            if (b_came && bresp != 0) fail_at("write response", {24'd0, awaddr}, {30'd0, bresp}, 0);
            if (r_came && rresp_ctrl != 0) fail_at("read response", {24'd0, araddr_ctrl}, {30'd0, rresp_ctrl}, 0);
            if (r_came) value_read = rdata_ctrl;
            @(negedge aclk);
        end
    endtask

    task pause;  // some cycles, if the host is to pause
        begin
            lottery = lottery ^ (lottery << 13);
            lottery = lottery ^ (lottery >> 17);
            lottery = lottery ^ (lottery << 5);
            if (lottery[7:0] < stall) repeat ({29'd0, lottery[10:8]}) step;
        end
    endtask

    task write_register(input [7:0] address, input [31:0] value);
        begin
            pause;
            awaddr = address;
            wdata = value;
            awvalid = 1;
            wvalid = 1;
            while (awvalid || wvalid) begin
                step;
                if (aw_taken) awvalid = 0;
                if (w_taken) wvalid = 0;
            end
            pause;
            bready = 1;
            step;
            while (!b_came) step;
            bready = 0;
        end
    endtask

    reg [31:0] value_read;
    task read_register(input [7:0] address);
        begin
            pause;
            araddr_ctrl = address;
            arvalid_ctrl = 1;
            step;
            while (!ar_taken) step;
            arvalid_ctrl = 0;
            pause;
            rready_ctrl = 1;
            step;
            while (!r_came) step;
            rready_ctrl = 0;
        end
    endtask

    // ---- what is compared -------------------------------------------------------------------------------------
    task fail_at(input [8*24-1:0] what, input [31:0] where, input [31:0] got, input [31:0] wanted);
        begin
            failures = failures + 1;
            $display("  wrong: %0s at 0x%0h is %0d, should be %0d", what, where, got, wanted);
        end
    endtask

    task check_register(input [8*24-1:0] what, input [7:0] address, input [31:0] wanted);
        begin
            read_register(address);
            if (value_read != wanted) fail_at(what, {24'd0, address}, value_read, wanted);
        end
    endtask

    task load_memory;
        begin
            for (i = 0; i < DEPTH; i = i + 1) memory.mem[i] = 0;
            $readmemh("before.hex", memory.mem);
        end
    endtask

    integer wrong;
    task compare_memory;
        begin
            wrong = 0;
            for (i = 0; i < DEPTH; i = i + 1)
                if (memory.mem[i] !== expected[i]) begin
                    wrong = wrong + 1;
                    if (wrong <= SHOWN)
                        $display("  wrong: memory at 0x%0h is %h, should be %h", i * BEAT_BYTES, memory.mem[i],
                                 expected[i]);
                end
            if (wrong != 0) begin
                failures = failures + 1;
                $display("  wrong: %0d beats of %0d", wrong, DEPTH);
            end
        end
    endtask

    integer waited, patience;
    reg [31:0] off;
    task run(input [31:0] address, input [31:0] beats, input [31:0] cycles, input [31:0] wgt, input [31:0] act,
             input [31:0] b, input [31:0] out);
        begin
            load_memory;
            write_register(PROG_ADDR, address);
            write_register(PROG_BEATS, beats);
            write_register(CTRL, 1);
            waited = 0;
            patience = (stall == 0 ? 4 : 400) * cycles + 10000;
            while (!irq && waited < patience) begin
                step;
                waited = waited + 1;
            end
            if (!irq) begin
                failures = failures + 1;
                $display("  wrong: no interrupt after %0d cycles", waited);
            end
            check_register("STATUS", STATUS, 32'd2);  // done, no error
            write_register(IRQ_STATUS, 1);
            check_register("IRQ_STATUS", IRQ_STATUS, 0);
            check_register("BEATS_WGT", BEATS_WGT, wgt);
            check_register("BEATS_ACT", BEATS_ACT, act);
            check_register("BEATS_B", BEATS_B, b);
            check_register("BEATS_OUT", BEATS_OUT, out);
            read_register(CYCLES);
            $display("  cycles %0d, predicted %0d; beats of weights %0d", value_read, cycles, wgt);
            off = value_read > cycles ? value_read - cycles : cycles - value_read;
            if (stall == 0 && off > cycles / 100) fail_at("CYCLES", {24'd0, CYCLES}, value_read, cycles);
            compare_memory;
        end
    endtask

    initial begin
        failures = 0;
        awaddr = 0;
        wdata = 0;
        araddr_ctrl = 0;
        awvalid = 0;
        wvalid = 0;
        bready = 0;
        arvalid_ctrl = 0;
        rready_ctrl = 0;
        aresetn = 0;
        if (!$value$plusargs("stall=%d", asked)) asked = 0;
        if (asked < 0 || asked > 255) begin
            $display("FAIL: +stall is %0d; give 0 to 255", asked);
            $fatal;
        end
        stall = asked[7:0];
        if (!$value$plusargs("seed=%d", seed)) seed = 1;
        lottery = seed * 32'd2654435761 + 1;  // never 0 for two seeds that follow each other
        if (lottery == 0) lottery = 1;
        $display("smoke: accelerator @NAME@, stall %0d, seed %0d", stall, seed);
        for (i = 0; i < DEPTH; i = i + 1) expected[i] = 0;
        $readmemh("after.hex", expected);
        @(negedge aclk);
        repeat (8) step;
        aresetn = 1;
        step;
        // Every register has the value that the register map gives it after reset.
@RESETS@
@BASES@
        write_register(IRQ_ENABLE, 1);
@RUNS@
        if (violation != 0) begin
            failures = failures + 1;
            $display("  wrong: a rule of AXI was broken, %b", violation);
        end
        if (failures == 0) begin
            $display("PASS");
            $finish;
        end else begin
            $display("FAIL: %0d things are wrong", failures);
            $fatal;
        end
    end
endmodule
