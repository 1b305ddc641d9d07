"""Brain images of every format, written with nibabel alone: 36 voxels, vertices, or both."""

import nibabel as nib
import numpy as np
import pytest
from nibabel.cifti2 import BrainModelAxis, Cifti2Image, LabelAxis, ScalarAxis, SeriesAxis
from nibabel.gifti import GiftiDataArray, GiftiImage, GiftiLabel, GiftiLabelTable, GiftiMetaData

from dnnbrain.brain.formats import SUFFIXES

AFFINE = np.array([[-3, 0.2, 0, 90], [0.1, 2, 0, -126], [0, 0, 2.5, -72], [0, 0, 0, 1.0]])
GRID = (4, 3, 3)
LEFT, RIGHT = (BrainModelAxis.from_mask(np.isin(np.arange(20) % 5, kept), name=f'Cortex{side}')
               for side, kept in (('Left', [0, 1, 2]), ('Right', [1, 2, 4])))          # 12 of 20 vertices each
THALAMUS = BrainModelAxis.from_mask(np.ones((2, 3, 2), bool), 'thalamus_left', affine=np.diag([2.0, 2, 2, 1]))
BRAIN = LEFT + RIGHT + THALAMUS
MASKS = {'nii': 'nii.gz', 'nii.gz': 'mgz', 'mgh': 'nii', 'mgz': 'mgh', 'gii': 'label.gii', 'func.gii': 'label.gii',
         'shape.gii': 'shape.gii', 'dscalar.nii': 'dscalar.nii', 'dtseries.nii': 'dlabel.nii'}
NAMES = {0: '???', 1: 'V1', 2: 'FFA', 3: 'PPA'}


def _volumes(values):
    return np.moveaxis(values.reshape(-1, *GRID), 0, 3) if len(values) > 1 else values.reshape(GRID)


def _nifti(path, values):
    image = nib.Nifti1Image(_volumes(values), AFFINE, dtype=values.dtype)
    image.header.set_xyzt_units('mm', 'sec')
    image.header.set_zooms((*image.header.get_zooms()[:3], 1.5)[:image.ndim])
    nib.save(image, path)




def _mgh(path, values):
    nib.save(nib.MGHImage(_volumes(values), AFFINE), path)


def _gifti(path, values):
    intent = 'NIFTI_INTENT_LABEL' if '.label' in path.name else 'NIFTI_INTENT_TIME_SERIES'
    table = GiftiLabelTable()
    if '.label' in path.name:
        values = values.astype(np.int32)
        for key, name in NAMES.items():
            label = GiftiLabel(key, red=key / 4, green=0.5, blue=0, alpha=1)
            label.label = name
            table.labels.append(label)
    arrays = [GiftiDataArray(row, intent=intent, meta={'Name': f'run 1, {i}'}) for i, row in enumerate(values)]
    nib.save(GiftiImage(meta=GiftiMetaData({'AnatomicalStructurePrimary': 'CortexLeft'}), labeltable=table,
                        darrays=arrays), path)


def _cifti(path, values):
    kind = path.name.split('.')[-2]
    names = [f'beta {i}' for i in range(len(values))]
    table = {key: (name, (key / 4, 0.5, 0, 1)) for key, name in NAMES.items()}
    maps, intent = {'dtseries': (SeriesAxis(3, 0.72, len(values)), 'ConnDenseSeries'),
                    'dscalar': (ScalarAxis(names, [{'run': '1'}] * len(values)), 'ConnDenseScalar'),
                    'dlabel': (LabelAxis(names, table), 'ConnDenseLabel')}[kind]
    image = Cifti2Image(values, (maps, BRAIN))
    image.nifti_header.set_intent(intent)
    nib.save(image, path)


WRITERS = {'nii': _nifti, 'nii.gz': _nifti, 'mgh': _mgh, 'mgz': _mgh,
           **dict.fromkeys(['gii', 'func.gii', 'shape.gii', 'label.gii'], _gifti),
           **dict.fromkeys(['dscalar.nii', 'dtseries.nii', 'dlabel.nii'], _cifti)}


@pytest.fixture(params=[suffix[1:] for suffix in SUFFIXES if 'label' not in suffix])
def suffix(request):
    """Each format that holds responses."""
    return request.param


@pytest.fixture
def mask_suffix(suffix):
    """Another format of the same family, for masks."""
    return MASKS[suffix]


@pytest.fixture
def brain_axis():
    """Two hemispheres of 20 vertices, of which 12 are there, and a thalamus of 12 voxels."""
    return BRAIN


@pytest.fixture
def make_image(tmp_path):
    """`make_image('run.1', 'nii.gz', values (n_vol, 36))` writes ``run.1.nii.gz``; returns its path."""
    def make(name, suffix, values):
        values = np.atleast_2d(values)
        path = tmp_path / f'{name}.{suffix}'
        WRITERS[suffix](path, values.astype(np.float32) if values.dtype == np.float64 else values)
        return path
    return make


@pytest.fixture
def values_of():
    """(n_vol, 36) of a file, read with nibabel alone."""
    def read(path):
        image = nib.load(path)
        if isinstance(image, GiftiImage):
            return np.stack([array.data for array in image.darrays])
        data = np.asarray(image.dataobj)
        return data if data.ndim == 2 else np.moveaxis(data, 3, 0).reshape(-1, 36) if data.ndim == 4 else \
            data.reshape(1, 36)
    return read


@pytest.fixture
def table(rng):
    """Responses of 36 voxels to 6 stimuli, and a label for each voxel: 0 (outside), 1, 2 or 3."""
    return rng.standard_normal((6, 36)).astype(np.float32), (np.arange(36) % 4).astype(np.int32)
