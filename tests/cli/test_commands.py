"""The commands on small real files: what they write, and 1.0's way of giving options."""

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from dnnbrain.dnn.core import Activation, Mask, Stimulus
from dnnbrain.dnn.models import AlexNet, Resnet10


def activation_of(path):
    activation = Activation()
    activation.load(path)
    return activation


class TestDnnAct:
    def test_equals_hooks_on_torchvision(self, run, published, stim_file, pictures, tmp_path):
        """Several layers with several channels: one channel each, pairwise, as in 1.0."""
        args = f'-net AlexNet -layer conv5 fc3 -chn 1 3 -stim {stim_file} -out {tmp_path}/a.act.h5'.split()
        assert run('dnn_act', *args)[0] == 0
        found = activation_of(tmp_path / 'a.act.h5')
        truth = {}
        for path in ('features.10', 'classifier.6'):
            published.get_submodule(path).register_forward_hook(
                lambda m, a, out, path=path: truth.__setitem__(path, out.clone()))
        transform = AlexNet._empty().test_transform
        with torch.no_grad():
            published(torch.stack([transform(Image.open(f)) for f in sorted(pictures.iterdir())]))
        assert found.layers == ['conv5', 'fc3'] and found.shape('conv5') == (12, 1, 13, 13)
        np.testing.assert_allclose(found.get('conv5'), truth['features.10'][:, :1], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found.get('fc3')[..., 0, 0], truth['classifier.6'][:, [2]], rtol=1e-5, atol=1e-6)
        assert found.stim_ids.tolist() == [f'{i:02d}.png' for i in range(12)]
        assert found.meta['network'] == 'AlexNet'

    def test_long_options_mask_file_pool_and_weights(self, run, stim_file, tmp_path):
        Resnet10(rng=1).save(tmp_path / 'w.pth')
        mask = Mask('layer1_basicblock0', [5, 2], rows=[1, 2])
        mask.save(tmp_path / 'x.dmask.csv')
        code, *_ = run('dnn_act', '--net', 'resnet10', '--weights', tmp_path / 'w.pth', '--dmask',
                       tmp_path / 'x.dmask.csv', '--stim', stim_file, '--pool', 'max', '--batch=5', '--out',
                       tmp_path / 'a.act.h5')
        stimuli = Stimulus()
        stimuli.load(stim_file)
        expected = Resnet10(rng=1).compute_activation(stimuli, mask, 'max').get('layer1_basicblock0')
        assert code == 0
        np.testing.assert_allclose(activation_of(tmp_path / 'a.act.h5').get('layer1_basicblock0'), expected, rtol=1e-5)

    def test_random_control(self, run, stim_file, tmp_path):
        for name, seed in (('a', 4), ('b', 4), ('c', 5)):
            assert run('dnn_act', '-net', 'Resnet10', '-random', '-seed', seed, '-layer', 'fc', '-stim', stim_file,
                       '-out', tmp_path / f'{name}.act.h5')[0] == 0
        a, b, c = (activation_of(tmp_path / f'{name}.act.h5').get('fc') for name in 'abc')
        np.testing.assert_array_equal(a, b)
        assert not np.allclose(a, c)

    def test_quiet_in_a_pipe(self, run, stim_file, tmp_path):
        _, out, err = run('dnn_act', '-net', 'Resnet10', '-layer', 'fc', '-stim', stim_file, '-random',
                          '-out', tmp_path / 'a.act.h5')
        assert out == '' and err == ''


