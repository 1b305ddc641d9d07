"""Files as thingsvision, Net2Brain and others leave them, written here after their documentation."""

import h5py
import numpy as np
import pytest
import scipy.io

import dnnbrain.io.mat as mat
from dnnbrain._checks import BadPath, BadValue
from dnnbrain.dnn.core import Activation

NAMES = ['cat/1.jpg', 'cat/2.jpg', 'dog/10.jpg', 'dog/9.jpg']


@pytest.fixture
def maps(rng):
    return rng.standard_normal((4, 3, 2, 5)).astype(np.float32)


@pytest.fixture
def fc(rng):
    return rng.standard_normal((4, 6)).astype(np.float32)


def save_npy(path, value):
    np.save(path, value)


def save_txt(path, value):
    np.savetxt(path, value)


def save_mat(path, value):
    scipy.io.savemat(path, {'features': value})


def save_hdf5(path, value):
    with h5py.File(path, 'w') as file:
        file['features'] = value


@pytest.mark.parametrize(('suffix', 'save'), [
    ('.npy', save_npy), ('.txt', save_txt), ('.mat', save_mat), ('.hdf5', save_hdf5)])
def test_thingsvision(tmp_path, fc, suffix, save):
    save(tmp_path / f'features{suffix}', fc)
    (tmp_path / 'file_names.txt').write_text('\n'.join(f'/data/images/{name}' for name in NAMES) + '\n')
    for place in (tmp_path, tmp_path / f'features{suffix}'):
        found = Activation.from_files(place, {'features': 'fc6'}, root='/data/images/')
        assert found.layers == ['fc6'] and found.stim_ids.tolist() == NAMES
        np.testing.assert_allclose(found.get('fc6'), fc[..., None, None], rtol=1e-15)
    found = Activation.from_files(tmp_path, stim_ids=['10.jpg', '1.jpg'])
    assert found.stim_ids.tolist() == ['10.jpg', '1.jpg']
    np.testing.assert_allclose(found.get('features')[..., 0, 0], fc[[2, 0]], rtol=1e-15)
    (tmp_path / 'file_names.txt').write_text('\n'.join(NAMES[:3]))
    with pytest.raises(BadValue, match=r"has {'features': 4} for 3 stimulus IDs"):
        Activation.from_files(tmp_path)


def test_thingsvision_pieces(tmp_path, maps, fc):
    """By number, not by name: 10 comes after 9."""
    maps, fc = np.tile(maps, (3, 1, 1, 1))[:11], np.tile(fc, (3, 1))[:11]
    for first, last in ((0, 9), (9, 10), (10, 11)):
        np.save(tmp_path / f'features_conv5_{first}-{last}.npy', maps[first:last])
        np.save(tmp_path / f'features_fc_{first}-{last}.npy', fc[first:last])
    found = Activation.from_files(tmp_path)
    assert found.layers == ['conv5', 'fc'] and found.stim_ids is None
    np.testing.assert_array_equal(found.get('conv5'), maps)
    np.testing.assert_array_equal(found.get('fc')[..., 0, 0], fc)
    (tmp_path / 'features_fc_9-10.npy').unlink()
    with pytest.raises(BadValue, match=r"features_fc_10-11.npy' does not go on .*rows from 9 on"):
        Activation.from_files(tmp_path)


def test_a_folder_per_layer(tmp_path, maps, fc):
    for layer, value in (('features.10', fc), ('features.2', maps)):
        (tmp_path / layer).mkdir()
        np.save(tmp_path / layer / 'features.npy', value)
        (tmp_path / layer / 'file_names.txt').write_text('\n'.join(NAMES))
    found = Activation.from_files(tmp_path)
    assert found.layers == ['features.2', 'features.10'] and found.stim_ids.tolist() == NAMES
    np.testing.assert_array_equal(found.get('features.2'), maps)
    (tmp_path / 'features.2' / 'file_names.txt').write_text('\n'.join(NAMES[::-1]))
    with pytest.raises(BadValue, match='row 1 is'):
        Activation.from_files(tmp_path)


def per_image(folder, values, names):
    for row, name in enumerate(names):
        np.savez(folder / f'{name}.npz', **{layer: value[row:row + 1] for layer, value in values.items()})


def per_layer(folder, values, names):
    for layer, value in values.items():
        np.savez(folder / f'{layer}.npz', **{name: value[row:row + 1] for row, name in enumerate(names)})


