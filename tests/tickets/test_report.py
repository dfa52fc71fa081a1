from dataclasses import replace

import pandas as pd
import pytest

from sklearn_pb.tickets import Ticket, TicketReport, summarize_tickets


def make_ticket(search, round, sparsity, score, **changes):
    settings = {"seed": 0, "run": 0, "search_epochs": 10, "retrain_epochs": 10}
    empty = {"masks": {}, "layer_sparsity": {}, "weights": {}}
    return Ticket(
        search=search,
        round=round,
        sparsity=sparsity,
        score=score,
        **empty,
        **(settings | changes),
    )


@pytest.fixture(name="tickets")
def make_tickets():
    return [
        make_ticket("imp", 1, 0.2, 0.95),
        make_ticket("imp", 2, 0.36, 0.90, search_epochs=20),
        make_ticket("imp", 3, 0.488, 0.80, search_epochs=30),
    ]


def report(tickets, matching, best, chosen=None, dense=(0.9,)):
    return TicketReport(tickets, list(dense), matching, best, chosen or matching)


def test_one_sentence_comes_first(tickets):
    text = str(report(tickets, tickets[1], tickets[0]))
    first, blank, titles, rule, *rows = text.splitlines()
    assert first == (
        "The sparsest matching ticket keeps 64 % of the weights (round 2 of imp) and "
        "scores 0.900, the dense network 0.900."
    )
    assert blank == ""
    assert titles.split() == [
        *("search", "round", "weights", "left", "score", "matching", "epochs", "note")
    ]
    assert set(rule) == {"-", " "}
    assert rows[0].split() == ["imp", "1", "80", "%", "0.950", "yes", "10", "best"]
    assert rows[1].endswith("sparsest matching, chosen")
    assert rows[2].split() == ["imp", "3", "51.2", "%", "0.800", "no", "30"]


def test_where_nothing_matches(tickets):
    made = report(tickets, None, tickets[0], tickets[0], dense=[0.99])
    assert str(made).splitlines()[0] == (
        "No ticket matches the dense network, which scores 0.990; the best keeps 80 % "
        "of the weights (round 1 of imp) and scores 0.950."
    )
    assert "The chosen ticket" not in str(made)


def test_another_choice_is_told(tickets):
    made = report(tickets, tickets[1], tickets[0], tickets[2])
    assert str(made).splitlines()[1] == (
        "The chosen ticket keeps 51.2 % of the weights (round 3 of imp) and scores "
        "0.800."
    )


def test_seeds_are_put_together():
    control = {"fresh": 0.7}
    tickets = [
        make_ticket("cs", 1, 0.5, 0.8, seed=0, controls=control),
        make_ticket("cs", 1, 0.7, 0.9, seed=1, controls={"fresh": 0.5}),
    ]
    made = report(tickets, tickets[1], tickets[1], dense=[0.9, 0.85])
    (summary,) = made.summaries
    assert summary.n_seeds == 2
    assert summary.density == pytest.approx(0.4)
    assert summary.density_std == pytest.approx(0.1)
    assert (summary.score, summary.score_std) == pytest.approx((0.85, 0.05))
    assert summary.n_matching == 1  # the second, against the dense net of its seed
    assert summary.controls["fresh"] == pytest.approx((0.6, 0.1))
    first, second, *_, row = str(made).splitlines()
    assert "(round 1 of cs, seed 1)" in first
    assert second == "Matching tickets were found for 1 of 2 seeds."
    assert "0.850 ± 0.050" in row
    assert "1 of 2" in row
    assert "0.600 ± 0.100" in row


def test_runs_stay_apart_and_rounds_in_order():
    tickets = [
        make_ticket("cs s_init=0", 2, 0.5, 0.8, run=0),
        make_ticket("cs s_init=0", 1, 0.4, 0.8, run=0),
        make_ticket("cs s_init=-1", 1, 0.9, 0.8, run=1),
    ]
    found = summarize_tickets(tickets, [0.9])
    assert [(s.run, s.round) for s in found] == [(0, 1), (0, 2), (1, 1)]


def test_rows_are_made_for_pandas(tickets):
    first = replace(tickets[0], controls={"reshuffled": 0.6})
    tickets = [first, *tickets[1:]]
    table = pd.DataFrame(report(tickets, None, tickets[0], tickets[0]).to_rows())
    assert list(table["density"]) == pytest.approx([0.8, 0.64, 0.512])
    assert table["reshuffled"][0] == 0.6
    assert table["reshuffled_std"][0] == 0
    assert table["reshuffled"].isna()[1]
    assert "controls" not in table
