"""What is taken out of Verilog, by hand: wires that nothing reads, and what only they read; nothing else."""

from rtl.unused_wires import without_unused_wires

TEXT = r"""module m (a, y);
  input a;
  wire a;
  output y;
  wire y;
  wire alone;
  (* init = 1'h0 *)
  wire copy;
  wire [3:0] \chain$1 ;
  wire [3:0] chain;
  wire \word.field ;
  wire part;
  wire into;
  wire from_port;
  assign copy = a;
  assign \chain$1  = { 3'h0, chain[0] };
  assign chain = 4'h1;
  assign \word.field  = a;
  assign part[0] = a;
  assign y = ~ a;
  other inner (
    .copy(into),
    .alone(a)
  );
endmodule
"""


def test_dead_wires_go_with_what_only_they_read():
    found = without_unused_wires(TEXT)
    for gone in ("wire alone", "copy;", "chain", "(*", "from_port"):
        assert gone not in found, gone
    for kept in (r"wire \word.field ;", r"assign \word.field  = a;", "wire part;", "wire into;", "wire a;", "wire y;"):
        assert kept in found, kept
    assert ".copy(into)" in found and "assign y = ~ a;" in found
    assert without_unused_wires(found) == found


def test_names_are_of_their_module():
    """A wire that one module reads is dead in another."""
    live = "module a (y);\n  output y;\n  wire y;\n  wire w;\n  assign w = 1'h1;\n  assign y = w;\nendmodule\n"
    dead = "module b ();\n  wire w;\n  assign w = 1'h1;\nendmodule\n"
    assert without_unused_wires(live + dead) == live + "module b ();\nendmodule\n"
