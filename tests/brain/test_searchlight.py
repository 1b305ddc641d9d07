"""Searchlights: neighbourhoods by hand, RDMs by scipy, a region that was put in is found."""

import nibabel as nib
import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import kendalltau, pearsonr, spearmanr

from dnnbrain._checks import BadPath, BadType, BadValue
from dnnbrain.brain import searchlight as searchlight_module
from dnnbrain.brain.io import load_brainimg, save_brainimg
from dnnbrain.brain.neighbours import neighbours
from dnnbrain.brain.searchlight import searchlight_rdms, searchlight_rsa
from dnnbrain.brain.surfaces import SurfaceHeader
from dnnbrain.dnn.core import RDM
from dnnbrain.mapping.dissimilarity import METRICS, dissimilarity

SHAPE, N_ITEM = (7, 8, 6), 9
AFFINE = np.array([[-3, 0.2, 0, 90], [0.1, 2, 0, -126], [0, 0, 2.5, -72], [0, 0, 0, 1.0]])


@pytest.fixture
def header():
    found = nib.Nifti1Header()
    found.set_data_shape(SHAPE)
    found.set_sform(AFFINE, 2)
    return found


@pytest.fixture
def data(rng):
    return rng.standard_normal((N_ITEM, *SHAPE))


@pytest.fixture
def mask():
    kept = np.ones(SHAPE)
    kept[0] = 0
    kept[3, 3, 3] = np.nan
    return kept


def brute_force(data, kept, centre, radius):
    """Voxels (n_vol, n) within a radius of a centre, by a loop over all of them."""
    here = AFFINE[:3, :3] @ centre
    near = [v for v in np.argwhere(kept) if np.linalg.norm(AFFINE[:3, :3] @ v - here) <= radius + 1e-6]
    return data[:, *np.transpose(near)]


def grid_mesh(n):
    """A sheet of n x n vertices, one millimetre apart, in triangles; vertex i lies at (i // n, i % n)."""
    points = np.column_stack([*(axis.ravel() for axis in np.meshgrid(np.arange(n), np.arange(n), indexing='ij')),
                              np.zeros(n * n)])
    corner = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    faces = np.concatenate([np.column_stack([corner, corner + 1, corner + n]),
                            np.column_stack([corner + 1, corner + n + 1, corner + n])])
    return points.astype(float), faces