@pytest.mark.parametrize('write', [per_image, per_layer])
def test_net2brain(tmp_path, maps, fc, rng, write):
    """Tokens (n, token, embedding) have the embedding as channels and tokens as rows."""
    tokens = rng.standard_normal((4, 7, 2)).astype(np.float32)
    write(tmp_path, {'features.0': maps, 'classifier.6': fc, 'blocks.1': tokens}, ['1', '2', '9', '10'])
    found = Activation.from_files(tmp_path, stim_ids=NAMES)
    order = [0, 1, 3, 2]                                  # NAMES have 10 before 9
    assert found.stim_ids.tolist() == NAMES and set(found.layers) == {'features.0', 'classifier.6', 'blocks.1'}
    np.testing.assert_array_equal(found.get('features.0'), maps[order])
    np.testing.assert_array_equal(found.get('classifier.6')[..., 0, 0], fc[order])
    assert found.shape('blocks.1') == (4, 2, 7, 1) and found.get('blocks.1')[0, 1, 3, 0] == tokens[0, 3, 1]
    assert Activation.from_files(tmp_path, 'features.0').stim_ids.tolist() == ['1', '2', '9', '10']


def test_net2brain_where_shapes_do_not_tell(tmp_path, fc):
    same = {'a': fc, 'b': -fc}
    (tmp_path / 'images').mkdir()
    (tmp_path / 'layers').mkdir()
    per_image(tmp_path / 'images', same, 'pqrs')
    per_layer(tmp_path / 'layers', same, 'pqrs')
    for folder, layout in (('images', 'image'), ('layers', 'layer')):
        with pytest.raises(BadValue, match=r"all arrays have the same shape; say which \(layout='image'"):
            Activation.from_files(tmp_path / folder)
        found = Activation.from_files(tmp_path / folder, layout=layout)
        assert found.layers == ['a', 'b'] and found.stim_ids.tolist() == list('pqrs')
        np.testing.assert_array_equal(found.get('b')[..., 0, 0], -fc)
    (tmp_path / 'one').mkdir()
    per_image(tmp_path / 'one', {'a': fc}, 'pqrs')        # pictures with one layer need no telling
    assert Activation.from_files(tmp_path / 'one').shape('a') == (4, 6, 1, 1)
    np.savez(tmp_path / 'fc.npz', **{f'{name}.png': fc[row:row + 1] for row, name in enumerate('pqrs')})
    found = Activation.from_files(tmp_path / 'fc.npz')    # nor do keys that are pictures
    assert found.layers == ['fc'] and found.stim_ids.tolist() == ['p.png', 'q.png', 'r.png', 's.png']


def test_plain_arrays(tmp_path, maps, fc):
    np.savez(tmp_path / 'x.npz', conv=maps, fc=fc, file_names=np.array(NAMES), note=np.array('hello'))
    found = Activation.from_files(tmp_path / 'x.npz')
    assert found.layers == ['conv', 'fc'] and found.stim_ids.tolist() == NAMES
    np.savez(tmp_path / 'bytes.npz', fc=fc, ids=np.array([b'a.png', b'b.png', b'c.png', b'd.png']))
    assert Activation.from_files(tmp_path / 'bytes.npz').stim_ids.tolist() == ['a.png', 'b.png', 'c.png', 'd.png']
    np.savez(tmp_path / 'numbers.npz', fc=fc, ids=np.array([1.5, 2, 3, 4]))
    assert Activation.from_files(tmp_path / 'numbers.npz').stim_ids.tolist() == ['1.5', '2.0', '3.0', '4.0']
    np.savez(tmp_path / 'like_ours.npz', layers=fc, variables=fc, meta=fc)
    assert Activation.from_files(tmp_path / 'like_ours.npz').layers == ['layers', 'variables', 'meta']
    np.savez(tmp_path / 'y.npz', fc)
    assert Activation.from_files(tmp_path / 'y.npz').layers == ['y']
    np.save(tmp_path / 'conv.npy', maps)
    found = Activation.from_files(tmp_path / 'conv.npy')
    found.get('conv')[0] = 0                              # in memory only
    np.testing.assert_array_equal(np.load(tmp_path / 'conv.npy'), maps)
    (tmp_path / 'several').mkdir()
    for layer, value in (('l10', fc), ('l9', maps), ('score', fc[:, 0])):
        np.save(tmp_path / 'several' / f'{layer}.npy', value)
    found = Activation.from_files(tmp_path / 'several', ['l9', 'l10', 'score'], stim_ids=NAMES)
    assert found.layers == ['l9', 'l10', 'score'] and found.shape('score') == (4, 1, 1, 1)
    assert found.stim_ids.tolist() == NAMES
    (tmp_path / 'z.csv').write_text('picture,u,v\n001,1,2.5\nNA,3,nan\nx.png,5,6\n')
    found = Activation.from_files(tmp_path / 'z.csv')
    assert found.shape('z') == (3, 2, 1, 1) and np.isnan(found.get('z')[1, 1, 0, 0])
    (tmp_path / 'w.csv').write_text('stimID,u,v\n001,1,2.5\nNA,3,4\n')
    assert Activation.from_files(tmp_path / 'w.csv').stim_ids.tolist() == ['001', 'NA']


