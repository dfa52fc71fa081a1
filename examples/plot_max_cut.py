"""
==================================
Cut a graph: solvers side by side
==================================

Split the nodes of a graph in two, so that the edges between the two halves weigh as
much as possible. How good is each search after how many evaluations?
"""

# %%
# The function
# ------------
# Edges that weigh 1 or -1 make it hard: there are many ways to be nearly right. The
# cost is minus the weight of the cut.

import matplotlib.pyplot as plt
import numpy as np

from sklearn_pb import Budget, minimize
from sklearn_pb.functions import MaxCut

n_nodes = 200
rng = np.random.default_rng(0)
edges = {
    (i, j): rng.choice([-1.0, 1.0])
    for i in range(n_nodes)
    for j in range(i + 1, n_nodes)
    if rng.random() < 0.05
}
function = MaxCut(edges, n_nodes)
print(
    f"{len(edges)} edges; all in one half costs {function(np.zeros((1, 200)))[0]:.0f}"
)

# %%
# The searches
# ------------
# A function that knows what a flip changes counts each change that is looked at as an
# evaluation. Sampled gradients (loorf) evaluate whole points, which takes far longer,
# so that they are given fewer.

evaluations = dict.fromkeys(["tabu", "annealing", "genetic", "local-search"], 300_000)
evaluations["loorf"] = 10_000
results = {
    method: minimize(
        function, method=method, budget=Budget(evaluations=n), random_state=0
    )
    for method, n in evaluations.items()
}
for method, result in results.items():
    print(f"{method:12s} {result.fun:6.0f} in {result.seconds:.1f} s")

# %%
# The picture
# -----------
# Annealing spends the first half of its budget at high temperatures on purpose: with
# more of it, its curve is stretched. The first population of the genetic algorithm,
# each member at a local minimum, takes most of what it has here.

figure, axes = plt.subplots(layout="constrained")
for method, result in results.items():
    steps = [record["n_evaluations"] for record in result.history]
    costs = [record["best_cost"] for record in result.history]
    axes.step(steps, costs, where="post", label=method)
axes.set(xscale="log", xlabel="Evaluations", ylabel="Least cost so far")
axes.legend()

# %%
# Which one to take
# -----------------
# ``method="auto"`` looks at what the function can do, and lets several searches share
# the budget.

budget = Budget(evaluations=300_000)
found = minimize(function, method="auto", budget=budget, random_state=0)
print(f"auto         {found.fun:6.0f}, by {found.method}")
