// DRAM with READ_PORTS AXI4 read ports and WRITE_PORTS AXI4 write ports on one memory, for simulation only.
//
// Time is counted in rising edges of clk; "a handshake at edge t" means valid and ready both high there.
//   read   AR handshake at t: the first R handshake of that burst can happen at edge t + LATENCY, not before.
//          A beat can follow another on its port CYCLES_PER_BEAT edges after that one's handshake, within a burst
//          and from a burst to the next alike, so bursts queued ahead run back to back and their latencies overlap.
//   write  AW handshake at t: its first W handshake at t + 1 or later; W handshakes are CYCLES_PER_BEAT apart or more,
//          across bursts alike. Last W handshake at t: B handshake at t + LATENCY or later.
//   queues QUEUE bursts a port between AR and the last R handshake (AW and the last W), then arready (awready) is low;
//          RESPONSES writes between AW and B. Ports share no bandwidth.
//   order  a read beat whose R channel is idle at edge t shows the writes whose W handshake came before t.
// LATENCY and CYCLES_PER_BEAT are 1 or more. Bursts are INCR of whole beats, as docs/reference/registers.md has them.
//
// stall: in each cycle each arready, awready and wready is low, and each rvalid and bvalid that could rise does not,
// with probability stall / 256, each from its own bits of a generator seeded by `seed` during reset.
// silent: while it is high no arready, awready or wready is, and no rvalid or bvalid rises: a DRAM that has died.
// Beats at byte addresses [error_base, error_limit) answer SLVERR and are not written, beats beyond the memory DECERR.
// Strobes are all set or, in beats that are not to be written, all 0.
//
// fault: what one port does wrong, or every port slowly; 0: nothing. Read ports are 0 and up, write ports READ_PORTS and
// up. It happens once, at the first burst fit for it from number fault_burst (of fault_port, since fault left 0) on.
//   read    1 RLAST with the last beat but one, too   2 no RLAST                        3 a beat after the last, without
//           4 the same, with RLAST                    5 a beat too many, RLAST with it  6 a beat too few, RLAST in time
//           7 a beat too few, without RLAST           8 EXOKAY                          9 a beat before the burst's own
//   write  16 B twice    17 no B    18 EXOKAY    19 B before the burst's data    20 B before the burst's address
//   legal  30 a ready only after its valid, on every port    31 nothing: fault_bursts counts
// fault_bursts: how many bursts fault_port has begun since fault left 0; the top bit: the fault has happened.
//
// violation, sticky until reset, is what the master did wrong (a line on the log says where):
//   0 burst across a 4 KiB boundary   1 address not a multiple of the beat   2 address beyond the memory
//   3 wlast on the wrong beat         4 burst type, size or strobes unlike the above
//   5 valid withdrawn, or what it covers changed, before ready               6 load or dump file
//
// Load: a change of `load` reads LOAD_FILE at the next falling edge, then load_done equals load. The file is a sequence
// of records: first beat's index and number of beats, 4 bytes each, most significant first, then the beats, each
// with its *highest* address first ($fread fills a word from its top). Dump: a change of `dump` writes dump_beats
// beats from index dump_first to DUMP_FILE, in address order, then dump_done equals dump.

`default_nettype none
`timescale 1ns / 1ps