@pytest.mark.parametrize('name', ['x.npz', 'x.mat', 'big.mat', 'x.csv', 'x.tsv'])
def test_what_export_wrote_comes_back(tmp_path, maps, fc, name, monkeypatch):
    activation = Activation('conv/5', maps[..., :1])
    activation.set('relu#2', fc[..., None, None])
    activation.stim_ids, activation.meta = np.array(NAMES), {'network': 'Tiny', 'key': 'of the extraction'}
    if name == 'big.mat':
        monkeypatch.setattr(mat, 'V5_BYTES', 0)
    activation.export(tmp_path / name)
    found = Activation.from_files(tmp_path / name)
    assert found.layers == activation.layers and found.stim_ids.tolist() == NAMES and 'key' not in found.meta
    for layer in activation.layers:
        np.testing.assert_array_equal(found.get(layer).astype(np.float32), activation.get(layer))
    if not name.endswith('sv'):
        assert found.meta['network'] == 'Tiny'


def test_matlab_forgets_last_axes(tmp_path, maps):
    """A file of ours that MATLAB has loaded and saved again."""
    activation = Activation('conv5', maps[..., :1])
    activation.export(tmp_path / 'x.mat')
    content = {name: value for name, value in scipy.io.loadmat(tmp_path / 'x.mat').items() if name[0] != '_'}
    scipy.io.savemat(tmp_path / 'y.mat', content | {'conv5': content['conv5'][..., 0]})
    assert Activation.from_files(tmp_path / 'y.mat').shape('conv5') == (4, 3, 2, 1)


class Trap:
    """Would tell if it were unpickled."""

    def __reduce__(self):
        return pytest.fail, ('unpickled',)


def test_pickles_are_never_opened(tmp_path):
    np.save(tmp_path / 'x.npy', np.array([Trap()], dtype=object), allow_pickle=True)
    np.savez(tmp_path / 'x.npz', a=np.array([Trap()], dtype=object))
    (tmp_path / 'torch').mkdir()
    (tmp_path / 'torch' / 'features.pt').write_bytes(b'PK\x03\x04')
    for name in ('x.npy', 'x.npz'):
        with pytest.raises(BadValue, match='holds Python objects.*could run code when read'):
            Activation.from_files(tmp_path / name)
    for name in ('torch', 'torch/features.pt'):
        with pytest.raises(BadValue, match='is a pickle.*weights_only=True.*save the array as .npy'):
            Activation.from_files(tmp_path / name)


def broken(tmp_path):
    fc = np.ones((4, 6))
    (tmp_path / 'text.npy').write_text('no array')
    np.save(tmp_path / 'whole.npy', fc)
    (tmp_path / 'cut.npy').write_bytes((tmp_path / 'whole.npy').read_bytes()[:-50])
    (tmp_path / 'text.npz').write_text('no archive')
    np.savez(tmp_path / 'words.npz', a=np.array(['a']))
    np.savez(tmp_path / 'rows.npz', a=fc, b=fc[:3])
    (tmp_path / 'text.mat').write_text('no variables' * 20)
    (tmp_path / 'text.h5').write_text('no groups')
    (tmp_path / 'text.csv').write_text('stimID,u\na,1\nb,two\n')
    (tmp_path / 'cut.csv').write_text('stimID,u,v\na,1,2\nb,3\n')
    (tmp_path / 'head.csv').write_text('stimID,u\n')
    (tmp_path / 'ragged.txt').write_text('1 2\n3\n')
    (tmp_path / 'blank.txt').write_text('\n\n')
    for name, told in (('list', '[1, 2]'), ('two', '{"layers": ["a", "b"]}'), ('three', '{"layers": 3}')):
        np.save(tmp_path / f'{name}.npy', fc)
        (tmp_path / f'{name}.npy.json').write_text(told)
    (tmp_path / 'empty.npy').touch()
    np.save(tmp_path / 'six.npy', np.ones((1,) * 6))
    for name in ('mixed', 'nothing', 'other', 'lengths'):
        (tmp_path / name).mkdir()
    np.save(tmp_path / 'mixed' / 'a.npy', fc)
    np.savetxt(tmp_path / 'mixed' / 'b.txt', fc)
    np.savez(tmp_path / 'other' / 'p.npz', a=fc[:1], b=fc[:1])
    np.savez(tmp_path / 'other' / 'q.npz', a=fc[:1], c=fc[:1])
    for name, n in (('p', 3), ('q', 4)):
        np.savez(tmp_path / 'lengths' / f'{name}.npz', a=np.ones((1, n, 2)), b=np.ones((1, 9)))
    return tmp_path


