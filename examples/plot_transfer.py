"""
================================================
An architecture learns another task from scratch
================================================

A pruned network is a choice of connections and their weights. What is the choice alone
worth? A network learns to tell the digits 0 to 4 apart while 98 of 100 weights are
removed. Then its connections are trained again, from fresh random weights, on 5 to 9.
"""

# %%
# Find the connections on the old task
# ------------------------------------

from sklearn.datasets import load_digits

from sklearn_pb import MaskPruner
from sklearn_pb.estimators import transfer_architecture
from sklearn_pb.inspection import TransferDisplay

X, y = load_digits(return_X_y=True)
X = X / 16
old, new = y < 5, y >= 5

pruner = MaskPruner(sparsity=0.98, random_state=0).fit(X[old], y[old])
for name, sparsity in pruner.layer_sparsity_.items():
    print(f"{name}: {sparsity:.1%} zeros")

# %%
# Train them on the new one, beside three controls
# ------------------------------------------------
# All architectures of a repeat start from the same weights and see the same batches.
# "reshuffled" keeps the number of connections in each layer and draws their places at
# random; "random" keeps only their number in all; "dense" has all of them.

results = transfer_architecture(
    pruner,
    X[new],
    y[new],
    train_sizes=[50, 150, 450],
    n_repeats=3,
    random_state=0,
)
display = TransferDisplay.from_results(results)
display.figure_.savefig("plot_transfer.png")

# %%
# With two connections of a hundred left, a random choice is hopeless. To know how many
# belong into each layer helps, and to know which ones helps again: pixels that are
# always white have none. The dense network has fifty times the weights and stays the
# best.

for architecture in ("transferred", "reshuffled", "random", "dense"):
    scores = [
        row["score"]
        for row in results
        if row["architecture"] == architecture and row["n_samples"] == 450
    ]
    print(f"{architecture:12} {sum(scores) / len(scores):.3f}")
