"""
==========================================
Look for winning tickets
==========================================

A winning ticket is a part of a network that trains as well as the whole, from the
weights that the whole has started with. How small can it be, what finds it, and is it
more than a lucky number of weights? A small network for scikit-learn's embedded digits
is searched in three ways.
"""

# %%
# The network
# -----------
# Any skorch net will do. It is trained many times here, so that it had better be quick.

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from skorch import NeuralNetClassifier
from torch import nn

from sklearn_pb import SparseTicketFinder
from sklearn_pb.inspection import TicketLayersDisplay, TicketsDisplay
from sklearn_pb.tickets import Continuous

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=0.2, stratify=y, random_state=0
)


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Linear(64, 60),
            nn.ReLU(),
            nn.Linear(60, 30),
            nn.ReLU(),
            nn.Linear(30, 10),
        )


net = NeuralNetClassifier(
    Net,
    criterion=nn.CrossEntropyLoss,
    optimizer=torch.optim.Adam,
    lr=5e-3,
    max_epochs=20,
    batch_size=128,
    iterator_train__shuffle=True,
    train_split=None,
    verbose=0,
)

# %%
# Iterative magnitude pruning
# ---------------------------
# Each round trains, removes 40 % of the weights that are left, the smallest ones, and
# puts the others back to where they began. Each ticket is then trained again, beside
# two controls: the same connections with fresh weights, and as many connections in each
# layer, but others. All are judged on rows that no training has seen.

settings = {"n_seeds": 2, "validation": 0.3, "random_state": 0}
magnitude = SparseTicketFinder(
    net,
    search="imp",
    n_rounds=6,
    prune_rate=0.4,
    controls=("fresh", "reshuffled"),
    **settings,
)
magnitude.fit(X_train, y_train)
print(magnitude.report_)

# %%
# Continuous sparsification
# -------------------------
# Here a mask is learned beside the weights, which are never put back, and a few rounds
# are enough. How sparse the tickets get depends on where the mask starts, so that three
# starts make three independent runs.

continuous = SparseTicketFinder(
    net,
    search=Continuous(s_init=[-0.2, -0.1, 0.0]),
    n_rounds=2,
    **settings,
)
continuous.fit(X_train, y_train)
print(continuous.report_.sentence)

# %%
# What is it worth?
# -----------------
# A third finder removes weights at random.

random = SparseTicketFinder(
    net, search="random", n_rounds=6, prune_rate=0.4, select="best", **settings
)
random.fit(X_train, y_train)

display = TicketsDisplay.from_estimator(
    {"magnitude": magnitude, "continuous": continuous, "random": random}
)
display.figure_.savefig("plot_tickets.png")

# %%
# Where the weights are that stay
# -------------------------------

layers = TicketLayersDisplay.from_estimator(magnitude)
layers.figure_.savefig("plot_tickets_layers.png")

# %%
# The finder is a classifier: it predicts with the ticket that it has chosen, trained.

kept = f"{1 - magnitude.sparsity_:.1%} of the weights"
print(f"accuracy on the test rows, with {kept}: {magnitude.score(X_test, y_test):.3f}")
