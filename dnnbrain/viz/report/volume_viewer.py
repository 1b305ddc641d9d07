"""Maps of voxels to look through: nilearn's viewer, one page within the page for each map."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping

import nibabel as nib
import numpy as np

from dnnbrain.viz.report.map_scale import Scale

TEMPLATE = 3                        # mm, of the background in MNI space
LONGEST = 96                        # voxels along an axis; finer maps are thinned out
MNI = 4                             # code of the space in a NIfTI header
_PIECES = re.compile(r'[A-Za-z0-9+/=]{4000,}|<script>(?:(?!</script>).){4000,}?</script>', re.DOTALL)
_OUTSIDE = re.compile(r'<link[^>]*https?:[^>]*>')
_CANVAS = '<canvas role="img" tabindex="0" aria-label="Three slices; click to move, or use the arrow keys, ' \
          'Page Up and Page Down" '
_SLICES = 'brain = brainsprite('    # nilearn's; the page around it moves the slices by keys
_BASE = '<head><base target="_blank"><style>html,body{margin:0;background:#000;color:#fff;font:14px sans-serif}' \
        'canvas{max-width:100%}canvas:focus-visible{outline:3px solid #8cf;outline-offset:-3px}p{margin:0}</style>'


def volume_viewer(maps: Mapping[str, np.ndarray], header, scales: Mapping[str, Scale]) -> dict:
    """Pages of maps, with what they share held once.

    Parameters
    ----------
    maps : dict
        Name -> (x, y, z), NaN where there is nothing.
    header
        Of their image, as `load_brainimg` gives it.
    scales : dict
        Name -> how it is coloured.

    Returns
    -------
    viewer : dict
        kind 'volume'; shared, a list of text; maps, a list of name and html, in which ``@@k@@`` stands
        for ``shared[k]``; background, what is behind the maps, in words.
    """
    known = np.any([np.isfinite(values) for values in maps.values()], axis=0)
    space = is_mni(header)
    box, affine = _frame(known, header.get_best_affine())
    background = _template() if space else nib.Nifti1Image(known[box].astype(np.float32), affine)
    pages = {name: _page(values[box], affine, background, scales[name]) for name, values in maps.items()}
    shared = sorted(set.intersection(*(set(_PIECES.findall(page)) for page in pages.values())), key=len, reverse=True)
    for number, piece in enumerate(shared):
        pages = {name: page.replace(piece, f'@@{number}@@') for name, page in pages.items()}
    return {'kind': 'volume', 'shared': shared, 'maps': [{'name': name, 'html': page} for name, page in pages.items()],
            'background': 'the MNI152 template' if space else 'the voxels that were analysed'}


def is_mni(header) -> bool:
    """Whether an image says that it is in MNI space."""
    return isinstance(header, nib.Nifti1Header) and MNI in (int(header['sform_code']), int(header['qform_code']))


def _frame(known: np.ndarray, affine: np.ndarray) -> tuple[tuple[slice, ...], np.ndarray]:
    """Slices around what is known, thinned out to `LONGEST`, and the affine of what they cut out."""
    box = []
    for axis in range(3):
        along = np.flatnonzero(known.any(axis=tuple(a for a in range(3) if a != axis)))
        low, high = (along[0], along[-1] + 1) if along.size else (0, known.shape[axis])
        low, high = max(low - 1, 0), min(high + 1, known.shape[axis])
        box.append((low, high))
    step = max(1, -(-max(high - low for low, high in box) // LONGEST))
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :3] @ [low for low, _ in box]
    moved[:3, :3] *= step
    return tuple(slice(low, high, step) for low, high in box), moved


def _template() -> nib.Nifti1Image:
    from nilearn.datasets import load_mni152_template
    return load_mni152_template(resolution=TEMPLATE)


def _page(values: np.ndarray, affine: np.ndarray, background, scale: Scale) -> str:
    from nilearn.plotting import view_img
    filled = np.where(np.isfinite(values), np.where(values == 0, 2e-6, values), 0).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        view = view_img(nib.Nifti1Image(filled, affine), bg_img=background, threshold=1e-6, cmap=scale.colors,
                        symmetric_cmap=False, vmin=scale.low, vmax=scale.high, resampling_interpolation='nearest',
                        black_bg=True, annotate=True, colorbar=True, width_view=1000)
        page = view.html if hasattr(view, 'html') else view.get_standalone()
    page = _OUTSIDE.sub('', page).replace(_SLICES, 'brain = window.slices = brainsprite(', 1)
    return page.replace('<head>', _BASE, 1).replace('<canvas ', _CANVAS, 1)
