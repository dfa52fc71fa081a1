"""
==========================================
Give each weight the bits that it needs
==========================================

A network with one hidden layer learns scikit-learn's embedded digits while the number
of bits of its weights is learned beside them. How few bits are enough, where do they
go, and how large is the file?
"""

# %%
# Two bits a weight
# -----------------
# `MixedPrecisionQuantizer` is a classifier like any other. It ends with the mean of
# bits that we ask for; which channels get more and which get less is learned, by the
# noise that they can bear. Weights that come out as zero have no bits at all.

from tempfile import TemporaryDirectory

from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split

from sklearn_pb import MaskPruner, MixedPrecisionQuantizer
from sklearn_pb.inspection import (
    BitsTradeoffDisplay,
    CodeHistogramDisplay,
    LayerBitsDisplay,
)

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=0.2, stratify=y, random_state=0
)
dense = MaskPruner(method="magnitude", sparsity=0.0, random_state=0)
dense_score = dense.fit(X_train, y_train).score(X_test, y_test)
quantizer = MixedPrecisionQuantizer(target_bits=2, random_state=0)
score = quantizer.fit(X_train, y_train).score(X_test, y_test)
print(f"accuracy on the test rows: {dense_score:.3f} with 32 bits, {score:.3f} with 2")

# %%
# Where the bits are
# ------------------
# The small last layer keeps more of them. Grey weights are zero.

LayerBitsDisplay.from_estimator(quantizer)

# %%
# A weight is a whole number, its code, times the step of its layer. On this grid codes
# with many factors of two need few bits.

CodeHistogramDisplay.from_estimator(quantizer, layer="output.weight")

# %%
# How few are enough
# ------------------
# Parameters are searched as those of any estimator. DoReFa gives all weights the same
# number of bits.

search = GridSearchCV(
    MixedPrecisionQuantizer(random_state=0),
    {"method": ["smol", "dorefa"], "target_bits": [1, 2, 3]},
    cv=2,
    n_jobs=2,
).fit(X_train, y_train)
BitsTradeoffDisplay.from_cv_results(search)

# %%
# Prune, quantize, save
# ---------------------
# A pruner in place of the network is fitted first, and its zeros stay. The file holds
# all that is needed to predict, the labels too; what is loaded predicts the same, bit
# for bit.

chain = MixedPrecisionQuantizer(
    MaskPruner(sparsity=0.9), target_bits=0.3, random_state=0
).fit(X_train, y_train)
with TemporaryDirectory() as folder:
    chain.save(f"{folder}/digits.skpb")
    loaded = MixedPrecisionQuantizer.load(f"{folder}/digits.skpb")
assert (loaded.predict_proba(X_test) == chain.predict_proba(X_test)).all()
print(f"accuracy on the test rows: {loaded.score(X_test, y_test):.3f}")
print(chain.sizes_)