@pytest.mark.parametrize(('name', 'kwargs', 'error', 'said'), [
    ('no.npy', {}, BadPath, 'does not exist'),
    ('empty.npy', {}, BadValue, 'is empty'),
    ('text.npy', {}, BadValue, 'is not a .npy of numpy'),
    ('cut.npy', {}, BadValue, 'is damaged'),
    ('text.npz', {}, BadValue, 'is damaged, or not a .npz of numpy'),
    ('words.npz', {}, BadValue, 'holds no array of numbers'),
    ('rows.npz', {}, BadValue, r"rows must be stimuli, but .* has {'a': 4, 'b': 3}"),
    ('text.mat', {}, BadValue, 'is damaged, or not a .mat of MATLAB'),
    ('text.h5', {}, BadValue, 'is truncated, or not HDF5'),
    ('text.csv', {}, BadValue, "column 'u' .* must hold numbers"),
    ('cut.csv', {}, BadValue, 'row 2 of .*cut.csv. has 2 fields, not 3 as the head line'),
    ('head.csv', {}, BadValue, 'no table with a head line and rows'),
    ('ragged.txt', {}, BadValue, 'must hold a line of numbers per stimulus'),
    ('blank.txt', {}, BadValue, 'blank.txt. holds no numbers'),
    ('list.npy', {}, BadValue, "list.npy.json' is damaged; remove it, or export 'list.npy' anew"),
    ('two.npy', {}, BadValue, "two.npy.json' is damaged"),
    ('three.npy', {}, BadValue, "three.npy.json' is damaged"),
    ('six.npy', {}, BadValue, r'1 to 5 axes, stimuli first, not float64 of shape \(1, 1, 1, 1, 1, 1\)'),
    ('x.act.h5', {}, BadValue, 'read it with load'),
    ('x.jpg', {}, BadValue, 'must end in .npy, .npz, .mat'),
    ('mixed', {}, BadValue, r'files of 2 kinds \(.npy, .txt\); give one file'),
    ('nothing', {}, BadPath, 'holds no file that ends in'),
    ('other', {}, BadValue, "'p.npz' and 'q.npz' .* hold different arrays"),
    ('lengths', {'layout': 'image'}, BadValue, 'has another shape than that of'),
    ('lengths', {}, BadValue, 'shapes differ both within and across files'),
    ('whole.npy', {'layers': 'fc'}, BadValue, "layer 'fc' is not in the files; choose from whole"),
    ('whole.npy', {'stim_ids': ['a', 'b']}, BadValue, 'has 4 rows and no IDs, so that 2 stimuli cannot be looked up'),
    ('rows.npz', {'layers': {'a': 'x', 'b': 'x'}}, BadValue, 'two layers would have the same name'),
    ('whole.npy', {'layout': 'rows'}, BadValue, "layout 'rows' is not known"),
])
def test_each_wrong_file_has_its_sentence(tmp_path, name, kwargs, error, said):
    with pytest.raises(error, match=said):
        Activation.from_files(broken(tmp_path) / name, **kwargs)


def test_stimuli_that_are_not_there_or_not_clear(tmp_path, fc):
    np.savez(tmp_path / 'x.npz', fc=fc, stimID=np.array(['a/1.png', 'b/1.png', 'a/2.png', '3']))
    with pytest.raises(BadValue, match=r'1 of 2 stimuli cannot be found .*: 7.png; it has a/1.png, b/1.png'):
        Activation.from_files(tmp_path / 'x.npz', stim_ids=['a/1.png', '7.png'])
    with pytest.raises(BadValue, match='not without doubt: 1.png'):
        Activation.from_files(tmp_path / 'x.npz', stim_ids=['1.png'])
    found = Activation.from_files(tmp_path / 'x.npz', stim_ids=['c/3.png', '2'])       # by stem
    np.testing.assert_array_equal(found.get('fc')[..., 0, 0], fc[[3, 2]])
    with pytest.raises(BadValue, match='not without doubt'):
        Activation.from_files(tmp_path / 'x.npz', stim_ids=['c/3.png', 'd/3.png'])     # one row for two pictures
