"""The stimulus table on disk."""

import numpy as np
import pandas as pd
import pytest

from dnnbrain._checks import BadPath, BadValue
from dnnbrain.io.stim_csv import read_stim_csv, write_stim_csv


def written(tmp_path, text):
    path = tmp_path / 'x.stim.csv'
    path.write_text(text)
    return path


def test_ids_survive_as_text(tmp_path):
    """Commas in quotes, IDs that look like numbers or like missing values, '=' in header values."""
    path = written(tmp_path, 'type=image\npath=/img\ntitle=a=b\ndata=stimID,label,note,rt\n'
                             'NA.jpg,0,x,0.5\n001,1,"a,b",\nnan,2,NA,1e-3\n"c,""d"".png",3,,2\n')
    header, table = read_stim_csv(path)
    assert header == {'type': 'image', 'path': '/img', 'title': 'a=b'}
    assert table['stimID'].tolist() == ['NA.jpg', '001', 'nan', 'c,"d".png']
    assert table['label'].tolist() == [0, 1, 2, 3] and table['label'].dtype == np.int64
    assert table['note'].tolist() == ['x', 'a,b', 'NA', '']
    assert table['rt'].dtype == np.float64
    np.testing.assert_array_equal(table['rt'], [0.5, np.nan, 0.001, 2])


def test_round_trip_is_exact(tmp_path, rng):
    table = pd.DataFrame({'stimID': ['a,b.png', 'ü "x".png', '3'], 'label': [2, 0, 1],
                          'rt': rng.standard_normal(3) * 1e-7, 'who': ['', 'NA', '1e']})
    header = {'type': 'image', 'path': 'C:/x y', 'title': 'k=v=w'}
    write_stim_csv(tmp_path / 'x.stim.csv', header, table)
    again, back = read_stim_csv(tmp_path / 'x.stim.csv')
    assert again == header
    assert back['rt'].tolist() == table['rt'].tolist()          # every bit
    for column in ('stimID', 'label', 'who'):
        assert back[column].tolist() == table[column].tolist()


def test_windows_file(tmp_path):
    path = tmp_path / 'x.stim.csv'
    path.write_bytes('\ufefftype=image\r\npath=a\r\ndata=stimID,condition\r\n1.png,7\r\n'.encode())
    header, table = read_stim_csv(path)
    assert header['path'] == 'a' and table['condition'].tolist() == ['7'] and table['stimID'].tolist() == ['1.png']


def test_video_ids_are_frame_numbers(tmp_path):
    _, table = read_stim_csv(written(tmp_path, 'type=video\npath=a.mp4\ndata=stimID\n1\n30\n'))
    assert table['stimID'].dtype == np.int64 and table['stimID'].tolist() == [1, 30]


def test_regression_labels_keep_their_decimals(tmp_path):
    _, table = read_stim_csv(written(tmp_path, 'type=image\npath=a\ndata=stimID,label\na,0.5\nb,1\n'))
    assert table['label'].tolist() == [0.5, 1.0]


@pytest.mark.parametrize('text, says', [
    ('', 'is empty'),
    ('type=image\npath=a\n', "no line that starts with 'data='"),
    ('type=image\nwhat\ndata=stimID\na\n', "'what' .* is not key=value"),
    ('path=a\ndata=stimID\na\n', "no header line 'type='"),
    ('type=images\npath=a\ndata=stimID\na\n', "did you mean 'image'"),
    ('type=image\npath=a\ndata=name\na\n', "no column 'stimID'"),
    ('type=image\npath=a\ndata=stimID,label\na,cat\n', "'label' must hold numbers, but has 'cat'"),
    ('type=image\npath=a\ndata=stimID,label\na,1\nb,\n', "'label' must hold numbers"),
    ('type=image\npath=a\ndata=stimID,label\na,1,2\n', 'row 1 .* has 3 fields, not 2'),
    ('type=image\npath=a\ndata=stimID,label\na,1\nb\n', 'row 2 .* has 1 fields, not 2'),
    ('type=image\npath=a\ndata=stimID,label\n"a,1\n', 'cannot be read'),
    ('type=image\npath=a\ndata=stimID,x,x\na,1,2\n', 'same name'),
    ('type=image\npath=a\ndata=\n', "no column 'stimID'|cannot be read"),
    ('type=video\npath=a\ndata=stimID\n1.5\n', 'whole frame numbers'),
])
def test_bad_files_get_a_sentence(tmp_path, text, says):
    with pytest.raises(BadValue, match=says):
        read_stim_csv(written(tmp_path, text))


