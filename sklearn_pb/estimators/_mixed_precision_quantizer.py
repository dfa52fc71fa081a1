"""MixedPrecisionQuantizer: a network whose weights have as many bits as they need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np

from ..export import weight_uses
from ..masks import Selectors, prunable_parameters
from ..quantizers import (
    ACTIVATIONS,
    METHODS,
    Activations,
    Quantization,
    resolve_activations,
)
from ..quantizers._precision_groups import GRANULARITIES
from ..quantizers._scales import SCALES
from ..training import Course, QuantizingOptions, first_rows, fit_quantized
from ..utils import RandomStream
from ..utils._sklearn import HasMethods, Interval, StrOptions, fit_context
from ._byte_target import for_codes
from ._check_quantizer import (
    check_quantizer,
    precision_options,
    target_of,
    warn_if_missed,
)
from ._exported_network import N_EXAMPLES
from ._first_stage import (
    check_same_task,
    fit_first_stage,
    holding_zeros,
    network_within,
    take_weights,
)
from ._network_estimator import NetworkEstimator, Rows
from ._pruner_runs import open_run_file
from ._quantized_network import QuantizedNetwork

_FIRST = 7  # address of the seed of a first stage


class MixedPrecisionQuantizer(NetworkEstimator, QuantizedNetwork):
    """Train a network while a method chooses how many bits each part of it has.

    Parameters
    ----------
    estimator : skorch net, torch.nn.Module (instance or class), None or an estimator \
