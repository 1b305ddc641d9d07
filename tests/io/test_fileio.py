"""The classes of 1.0 write and read what the rest reads and writes."""

import numpy as np
import pytest

from dnnbrain._checks import BadPath, BadValue
from dnnbrain.dnn.core import Activation, Stimulus
from dnnbrain.io.fileio import ActivationFile, MaskFile, RdmFile, RoiFile, StimulusFile


def test_stimulus_file(tmp_path):
    file = StimulusFile(str(tmp_path / 'x.stim.csv'))
    file.write('image', '/img', {'stimID': ['a', 'b'], 'label': np.array([1, 0]), 'rt': [0.5, 1]}, title='t')
    read = file.read()
    assert read['type'] == 'image' and read['path'] == '/img' and read['title'] == 't'
    assert list(read['data']) == ['stimID', 'label', 'rt'] and read['data']['label'].tolist() == [1, 0]
    stim = Stimulus()
    stim.load(file.fname)
    assert stim.get('rt').tolist() == [0.5, 1.0]


def test_activation_file(tmp_path, rng):
    values = rng.standard_normal((6, 4, 3, 3))
    file = ActivationFile(tmp_path / 'x.act.h5')
    file.write({'b': values, 'a': values[:, :1]})
    assert list(file.read()) == ['b', 'a']
    part = file.read({'b': {'chn': [3, 1], 'row': 'all', 'col': [2]}})
    np.testing.assert_array_equal(part['b'], values[:, [2, 0]][..., [1]])
    activation = Activation()
    activation.load(file.fname)
    np.testing.assert_array_equal(activation.get('b'), values)


def test_mask_roi_rdm_files(tmp_path):
    dmask = {'a': {'chn': [1], 'row': 'all', 'col': 'all'}}
    MaskFile(tmp_path / 'x.dmask.csv').write(dmask)
    assert MaskFile(tmp_path / 'x.dmask.csv').read() == dmask
    RoiFile(tmp_path / 'x.roi.h5').write(['V1'], np.ones((3, 1)))
    assert RoiFile(tmp_path / 'x.roi.h5').read()[0] == ['V1']
    RdmFile(tmp_path / 'x.rdm.h5').write('bRDM', {'V1': np.arange(3.0)})
    kind, rdms = RdmFile(tmp_path / 'x.rdm.h5').read()
    assert kind == 'bRDM' and rdms['V1'].tolist() == [0, 1, 2]


@pytest.mark.parametrize('file', [StimulusFile, ActivationFile, MaskFile, RoiFile, RdmFile])
def test_suffixes_are_enforced(file):
    with pytest.raises(BadValue, match='must end in'):
        file('x.txt')


@pytest.mark.parametrize('file, arguments', [
    (StimulusFile, ('image', '', {'stimID': ['a']})), (MaskFile, ({'a': {}},)),
    (RoiFile, (['V1'], np.ones((2, 1)))), (RdmFile, ('bRDM', {'V1': np.ones(3)})),
])
def test_a_missing_folder_is_named_and_not_a_hidden_file(tmp_path, file, arguments):
    path = tmp_path / 'no' / f'x{file.suffix}'
    with pytest.raises(BadPath, match=f"x{file.suffix}': the folder .*/no' does not exist; make it first") as caught:
        file(path).write(*arguments)
    assert '.part-' not in str(caught.value)