def test_missing_and_misnamed_files(tmp_path):
    with pytest.raises(BadPath, match='does not exist'):
        read_stim_csv(tmp_path / 'no.stim.csv')
    with pytest.raises(FileNotFoundError):
        read_stim_csv(tmp_path / 'no.stim.csv')
    with pytest.raises(BadValue, match=r'must end in \.stim\.csv'):
        read_stim_csv(tmp_path / 'x.csv')


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / 'x.stim.csv'
    table = pd.DataFrame({'stimID': ['a']})
    write_stim_csv(path, {'type': 'image', 'path': 'p'}, table)
    before = path.read_text()
    with pytest.raises(BadValue, match='cannot be written'):
        write_stim_csv(path, {'type': 'image', 'a=b': 'c'}, table)
    assert path.read_text() == before and [f.name for f in tmp_path.iterdir()] == ['x.stim.csv']


def test_a_table_without_ids_is_not_written(tmp_path):
    for table in (pd.DataFrame({'label': [1]}), pd.DataFrame()):
        with pytest.raises(BadValue, match="needs a column 'stimID', but has"):
            write_stim_csv(tmp_path / 'x.stim.csv', {'type': 'image'}, table)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('odd', ['\n', '\u2028', '\x85', '\x0c', '\x1c', '\v'])
def test_odd_line_ends_survive(tmp_path, odd):
    path = tmp_path / 'x.stim.csv'
    table = pd.DataFrame({'stimID': [f'a{odd}b.png', f'{odd}c', f'd{odd}'], f'x{odd}y': ['p', odd, f'{odd}data=q']})
    header = {'type': 'image', 'path': 'p'} | ({} if odd == '\n' else {'title': f'a{odd}b=c{odd}'})
    write_stim_csv(path, header, table)
    again, back = read_stim_csv(path)
    assert again == header and list(back) == list(table)
    for name in table:
        assert back[name].tolist() == table[name].tolist()


def test_what_would_not_survive_is_refused(tmp_path):
    path = tmp_path / 'x.stim.csv'
    good = pd.DataFrame({'stimID': ['a']})
    for value in ('a\rb', 'a\nb', 'a\r\n'):
        with pytest.raises(BadValue, match='no line breaks'):
            write_stim_csv(path, {'type': 'image', 'title': value}, good)
    for table in ({'stimID': ['a\rb']}, {'stimID': ['a'], 'x\r': ['b']}, {'stimID': ['a'], 'x': ['b\r\n']}):
        with pytest.raises(BadValue, match='it holds a carriage return; remove it'):
            write_stim_csv(path, {'type': 'image'}, pd.DataFrame(table))
    with pytest.raises(BadValue, match='two columns have the same name'):
        write_stim_csv(path, {'type': 'image'}, pd.DataFrame([['a', 'b']], columns=['stimID', 'stimID']))
    assert list(tmp_path.iterdir()) == []


def test_columns_of_nan_stay_numbers(tmp_path):
    table = pd.DataFrame({'stimID': ['a', 'b'], 'rt': [np.nan] * 2, 'note': ['', ''], 'onset': [np.nan] * 2})
    write_stim_csv(tmp_path / 'x.stim.csv', {'type': 'image'}, table)
    _, back = read_stim_csv(tmp_path / 'x.stim.csv')
    for name in ('rt', 'onset'):
        assert back[name].dtype == np.float64 and back[name].isna().all() and table[name].isna().all()
    assert back['note'].tolist() == ['', '']