around one, default=None
        The network. A skorch net (classifier or regressor) brings its own training
        settings; a bare module is trained as a classifier with Adam (60 epochs,
        batches of 64); None is a small network with one hidden layer. A `MaskPruner`
        or `SparseTicketFinder` is fitted first: its network is then quantized, from
        its weights on, and every zero is kept. A fitted one in a
        `sklearn.frozen.FrozenEstimator` is taken as it is, and so is a fitted skorch
        net in one. What is given is not changed.
    method : str or Quantization, default="smol"
        How bits are found: "smol" learns them; "bsq" learns them by layer; "dorefa" and
        "lsq" train with the bits that they are given, "pact" is "dorefa" with
        activations of four bits, and "post-training" rounds a network that has been
        trained. Or an object of `sklearn_pb.quantizers`.
    granularity : {"parameter", "block", "channel", "layer"}, default="channel"
        What shares a number of bits: nothing, 16 weights of an output channel, an
        output channel, or a layer.
    initial_bits : float, default=8
        Bits at the start of the search, above 1; without a search, the bits of all
        weights, a whole number from 1 to 16.
    target_bits : float, default=None
        Mean bits a weight to end with, zeros counted with 0 bits. For a method that
        does not search, the bits of all weights.
    target_bytes : float, default=None
        Bytes of the file that `save` writes, with everything in it but the precisions
        of quantized activations.
    target_energy : float, default=None
        Energy of the multiplications, relative to a network with weights of one bit;
        see `sklearn_pb.quantizers.estimate_energy`.
    penalty : float, default=None
        Price of one bit a weight on average, in units of the loss. With a target it is
        what the price starts with. None takes the method's own.
    zero_precision : bool, default=True
        Whether a weight that is as near to zero as to its code takes zero bits.
    rounding : {"floor", "round", "ceil"}, default="floor"
        How a real number of bits becomes a whole one.
    scale : {None, "layer", "channel", "learned"}, default="layer"
        What codes are scaled by: nothing, the range of the layer, that of the output
        channel, or a number a layer that is trained.
    widths : sequence of int, default=None
        The numbers of bits that hardware has, such as (1, 2, 4, 8), from 1 to 16 and
        rising. None allows all.
    activations : str or Activations, default=None
        How the outputs of `nn.ReLU`, `nn.ReLU6`, `nn.Sigmoid` and `nn.Tanh` children
        of the network are quantized: "pact", "smol" or an object of
        `sklearn_pb.quantizers`. None leaves them alone, but with ``method="pact"``.
    finetune : float, default=0.45
        Fraction of the training steps after precisions are fixed.
    include, exclude : str, nn.Module class, or list of them, default=None
        Shell patterns for parameter or module names, or module classes. By default all
        parameters with two or more axes are quantized.
    random_state : int, RandomState or None, default=None
        Seed of initial weights, batches, dropout and noise. Torch's global seed is
        neither used nor changed.
    device : str, default="auto"
        Where to train; "auto" is the net's own device, or CUDA where there is one for
        a bare module.
    n_threads : int or None, default=1
        Threads of torch on the CPU. With a number, results are the same for every
        `n_jobs` around the estimator; None leaves torch's own setting, which joblib
        makes smaller in its workers. More than one is faster for large networks only.
    checkpoint : str or pathlib.Path, default=None
        A file that keeps the state of the run while `fit` goes, as for `MaskPruner`. A
        pruner that is fitted first has a file of its own.
    checkpoint_every : "epoch" or float, default=60.0
        Seconds between two saves, or "epoch" for one at the end of each.
    callback : callable, default=None
        Called after each epoch with its record (see `history_`). If it raises
        StopIteration, the training ends, and precisions are fixed there.
    verbose : int, default=0
        1 prints a line an epoch, 2 also shows a bar within epochs.

    Attributes
    ----------
    estimator_ : skorch net
        The trained net around the network's own class, rounded weights baked in.
    quantized_ : dict of str to QuantizedTensor
        Codes, steps and bits, by parameter name.
    mean_bits_ : float
        Bits a quantized weight, as papers count them.
    layer_bits_ : dict of str to float
        The same by parameter name.
    activation_bits_ : dict of str to float
        Mean bits of quantized activations, by module name; empty without any.
    sparsity_ : float
        Fraction of the quantized weights that is zero.
    masks_ : dict of str to torch.Tensor
        True where a weight is not zero, by parameter name; also what a pruner before
        has masked of other parameters.
    sizes_ : QuantizedSizes
        What the network takes: mean bits, the entropy of the codes, and the bits of the
        file, with everything that is in it.
    energy_ : EnergyEstimate
        Power and time of the multiplications, relative to weights of one bit.
    history_ : list of dict
        One record an epoch: losses, phase, mean bits and price of a bit.
    method_ : Quantization
        The method that ran.
    first_stage_ : estimator
        The fitted pruner or ticket finder, if one was given.
    classes_ : numpy.ndarray of shape (n_classes,)
        The labels, for a classifier.
    n_features_in_ : int
        Size of the second axis of the inputs of `fit`.
    feature_names_in_ : numpy.ndarray of shape (n_features,)
        Names of the columns, where the inputs of `fit` had any.

    Raises
    ------
    NonFiniteLossError
        In `fit`, when the loss becomes NaN or infinite. The estimator then holds the
        last good state and predicts.
    NothingToPruneError
        In `fit`, when `include` and `exclude` leave nothing.

    Warns
    -----
    PrecisionWarning
        In `fit`, when the target was missed by more than a tenth: the granularity is
        too coarse, or what a pruner has left cannot have so many bits.

    See Also
    --------
    MaskPruner : Takes weights away, and may come first.
    sklearn_pb.inspection.LayerBitsDisplay : A picture of the bits.

    Notes
    -----
    Savarese (2025), chapter 5. Mean bits leave out where they are, the scales and
    whatever is not quantized; `sizes_` counts all of it.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_pb import MixedPrecisionQuantizer
    >>> X, y = load_digits(return_X_y=True)
    >>> quantizer = MixedPrecisionQuantizer(target_bits=2, random_state=0)
    >>> quantizer.fit(X / 16, y).score(X / 16, y) > 0.95
    True
    >>> round(quantizer.mean_bits_, 1)
    2.0
    """

    _shorthands = {"method": METHODS, "activations": ACTIVATIONS}
    _parameter_constraints: dict = {
        "method": [str, HasMethods(["check", "start"])],
        "granularity": [StrOptions(set(GRANULARITIES))],
        "initial_bits": [Interval(Real, 0, None, closed="neither")],
        "target_bits": [Interval(Real, 0, None, closed="neither"), None],
        "target_bytes": [Interval(Real, 0, None, closed="neither"), None],
        "target_energy": [Interval(Real, 0, None, closed="neither"), None],
        "penalty": [Interval(Real, 0, None, closed="left"), None],
        "zero_precision": ["boolean"],
        "rounding": [StrOptions({"floor", "round", "ceil"})],
        "scale": [StrOptions(set(SCALES)), None],
        "widths": ["array-like", None],
        "activations": [str, HasMethods(["check"]), None],
        "finetune": [Interval(Real, 0, 1, closed="left")],
        "random_state": ["random_state"],
        "device": [str],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
        "checkpoint": [str, Path, None],
        "checkpoint_every": [
            StrOptions({"epoch"}),
            Interval(Real, 0, None, closed="left"),
        ],
        "callback": [callable, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        method: str | Quantization = "smol",
        granularity: str = "channel",
        initial_bits: float = 8,
        target_bits: float | None = None,
        target_bytes: float | None = None,
        target_energy: float | None = None,
        penalty: float | None = None,
        zero_precision: bool = True,
        rounding: str = "floor",
        scale: str | None = "layer",
        widths: Sequence[int] | None = None,
        activations: str | Activations | None = None,
        finetune: float = 0.45,
        include: Selectors = None,
        exclude: Selectors = None,
        random_state: int | np.random.RandomState | None = None,
        device: str = "auto",
        n_threads: int | None = 1,
        checkpoint: str | Path | None = None,
        checkpoint_every: float | str = 60.0,
        callback: Callable[[dict[str, Any]], object] | None = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.method = method
        self.granularity = granularity
        self.initial_bits = initial_bits
        self.target_bits = target_bits
        self.target_bytes = target_bytes
        self.target_energy = target_energy
        self.penalty = penalty
        self.zero_precision = zero_precision
        self.rounding = rounding
        self.scale = scale
        self.widths = widths
        self.activations = activations
        self.finetune = finetune
        self.include = include
        self.exclude = exclude
        self.random_state = random_state
        self.device = device
        self.n_threads = n_threads
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.callback = callback
        self.verbose = verbose

    @property
    def _network(self) -> Any:
        return network_within(self.estimator)

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> MixedPrecisionQuantizer:
        """Train the network and its precisions.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Inputs; floats become float32.
        y : array-like of shape (n,)
            Labels, or values for a regressor.
        sample_weight : array-like of shape (n,), default=None
            Weights of the rows in the loss.

        Returns
        -------
        self : MixedPrecisionQuantizer
            The fitted estimator.
        """
        self.method_ = check_quantizer(self)
        rows = self._check_rows(X, y, sample_weight)
        stream = RandomStream.from_random_state(self.random_state)
        file = open_run_file(self, self.method_, rows, stream)
        if file is not None:
            stream = RandomStream(file.seed)
        first = fit_first_stage(
            self.estimator, X, y, sample_weight, stream.child(_FIRST)
        )
        self.__dict__.pop("first_stage_", None)  # of an earlier call
        if first is not None:
            check_same_task(first, self)
            self.first_stage_ = first
        net = self._begin(rows, stream)
        if first is not None:
            take_weights(net.module_, first)
        if file is not None:
            file = file.begun_with(net.module_)
        rounds_only = first is not None and not self.method_.trains
        course = Course(
            file=file,
            epochs=0 if rounds_only else None,
            hook=self.callback,
            verbose=int(self.verbose),
        )
        self._train(net, rows, stream, course)
        if self._error is not None:
            raise self._error
        warn_if_missed(self)
        return self

    def _fit_network(
        self, net: Any, rows: Rows, stream: RandomStream, course: Course
    ) -> None:
        module = net.module_
        names = prunable_parameters(module, self.include, self.exclude)
        uses = weight_uses(module, first_rows(module, rows.X))
        masks = getattr(getattr(self, "first_stage_", None), "masks_", {})
        self._examples = rows.X[:N_EXAMPLES].copy()
        self._uses = {name: uses[name] for name in names}
        options = QuantizingOptions(
            method=self.method_,
            precision=precision_options(self),
            target=for_codes(target_of(self), self, net, names, masks),
            granularity=self.granularity,
            finetune=self.finetune,
            alive=masks,
            uses=uses,
            activations=resolve_activations(self.activations)
            or self.method_.default_activations(),
        )
        with ExitStack() as stack:
            stack.enter_context(holding_zeros(net, masks))
            fit = fit_quantized(
                net, names, rows.X, rows.y, options, stream, rows.sample_weight, course
            )
        self._describe(module, fit.quantized, self._uses, masks, fit.uncounted_bits)
        self.history_, self._error = fit.history, fit.error
