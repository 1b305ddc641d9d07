"""All fitted models of a mapping in one ``.h5``: as many as there are iterations and targets."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from dnnbrain._checks import BadValue
from dnnbrain.io.model_h5 import read_model_h5, write_model_h5
from dnnbrain.mapping.models import BandedModel, LayerModel, load_model
from dnnbrain.mapping.single_unit.linear_svc import PairwiseModel
from dnnbrain.mapping.single_unit.logistic import LogisticModel
from dnnbrain.mapping.single_unit.one_predictor import LineModel

_ON_ONE_UNIT = {kind.__name__: kind for kind in (LogisticModel, PairwiseModel)}


def save_models(fname, models: np.ndarray) -> None:
    """Write the models that a mapping returned, without pickles.

    Parameters
    ----------
    fname : str
        A ``.h5``.
    models : ndarray of object, of any shape
        None where there is no model.

    Raises
    ------
    BadValue
        There is no model, or one that cannot be written: an estimator of scikit-learn that is not linear.
    """
    models = np.asarray(models, dtype=object)
    present = [(place, model) for place, model in np.ndenumerate(models) if model is not None]
    if not present:
        raise BadValue('there is no model to save')
    first = present[0][1]
    if len(present) == 1 and isinstance(first, LayerModel | BandedModel):
        first.save(fname)
        return
    if all(isinstance(model, LineModel) for _, model in present):
        parts = {'lines': (_lines(models, present), {}, None)}
    else:
        parts = {','.join(map(str, place)): _part(model) for place, model in present}
    write_model_h5(fname, parts, {'kind': 'models', 'shape': models.shape})


def load_models(fname) -> np.ndarray:
    """Models as `save_models` took them, an array of objects with None where there was none.

    A single model, which `load_model` reads too, gives an array of shape (1, 1).

    Raises
    ------
    BadPath, BadValue
        The file is missing, damaged or of another kind.
    """
    parts, settings = read_model_h5(fname)
    models = np.full(settings.get('shape', (1, 1)), None, dtype=object)
    if settings.get('kind') != 'models':
        models[0, 0] = load_model(fname)
    elif 'lines' in parts:
        arrays = parts['lines'][0]
        for place in zip(*np.nonzero(np.isfinite(arrays['slope'])), strict=True):
            models[place] = LineModel(float(arrays['slope'][place]), float(arrays['intercept'][place]))
    else:
        for name, (arrays, record, ids) in parts.items():
            kind = _ON_ONE_UNIT.get(record.pop('model'))
            models[tuple(map(int, name.split(',')))] = kind(**arrays) if kind else \
                LayerModel(**arrays, **record, stim_ids=ids)
    return models


def _lines(models: np.ndarray, present: list) -> dict[str, np.ndarray]:
    arrays = {name: np.full(models.shape, np.nan) for name in ('slope', 'intercept')}
    for name, values in arrays.items():
        for place, model in present:
            values[place] = getattr(model, name)
    return arrays


def _part(model) -> tuple:
    kind = type(model).__name__
    if kind in _ON_ONE_UNIT:
        return {field.name: getattr(model, field.name) for field in fields(model)}, {'model': kind}, None
    if not isinstance(model, LayerModel):
        raise BadValue(f'a {kind} cannot be saved with others; its own save writes it, if it is linear')
    arrays, record, ids = model._part()
    return arrays, record | {'model': kind}, ids
