// A test design, not the accelerator: it has the accelerator's ports and register addresses, reads PROG_BEATS beats at
// PROG_ADDR through m_axi_prog and writes them, each byte inverted, DISTANCE bytes further on through m_axi_out.
// PASSES counts starts since power-on (it survives jobs). PROG_BEATS = 0 never ends: the hang that a bench must notice.
// PROG_ADDR of odd bit 31 makes it read one burst across a 4 KiB boundary: the violation that a bench must notice.

`default_nettype none
`timescale 1ns / 1ps

module fastswitch #(
    parameter BEAT_BYTES = 4,
    parameter BURST = 8,
    parameter DISTANCE = 32'h8000
) (
    input wire aclk,
    input wire aresetn,
    output wire irq,

    input wire [7:0] s_axi_ctrl_awaddr,
    input wire [2:0] s_axi_ctrl_awprot,
    input wire s_axi_ctrl_awvalid,
    output wire s_axi_ctrl_awready,
    input wire [31:0] s_axi_ctrl_wdata,
    input wire [3:0] s_axi_ctrl_wstrb,
    input wire s_axi_ctrl_wvalid,
    output wire s_axi_ctrl_wready,
    output wire [1:0] s_axi_ctrl_bresp,
    output reg s_axi_ctrl_bvalid,
    input wire s_axi_ctrl_bready,
    input wire [7:0] s_axi_ctrl_araddr,
    input wire [2:0] s_axi_ctrl_arprot,
    input wire s_axi_ctrl_arvalid,
    output wire s_axi_ctrl_arready,
    output reg [31:0] s_axi_ctrl_rdata,
    output wire [1:0] s_axi_ctrl_rresp,
    output reg s_axi_ctrl_rvalid,
    input wire s_axi_ctrl_rready,

    output reg [31:0] m_axi_prog_araddr,
    output reg [7:0] m_axi_prog_arlen,
    output wire [2:0] m_axi_prog_arsize,
    output wire [1:0] m_axi_prog_arburst,
    output wire [2:0] m_axi_prog_arprot,
    output wire [3:0] m_axi_prog_arcache,
    output reg m_axi_prog_arvalid,
    input wire m_axi_prog_arready,
    input wire [8*BEAT_BYTES-1:0] m_axi_prog_rdata,
    input wire [1:0] m_axi_prog_rresp,
    input wire m_axi_prog_rlast,
    input wire m_axi_prog_rvalid,
    output wire m_axi_prog_rready,

    output wire [31:0] m_axi_wgt_araddr,
    output wire [7:0] m_axi_wgt_arlen,
    output wire [2:0] m_axi_wgt_arsize,
    output wire [1:0] m_axi_wgt_arburst,
    output wire [2:0] m_axi_wgt_arprot,
    output wire [3:0] m_axi_wgt_arcache,
    output wire m_axi_wgt_arvalid,
    input wire m_axi_wgt_arready,
    input wire [8*BEAT_BYTES-1:0] m_axi_wgt_rdata,
    input wire [1:0] m_axi_wgt_rresp,
    input wire m_axi_wgt_rlast,
    input wire m_axi_wgt_rvalid,
    output wire m_axi_wgt_rready,

    output wire [31:0] m_axi_act_araddr,
    output wire [7:0] m_axi_act_arlen,
    output wire [2:0] m_axi_act_arsize,
    output wire [1:0] m_axi_act_arburst,
    output wire [2:0] m_axi_act_arprot,
    output wire [3:0] m_axi_act_arcache,
    output wire m_axi_act_arvalid,
    input wire m_axi_act_arready,
    input wire [8*BEAT_BYTES-1:0] m_axi_act_rdata,
    input wire [1:0] m_axi_act_rresp,
    input wire m_axi_act_rlast,
    input wire m_axi_act_rvalid,
    output wire m_axi_act_rready,

    output wire [31:0] m_axi_out_araddr,
    output wire [7:0] m_axi_out_arlen,
    output wire [2:0] m_axi_out_arsize,
    output wire [1:0] m_axi_out_arburst,
    output wire [2:0] m_axi_out_arprot,
    output wire [3:0] m_axi_out_arcache,
    output wire m_axi_out_arvalid,
    input wire m_axi_out_arready,
    input wire [8*BEAT_BYTES-1:0] m_axi_out_rdata,
    input wire [1:0] m_axi_out_rresp,
    input wire m_axi_out_rlast,
    input wire m_axi_out_rvalid,
    output wire m_axi_out_rready,
    output reg [31:0] m_axi_out_awaddr,
    output wire [7:0] m_axi_out_awlen,
    output wire [2:0] m_axi_out_awsize,
    output wire [1:0] m_axi_out_awburst,
    output wire [2:0] m_axi_out_awprot,
    output wire [3:0] m_axi_out_awcache,
    output reg m_axi_out_awvalid,
    input wire m_axi_out_awready,
    output wire [8*BEAT_BYTES-1:0] m_axi_out_wdata,
    output wire [BEAT_BYTES-1:0] m_axi_out_wstrb,
    output wire m_axi_out_wlast,
    output wire m_axi_out_wvalid,
    input wire m_axi_out_wready,
    input wire [1:0] m_axi_out_bresp,
    input wire m_axi_out_bvalid,
    output wire m_axi_out_bready
);
    localparam [2:0] SIZE = $clog2(BEAT_BYTES);

    // A master that is not used.
    assign m_axi_wgt_araddr = 0, m_axi_wgt_arlen = 0, m_axi_wgt_arsize = SIZE, m_axi_wgt_arburst = 1;
    assign m_axi_wgt_arprot = 0, m_axi_wgt_arcache = 3, m_axi_wgt_arvalid = 0, m_axi_wgt_rready = 0;
    assign m_axi_act_araddr = 0, m_axi_act_arlen = 0, m_axi_act_arsize = SIZE, m_axi_act_arburst = 1;
    assign m_axi_act_arprot = 0, m_axi_act_arcache = 3, m_axi_act_arvalid = 0, m_axi_act_rready = 0;
    assign m_axi_out_araddr = 0, m_axi_out_arlen = 0, m_axi_out_arsize = SIZE, m_axi_out_arburst = 1;
    assign m_axi_out_arprot = 0, m_axi_out_arcache = 3, m_axi_out_arvalid = 0, m_axi_out_rready = 0;
    assign m_axi_prog_arsize = SIZE, m_axi_prog_arburst = 1, m_axi_prog_arprot = 0, m_axi_prog_arcache = 3;
    assign m_axi_out_awsize = SIZE, m_axi_out_awburst = 1, m_axi_out_awprot = 0, m_axi_out_awcache = 3;

    // Registers: write when address and data are both there.
    reg [31:0] prog_addr, prog_beats, cycles, beats_prog, beats_out, starts;
    reg irq_enable, irq_status, busy, done, error;
    wire write = s_axi_ctrl_awvalid && s_axi_ctrl_wvalid && !s_axi_ctrl_bvalid;
    assign s_axi_ctrl_awready = write, s_axi_ctrl_wready = write, s_axi_ctrl_bresp = 0, s_axi_ctrl_rresp = 0;
    assign s_axi_ctrl_arready = !s_axi_ctrl_rvalid;
    assign irq = irq_status && irq_enable;

    // Read requests, one write burst for each read burst, each written beat a read one.
    reg [31:0] to_read, to_write, responses;
    reg [7:0] in_burst;
    reg aw_open;  // the write burst's AW has been accepted
    wire [31:0] next_read = to_read < BURST ? to_read : BURST;
    wire [31:0] next_write = to_write < BURST ? to_write : BURST;
    assign m_axi_out_awlen = next_write - 1;
    assign m_axi_out_wdata = ~m_axi_prog_rdata;
    assign m_axi_out_wstrb = {BEAT_BYTES{1'b1}};
    assign m_axi_out_wvalid = m_axi_prog_rvalid && aw_open;
    assign m_axi_out_wlast = in_burst == next_write - 1;
    assign m_axi_prog_rready = m_axi_out_wready && aw_open;
    assign m_axi_out_bready = 1;

    always @(posedge aclk)
        if (!aresetn) begin
            {prog_addr, prog_beats, cycles, beats_prog, beats_out, starts} <= 0;
            {irq_enable, irq_status, busy, done, error} <= 0;
            {s_axi_ctrl_bvalid, s_axi_ctrl_rvalid, s_axi_ctrl_rdata} <= 0;
            {m_axi_prog_arvalid, m_axi_prog_arlen, m_axi_prog_araddr} <= 0;
            {m_axi_out_awvalid, m_axi_out_awaddr, aw_open, in_burst} <= 0;
            {to_read, to_write, responses} <= 0;
        end else begin
            if (busy) cycles <= cycles + 1;
            if (m_axi_prog_arvalid && m_axi_prog_arready) begin
                m_axi_prog_arvalid <= 0;
                m_axi_prog_araddr <= m_axi_prog_araddr + (m_axi_prog_arlen + 1) * BEAT_BYTES;
                to_read <= to_read - m_axi_prog_arlen - 1;
            end else if (to_read != 0 && !m_axi_prog_arvalid) begin
                m_axi_prog_arvalid <= 1;
                m_axi_prog_arlen <= next_read - 1;
            end
            if (m_axi_out_awvalid && m_axi_out_awready) begin
                m_axi_out_awvalid <= 0;
                aw_open <= 1;
            end else if (to_write != 0 && !aw_open && !m_axi_out_awvalid) m_axi_out_awvalid <= 1;
            if (m_axi_out_wvalid && m_axi_out_wready) begin
                beats_out <= beats_out + 1;
                beats_prog <= beats_prog + 1;
                in_burst <= in_burst + 1;
                if (m_axi_prog_rresp != 0) error <= 1;
                if (m_axi_out_wlast) begin
                    in_burst <= 0;
                    aw_open <= 0;
                    to_write <= to_write - next_write;
                    m_axi_out_awaddr <= m_axi_out_awaddr + next_write * BEAT_BYTES;
                    responses <= responses + 1;
                end
            end
            if (m_axi_out_bvalid) begin
                responses <= responses - 1 + (m_axi_out_wvalid && m_axi_out_wready && m_axi_out_wlast);
                if (m_axi_out_bresp != 0) error <= 1;
                if (busy && to_write == 0 && responses == 1) begin
                    busy <= 0;
                    done <= 1;
                    irq_status <= 1;
                end
            end

            if (s_axi_ctrl_bready) s_axi_ctrl_bvalid <= 0;
            if (write) begin
                s_axi_ctrl_bvalid <= 1;
                case (s_axi_ctrl_awaddr)
                    8'h08: if (s_axi_ctrl_wdata[0] && !busy) begin
                        {cycles, beats_prog, beats_out, done, error} <= 0;
                        busy <= 1;
                        starts <= starts + 1;
                        to_read <= prog_beats;
                        to_write <= prog_beats;
                        m_axi_prog_araddr <= prog_addr[30:0];
                        m_axi_out_awaddr <= prog_addr[30:0] + DISTANCE;
                        if (prog_addr[31]) begin
                            m_axi_prog_araddr <= 4096 - BEAT_BYTES;
                        end
                    end
                    8'h10: irq_enable <= s_axi_ctrl_wdata[0];
                    8'h14: if (s_axi_ctrl_wdata[0]) irq_status <= 0;
                    8'h18: prog_addr <= s_axi_ctrl_wdata;
                    8'h1c: prog_beats <= s_axi_ctrl_wdata;
                    default: ;
                endcase
            end
            if (s_axi_ctrl_rready) s_axi_ctrl_rvalid <= 0;
            if (s_axi_ctrl_arvalid && s_axi_ctrl_arready) begin
                s_axi_ctrl_rvalid <= 1;
                case (s_axi_ctrl_araddr)
                    8'h00: s_axi_ctrl_rdata <= 32'h46535731;
                    8'h0c: s_axi_ctrl_rdata <= {16'd0, error ? 8'd3 : 8'd0, 5'd0, error, done, busy};
                    8'h10: s_axi_ctrl_rdata <= irq_enable;
                    8'h14: s_axi_ctrl_rdata <= irq_status;
                    8'h18: s_axi_ctrl_rdata <= prog_addr;
                    8'h1c: s_axi_ctrl_rdata <= prog_beats;
                    8'h40: s_axi_ctrl_rdata <= cycles;
                    8'h5c: s_axi_ctrl_rdata <= beats_prog;
                    8'h6c: s_axi_ctrl_rdata <= beats_out;
                    8'h70: s_axi_ctrl_rdata <= starts;
                    default: s_axi_ctrl_rdata <= 0;
                endcase
            end
        end
endmodule
