"""
==================================
How noisy are gradient estimators?
==================================

The gradient of an expected cost can be estimated from a few samples. All estimators
here have the right mean, but they do not have the same noise. For a function of few
bits it can be computed exactly.
"""

# %%
# At one point
# ------------
# A random table of costs, and probabilities between .2 and .8. The variance falls
# with the number of samples; how fast depends on how samples are coupled and
# compared. With independent samples no constant baseline can do better than beta*,
# which needs all the costs. The coupled samples of ARMS can, and do.

import matplotlib.pyplot as plt
import torch

from sklearn_pb.functions import ExponentialTabularLoss
from sklearn_pb.gradients import DoubleControlVariate
from sklearn_pb.inspection import (
    VarianceDisplay,
    gradient_variance,
    true_gradient_trajectory,
)

function = ExponentialTabularLoss(6, random_state=0)
logits = torch.linspace(-1.4, 1.4, 6)
names = ["reinforce", "loorf", "disarm", "arms", "beta-star"]
numbers = [2, 4, 6, 8, 10]

figure, axes = plt.subplots(layout="constrained")
for name in names:
    variances = [gradient_variance(name, function, logits, n).total for n in numbers]
    axes.plot(numbers, variances, marker="o", label=name)
axes.set(yscale="log", xlabel="Samples", ylabel="Variance, summed over the bits")
axes.legend()

# %%
# On the way to the solution
# --------------------------
# Along the path of the exact gradient the probabilities grow sure, and samples become
# alike. The dashed line is the entropy that is left.

path = true_gradient_trajectory(function, n_steps=2000)
VarianceDisplay.from_trajectory(function, path, n_samples=4)

# %%
# Bias against variance
# ---------------------
# What counts for a search is the error: bias and variance together. Shrinking the
# noisy part of the double control variate is biased, and nearer to the truth with few
# samples.


def squared_error(estimator, n_samples):
    """Bias squared plus variance, summed over the bits."""
    found = gradient_variance(
        estimator, function, logits, n_samples, n_repetitions=200, random_state=0
    )
    return found.total + float(found.bias.square().sum())


for n_samples in (2, 10):
    for shrinkage in (1.0, "auto"):
        estimator = DoubleControlVariate(shrinkage=shrinkage)
        error = squared_error(estimator, n_samples)
        print(f"{n_samples:2d} samples, shrinkage {shrinkage}: error {error:.3f}")
