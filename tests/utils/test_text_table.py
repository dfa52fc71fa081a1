import pytest

from sklearn_pb.utils import percent, text_table


def test_words_to_the_left_numbers_to_the_right():
    rows = [["a", "1"], ["longer", "1,000"]]
    assert text_table(("name", "n"), rows, left={"name"}).splitlines() == [
        "name        n",
        "------  -----",
        "a           1",
        "longer  1,000",
    ]


def test_total_is_below_a_rule():
    lines = text_table(("n",), [["1"], ["2"], ["3"]], total=True).splitlines()
    assert lines == ["n", "-", "1", "2", "-", "3"]


def test_rows_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="zip"):
        text_table(("n", "m"), [["1"]])


def test_percent_keeps_the_zeros_that_count():
    assert [percent(x) for x in (1, 0.2, 0.1234, 0.00001)] == [
        "100 %",
        "20 %",
        "12.34 %",
        "0 %",
    ]
    assert percent(0.00012, 3) == "0.012 %"