@pytest.mark.parametrize('metric', ['euclidean', 'sqeuclidean', 'correlation', 'cosine', 'cityblock'])
def test_rdms_are_those_of_brute_force(data, mask, header, metric, monkeypatch):
    monkeypatch.setattr(searchlight_module, '_CHUNK_BYTES', 2 ** 17)
    chunks = list(searchlight_rdms(data, mask, header, 5.0, metric))
    assert len(chunks) > 3
    centres, rdms = (np.concatenate(parts) for parts in zip(*chunks, strict=True))
    kept = (mask == 1)
    np.testing.assert_array_equal(centres, np.flatnonzero(kept))
    for row in range(0, len(centres), 23):
        patterns = brute_force(data, kept, np.array(np.unravel_index(centres[row], SHAPE)), 5.0)
        np.testing.assert_allclose(rdms[row], pdist(patterns, metric), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize('method, truth', [('pearson', pearsonr), ('spearman', spearmanr), ('kendall', kendalltau)])
def test_maps_are_those_of_brute_force(data, mask, header, method, truth, rng, tmp_path):
    models = rng.random((2, N_ITEM * (N_ITEM - 1) // 2))
    maps = searchlight_rsa(data, mask, header, models, 5.0, method)
    assert maps.shape == (2, *SHAPE) and maps.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(maps), np.broadcast_to(mask != 1, maps.shape))
    for centre in ([1, 0, 0], [3, 4, 2], [6, 7, 5]):
        rdm = pdist(brute_force(data, mask == 1, np.array(centre), 5.0), 'correlation')
        for found, model in zip(maps, models, strict=True):
            assert found[*centre] == pytest.approx(truth(model, rdm)[0], abs=1e-6)          # float32
    np.testing.assert_array_equal(searchlight_rsa(data, mask, header, models, 5.0, method, n_jobs=3), maps)
    save_brainimg(tmp_path / 'maps.nii.gz', maps, header)
    np.testing.assert_array_equal(load_brainimg(tmp_path / 'maps.nii.gz')[0], maps)


def test_a_planted_region_is_found(header, rng):
    """Voxels in a corner carry the geometry of the model, the rest noise."""
    latent = rng.standard_normal((N_ITEM, 30))
    data = rng.standard_normal((N_ITEM, *SHAPE))
    region = np.zeros(SHAPE, dtype=bool)
    region[1:4, 1:4, 1:4] = True
    data[:, region] = latent @ rng.standard_normal((30, region.sum())) + rng.standard_normal((N_ITEM, region.sum()))
    model = RDM.from_array(pdist(latent, 'correlation'), triu=True)
    found, = searchlight_rsa(data, None, header, model, 5.0)
    peak = np.unravel_index(found.argmax(), SHAPE)
    assert region[peak] and found[2, 2, 2] > 0.6
    assert abs(np.median(found[4:, 4:])) < 0.25


@pytest.mark.parametrize('metric', ['correlation', 'crossnobis', 'mahalanobis'])
def test_conditions_and_models_by_id(header, rng, metric):
    data = rng.standard_normal((12, *SHAPE)) + 5
    conditions, runs = np.tile(list('dbca'), 3), np.repeat(np.arange(3), 4)
    runs = runs if metric == 'crossnobis' else None
    model = RDM.from_array(rng.random(6), item_ids=list('cabd'), triu=True)
    found, = searchlight_rsa(data, None, header, model, 4.0, 'pearson', metric=metric, conditions=conditions,
                             runs=runs, zscore=True)
    scaled = (data - data.mean(axis=0)) / data.std(axis=0)
    near = brute_force(scaled, np.ones(SHAPE), np.array([3, 3, 3]), 4.0)
    rdm = dissimilarity(near, metric, conditions, runs=runs)
    assert found[3, 3, 3] == pytest.approx(np.corrcoef(rdm, model[list('abcd')].get('rdm', triu=True))[0, 1], abs=1e-6)
    ids, = searchlight_rsa(data[:4], None, header, model, 4.0, 'pearson', item_ids=list('dbca'))
    assert ids[3, 3, 3] == pytest.approx(np.corrcoef(
        pdist(brute_force(data[:4], np.ones(SHAPE), np.array([3, 3, 3]), 4.0), 'correlation'),
        model[list('dbca')].get('rdm', triu=True))[0, 1], abs=1e-6)


def test_patterns_that_are_the_same(data, mask, header):
    data[4] = data[2]
    for metric in ('euclidean', 'correlation'):
        rdms = np.concatenate([rdms for _, rdms in searchlight_rdms(data, mask, header, 5.0, metric)])
        pair = list(zip(*np.triu_indices(N_ITEM, 1), strict=True)).index((2, 4))
        assert (rdms[:, pair] == 0).all() and (np.delete(rdms, pair, axis=1) > 0).all()


def test_small_neighbourhoods_are_counted(data, mask, header, rng):
    mask[:] = 0
    mask[2, 2, :3] = mask[5, 5, 5] = 1
    with pytest.warns(UserWarning, match='1 of 4 neighbourhoods'):
        maps = searchlight_rsa(data, mask, header, rng.random(36), 6.0)
    assert np.isfinite(maps).sum() == 3 and np.isnan(maps[0, 5, 5, 5])
    data[:, 2, 2, 1] = np.nan
    kept = np.concatenate([centres for centres, _ in searchlight_rdms(data, mask, header, 6.0, min_voxels=1)])
    assert kept.tolist() == [np.ravel_multi_index(v, SHAPE) for v in ([2, 2, 0], [2, 2, 2], [5, 5, 5])]


def test_distances_on_a_surface_go_along_edges():
    points, faces = grid_mesh(6)
    header = SurfaceHeader(36, ((0, {}),))
    kept = np.ones((36, 1, 1), dtype=bool)
    kept[20] = False
    numbers = np.flatnonzero(kept)
    found, = neighbours(header, kept, 2.0, (points, faces))(np.array([14]))
    # from (2, 2): 2 mm along the axes; one diagonal of each square is an edge (1.41 mm), the other is not (2 mm)
    row, column = np.divmod(np.arange(36), 6)
    down, right = row - 2, column - 2
    diagonal = np.where(down * right < 0, np.minimum(abs(down), abs(right)), 0)
    way = abs(down) + abs(right) - (2 - np.sqrt(2)) * diagonal
    np.testing.assert_array_equal(numbers[found], np.flatnonzero((way <= 2 + 1e-6) & (np.arange(36) != 20)))


@pytest.mark.parametrize('kind', ['gii', 'freesurfer', 'arrays'])
def test_searchlight_on_a_surface(kind, tmp_path, rng):
    points, faces = grid_mesh(8)
    path = tmp_path / ('lh.surf.gii' if kind == 'gii' else 'lh.white')
    if kind == 'gii':
        arrays = [nib.gifti.GiftiDataArray(points.astype(np.float32), intent='NIFTI_INTENT_POINTSET'),
                  nib.gifti.GiftiDataArray(faces.astype(np.int32), intent='NIFTI_INTENT_TRIANGLE')]
        nib.save(nib.gifti.GiftiImage(darrays=arrays), path)
    else:
        nib.freesurfer.write_geometry(path, points, faces)
    data = rng.standard_normal((6, 64, 1, 1))
    model = rng.random(15)
    maps = searchlight_rsa(data, None, SurfaceHeader(64, ((0, {}),)), model, 1.0, 'pearson',
                           mesh=(points, faces) if kind == 'arrays' else path)
    near = [27 + step for step in (-8, -1, 0, 1, 8)]
    rdm = pdist(data[:, near, 0, 0], 'correlation')
    assert maps.shape == (1, 64, 1, 1) and maps[0, 27, 0, 0] == pytest.approx(np.corrcoef(rdm, model)[0, 1], abs=1e-6)


def test_searchlight_in_cifti(make_image, brain_axis, rng):
    """Each hemisphere by its mesh, the thalamus by millimetres; nothing reaches across."""
    values = rng.standard_normal((6, 36)).astype(np.float32)
    data, header = load_brainimg(make_image('x', 'dscalar.nii', values))
    points, faces = np.column_stack([np.arange(20.0), np.zeros((20, 2))]), \
        np.column_stack([np.arange(18), np.arange(1, 19), np.arange(2, 20)])      # a strip, a millimetre apart
    find = neighbours(header, np.ones((36, 1, 1), dtype=bool), 2.0,
                      {'CortexLeft': (points, faces), 'CortexRight': (points + 5, faces)})
    for centre, near in zip(range(36), find(np.arange(36)), strict=True):
        same = brain_axis.name == brain_axis.name[centre]
        apart = np.abs(brain_axis.vertex - brain_axis.vertex[centre]) if centre < 24 else \
            np.linalg.norm(2.0 * (brain_axis.voxel - brain_axis.voxel[centre]), axis=1)
        np.testing.assert_array_equal(near, np.flatnonzero(same & (apart <= 2)))
    maps = searchlight_rsa(data, None, header, rng.random(15), 4.0,
                           mesh={'left cortex': (points, faces), 'CortexRight': (points, faces)})
    assert np.isfinite(maps).all() and maps.shape == (1, 36, 1, 1)
    with pytest.raises(BadValue, match='CORTEX_RIGHT needs its mesh'):
        neighbours(header, np.ones((36, 1, 1), dtype=bool), 2.0, {'CortexLeft': (points, faces)})
    with pytest.raises(BadValue, match="'middle', which is no structure"):
        neighbours(header, np.ones((36, 1, 1), dtype=bool), 2.0, {'middle': (points, faces)})
    with pytest.raises(BadType, match='must be a dict'):
        neighbours(header, np.ones((36, 1, 1), dtype=bool), 2.0, (points, faces))


@pytest.mark.parametrize('changed, says', [
    ({'radius': 0}, 'radius must be millimetres above 0'),
    ({'mesh': 'x.surf.gii'}, 'a volume needs none'),
    ({'mask': np.zeros(SHAPE)}, 'holds no voxel'),
    ({'mask': np.zeros((2, 2, 2))}, 'mask must have shape'),
    ({'model_rdms': np.zeros(36)}, 'model 1 of model_rdms .* does not vary'),
    ({'model_rdms': np.arange(10.0)}, r'of the 9 items of the data, \(n_model, 36\)'),
    ({'model_rdms': RDM()}, 'holds no RDM'),
    ({'method': 'r'}, "method 'r' is not known"),
    ({'metric': 'r'}, "metric 'r' is not known"),
    ({'n_jobs': 0}, 'n_jobs must be'),
    ({'min_voxels': 0}, 'min_voxels must be'),
    ({'data': np.zeros((9, 4, 4))}, 'data must have shape'),
])
def test_mistakes(data, mask, header, changed, says):
    settings = {'data': data, 'mask': mask, 'header': header, 'model_rdms': np.arange(36.0), 'radius': 5.0} | changed
    with pytest.raises(BadValue, match=says):
        searchlight_rsa(**settings)


def test_mistakes_with_meshes(tmp_path):
    header, kept = SurfaceHeader(16, ((0, {}),)), np.ones((16, 1, 1), dtype=bool)
    points, faces = grid_mesh(4)
    with pytest.raises(BadValue, match='the surface needs its mesh'):
        neighbours(header, kept, 1)
    with pytest.raises(BadValue, match='16 vertices are needed'):
        neighbours(header, kept, 1, grid_mesh(5))
    with pytest.raises(BadValue, match='triangles of the mesh'):
        neighbours(header, kept, 1, (points, faces + 1))
    with pytest.raises(BadPath, match='does not exist'):
        neighbours(header, kept, 1, str(tmp_path / 'lh.white'))
    (tmp_path / 'lh.white').write_text('no surface')
    with pytest.raises(BadValue, match='cannot be read as .surf.gii or FreeSurfer'):
        neighbours(header, kept, 1, tmp_path / 'lh.white')
    with pytest.raises(BadType, match='radius'):
        neighbours(header, kept, '1', (points, faces))


def test_every_metric_has_a_searchlight(header, rng):
    """In 4 x 2 x 2 voxels with as many as six neighbours."""
    data = rng.random((8, 4, 2, 2)) + 0.1
    conditions = np.repeat(np.arange(4), 2)
    for metric in METRICS:
        more = {'conditions': conditions} if metric in ('crossnobis', 'mahalanobis') else {}
        (_, rdms), = searchlight_rdms(data, None, header, 3.3, metric, min_voxels=2, **more)
        assert len(rdms) == 16 and np.isfinite(rdms).all(), metric
