"""What estimators around a network share: input checks, labels, delegation."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import (
    ClassifierTags,
    RegressorTags,
    Tags,
    check_array,
    column_or_1d,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from ..training import (
    Processes,
    build_accelerator,
    build_net,
    check_estimator_parameter,
    first_rows,
    initialize_net,
    is_binary_net,
    is_regression,
    last_layer,
    representation,
    takes_integers,
    use_accelerator,
)
from ..utils import RandomStream, torch_threads
from ._nested_parameters import NestedParameters


def _is_classifier(self: NetworkEstimator) -> bool:
    if is_regression(self._network):
        raise AttributeError(
            f"{type(self).__name__} has class probabilities only around a classifier; "
            f"its network is {type(self._network).__name__}."
        )
    return True


@dataclass(frozen=True, eq=False)
class Rows:
    """What a network is trained on, checked and cast.

    Parameters
    ----------
    X : numpy.ndarray of shape (n, ...)
        Inputs.
    y : numpy.ndarray of shape (n, ...)
        Encoded labels, or values.
    sample_weight : numpy.ndarray of shape (n,) or None
        Weights of the rows.
    n_outputs : int
        Outputs that the network needs.
    """

    X: np.ndarray
    y: np.ndarray
    sample_weight: np.ndarray | None
    n_outputs: int


class NetworkEstimator(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, NestedParameters
):
    """Base of estimators that hold a network as `estimator`.

    A subclass implements `_fit_network`. Inputs are checked and cast, labels encoded,
    and predictions delegated to the fitted skorch net `estimator_`.
    """

    estimator: Any
    device: str
    random_state: Any

    @property
    def _network(self) -> Any:
        """The skorch net, module, class or None that `estimator` stands for."""
        return self.estimator

    @abstractmethod
    def _fit_network(
        self, net: Any, rows: Rows, stream: RandomStream, course: Any
    ) -> None:
        """Train an initialised net in place and set the fitted attributes."""

    def _check_rows(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        classes: Any = None,
        first: bool = True,
    ) -> Rows:
        """Check and cast the data of `fit`, or of a later call of `partial_fit`."""
        check_estimator_parameter(self._network)
        X, y = validate_data(
            self, X, y, reset=first, allow_nd=True, dtype="numeric", multi_output=True
        )
        if first:
            integers = X.dtype.kind in "iu"
            self._keeps_integers = integers and takes_integers(self._network)
        X = self._cast(X)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X)
        y, n_outputs = self._encode_target(y, classes, first)
        return Rows(X, y, sample_weight, n_outputs)

    def _begin(self, rows: Rows, stream: RandomStream) -> Any:
        """Build and initialise a net of our own."""
        net = build_net(
            self._network,
            n_inputs=int(np.prod(rows.X.shape[1:])),
            n_outputs=rows.n_outputs,
            device=self.device,
        )
        net.set_params(verbose=0)  # ours is what counts
        build_accelerator(net)
        if Processes.of(net).count > 1 and self.random_state is None:
            raise ValueError(
                "random_state=None draws another seed in each process; it must be an "
                "integer where several of them train one network."
            )
        with torch_threads(self.n_threads):
            output = initialize_net(net, rows.X, stream.child(0))
            use_accelerator(net)
            self._layer = last_layer(net.module_, first_rows(net.module_, rows.X))
        self._output_shape = tuple(output.shape)
        return net

    def _train(self, net: Any, rows: Rows, stream: RandomStream, course: Any) -> None:
        """Train a net that has begun."""
        rows = replace(rows, y=self._match_output(net, rows.y, self._output_shape))
        with torch_threads(self.n_threads):
            self._fit_network(net, rows, stream.child(1), course)
            features = representation(net, self._layer, rows.X[:1])
        self.estimator_ = net
        self._n_features_out = features.shape[1]

    def _cast(self, X: np.ndarray) -> np.ndarray:
        if self._keeps_integers and X.dtype.kind in "iu":
            X = X.astype(np.int64, copy=False)
        else:
            X = X.astype(np.float32, copy=False)
        return _writable(X)

    def _encode_target(
        self, y: np.ndarray, classes: Any, first: bool
    ) -> tuple[np.ndarray, int]:
        """The target as a net takes it, and the number of outputs it needs."""
        if is_regression(self._network):
            if classes is not None:
                raise ValueError(
                    f"classes={classes!r} must be None, as "
                    f"{type(self._network).__name__} is a regressor."
                )
            y = _writable(np.asarray(y, dtype=np.float32))
            if y.ndim == 2 and y.shape[1] == 1:
                y = column_or_1d(y, warn=True)
            self._target_ndim = y.ndim
            return y, 1 if y.ndim == 1 else y.shape[1]
        check_classification_targets(y)
        y = column_or_1d(y, warn=True)
        if first:
            self.classes_ = np.unique(y if classes is None else classes)
            if len(self.classes_) < 2:
                raise ValueError(
                    f"y has only one class, {self.classes_[0]!r}; a classifier needs "
                    "at least two classes."
                )
        elif classes is not None and not np.array_equal(
            np.unique(classes), self.classes_
        ):
            raise ValueError(
                f"classes={classes!r} are not those of the first call, "
                f"{self.classes_!r}."
            )
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(
                f"y has labels that are not among the classes: {unknown!r}. Name all "
                "that there are in the first call of partial_fit (classes=...)."
            )
        encoded = np.searchsorted(self.classes_, y).astype(np.int64)
        return encoded, len(self.classes_)

    def _match_output(
        self, net: Any, y: np.ndarray, shape: tuple[int, ...]
    ) -> np.ndarray:
        """Bring the target to the shape of the network's output, or say why not."""
        if is_regression(self._network):
            wanted = (len(y), *shape[1:])
            if y.size != np.prod(wanted):
                raise ValueError(
                    f"the network gives {shape[1:] or 'one'} outputs a row, but y has "
                    f"shape {y.shape}."
                )
            return y.reshape(wanted)
        if is_binary_net(net):
            if len(self.classes_) > 2:
                raise ValueError(
                    f"y has {len(self.classes_)} classes, but {type(net).__name__} "
                    "tells only two apart."
                )
            return y.astype(np.float32)
        if len(shape) < 2 or shape[1] < len(self.classes_):
            raise ValueError(
                f"the network gives outputs of shape {shape} for two rows, but y has "
                f"{len(self.classes_)} classes; it needs one output a class."
            )
        return y

    def _check_input(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, allow_nd=True, dtype="numeric")
        return self._cast(X)

    def predict(self, X: Any) -> np.ndarray:
        """Predict labels, or values for a regressor.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Inputs, as in `fit`.

        Returns
        -------
        y : numpy.ndarray of shape (n,)
            Entries of `classes_`, or values shaped as the target of `fit`.
        """
        X = self._check_input(X)
        if is_regression(self._network):
            with torch_threads(self.n_threads):
                values = self.estimator_.predict(X)
            return values.reshape(len(X)) if self._target_ndim == 1 else values
        return self.classes_[self._class_probabilities(X).argmax(axis=1)]

    @available_if(_is_classifier)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict class probabilities.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Inputs, as in `fit`.

        Returns
        -------
        probabilities : numpy.ndarray of shape (n, n_classes)
            Columns in the order of `classes_`.
        """
        return self._class_probabilities(self._check_input(X))

    def _class_probabilities(self, X: np.ndarray) -> np.ndarray:
        """Probabilities of the classes of `fit`; outputs to spare are left out."""
        with torch_threads(self.n_threads):
            probabilities = self.estimator_.predict_proba(X)
        probabilities = probabilities[:, : len(self.classes_)].astype(np.float64)
        return probabilities / probabilities.sum(axis=1, keepdims=True)

    def transform(self, X: Any) -> np.ndarray:
        """Return the penultimate representation: what the last layer is given.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Inputs, as in `fit`.

        Returns
        -------
        features : numpy.ndarray of shape (n, n_features_out)
            The inputs of the last layer with weights, flattened.
        """
        X = self._check_input(X)
        with torch_threads(self.n_threads):
            return representation(self.estimator_, self._layer, X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy, or R^2 for a regressor.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Inputs.
        y : array-like of shape (n,)
            True labels or values.
        sample_weight : array-like of shape (n,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            1 is perfect.
        """
        metric = r2_score if is_regression(self._network) else accuracy_score
        return float(metric(y, self.predict(X), sample_weight=sample_weight))

    def __sklearn_tags__(self) -> Tags:
        """Say what kind of estimator this is."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        tags.input_tags.three_d_array = True
        if is_regression(self._network):
            tags.estimator_type = "regressor"
            tags.regressor_tags = RegressorTags()
        else:
            tags.estimator_type = "classifier"
            tags.classifier_tags = ClassifierTags()
        return tags


def _writable(array: np.ndarray) -> np.ndarray:
    """An array, or a copy of it, in memory that torch does not warn of."""
    return array if array.flags.writeable else array.copy()


def _check_sample_weight(sample_weight: Any, X: np.ndarray) -> np.ndarray:
    weight = check_array(
        sample_weight,
        ensure_2d=False,
        ensure_non_negative=True,
        input_name="sample_weight",
    )
    if weight.ndim != 1:
        raise ValueError(
            f"sample_weight has shape {weight.shape}; it must be 1D, one a row."
        )
    check_consistent_length(X, weight)
    if not weight.any():
        raise ValueError("sample_weight is zero for every row; some must be positive.")
    return weight
