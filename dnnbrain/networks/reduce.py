"""Reduction while extracting: what layers answer is projected on the device, and never stored whole."""

from __future__ import annotations

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from dnnbrain._checks import BadType, BadValue, whole_number, writable_file
from dnnbrain.activation.activation import Activation
from dnnbrain.activation.basis import Basis, parse, random_directions
from dnnbrain.io.act_h5 import SUFFIX as ACT
from dnnbrain.io.basis_h5 import SUFFIX
from dnnbrain.networks.content import described, keyed


class Reduction:
    """Projects the activations of layers.

    Parameters
    ----------
    basis : Basis
    draw : (int, int), optional
        Number of random directions and their seed: layers that are not in the basis yet are drawn.
    file : Path, optional
        Where the basis is kept.
    """

    def __init__(self, basis: Basis, draw: tuple[int, int] | None = None, file: Path | None = None):
        self.basis, self.draw, self.file = basis, draw, file
        self._ready: dict[str, tuple] = {}

    def key(self) -> str:
        """Tells one reduction from another, before anything is drawn."""
        return f'{self.basis.meta.get("reduce")} {self.basis.digest() if self.draw is None else self.draw}'

    def keep(self) -> None:
        """Save the basis; all layers have answered once, or it was known before."""
        if self.file is not None and self.basis.layers:
            self.basis.save(self.file)
            self.file = None

    def __call__(self, layer: str, activ: torch.Tensor) -> torch.Tensor:
        """Features (n, n_feat, 1, 1) of activations (n, n_chn, n_row, n_col); clips have an axis more."""
        if layer not in self._ready:
            self._ready[layer] = self._prepared(layer, tuple(activ.shape[1:]), activ.device)
        kind, components, offset = self._ready[layer]
        if kind == 'whole':
            return activ
        flat = activ.flatten(1).float()
        found = (components @ flat.T).T if kind == 'srp' else flat @ components.T - offset
        return found[..., None, None]

    def _prepared(self, layer: str, shape: tuple[int, ...], device: torch.device) -> tuple:
        if self.draw is not None and layer not in self.basis.layers:
            self.basis.layers[layer] = random_directions(layer, shape, *self.draw)
        found = self.basis.of(layer, shape)
        if found.kind == 'whole':
            return 'whole', None, None
        if found.kind == 'pca':
            components = torch.from_numpy(found.components).to(device)
            mean = torch.from_numpy(found.mean).to(device)
            return 'pca', components, (components.double() @ mean.double()).float()
        return 'srp', _sparse(found.components, device), None


def _sparse(matrix, device: torch.device) -> torch.Tensor:
    """A scipy matrix on the device, in compressed rows, which multiply six times as fast as coordinates."""
    parts = [torch.from_numpy(part.copy()).to(device) for part in (matrix.indptr, matrix.indices, matrix.data)]
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'Sparse CSR tensor support is in beta')
        return torch.sparse_csr_tensor(*parts, size=matrix.shape, check_invariants=True)


def reduction(dnn, reduce, fit, out, rng: int, resume: bool, shard, **how) -> Reduction | None:
    """What ``reduce=`` of `compute_activation` asks for.

    Parameters
    ----------
    reduce : None, 'srp:N', 'pca:N', str (a ``.basis.h5``) or Basis
    fit : Stimulus, ndarray or Dataset
        For 'pca:N'.
    out : str or None
        Activations go there; the basis stands beside it.
    how
        What `fit_basis` needs besides.
    """
    if reduce is None or isinstance(reduce, Basis) or str(reduce).lower().endswith(SUFFIX):
        if fit is not None:
            raise BadValue("fit goes with reduce='pca:N'")
        return None if reduce is None else Reduction(reduce if isinstance(reduce, Basis) else Basis.load(reduce))
    if not isinstance(reduce, str):
        raise BadType(f"reduce must be 'srp:N', 'pca:N', a .basis.h5 or a Basis, not {reduce!r}")
    kind, n_feat = parse(reduce)
    file = None if out is None else writable_file(basis_file(out), 'basis file')
    if kind == 'srp':
        if fit is not None:
            raise BadValue('random directions are not fitted; leave fit out')
        rng = whole_number(rng, 'rng')
        return Reduction(Basis({}, {'reduce': reduce, 'seed': rng}), (n_feat, rng), file)
    if fit is None:
        raise BadValue(f'{reduce} is learned from a training list; give it as fit (other stimuli than those you test)')
    if shard is not None:
        raise BadValue('each shard would fit components of its own; run fit_basis (or one small extraction) first, and '
                       f'give its {SUFFIX} as reduce')
    return Reduction(_fitted(dnn, reduce, n_feat, fit, file, resume, how), file=file)


def _fitted(dnn, reduce: str, n_feat: int, fit, file: Path | None, resume: bool, how: dict) -> Basis:
    """Principal components of a training list, which a run that is resumed finds beside its file."""
    if resume and file is not None and file.exists():
        basis = Basis.load(file)
        key = keyed(dnn, fit, described(dnn, how['dmask'], how['pool_method'], how['tokens']))['key']
        if (basis.meta.get('key'), basis.meta.get('reduce')) == (key, reduce):
            return basis
    return fit_basis(dnn, fit, n_feat=n_feat, folder=None if file is None else file.parent, **how)


def fit_basis(dnn, stimuli, dmask, n_feat: int, pool_method: str | None = None, *, folder=None, device=None,
              batch_size: int = 32, n_worker: int | None = None, tokens: str = 'all') -> Basis:
    """Principal components of layers over a training list, for ``compute_activation(..., reduce=basis)``.

    Parameters
    ----------
    stimuli, dmask, pool_method, device, batch_size, n_worker, tokens
        As in `compute_activation`, with which mask, pooling and tokens must agree later.
    n_feat : int
        Components of each layer; layers with no more units are kept whole.
    folder : str, optional
        Where the activations of the training list stand while the components are computed (n_stim times the units of
        the layers, 4 bytes each); the folder for temporary files by default.

    Returns
    -------
    basis : Basis
        ``save`` it as ``.basis.h5``.
    """
    with TemporaryDirectory(dir=folder, prefix='.fit-') as place:
        activ: Activation = dnn.compute_activation(stimuli, dmask, pool_method, device=device, batch_size=batch_size,
                                                   n_worker=n_worker, tokens=tokens, out=Path(place) / f'fit{ACT}')
        return Basis.pca(activ, n_feat)


def basis_file(out) -> Path:
    """Where the basis of an activation file stands: ``x.basis.h5`` beside ``x.act.h5``."""
    out = Path(out)
    return out.with_name(out.name[:-len(ACT)] + SUFFIX)
