"""A simulated subject: responses driven by known layers at known places, for trying methods on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dnnbrain._checks import BadType, BadValue, output_folder, positive_number, same_ids, whole_number
from dnnbrain.activation.activation import Activation
from dnnbrain.activation.hrf import hrf_matrix
from dnnbrain.brain.io import save_brainimg, unmasked
from dnnbrain.brain.time_series import of_stimuli
from dnnbrain.datasets.scan import Schedule, noise_blocks, schedule
from dnnbrain.datasets.spaces import space_of
from dnnbrain.io.atomic import atomic
from dnnbrain.mapping.kernel import linear_kernel
from dnnbrain.stimuli.stimulus import Stimulus


@dataclass(frozen=True)
class SimulatedSubject:
    """A brain whose truth is known.

    Attributes
    ----------
    responses : ndarray of shape (n_vol, x, y, z), float32
        One volume per presentation, or every `tr` seconds; 0 outside the brain. Surfaces and CIFTI: (n_vol, n, 1, 1).
    mask : ndarray of shape (x, y, z), bool
    truth : ndarray of shape (x, y, z), float32
        Number (from 1) of the layer that drives each voxel; NaN outside.
    header : Nifti1Header, SurfaceHeader or Cifti2Header
        MNI space, or fsaverage5.
    signal : ndarray of shape (n_stim, n_meas), float64
        What each stimulus does to each voxel inside, without noise: mean 0 and variance 1.
    shown : Stimulus
        A row per presentation: stimID, run, in a scan onset and duration (seconds from the first volume on), and
        the other columns of `stimuli`.
    run : ndarray of shape (n_vol,), int
        The run of each volume, from 1: no fold should split one.
    tr : float or None, seconds
        Between volumes of a scan.
    """

    responses: np.ndarray
    mask: np.ndarray
    truth: np.ndarray
    header: object
    signal: np.ndarray
    shown: Stimulus
    run: np.ndarray
    tr: float | None
    _names: tuple[str, str]

    def __repr__(self) -> str:
        time = f' every {self.tr:g} s' if self.tr else ''
        return (f'<SimulatedSubject: {len(self.responses)} volumes{time} of {self.mask.sum()} places, '
                f'{len(self.signal)} stimuli, {self.run.max()} run(s)>')

    @property
    def events(self) -> tuple[np.ndarray, np.ndarray, float]:
        """(onsets, durations, tr), as ``BrainEncoder(hrf=...)`` takes it."""
        if self.tr is None:
            raise BadValue('each volume is the response to one presentation; only a scan has events: '
                           'simulate_subject(..., tr=2)')
        return self.shown.get('onset'), self.shown.get('duration'), self.tr

    def save(self, folder) -> dict[str, Path]:
        """Write all to a folder; returns paths by name.

        'bold', 'mask' and 'truth' are images of the format of the space (``bold.nii.gz``, ``bold_left.func.gii``,
        ``bold.dscalar.nii`` or, of a scan, ``bold.dtseries.nii``), 'shown' is ``shown.stim.csv``, and of a scan
        'events' is ``events.tsv`` as in BIDS, whose seconds run on over the runs.
        """
        folder = output_folder(folder)
        bold, maps = self._names
        paths = {'bold': folder / bold.format('bold'), 'mask': folder / maps.format('mask'),
                 'truth': folder / maps.format('truth'), 'shown': folder / 'shown.stim.csv'}
        names = None if self.tr else [str(name) for name in self.shown.get('stimID')]
        save_brainimg(paths['bold'], self.responses, self.header, names=names)
        save_brainimg(paths['mask'], self.mask, self.header, dtype=np.uint8, names=['mask'])
        save_brainimg(paths['truth'], self.truth, self.header, names=['truth'])
        self.shown.save(paths['shown'])
        if self.tr:
            paths['events'] = folder / 'events.tsv'
            _write_events(paths['events'], self.shown)
        return paths


def simulate_subject(activ: Activation, noise: float = 1.0, resolution: float = 8, n_component: int | None = None,
                     rng: int | None = 0, *, space: str = 'volume', n_repeat: int = 1, tr: float | None = None,
                     isi: float = 4.0, duration: float = 1.0, autocorrelation: float = 0.0,
                     stimuli: Stimulus | None = None) -> SimulatedSubject:
    """Responses of a brain in which later layers drive more anterior voxels.

    Voxels or vertices are divided from posterior to anterior into as many parts as there are layers, of about equal
    size (in volumes whole slices). A voxel's signal is a random mixture of the first principal components of its
    layer's activations, with unit variance; to it comes noise. Nothing is downloaded.

    Parameters
    ----------
    activ : Activation
        Its layers in the order of the network.
    noise : float
        Standard deviation of the noise over that of the signal, in each voxel. A perfect model correlates with a
        single presentation, or the volumes of a scan, by ``1 / sqrt(1 + noise ** 2)``.
    resolution : float, mm
        Of voxels.
    n_component : int, optional
        A quarter of the number of stimuli by default: many more could not be learnt from them.
    rng : int or None
    space : {'volume', 'left', 'right', 'cifti'}
        nilearn's MNI152 brain mask; cortex of a hemisphere of fsaverage5 (10,242 vertices); or both hemispheres
        without their medial wall and balls of 10 mm where the thalami are, as CIFTI.
    n_repeat : int
        How often each stimulus is shown: runs of the order of `activ` or, in a scan, each in an order of its own.
    tr : float, seconds, optional
        Makes the responses a scan: a volume every `tr` seconds, runs end to end, in which each event adds nilearn's
        SPM response of the height of its signal.
    isi, duration : float, seconds
        Of a scan: mean time between onsets, and how long each stimulus is shown.
    autocorrelation : float
        Of a scan: of the noise in volumes that follow each other, of first order.
    stimuli : Stimulus, optional
        The table of `activ`, whose columns and files `shown` then has.

    Returns
    -------
    subject : SimulatedSubject

    Raises
    ------
    BadValue
        A setting out of range, a layer that does not vary, or repeats of activations without stimIDs.
    """
    if not isinstance(activ, Activation) or not activ.layers:
        raise BadType('activ must be an Activation with a layer at least')
    noise, tr = positive_number(noise, 'noise', zero=True), positive_number(tr, 'tr')
    if noise is None or (whole_number(n_repeat, 'n_repeat') or 0) < 1:
        raise BadValue(f'noise must be a number from 0 and n_repeat at least 1, not {noise} and {n_repeat}')
    if n_component is not None and whole_number(n_component, 'n_component') < 1:
        raise BadValue(f'n_component must be at least 1, not {n_component}')
    if not isinstance(autocorrelation, int | float | np.number) or not -1 < autocorrelation < 1:
        raise BadValue(f'autocorrelation must lie between -1 and 1, not {autocorrelation!r}')
    if tr is None and autocorrelation != 0:
        raise BadValue('autocorrelation is that of volumes in a scan; give tr, or leave it out')
    table = _table(activ, stimuli, n_repeat > 1 or tr is not None)
    generator, brain = np.random.default_rng(rng), space_of(space, resolution, tr)
    layer_of = _posterior_to_anterior(brain.y, len(activ.layers))
    signal = _signal(activ, layer_of, n_component, generator)
    plan = None if tr is None else schedule(len(activ), n_repeat, tr, isi, duration, generator)
    run = np.repeat(np.arange(1, n_repeat + 1), len(activ)) if plan is None else plan.run
    noises = noise_blocks(run, len(layer_of), autocorrelation, generator)
    responses = _measured(signal, None if plan is None else _design(plan, len(activ), tr), noise, noises,
                          np.zeros((len(run), *brain.mask.shape), np.float32), brain.mask)
    truth = unmasked(np.float32(layer_of + 1), brain.mask, brain.mask.shape)
    return SimulatedSubject(responses, brain.mask, truth, brain.header, signal,
                            _shown(table, plan, n_repeat), run, tr, brain.names)


def _table(activ: Activation, stimuli: Stimulus | None, needs_ids: bool) -> Stimulus:
    """What is shown, a row per stimulus."""
    if stimuli is not None and activ.stim_ids is not None:
        same_ids(stimuli.get('stimID'), activ.stim_ids, ('the table of stimuli', 'activ'))
    elif stimuli is not None and len(stimuli) != len(activ):
        raise BadValue(f'stimuli has {len(stimuli)} rows and activ {len(activ)} stimuli; give their own table')
    if needs_ids and activ.stim_ids is None:
        raise BadValue('activ has no stimIDs, by which repeats and events could be told; set activ.stim_ids')
    if stimuli is not None:
        return stimuli[()]
    ids = range(1, len(activ) + 1) if activ.stim_ids is None else activ.stim_ids
    return Stimulus({'type': 'image', 'path': ''}, {'stimID': [str(name) for name in ids]})


def _shown(table: Stimulus, plan: Schedule | None, n_repeat: int) -> Stimulus:
    """A row per presentation, with its run and, in a scan, its time."""
    if plan is None:
        shown = table[np.tile(np.arange(len(table)), n_repeat)]
        shown.set('run', np.repeat(np.arange(1, n_repeat + 1), len(table)))
        return shown
    shown = table[plan.rows]
    for name, values in (('onset', plan.onset), ('duration', np.full(len(plan.onset), plan.duration)),
                         ('run', plan.event_run)):
        shown.set(name, values)
    return shown


def _signal(activ: Activation, layer_of: np.ndarray, n_component: int | None,
            rng: np.random.Generator) -> np.ndarray:
    """What each stimulus does to each voxel, (n_stim, n_meas), from the layer (from 0) of each."""
    signal = np.empty((len(activ), len(layer_of)))
    for number, layer in enumerate(activ.layers):
        here = layer_of == number
        components = _components(linear_kernel(activ, layer), n_component or max(1, len(activ) // 4))
        mixture = components @ rng.standard_normal((components.shape[1], here.sum()))
        signal[:, here] = mixture / mixture.std(axis=0)
    return signal


def _design(plan: Schedule, n_stim: int, tr: float) -> np.ndarray:
    """How much of each stimulus is in each volume, (n_vol, n_stim)."""
    durations = np.full(len(plan.onset), plan.duration)
    return of_stimuli(hrf_matrix(plan.onset, durations, len(plan.run), tr), plan.rows, n_stim)


def _measured(signal: np.ndarray, design: np.ndarray | None, noise: float, noises: Iterable, image: np.ndarray,
              mask: np.ndarray) -> np.ndarray:
    """`image` (n_vol, ...) filled with ``design @ signal``, or the signal again and again, and noise of its size."""
    deviations = noise if design is None else noise * _deviation(design, signal)
    for start, block in noises:
        rows = np.arange(start, start + len(block))
        clean = signal[rows % len(signal)] if design is None else design[rows] @ signal
        image[start:start + len(block)][:, mask] = clean + deviations * block
    return image


def _deviation(design: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """Standard deviation of each column of ``design @ signal``, without making it."""
    centred = design - design.mean(axis=0)
    return np.sqrt(((centred.T @ centred / len(design)) @ signal * signal).sum(axis=0))


def _posterior_to_anterior(y: np.ndarray, n_part: int) -> np.ndarray:
    """Part (from 0) of each place, by its y coordinate; equal coordinates stay together."""
    edges = np.quantile(y, np.arange(1, n_part) / n_part)
    return np.searchsorted(edges, y, side='left')


def _components(K: np.ndarray, n_component: int) -> np.ndarray:
    """The first principal component scores of a kernel, each of unit length."""
    centred = K - K.mean(axis=0) - K.mean(axis=1, keepdims=True) + K.mean()
    values, vectors = np.linalg.eigh(centred)
    rank = int((values > values[-1] * 1e-10).sum())
    if rank == 0:
        raise BadValue('a layer answers the same to every stimulus; it cannot drive voxels')
    return vectors[:, ::-1][:, :min(n_component, rank)]


def _write_events(path: Path, shown: Stimulus) -> None:
    """Events as BIDS names them, ordered by time."""
    kind = 'condition' if 'condition' in shown.items else 'stimID'
    columns = {'onset': 'onset', 'duration': 'duration', 'trial_type': kind, 'stim_file': 'stimID', 'run': 'run'}
    table = pd.DataFrame({name: shown.get(item) for name, item in columns.items()}).astype({'run': int})
    with atomic(path) as part:
        table.to_csv(part, sep='\t', index=False)