class TestDnnTrain:
    @pytest.mark.parametrize('scenario', ['finetune', 'fixed'])
    def test_transfer(self, run, stim_file, tmp_path, scenario):
        Resnet10(rng=1).save(tmp_path / 'w.pth')
        code, out, _ = run('dnn_train', '-net', 'Resnet10', '-weights', tmp_path / 'w.pth', '-stim', stim_file, '-val',
                           stim_file, '-scenario', scenario, '-epoch', 2, '-lr', '0.001', '-batch', 6, '-seed', 0,
                           '-no-augment', '-out', tmp_path / 'new.pth')
        assert code == 0 and out.startswith('validation score ')
        before, after = (torch.load(tmp_path / f, weights_only=True) for f in ('w.pth', 'new.pth'))
        assert after['fc.weight'].shape == (2, 512)
        assert torch.equal(before['conv1.weight'], after['conv1.weight']) == (scenario == 'fixed')
        assert torch.equal(before['bn1.running_mean'], after['bn1.running_mean']) == (scenario == 'fixed')
        history = pd.read_csv(tmp_path / 'new.history.csv')
        assert history['epoch'].tolist() == [1, 2]
        assert list(history)[1:] == ['epoch_loss', 'loss_validation', 'score_validation', 'lr', 'seconds']

    def test_scratch_and_going_on(self, run, stim_file, tmp_path):
        for name in ('a', 'b'):
            assert run('dnn_train', '-net', 'Resnet10', '-stim', stim_file, '-scenario', 'scratch', '-epoch', 1,
                       '-seed', 3, '-out', tmp_path / f'{name}.pth')[0] == 0
        a, b = (torch.load(tmp_path / f'{name}.pth', weights_only=True) for name in 'ab')
        assert all(torch.equal(a[name], b[name]) for name in a)
        assert run('dnn_train', '-net', 'Resnet10', '-weights', tmp_path / 'a.pth', '-keep_head', '-scenario', 'fixed',
                   '-stim', stim_file, '-epoch', 1, '-lr', 1e-9, '-out', tmp_path / 'c.pth')[0] == 0
        c = torch.load(tmp_path / 'c.pth', weights_only=True)
        torch.testing.assert_close(c['fc.weight'], a['fc.weight'], atol=1e-7, rtol=0)

    def test_the_history_spares_tables_of_the_same_name(self, run, stim, tmp_path):
        stim.save(tmp_path / 'mine.stim.csv')
        (tmp_path / 'mine.csv').write_text('years of work')
        before = (tmp_path / 'mine.stim.csv').read_bytes()
        for out in ('mine.stim.pth', 'mine.pth'):
            assert run('dnn_train', '-net', 'Resnet10', '-stim', tmp_path / 'mine.stim.csv', '-scenario', 'scratch',
                       '-epoch', 1, '-no-augment', '-out', tmp_path / out)[0] == 0
            assert (tmp_path / out).with_suffix('.history.csv').exists()
        assert (tmp_path / 'mine.stim.csv').read_bytes() == before
        assert (tmp_path / 'mine.csv').read_text() == 'years of work'

    def test_regression(self, run, stim, tmp_path):
        stim.set('label', np.linspace(-1, 1, 12))
        stim.save(tmp_path / 'x.stim.csv')
        assert run('dnn_train', '-net', 'Resnet10', '-stim', tmp_path / 'x.stim.csv', '-task', 'regression',
                   '-scenario', 'scratch', '-epoch', 1, '-out', tmp_path / 'r.pth')[0] == 0
        assert torch.load(tmp_path / 'r.pth', weights_only=True)['fc.weight'].shape == (1, 512)


    def test_rates_schedules_and_the_best_epoch(self, run, stim_file, tmp_path):
        code, out, err = run('dnn_train', '-net', 'Resnet10', '-stim', stim_file, '-val', stim_file, '-seed', 0,
                             '-scenario', 'scratch', '-layer', 'layer4', 'bn', '-epoch', 3, '-batch', 6,
                             '-optim', 'sgd', '-momentum', 0.9, '-lr', 0.01, '-lr_layer', 'layer4=1e-3', 'fc=0.02',
                             '-sched', 'step:1:0.5', '-warmup', 1, '-best', 'loss', '-patience', 5, '-log', 1,
                             '-out', tmp_path / 'a.pth')
        assert code == 0, err
        history = pd.read_csv(tmp_path / 'a.history.csv')
        np.testing.assert_allclose(history[['lr_1', 'lr_2', 'lr_3']],
                                   np.outer([1, 0.5, 0.25], [1e-3, 0.02, 0.01]))
        best = history['loss_validation'].argmin()
        assert out == f'validation score {history["score_validation"][best]:.3f}\n'
        with Image.open(tmp_path / 'a.history.png') as picture:
            assert picture.width > 500
        random, trained = Resnet10(rng=0).model.state_dict(), torch.load(tmp_path / 'a.pth', weights_only=True)
        moved = {name.partition('.')[0] for name in random
                 if random[name].shape != trained[name].shape or not torch.equal(random[name], trained[name])}
        assert moved == {'layer4', 'bn1', 'fc'}

    def test_cache_and_checkpoint(self, run, stim_file, tmp_path):
        common = ['-net', 'Resnet10', '-stim', stim_file, '-batch', 6, '-seed', 0]
        Resnet10(rng=1).save(tmp_path / 'w.pth')
        fixed = [*common, '-weights', tmp_path / 'w.pth', '-scenario', 'fixed', '-epoch', 2, '-lr', 0.01]
        for name, more in (('a', ['-cache']), ('b', ['-no-augment'])):
            assert run('dnn_train', *fixed, *more, '-out', tmp_path / f'{name}.pth')[0] == 0
        a, b = (torch.load(tmp_path / f'{name}.pth', weights_only=True) for name in 'ab')
        torch.testing.assert_close(a['fc.weight'], b['fc.weight'], rtol=1e-4, atol=1e-5)
        file = ['-checkpoint', tmp_path / 'x.ckpt']
        assert run('dnn_train', *common, '-scenario', 'scratch', '-epoch', 1, *file, '-out', tmp_path / 'c.pth')[0] == 0
        code, _, err = run('dnn_train', *common, '-scenario', 'scratch', '-epoch', 2, *file, '-out', tmp_path / 'c.pth')
        assert code == 2 and 'exists; give -resume' in err
        for name, more in (('c', [*file, '-resume']), ('d', [])):
            assert run('dnn_train', *common, '-scenario', 'scratch', '-epoch', 2, *more,
                       '-out', tmp_path / f'{name}.pth')[0] == 0
        c, d = (torch.load(tmp_path / f'{name}.pth', weights_only=True) for name in 'cd')
        assert all(torch.equal(c[name], d[name]) for name in c)


