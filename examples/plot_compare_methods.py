"""
==========================================
Compare methods and their hyperparameters
==========================================

A method is an object with parameters of its own. It can be searched over like a
kernel of a support vector machine, and so can its parameters.
"""

# %%
# Methods as values of a grid
# ---------------------------
# Strings are shorthands for the objects of `sklearn_pb.methods`. A list of grids tries
# each method with what is particular to it.

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_pb import MaskPruner
from sklearn_pb.inspection import (
    TradeoffDisplay,
    format_sparsity_table,
    sparsity_table,
)
from sklearn_pb.methods import Continuation, MonteCarlo

X, y = load_breast_cancer(return_X_y=True)
pipeline = Pipeline([("scale", StandardScaler()), ("prune", MaskPruner())])
pipeline.set_params(prune__random_state=0)

sparsity = [0.9, 0.98]
grid = [
    {"prune__method": ["gmp"], "prune__sparsity": [0.0, *sparsity]},
    {
        "prune__method": [Continuation()],
        "prune__method__beta_final": [20, 200],
        "prune__sparsity": sparsity,
    },
    {
        "prune__method": [MonteCarlo(gradient="arms")],
        "prune__method__n_samples": [4],
        "prune__sparsity": sparsity,
    },
]
folds = StratifiedKFold(2, shuffle=True, random_state=0)
search = GridSearchCV(pipeline, grid, cv=folds).fit(X, y)

# %%
# The table has a row for each candidate.

rows = sparsity_table(search)
print(format_sparsity_table(rows, score_name="accuracy"))

# %%
# The picture has a line for each method with its own parameters.

TradeoffDisplay.from_cv_results(search)
