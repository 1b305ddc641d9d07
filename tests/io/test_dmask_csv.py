"""Masks on disk."""

import pytest

from dnnbrain._checks import BadValue
from dnnbrain.io.dmask_csv import read_dmask_csv, write_dmask_csv


def test_file_of_1_0(tmp_path):
    path = tmp_path / 'x.dmask.csv'
    path.write_text('conv5=chn,row,col\n3,1,2\n4,5\n6\nfc3=chn\n7\nconv1=\nfeatures.0=col,chn\n1\n9,8\n')
    assert read_dmask_csv(path) == {
        'conv5': {'chn': [3, 1, 2], 'row': [4, 5], 'col': [6]},
        'fc3': {'chn': [7], 'row': 'all', 'col': 'all'},
        'conv1': {'chn': 'all', 'row': 'all', 'col': 'all'},
        'features.0': {'chn': [9, 8], 'row': 'all', 'col': [1]},
    }


def test_round_trip(tmp_path):
    dmask = {'a': {'chn': [5, 1], 'row': 'all', 'col': [2]}, 'b': {'chn': 'all', 'row': 'all', 'col': 'all'}}
    write_dmask_csv(tmp_path / 'x.dmask.csv', dmask)
    assert read_dmask_csv(tmp_path / 'x.dmask.csv') == dmask


@pytest.mark.parametrize('text, says', [
    ('1,2\n', "must name a layer"),
    ('conv5=chn\n', "not whole numbers"),
    ('conv5=chn\n1,x\n', "'1,x'"),
    ('conv5=chn\n0\n', 'chn 0 is out of range'),
    ('conv5=channel\n1\n', 'out of chn, row, col'),
    ('a=chn\n1\na=\n', 'stands twice'),
])
def test_bad_files(tmp_path, text, says):
    (tmp_path / 'x.dmask.csv').write_text(text)
    with pytest.raises(BadValue, match=says):
        read_dmask_csv(tmp_path / 'x.dmask.csv')


def test_another_encoding_gets_a_sentence(tmp_path):
    (tmp_path / 'x.dmask.csv').write_text('conv5=chn\n1\n', encoding='utf-16')
    with pytest.raises(BadValue, match="x.dmask.csv' is not UTF-8 text; save it as CSV in UTF-8"):
        read_dmask_csv(tmp_path / 'x.dmask.csv')