@pytest.fixture
def brain(rng, tmp_path):
    """Activations of two layers for 30 stimuli, a brain of 4 x 4 x 3 voxels that follows them, a mask of 20."""
    activation = Activation('conv', rng.standard_normal((30, 3, 2, 2)).astype(np.float32))
    activation.set('fc', rng.standard_normal((30, 4, 1, 1)).astype(np.float32))
    activation.stim_ids = np.array([f'{i}.png' for i in range(30)])
    activation.save(tmp_path / 'x.act.h5')
    drive = np.concatenate([activation.get('conv').reshape(30, -1) @ rng.standard_normal((12, 24)),
                            activation.get('fc').reshape(30, -1) @ rng.standard_normal((4, 24))], axis=1)
    data = np.moveaxis(drive.reshape(30, 4, 4, 3), 0, 3).astype(np.float32)
    affine = np.array([[40, 0, 0, -70], [0, 50, 0, -110], [0, 0, 50, -50], [0, 0, 0, 1.0]])
    nib.save(nib.Nifti1Image(data, affine), tmp_path / 'bold.v1.nii.gz')
    mask = np.zeros((4, 4, 3), np.uint8)
    mask.flat[14:34] = 1
    nib.save(nib.Nifti1Image(mask, affine), tmp_path / 'mask.nii')
    return tmp_path, mask == 1


class TestDbEncode:
    def encode(self, run, folder, *more, model='ridge'):
        return run('db_encode', '-anal', 'mv', '-act', folder / 'x.act.h5', '-resp', folder / 'bold.v1.nii.gz',
                   '-model', model, '-out', folder / 'out', *more)

    def test_maps(self, run, brain):
        folder, inside = brain
        code, out, err = self.encode(run, folder, '-bmask', folder / 'mask.nii', '-cv', 4, '-scoring', 'correlation')
        assert code == 0 and err == '' and 'conv' in out
        preferred = nib.load(folder / 'out' / 'preferred_layer.nii.gz').get_fdata()
        expected = np.where(np.arange(48).reshape(4, 4, 3) < 24, 1, 2)
        assert (preferred[inside] == expected[inside]).mean() >= 0.9 and np.isnan(preferred[~inside]).all()
        assert np.load(folder / 'out' / 'conv' / 'score.npy').shape == (1, 20, 4)
        image = nib.load(folder / 'out' / 'fc' / 'score.nii.gz')
        np.testing.assert_array_equal(image.affine, nib.load(folder / 'bold.v1.nii.gz').affine)
        record = json.loads((folder / 'out' / 'result.json').read_text())
        assert record['settings']['cv'] == 4 and record['n_meas'] == 20

    @pytest.mark.parametrize('axis, n_iter', [('channel', 3), ('row_col', 4)])
    def test_iterations(self, run, brain, axis, n_iter):
        folder, _ = brain
        assert self.encode(run, folder, '-layer', 'conv', '-iteraxis', axis, model='glm')[0] == 0
        assert np.load(folder / 'out' / 'conv' / axis / 'score.npy').shape == (n_iter, 48, 3)
        assert nib.load(folder / 'out' / 'conv' / axis / 'score.nii.gz').shape == (4, 4, 3, n_iter)
        assert not (folder / 'out' / 'fc').exists()

    def test_layers_and_channels(self, run, brain):
        folder, _ = brain
        assert self.encode(run, folder, '-layer', 'fc', 'conv', '-chn', 2, 1)[0] == 0
        assert pd.read_csv(folder / 'out' / 'layers.csv')['layer'].tolist() == ['fc', 'conv']

    def test_regions(self, run, brain, rng):
        from dnnbrain.io.roi_h5 import write_roi_h5
        folder, _ = brain
        write_roi_h5(folder / 'x.roi.h5', ['V1', 'V2', 'FFA'], rng.standard_normal((30, 3)))
        code, *_ = run('db_encode', '-anal', 'mv', '-act', folder / 'x.act.h5', '-resp', folder / 'x.roi.h5', '-roi',
                       'FFA', 'V1', '-model', 'ridge', '-alpha', 0.1, 10, '-out', folder / 'out')
        assert code == 0 and list(pd.read_csv(folder / 'out' / 'conv' / 'score.csv')) == ['FFA', 'V1']

    def test_rows_joined_by_id_and_groups(self, run, brain):
        """The same volumes in another order give the same scores."""
        folder, _ = brain
        order = np.random.default_rng(0).permutation(30)
        image = nib.load(folder / 'bold.v1.nii.gz')
        nib.save(nib.Nifti1Image(image.get_fdata()[..., order].astype(np.float32), image.affine),
                 folder / 'shuffled.nii.gz')
        runs = np.arange(30) // 5
        for name, rows in (('plain', np.arange(30)), ('mixed', order)):
            Stimulus({'type': 'image'}, {'stimID': [f'{i}.png' for i in rows], 'run': runs[rows]}).save(
                folder / f'{name}.stim.csv')
        scores = []
        for response, table in (('bold.v1.nii.gz', 'plain'), ('shuffled.nii.gz', 'mixed')):
            code, *_ = run('db_encode', '-anal', 'mv', '-act', folder / 'x.act.h5', '-resp', folder / response,
                           '-model', 'ridge', '-stim', folder / f'{table}.stim.csv', '-group', 'run', '-cv', 3,
                           '-out', folder / table)
            assert code == 0
            scores.append(np.load(folder / table / 'conv' / 'score.npy'))
        np.testing.assert_allclose(scores[0].mean(), scores[1].mean(), rtol=0.05)
        assert not np.isnan(scores[1]).any()

    def test_picture(self, run, brain):
        folder, _ = brain
        assert self.encode(run, folder, '-glass')[0] == 0
        with Image.open(folder / 'out' / 'layers.png') as picture:
            assert picture.size[0] > 300

    @pytest.mark.filterwarnings('default')
    def test_constant_voxels_are_counted(self, run, brain):
        folder, inside = brain
        image = nib.load(folder / 'bold.v1.nii.gz')
        data = image.get_fdata().astype(np.float32)
        data[0, 0, 0] = 3
        nib.save(nib.Nifti1Image(data, image.affine), folder / 'bold.v1.nii.gz')
        code, _, err = self.encode(run, folder)
        assert code == 0 and err == 'Warning: 1 of 48 voxels are constant or not finite; they score NaN\n'


