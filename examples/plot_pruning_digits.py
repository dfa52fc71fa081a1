"""
==========================================
Prune a network that reads digits
==========================================

A network with one hidden layer learns scikit-learn's embedded digits while most of its
weights are removed. How much accuracy does that cost, and where in the network are the
weights that stay?
"""

# %%
# One pruned network
# ------------------
# `MaskPruner` is a classifier like any other. Here 95 of 100 weights end exactly zero:
# the continuous method learns a soft mask beside the weights and hardens it step by
# step, so that both have time to get used to each other.

from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sklearn_pb import MaskPruner
from sklearn_pb.inspection import (
    LayerSparsityDisplay,
    TradeoffDisplay,
    format_sparsity_table,
    sparsity_table,
)

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.2, stratify=y, random_state=0
)
pipeline = make_pipeline(MinMaxScaler(), MaskPruner(sparsity=0.95, random_state=0))
pipeline.fit(X_train, y_train)
print(f"accuracy on the test rows: {pipeline.score(X_test, y_test):.3f}")

# %%
# Where the zeros are
# -------------------
# All weights compete with each other, so that layers need not lose the same share. The
# last layer has few weights, and keeps more of them.

LayerSparsityDisplay.from_estimator(pipeline)

# %%
# How far one can go
# ------------------
# The parameters are searched as those of any estimator. Sparsity 0 is the dense
# network; it becomes the dashed line of the picture.

dense = {"maskpruner__sparsity": [0.0]}
pruned = {
    "maskpruner__method": ["continuous", "magnitude"],
    "maskpruner__sparsity": [0.9, 0.98],
}
search = GridSearchCV(pipeline, [dense, pruned], cv=2, n_jobs=2)
search.fit(X_train, y_train)
TradeoffDisplay.from_cv_results(search)

# %%
# The same as numbers. The smallest weights, removed at once, take the network with
# them; a learned mask finds the few that are enough.

print(format_sparsity_table(sparsity_table(search), score_name="accuracy"))
