"""Each layer's dissimilarities against each region's: one table with tests, intervals and ceilings."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version

import numpy as np
import pandas as pd

from dnnbrain import __version__
from dnnbrain._checks import BadValue, choice, listing, output_folder
from dnnbrain.io.atomic import atomic
from dnnbrain.mapping.inference.permutation import fdr
from dnnbrain.mapping.rdm import RDM, same_items
from dnnbrain.mapping.rsa.bootstrap import bootstrap
from dnnbrain.mapping.rsa.ceiling import rdm_ceiling
from dnnbrain.mapping.rsa.compare import METHODS, compare
from dnnbrain.mapping.rsa.permutation import permute_items

SIGNIFICANCE = ('permutation', 'bootstrap')
COLUMNS = ('network', 'layer', 'iteration', 'roi', 'r', 'p', 'p_family', 'fdr', 'low', 'high', 'ceiling_lower',
           'ceiling_upper', 'n_subject')


def rsa_profile(networks: Mapping[str, RDM], subjects: Mapping[str, RDM], method: str = 'pearson',
                sig: Sequence[str] = ('permutation',), n_iter: int = 1000, ceiling: bool = False,
                tail: str = 'greater', n_jobs: int = 1, rng: int = 0) -> pd.DataFrame:
    """A row per layer (and iteration) and region: how alike the two RDMs are, and what that is worth.

    Parameters
    ----------
    networks : dict
        Name -> RDM of its layers.
    subjects : dict
        Name -> RDM of regions, the same ones for each. One entry may be an average over people. With
        several, r is the mean over subjects of what each has.
    method : str
        As in `dnnbrain.mapping.rsa.compare.compare`.
    sig : sequence of 'permutation' and 'bootstrap'
        permutation: items of the layers permuted, p and fdr. bootstrap: stimuli resampled, with
        several subjects these too; 95 % interval.
    n_iter : int
        Permutations, and bootstrap samples.
    ceiling : bool
        Whether to compute how well the subjects predict each other (needs two or more).
    tail : str
        'greater', 'less' or 'two-sided', of the permutation test.
    n_jobs : int
    rng : int

    Returns
    -------
    table : DataFrame
        Columns network, layer, iteration (from 1), roi, r, p, p_family (against the largest over layers
        and regions; within the region with several subjects), fdr (Benjamini & Hochberg 1995 over the
        rows of the table), low, high, ceiling_lower, ceiling_upper, n_subject; NaN where not asked for.

    Raises
    ------
    BadValue
        Items or regions differ, or a ceiling is asked of one subject.
    """
    sig = (sig,) if isinstance(sig, str) else sig
    networks, subjects = join_items(networks, subjects)
    _check(method, sig, ceiling, len(subjects))
    rows, layers = layer_rows(networks)
    rois = next(iter(subjects.values())).keys
    brain = {roi: np.stack([rdm.get(roi, triu=True) for rdm in subjects.values()]) for roi in rois}
    limits = {roi: rdm_ceiling(people, method) for roi, people in brain.items()} if ceiling else {}
    settings = {'method': method, 'n_jobs': n_jobs, 'rng': rng}
    measure = _one_brain if len(subjects) == 1 else _many_brains
    found = measure(layers, brain, sig, n_iter, tail, settings)
    table = pd.DataFrame([row | {'roi': roi} for roi in rois for row in rows])
    for name, values in found.items():
        table[name] = np.concatenate(values)
    table['fdr'] = fdr(table['p'].to_numpy()) if 'p' in table else np.nan
    for roi, limit in limits.items():
        table.loc[table['roi'] == roi, ['ceiling_lower', 'ceiling_upper']] = limit.lower, limit.upper
    table['n_subject'] = len(subjects)
    return table.reindex(columns=list(COLUMNS))


def _check(method: str, sig: Sequence[str], ceiling: bool, n_subject: int) -> None:
    choice('method', method, METHODS)
    for name in sig:
        choice('sig', name, SIGNIFICANCE)
    if ceiling and n_subject < 2:
        raise BadValue('a ceiling needs the RDMs of several subjects, and one came')
    if 'bootstrap' in sig and n_subject == 2:
        raise BadValue('two subjects are too few to be drawn again; give three or more, or one average')


def subject_profile(networks: Mapping[str, RDM], subjects: Mapping[str, RDM], method: str = 'pearson') -> pd.DataFrame:
    """A row per layer (and iteration), region and subject: network, layer, iteration, roi, subject, r."""
    networks, subjects = join_items(networks, subjects)
    rows, layers = layer_rows(networks)
    parts = []
    for subject, rdm in subjects.items():
        r = compare(layers, np.stack([rdm.get(roi, triu=True) for roi in rdm.keys]), method)
        parts += [pd.DataFrame(rows).assign(roi=roi, subject=subject, r=column)
                  for roi, column in zip(rdm.keys, r.T, strict=True)]
    return pd.concat(parts, ignore_index=True)


def join_items(networks: Mapping[str, RDM], subjects: Mapping[str, RDM]) -> tuple[dict, dict]:
    """The same RDMs with the items of the first that has IDs, in its order, and the same regions.

    Those without IDs are taken to be in this order, which a warning says.

    Raises
    ------
    BadValue
        There is none on one side, or items or regions differ.
    """
    for name, group in (('networks', networks), ('subjects', subjects)):
        if not group or any(not rdm.keys for rdm in group.values()):
            raise BadValue(f'{name} must hold an RDM at least, and each of them a matrix')
    first, reference = next(iter(subjects.items()))
    everyone = [*networks.items(), *subjects.items()]
    lead = next((pair for pair in everyone if pair[1].item_ids is not None), everyone[0])
    if any(rdm.item_ids is None for _, rdm in everyone):
        warnings.warn('an RDM has no item IDs; its items are taken to be in the order of the others', stacklevel=1)
    for name, rdm in subjects.items():
        if set(rdm.keys) != set(reference.keys):
            raise BadValue(f'subjects must have the same regions: {first} has {listing(reference.keys)}, and '
                           f'{name} has {listing(rdm.keys)}')
    return tuple({name: _joined(lead, name, rdm) for name, rdm in group.items()} for group in (networks, subjects))


def _joined(lead: tuple[str, RDM], name: str, rdm: RDM) -> RDM:
    if rdm is lead[1]:
        return rdm
    rdm = same_items(lead[1], rdm, (f'the RDM of {lead[0]}', name))
    if rdm.item_ids is None and lead[1].item_ids is not None:
        rdm = rdm[:]
        rdm.item_ids = lead[1].item_ids
    return rdm


def layer_rows(networks: Mapping[str, RDM]) -> tuple[list[dict], np.ndarray]:
    """What each RDM of the layers is (network, layer, iteration), and all of them (n_rdm, n_pair)."""
    rows, found = [], []
    for network, rdm in networks.items():
        for layer in rdm.keys:
            triangles = np.atleast_2d(rdm.get(layer, triu=True))
            found.append(triangles)
            rows += [{'network': network, 'layer': layer, 'iteration': i} for i in range(1, len(triangles) + 1)]
    return rows, np.concatenate(found)


def _one_brain(layers: np.ndarray, brain: dict, sig, n_iter: int, tail: str, settings: dict) -> dict[str, list]:
    """Columns of the table, an array per region."""
    regions = np.concatenate(list(brain.values()))
    out = {'r': list(compare(layers, regions, settings['method']).T)}
    if 'permutation' in sig:
        test = permute_items(layers, regions, n_perm=n_iter, tail=tail, **settings)
        out |= {'p': list(test.p.T), 'p_family': list(test.p_family.T)}
    if 'bootstrap' in sig:
        low, high = bootstrap(layers, regions, over='stimuli', n_boot=n_iter, **settings).interval()
        out |= {'low': list(low.T), 'high': list(high.T)}
    return out


def _many_brains(layers: np.ndarray, brain: dict, sig, n_iter: int, tail: str, settings: dict) -> dict[str, list]:
    """As `_one_brain`, of the mean over subjects."""
    out: dict[str, list] = {}

    def add(**columns):
        for name, values in columns.items():
            out.setdefault(name, []).append(values)

    for people in brain.values():
        add(r=compare(layers, people, settings['method']).mean(axis=1))
        if 'bootstrap' in sig:
            low, high = bootstrap(layers, people, over='both', n_boot=n_iter, **settings).interval()
            add(low=low, high=high)
        if 'permutation' in sig:
            test = permute_items(layers, people, n_perm=n_iter, tail=tail, subjects=True, **settings)
            add(p=test.p, p_family=test.p_family)
    return out


def write_profile(folder, table: pd.DataFrame, each: pd.DataFrame | None, settings: dict) -> None:
    """Write ``rsa.csv``, ``subjects.csv`` (several subjects) and ``result.json`` (settings, versions).

    A ``subjects.csv`` of another analysis in this folder is taken away.
    """
    folder = output_folder(folder)
    for name, rows in (('rsa.csv', table), ('subjects.csv', each)):
        if rows is None:
            (folder / name).unlink(missing_ok=True)
        else:
            with atomic(folder / name) as part:
                rows.to_csv(part, index=False)
    versions = {'dnnbrain': __version__} | {name: version(name) for name in ('numpy', 'scipy', 'scikit-learn')}
    with atomic(folder / 'result.json') as part:
        part.write_text(json.dumps({'settings': settings, 'versions': versions}, indent=1, default=str) + '\n')