class TestDbInfo:
    def test_network_without_weights(self, run, monkeypatch, tmp_path):
        monkeypatch.setenv('DNNBRAIN_DATA', str(tmp_path))
        code, out, _ = run('db_info', 'resnet18')
        assert code == 0 and 'Resnet18: pictures of 224 x 224 pixels, 11,689,512 parameters' in out
        assert any(line.split() == ['layer4_basicblock1', 'layer4.1', '512', 'x', '7', 'x', '7', '100352', '435', '32',
                                    '4720640', 'yes', '231211008']
                   for line in out.splitlines())

    def test_files(self, run, brain, stim_file, tmp_path):
        from dnnbrain.activation.basis import Basis
        from dnnbrain.io.rdm_h5 import write_rdm_h5
        from dnnbrain.io.roi_h5 import write_roi_h5
        write_roi_h5(tmp_path / 'x.roi.h5', ['V1', 'V2'], np.ones((5, 2)))
        write_rdm_h5(tmp_path / 'x.rdm.h5', 'dRDM', {'conv': np.ones((2, 6))})
        Mask('conv5', [1, 2]).save(tmp_path / 'x.dmask.csv')
        Basis.srp({'conv': (4, 5, 5), 'fc': (2, 1, 1)}, 3, rng=7).save(tmp_path / 'x.basis.h5')
        for name, says in ((tmp_path / 'x.basis.h5', ['reduce: srp:3', 'seed: 7', 'fc: units (2, 1, 1), kept whole',
                                                      'conv: units (4, 5, 5), 3 directions (srp)']),
                           (tmp_path / 'x.act.h5', ['conv: (30, 3, 2, 2) float32', '0.png']),
                           (stim_file, ['stimuli: 12', 'label: 0 to 1, 2 different',
                                        'condition: 2 different: cat, dog']),
                           (tmp_path / 'x.roi.h5', ['volumes: 5', 'V1, V2']),
                           (tmp_path / 'x.rdm.h5', ['type: dRDM', 'conv: 4 items, 2 iterations']),
                           (tmp_path / 'x.dmask.csv', ['conv5: chn 1, 2, row all, col all'])):
            code, out, _ = run('db_info', name)
            assert code == 0 and all(part in out for part in says), out
