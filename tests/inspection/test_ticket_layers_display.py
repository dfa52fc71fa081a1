import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator

from sklearn_pb.inspection import TicketLayersDisplay
from sklearn_pb.tickets import Ticket


def ticket(run=0, seed=0, round=1, **layers):
    return Ticket(
        search="imp",
        run=run,
        seed=seed,
        round=round,
        masks={},
        sparsity=0.5,
        layer_sparsity=layers,
        weights={},
        score=0.9,
        search_epochs=1,
        retrain_epochs=1,
    )


class Finder(BaseEstimator):
    """What the display reads of a fitted finder."""

    def fit(self, X=None, y=None):
        self.tickets_ = [
            ticket(round=1, conv=0.1, head=0.5),
            ticket(round=2, conv=0.3, head=0.8),
            ticket(run=1, conv=0.9, head=0.9),
            ticket(run=1, seed=1, conv=0.7, head=0.9),
        ]
        return self


@pytest.fixture(name="ax")
def make_axes():
    return Figure().subplots()


def test_rounds_of_a_run_from_light_to_dark(ax):
    display = TicketLayersDisplay.from_estimator(Finder().fit(), ax=ax, markersize=3)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert list(display.layers) == ["round 1", "round 2"]
    dots = display.dots_["round 2"]
    assert list(dots.get_xdata()) == [0.3, 0.8]
    assert list(dots.get_ydata()) == [0, 1]
    assert dots.get_markersize() == 3
    light, dark = (sum(to_rgb(d.get_color())) for d in display.dots_.values())
    assert light > dark
    assert [label.get_text() for label in ax.get_yticklabels()] == ["conv", "head"]
    bottom, top = ax.get_ylim()
    assert bottom > top  # the first layer is above
    display.figure_.draw_without_rendering()


def test_run_and_seed_are_chosen(ax):
    display = TicketLayersDisplay.from_estimator(Finder().fit(), run=1, seed=1, ax=ax)
    assert display.layers == {"round 1": {"conv": 0.7, "head": 0.9}}
    with pytest.raises(ValueError, match="runs 0 to 1 and seeds 0 to 1"):
        TicketLayersDisplay.from_estimator(Finder().fit(), run=2, ax=ax)


def test_tickets_of_several_searches_in_colours_that_differ(ax):
    display = TicketLayersDisplay.from_tickets(
        {"imp": ticket(conv=0.1, head=0.5), "cs": ticket(conv=0.6)}, ax=ax
    )
    assert list(display.dots_["cs"].get_xdata()) == [0.6]  # head has no mask there
    first, second = (dots.get_color() for dots in display.dots_.values())
    assert first != second
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["imp", "cs"]