module dram #(
    parameter BEAT_BYTES = 4,
    parameter DEPTH = 1024,  // beats
    parameter READ_PORTS = 4,
    parameter WRITE_PORTS = 1,
    parameter LATENCY = 20,
    parameter CYCLES_PER_BEAT = 1,
    // Bursts that a port takes before the first is through, and write responses that wait, powers of two: bursts of a
    // beat each, one a cycle, as long as the first one's data is on its way, and its handshakes.
    parameter QUEUE = LATENCY > 12 ? 1 << $clog2(LATENCY + 4) : 16,
    parameter RESPONSES = QUEUE < 32 ? 64 : 2 * QUEUE,
    parameter LOAD_FILE = "load.bin",
    parameter DUMP_FILE = "dump.bin"
) (
    input wire clk,
    input wire resetn,
    input wire [7:0] stall,
    input wire [31:0] seed,
    input wire silent,
    input wire [4:0] fault,
    input wire [7:0] fault_port,
    input wire [31:0] fault_burst,
    output wire [31:0] fault_bursts,
    input wire [31:0] error_base,
    input wire [31:0] error_limit,
    input wire load,
    output reg load_done,
    input wire dump,
    input wire [31:0] dump_first,
    input wire [31:0] dump_beats,
    output reg dump_done,
    output wire [6:0] violation,

    // port p has bits p*width and up
    input wire [32*READ_PORTS-1:0] araddr,
    input wire [8*READ_PORTS-1:0] arlen,
    input wire [3*READ_PORTS-1:0] arsize,
    input wire [2*READ_PORTS-1:0] arburst,
    input wire [READ_PORTS-1:0] arvalid,
    output wire [READ_PORTS-1:0] arready,
    output wire [8*BEAT_BYTES*READ_PORTS-1:0] rdata,
    output wire [2*READ_PORTS-1:0] rresp,
    output wire [READ_PORTS-1:0] rlast,
    output wire [READ_PORTS-1:0] rvalid,
    input wire [READ_PORTS-1:0] rready,

    input wire [32*WRITE_PORTS-1:0] awaddr,
    input wire [8*WRITE_PORTS-1:0] awlen,
    input wire [3*WRITE_PORTS-1:0] awsize,
    input wire [2*WRITE_PORTS-1:0] awburst,
    input wire [WRITE_PORTS-1:0] awvalid,
    output wire [WRITE_PORTS-1:0] awready,
    input wire [8*BEAT_BYTES*WRITE_PORTS-1:0] wdata,
    input wire [BEAT_BYTES*WRITE_PORTS-1:0] wstrb,
    input wire [WRITE_PORTS-1:0] wlast,
    input wire [WRITE_PORTS-1:0] wvalid,
    output wire [WRITE_PORTS-1:0] wready,
    output wire [2*WRITE_PORTS-1:0] bresp,
    output wire [WRITE_PORTS-1:0] bvalid,
    input wire [WRITE_PORTS-1:0] bready
);
    localparam BITS = 8 * BEAT_BYTES;
    localparam SIZE = $clog2(BEAT_BYTES);
    localparam QBITS = $clog2(QUEUE);
    localparam BBITS = $clog2(RESPONSES);
    localparam [31:0] BYTES = DEPTH * BEAT_BYTES;
    localparam [1:0] OKAY = 2'd0, EXOKAY = 2'd1, SLVERR = 2'd2, DECERR = 2'd3, INCR = 2'd1;
    localparam [4:0] NONE = 0, EARLY = 1, MISSING = 2, SURPLUS = 3, SURPLUS_LAST = 4, LONG = 5, SHORT = 6;
    localparam [4:0] SHORT_MISSING = 7, READ_EXOKAY = 8, UNASKED = 9, SHY = 30;
    localparam [4:0] TWICE = 16, NO_B = 17, WRITE_EXOKAY = 18, HASTY = 19, B_UNASKED = 20;

    reg [BITS-1:0] mem [0:DEPTH-1];
    reg [31:0] now;  // edges since reset

    // What is wrong with a burst, as violation bits [4:0].
    function [4:0] wrong(input [31:0] address, input [7:0] len, input [2:0] size, input [1:0] burst);
        reg [31:0] bytes;
        begin
            bytes = ({24'd0, len} + 32'd1) << SIZE;
            wrong = 5'd0;
            wrong[0] = {20'd0, address[11:0]} + bytes > 32'd4096;
            wrong[1] = (address & (BEAT_BYTES - 1)) != 0;
            wrong[2] = address >= BYTES || bytes > BYTES - address;
            wrong[4] = burst != INCR || {29'd0, size} != SIZE;
        end
    endfunction

    function [1:0] response(input [31:0] address);
        response = address >= BYTES ? DECERR : address >= error_base && address < error_limit ? SLVERR : OKAY;
    endfunction

    function [31:0] xorshift(input [31:0] state);  // Marsaglia 2003, period 2^32 - 1
        reg [31:0] x;
        begin
            x = state ^ (state << 13);
            x = x ^ (x >> 17);
            xorshift = x ^ (x << 5);
        end
    endfunction

    function [31:0] scatter(input [31:0] key);  // neighbouring seeds and ports far apart; never 0
        reg [31:0] x;
        begin
            x = (key ^ (key >> 16)) * 32'h7feb352d;
            x = (x ^ (x >> 15)) * 32'h846ca68b;
            x = x ^ (x >> 16);
            scatter = x == 0 ? 32'd1 : x;
        end
    endfunction

    always @(posedge clk) now <= resetn ? now + 1 : 0;

    wire shy = fault == SHY;
    wire [31:0] begun_on [0:READ_PORTS+WRITE_PORTS-1];
    assign fault_bursts = fault == NONE ? 0 : begun_on[fault_port];

    // ---- read ports -------------------------------------------------------------------------------------------
    // Blocking assignments below are to variables that only their own block reads.
    wire [5:0] read_violation [0:READ_PORTS-1];
    genvar p;
    generate
        for (p = 0; p < READ_PORTS; p = p + 1) begin : read
            wire [31:0] ar_address = araddr[32*p+:32];
            wire [7:0] ar_len = arlen[8*p+:8];
            reg [31:0] q_address [0:QUEUE-1];
            reg [7:0] q_len [0:QUEUE-1];
            reg [31:0] q_due [0:QUEUE-1];
            reg [QBITS-1:0] head, tail;
            reg [QBITS:0] count;  // bursts accepted and not finished
            reg active;  // the burst below is the oldest of them
            reg [31:0] address, due, free;
            reg [7:0] left;
            reg offered;
            reg [31:0] lottery;
            reg no_ar, no_r;
            reg ar_waits;
            reg [31:0] ar_waits_address;
            reg [7:0] ar_waits_len;
            reg [5:0] bad;
            reg ready;
            reg valid, last;
            reg [1:0] resp;
            reg [BITS-1:0] data;
            wire faulty = fault != NONE && fault_port == p;
            reg [31:0] begun;  // bursts since the fault was set
            reg struck, hit, more, stray;  // it has happened, in this burst; a beat after the last; one of no burst
            assign begun_on[p] = {struck, begun[30:0]};

            assign arready[p] = ready;
            assign rvalid[p] = valid;
            assign rlast[p] = last;
            assign rresp[2*p+:2] = resp;
            assign rdata[BITS*p+:BITS] = data;
            assign read_violation[p] = bad;

            always @(posedge clk)
                if (!resetn) begin
                    head = 0;
                    tail = 0;
                    count = 0;
                    active = 0;
                    free = 0;
                    offered = 0;
                    begun = 0;
                    struck = 0;
                    hit = 0;
                    more = 0;
                    stray = 0;
                    lottery = scatter(seed * 16 + p);
                    ar_waits <= 0;
                    bad <= 0;
                    ready <= 0;
                    valid <= 0;
                    last <= 0;
                    resp <= OKAY;
                    data <= 0;
                end else begin
                    no_ar = 0;
                    no_r = 0;
                    if (stall != 0) begin
                        lottery = xorshift(lottery);
                        no_ar = lottery[7:0] < stall;
                        no_r = lottery[23:16] < stall;
                    end
                    if (!faulty) begin
                        begun = 0;
                        struck = 0;
                    end
                    if (offered && rready[p]) begin
                        offered = 0;
                        free = now + CYCLES_PER_BEAT - 1;
                        if (stray) stray = 0;
                        else if (left == 0 && hit && !more && fault >= SURPLUS && fault <= LONG) more = 1;
                        else begin
                            if (left == 0) begin
                                active = 0;
                                hit = 0;
                                more = 0;
                                head = head + 1;
                                count = count - 1;
                            end
                            left = left - 1;
                            address = address + BEAT_BYTES;
                        end
                    end
                    if (arvalid[p] && ready) begin
                        q_address[tail] = ar_address;
                        q_len[tail] = ar_len;
                        q_due[tail] = now + LATENCY - 1;
                        tail = tail + 1;
                        count = count + 1;
                        if (wrong(ar_address, ar_len, arsize[3*p+:3], arburst[2*p+:2]) != 0) begin
                            bad[4:0] <= bad[4:0] | wrong(ar_address, ar_len, arsize[3*p+:3], arburst[2*p+:2]);
                            $display("dram: read port %0d, cycle %0d: illegal burst: address 0x%08h, len %0d, size %0d, burst %0d",
                                     p, now, ar_address, ar_len, arsize[3*p+:3], arburst[2*p+:2]);
                        end
                    end
                    if (ar_waits && (!arvalid[p] || ar_address != ar_waits_address || ar_len != ar_waits_len)) begin
                        bad[5] <= 1;
                        $display("dram: read port %0d, cycle %0d: AR withdrawn or changed before arready", p, now);
                    end
                    ar_waits <= arvalid[p] && !ready;
                    ar_waits_address <= ar_address;
                    ar_waits_len <= ar_len;
                    ready <= count != QUEUE && !no_ar && !silent && (!shy || (arvalid[p] && !ready));

                    if (faulty && fault == UNASKED && !struck && begun >= fault_burst && !active && !offered
                        && !no_r) begin
                        struck = 1;
                        stray = 1;
                        offered = 1;
                        data <= {BITS{1'b1}};
                        resp <= OKAY;
                        last <= 1;
                    end
                    if (!active && count != 0) begin
                        active = 1;
                        address = q_address[head];
                        left = q_len[head];
                        due = q_due[head];
                        if (faulty) begin
                            begun = begun + 1;
                            if (!struck && begun > fault_burst && (left != 0 || fault != EARLY) && fault < UNASKED) begin
                                struck = 1;
                                hit = 1;
                                if ((fault == SHORT || fault == SHORT_MISSING) && left == 0) begin  // none at all
                                    active = 0;
                                    hit = 0;
                                    head = head + 1;
                                    count = count - 1;
                                end else if (fault == SHORT || fault == SHORT_MISSING) left = left - 1;
                            end
                        end
                    end
                    if (active && !offered && now >= due && now >= free && !no_r && !silent) begin
                        offered = 1;
                        data <= address < BYTES ? mem[address>>SIZE] : 0;
                        resp <= response(address);
                        last <= left == 0;
                        if (hit) begin
                            if (fault == EARLY) last <= left <= 1;
                            if (fault == MISSING || fault == SHORT_MISSING) last <= 0;
                            if (fault == LONG) last <= more;
                            if (fault == SURPLUS && more) last <= 0;
                            if (fault == READ_EXOKAY) resp <= EXOKAY;
                        end
                    end
                    valid <= offered;
                end
        end
    endgenerate

    // ---- write ports ------------------------------------------------------------------------------------------
    wire [5:0] write_violation [0:WRITE_PORTS-1];
    reg [WRITE_PORTS-1:0] commit;
    reg [31:0] commit_index [0:WRITE_PORTS-1];
    reg [BITS-1:0] commit_data [0:WRITE_PORTS-1];
    reg [BEAT_BYTES-1:0] commit_strb [0:WRITE_PORTS-1];
    genvar w;
    generate
        for (w = 0; w < WRITE_PORTS; w = w + 1) begin : write
            wire [31:0] awaddr_here = awaddr[32*w+:32];
            wire [7:0] awlen_here = awlen[8*w+:8];
            wire [2:0] awsize_here = awsize[3*w+:3];
            wire [1:0] awburst_here = awburst[2*w+:2];
            wire [BITS-1:0] wdata_here = wdata[BITS*w+:BITS];
            wire [BEAT_BYTES-1:0] wstrb_here = wstrb[BEAT_BYTES*w+:BEAT_BYTES];
            reg awready_here, wready_here, bvalid_here;
            reg [1:0] bresp_here;
            assign awready[w] = awready_here;
            assign wready[w] = wready_here;
            assign bvalid[w] = bvalid_here;
            assign bresp[2*w+:2] = bresp_here;
            reg [31:0] q_address [0:QUEUE-1];
            reg [7:0] q_len [0:QUEUE-1];
            reg [QBITS-1:0] head, tail;
            reg [QBITS:0] count;  // bursts accepted whose last beat has not come
            reg active;
            reg [31:0] address, free;
            reg [7:0] left;
            reg [1:0] worst;
            reg [31:0] b_due [0:RESPONSES-1];
            reg [1:0] b_resp [0:RESPONSES-1];
            reg [BBITS-1:0] b_head, b_tail;
            reg [BBITS:0] b_count;  // bursts whose response has not been taken
            reg offered;
            wire faulty = fault != NONE && fault_port == READ_PORTS + w;
            reg [31:0] begun;  // as of a read port
            reg struck, hit;
            integer copy;
            assign begun_on[READ_PORTS+w] = {struck, begun[30:0]};
            reg [31:0] lottery;
            reg no_aw, no_w, no_b;
            reg aw_waits, w_waits, w_waits_last;
            reg [31:0] aw_waits_address;
            reg [7:0] aw_waits_len;
            reg [BITS-1:0] w_waits_data;
            reg [BEAT_BYTES-1:0] w_waits_strb;
            reg [5:0] bad;
            assign write_violation[w] = bad;

            always @(posedge clk)
                if (!resetn) begin
                    head = 0;
                    tail = 0;
                    count = 0;
                    active = 0;
                    free = 0;
                    worst = OKAY;
                    b_head = 0;
                    b_tail = 0;
                    b_count = 0;
                    offered = 0;
                    begun = 0;
                    struck = 0;
                    hit = 0;
                    lottery = scatter((seed * 16 + READ_PORTS) ^ (w << 28));
                    aw_waits <= 0;
                    w_waits <= 0;
                    bad <= 0;
                    commit[w] <= 0;
                    awready_here <= 0;
                    wready_here <= 0;
                    bvalid_here <= 0;
                    bresp_here <= OKAY;
                end else begin
                    no_aw = 0;
                    no_w = 0;
                    no_b = 0;
                    if (stall != 0) begin
                        lottery = xorshift(lottery);
                        no_aw = lottery[7:0] < stall;
                        no_w = lottery[17:10] < stall;
                        no_b = lottery[27:20] < stall;
                    end
                    commit[w] <= 0;
                    if (!faulty) begin
                        begun = 0;
                        struck = 0;
                        hit = 0;
                    end
                    if (wvalid[w] && wready_here) begin
                        free = now + CYCLES_PER_BEAT - 1;
                        if (response(address) > worst) worst = response(address);
                        commit[w] <= response(address) == OKAY;
                        commit_index[w] <= address >> SIZE;
                        commit_data[w] <= wdata_here;
                        commit_strb[w] <= wstrb_here;
                        if (wlast[w] != (left == 0)) begin
                            bad[3] <= 1;
                            $display("dram: write port %0d, cycle %0d: wlast is %0d with %0d beats left", w, now, wlast[w], left);
                        end
                        if (wstrb_here != {BEAT_BYTES{1'b1}} && wstrb_here != 0) begin
                            bad[4] <= 1;
                            $display("dram: write port %0d, cycle %0d: wstrb is %b, every strobe or none should be set", w, now, wstrb_here);
                        end
                        if (left == 0) begin
                            for (copy = 0; copy < (!hit ? 1 : fault == TWICE ? 2 : fault == NO_B || fault == HASTY ? 0 : 1);
                                 copy = copy + 1) begin
                                b_due[b_tail] = now + LATENCY - 1;
                                b_resp[b_tail] = hit && fault == WRITE_EXOKAY ? EXOKAY : worst;
                                b_tail = b_tail + 1;
                                b_count = b_count + 1;
                            end
                            hit = 0;
                            worst = OKAY;
                            active = 0;
                            head = head + 1;
                            count = count - 1;
                        end
                        left = left - 1;
                        address = address + BEAT_BYTES;
                    end
                    if (awvalid[w] && awready_here) begin
                        q_address[tail] = awaddr_here;
                        q_len[tail] = awlen_here;
                        tail = tail + 1;
                        count = count + 1;
                        if (wrong(awaddr_here, awlen_here, awsize_here, awburst_here) != 0) begin
                            bad[4:0] <= bad[4:0] | wrong(awaddr_here, awlen_here, awsize_here, awburst_here);
                            $display("dram: write port %0d, cycle %0d: illegal burst: address 0x%08h, len %0d, size %0d, burst %0d",
                                     w, now, awaddr_here, awlen_here, awsize_here, awburst_here);
                        end
                    end
                    if (aw_waits && (!awvalid[w] || awaddr_here != aw_waits_address || awlen_here != aw_waits_len)) begin
                        bad[5] <= 1;
                        $display("dram: write port %0d, cycle %0d: AW withdrawn or changed before awready", w, now);
                    end
                    if (w_waits && (!wvalid[w] || wdata_here != w_waits_data || wstrb_here != w_waits_strb
                                    || wlast[w] != w_waits_last)) begin
                        bad[5] <= 1;
                        $display("dram: write port %0d, cycle %0d: W withdrawn or changed before wready", w, now);
                    end
                    aw_waits <= awvalid[w] && !awready_here;
                    aw_waits_address <= awaddr_here;
                    aw_waits_len <= awlen_here;
                    w_waits <= wvalid[w] && !wready_here;
                    w_waits_data <= wdata_here;
                    w_waits_strb <= wstrb_here;
                    w_waits_last <= wlast[w];

                    if (faulty && fault == B_UNASKED && !struck && begun >= fault_burst && !active) begin
                        struck = 1;
                        b_due[b_tail] = now;
                        b_resp[b_tail] = OKAY;
                        b_tail = b_tail + 1;
                        b_count = b_count + 1;
                    end
                    if (!active && count != 0) begin
                        active = 1;
                        address = q_address[head];
                        left = q_len[head];
                        if (faulty) begin
                            begun = begun + 1;
                            if (!struck && begun > fault_burst && fault >= TWICE && fault < B_UNASKED) begin
                                struck = 1;
                                hit = 1;
                                if (fault == HASTY) begin
                                    b_due[b_tail] = now;
                                    b_resp[b_tail] = OKAY;
                                    b_tail = b_tail + 1;
                                    b_count = b_count + 1;
                                end
                            end
                        end
                    end
                    wready_here <= active && now >= free && !no_w && !silent && (!shy || (wvalid[w] && !wready_here));

                    if (offered && bready[w]) begin
                        offered = 0;
                        b_head = b_head + 1;
                        b_count = b_count - 1;
                    end
                    if (!offered && b_count != 0 && now >= b_due[b_head] && !no_b && !silent) begin
                        offered = 1;
                        bresp_here <= b_resp[b_head];
                    end
                    bvalid_here <= offered;
                    awready_here <= count != QUEUE && {1'b0, count} + b_count < RESPONSES && !no_aw && !silent
                                    && (!shy || (awvalid[w] && !awready_here));
                end
        end
    endgenerate

    // ---- the memory: written at falling edges, read at rising ones, so that no two blocks race ----------------
    integer i, n, file, got;
    reg [63:0] header;
    reg file_bad;

    initial begin
        if (LATENCY < 1 || CYCLES_PER_BEAT < 1) begin
            $display("dram: LATENCY is %0d and CYCLES_PER_BEAT %0d; both are 1 or more", LATENCY, CYCLES_PER_BEAT);
            $finish;
        end
        for (i = 0; i < DEPTH; i = i + 1) mem[i] = 0;
        load_done = 0;
        dump_done = 0;
        file_bad = 0;
    end

    always @(negedge clk) begin
        for (n = 0; n < WRITE_PORTS; n = n + 1)
            if (commit[n]) begin
                if (&commit_strb[n]) mem[commit_index[n]] = commit_data[n];
                else
                    for (i = 0; i < BEAT_BYTES; i = i + 1)
                        if (commit_strb[n][i]) mem[commit_index[n]][8*i+:8] = commit_data[n][8*i+:8];
            end
        if (load != load_done) begin
            load_done <= load;
            file = $fopen(LOAD_FILE, "rb");
            if (file == 0) begin
                file_bad <= 1;
                $display("dram: cannot read %0s", LOAD_FILE);
            end else begin
                got = $fread(header, file);
                while (got == 8) begin
                    got = $fread(mem, file, header[63:32], header[31:0]);
                    if (got != header[31:0] * BEAT_BYTES) begin
                        file_bad <= 1;
                        $display("dram: %0s has %0d bytes of %0d beats for beat %0d", LOAD_FILE, got, header[31:0],
                                 header[63:32]);
                        got = 0;
                    end else got = $fread(header, file);
                end
                $fclose(file);
            end
        end
        if (dump != dump_done) begin
            dump_done <= dump;
            file = $fopen(DUMP_FILE, "wb");
            if (file == 0) begin
                file_bad <= 1;
                $display("dram: cannot write %0s", DUMP_FILE);
            end else begin
                for (i = 0; i < dump_beats; i = i + 1) $fwrite(file, "%u", mem[dump_first+i]);
                $fclose(file);
            end
        end
    end

    reg [6:0] all_bad;
    integer k;
    always @* begin
        all_bad = {file_bad, 6'd0};
        for (k = 0; k < READ_PORTS; k = k + 1) all_bad = all_bad | {1'b0, read_violation[k]};
        for (k = 0; k < WRITE_PORTS; k = k + 1) all_bad = all_bad | {1'b0, write_violation[k]};
    end
    assign violation = all_bad;
endmodule
