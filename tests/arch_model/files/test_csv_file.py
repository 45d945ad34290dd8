import gzip
import io

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arch_model.errors import FastSwitchError
from arch_model.files.csv_file import CsvRows, needs_quotes, parse_csv, quoting, read_csv
from arch_model.files.question import header
from arch_model.files.wanted import Wanted

WANTED = Wanted("x.csv", "a good one")
TEXTS = st.text(alphabet="ab#,\"' ;:\r\n\tä1=", max_size=8)


def rows_of(data, needed=()):
    table = parse_csv(data if isinstance(data, bytes) else data.encode(), WANTED, needed)
    return table.columns, [fields for _, fields in table.rows], table.facts


def refused(data, needed=()):
    with pytest.raises(FastSwitchError) as error:
        rows_of(data, needed)
    assert len(str(error.value)) < 300 and str(error.value).isprintable()
    return str(error.value)


@settings(max_examples=60, derandomize=True)
@given(
    st.lists(st.tuples(TEXTS, st.integers(), TEXTS), max_size=4),
    st.dictionaries(st.text("abc#_", min_size=1, max_size=4), TEXTS, max_size=3),
)
def test_any_names_and_any_facts_come_back(rows, facts):
    file = io.StringIO(newline="")
    file.write(header(facts))
    writer = CsvRows(file, ["name", "K", "more"])
    for row in rows:
        writer.write(row)
    columns, read, said = rows_of(file.getvalue())
    assert columns == ("name", "K", "more") and said == facts
    assert read == [[name, str(k), more] for name, k, more in rows]
    frame = pd.read_csv(io.StringIO(file.getvalue()), comment="#", dtype=str, keep_default_na=False)
    assert frame.values.tolist() == read


@settings(max_examples=40, derandomize=True)
@given(st.lists(TEXTS.filter(bool), min_size=1, max_size=4))
def test_a_frame_comes_back_too(names):
    frame = pd.DataFrame({"name": names, "K": range(len(names))})
    text = frame.to_csv(index=False, quoting=quoting(names))
    assert [fields for fields in rows_of(text)[1]] == [[name, str(k)] for k, name in enumerate(names)]


def test_only_the_lines_before_the_header_are_facts():
    columns, rows, facts = rows_of("# seed: 1\n#note: a: b\n# bare\nname,K\nconv#1,8\n#x,9\n")
    assert columns == ("name", "K") and rows == [["conv#1", "8"], ["#x", "9"]]
    assert facts == {"seed": "1", "note": "a: b", "bare": ""}
    assert not needs_quotes("a,b") and needs_quotes("a#b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,a\n1,2,3\n", "x.csv: column a is there twice; give it once"),
        ("a, a \n1,2\n", "column a is there twice"),
        ("a,b\n1,2\n1\n", "x.csv, line 3: it has 1 fields; give 2, one for each column"),
        ("a,b\n1,2,3\n", "line 2: it has 3 fields"),
        ('# x: 1\na,b\n"1\n2",3\n4\n', "line 5: it has 1 fields"),
        ('a,b\n"1,2\n', "line 2: not CSV: "),
        ('a,b\n"1"x,2\n', "line 2: not CSV: "),
        ("a,b\n" + "x" * 200_000 + ",2\n", "line 2: not CSV: field larger than field limit"),
        ("", "it has no header"),
        ("\n", "it has no header"),
        ("# only: facts\n", "it has no header"),
        ("a,b\n\x00,1\n", "byte 4 is zero"),
        (b"a,b\n\xff,1\n", "byte 4 is not UTF-8"),
        (",".join(f"c{n}" for n in range(20_000)), "20000 columns, more than 10000"),
    ],
)
def test_what_is_no_table(text, message):
    assert message in refused(text)


def test_lines_that_begin_with_the_sign_are_left_out_of_tables_of_numbers():
    table = parse_csv(b"# a\nx,y\n1,2\n# noon\n3,4\n", WANTED, comments=True)
    assert list(table.rows) == [(3, ["1", "2"]), (5, ["3", "4"])]


def test_needed_columns_are_named():
    assert refused("a,b\n", ["a", "c"]) == "x.csv: column c is missing; give a,c"
    assert refused("", ["a", "c"]) == "x.csv: column a is missing; give a,c"


def test_gzip_is_known_by_its_bytes(tmp_path):
    (tmp_path / "a").write_bytes(gzip.compress(b"a\n1\n"))
    assert list(read_csv(tmp_path / "a", WANTED).rows) == [(2, ["1"])]
    (tmp_path / "b.csv.gz").write_text("a\n1\n")
    with pytest.raises(FastSwitchError, match=r"is called \.gz and is not gzip"):
        read_csv(tmp_path / "b.csv.gz", WANTED)
    (tmp_path / "c.gz").write_bytes(gzip.compress(bytes(10**6)))
    with pytest.raises(FastSwitchError, match="unpacks to more than 2000 bytes"):
        read_csv(tmp_path / "c.gz", WANTED, most=2000)


def test_a_million_rows_take_seconds():
    data = b"a,b,c\n" + b"0.25,0.5,1\n" * 200_000
    assert sum(1 for _ in parse_csv(data, WANTED).rows) == 200_000
