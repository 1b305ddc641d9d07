"""The stimulus table: 1.0's calls, indexing, folders, splits, files."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dnnbrain._checks import BadIndex, BadPath, BadType, BadValue
from dnnbrain.dnn.core import Stimulus


def test_what_get_gives_may_be_changed(stim):
    """As scripts do: labels[labels == 3] = 0. The table stays as it is."""
    for item in stim.items:
        values = stim.get(item)
        values[:] = values[0]
        assert len(np.unique(stim.get(item))) > 1


def test_calls_of_1_0(tmp_path):
    stim = Stimulus({'type': 'image', 'path': '/img', 'who': 'me'},
                    {'stimID': np.array(['a', 'b', 'c']), 'label': np.array([1, 0, 1]), 'rt': [1, 2, 3]})
    assert stim.items == ['stimID', 'label', 'rt'] and len(stim) == 3
    assert stim.get('stimID').dtype.kind == 'U' and stim.get('label').dtype == np.int64
    assert stim.get('rt').dtype == np.float64
    stim.set('condition', [1, 2, 3])
    assert stim.get('condition').tolist() == ['1', '2', '3']
    stim.set('rt', [3, 2, 1])
    assert stim.get('rt').tolist() == [3, 2, 1]
    stim.delete('rt')
    assert stim.items == ['stimID', 'label', 'condition']
    stim.save(tmp_path / 'x.stim.csv')
    back = Stimulus()
    back.load(tmp_path / 'x.stim.csv')
    assert back.header == stim.header and back.data.equals(stim.data)


def test_filled_by_set_and_saved_without_type(tmp_path):
    stim = Stimulus()
    stim.set('stimID', ['1.png', '2.png'])
    stim.save(tmp_path / 'x.stim.csv')
    assert 'type=image' in (tmp_path / 'x.stim.csv').read_text()


@pytest.mark.parametrize('key, ids', [
    (2, ['02.png']), (np.int64(2), ['02.png']), (-1, ['11.png']), (slice(3, 5), ['03.png', '04.png']),
    ([4, 1, 1], ['04.png', '01.png', '01.png']), (np.array([0, 3]), ['00.png', '03.png']),
    (np.arange(12) > 9, ['10.png', '11.png']), ((np.arange(12) > 10).tolist(), ['11.png']),
    ('05.png', ['05.png']), (['05.png', '01.png'], ['05.png', '01.png']), ([], []),
])
def test_rows(stim, key, ids):
    part = stim[key]
    assert isinstance(part, Stimulus) and part.get('stimID').tolist() == ids
    assert part.items == stim.items and part.header == stim.header


@pytest.mark.parametrize('columns, items', [
    (1, ['label']), (np.int8(0), ['stimID']), ('condition', ['condition']), (['condition', 0], ['condition', 'stimID']),
    (slice(None, 2), ['stimID', 'label']), ([True, False, True], ['stimID', 'condition']), (-1, ['condition']),
])
def test_rows_and_columns(stim, columns, items):
    part = stim[2:4, columns]
    assert part.items == items and len(part) == 2
    for item in items:
        np.testing.assert_array_equal(part.get(item), stim.get(item)[2:4])


def test_everything_is_a_copy(stim):
    part = stim[()]
    part.set('label', np.full(12, 5))
    part.header['path'] = 'elsewhere'
    assert stim.get('label').tolist() == [0, 1] * 6 and stim.header['path'] != 'elsewhere'


def test_repeated_ids_are_all_meant():
    stim = Stimulus({'type': 'image', 'path': '.'}, {'stimID': ['a', 'b', 'a'], 'run': [1, 1, 2]})
    assert stim['a'].get('run').tolist() == [1, 2]


def test_iteration_ends(stim):
    assert [row.get('stimID')[0] for row in stim] == stim.get('stimID').tolist()


def test_mistakes(stim):
    with pytest.raises(BadIndex, match='12 is out of range for 12 rows'):
        stim[12]
    with pytest.raises(BadIndex, match='boolean mask of 3'):
        stim[[True, False, True]]
    with pytest.raises(BadValue, match="'label2' is not in the stimulus table; did you mean 'label'"):
        stim.get('label2')
    with pytest.raises(BadValue, match="did you mean '01.png'"):
        stim['01.pn']
    with pytest.raises(BadType, match='3 dimensions'):
        stim[1, 2, 3]
    with pytest.raises(BadType, match='whole numbers'):
        stim[1.5]
    with pytest.raises(BadValue, match='3 values for 12'):
        stim.set('x', [1, 2, 3])
    with pytest.raises(BadValue, match='must hold numbers'):
        stim.set('label', ['cat'] * 12)
    with pytest.raises(BadValue, match='same length'):
        Stimulus({'type': 'image'}, {'stimID': ['a'], 'label': [1, 2]})
    with pytest.raises(BadValue, match="did you mean 'image'"):
        Stimulus.from_dataframe(stim.data, type='imag')
    with pytest.raises(BadValue, match="needs a column 'stimID'"):
        Stimulus.from_dataframe(pd.DataFrame({'a': [1]}))


def test_permutate_shuffles_one_column_of_a_copy(stim):
    labels = stim.get('label').tolist()
    stim.set('number', np.arange(12))
    mixed = stim.permutate('number', rng=0)
    assert sorted(mixed.get('number')) == list(range(12)) and mixed.get('number').tolist() != list(range(12))
    assert mixed.get('label').tolist() == labels and stim.get('number').tolist() == list(range(12))
    assert mixed.get('number').tolist() == stim.permutate('number', rng=0).get('number').tolist()


def test_from_dataframe_keeps_types():
    table = pd.DataFrame({'stimID': [1, 2], 'label': [0, 1], 'weight': [0.5, 2], 'who': ['x', 'y']})
    stim = Stimulus.from_dataframe(table, path='/p', title='t')
    assert stim.header == {'type': 'image', 'path': '/p', 'title': 't'}
    assert stim.get('stimID').tolist() == ['1', '2'] and stim.get('weight').tolist() == [0.5, 2]


class TestFolder:
    def fill(self, root, names):
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new('RGB', (4, 4)).save(root / name)

    def test_categories(self, tmp_path):
        self.fill(tmp_path, ['dog/b.JPG', 'dog/a.png', 'cat/deep/z.png', 'cat/y.png', 'cat/.hidden.png', '.git/x.png'])
        (tmp_path / 'cat' / 'Thumbs.db').write_text('x')
        stim = Stimulus.from_folder(tmp_path)
        assert stim.get('stimID').tolist() == ['cat/deep/z.png', 'cat/y.png', 'dog/a.png', 'dog/b.JPG']
        assert stim.get('label').tolist() == [0, 0, 1, 1]
        assert stim.get('condition').tolist() == ['cat', 'cat', 'dog', 'dog']
        assert len(stim.check_files()) == 0

    def test_flat_folder_has_no_labels(self, tmp_path):
        self.fill(tmp_path, ['b.png', 'a.png'])
        stim = Stimulus.from_folder(tmp_path)
        assert stim.get('stimID').tolist() == ['a.png', 'b.png'] and stim.items == ['stimID']

    def test_mistakes(self, tmp_path):
        with pytest.raises(BadPath, match='does not exist'):
            Stimulus.from_folder(tmp_path / 'no')
        with pytest.raises(BadValue, match='it is empty'):
            Stimulus.from_folder(tmp_path)
        (tmp_path / 'cat').mkdir()
        with pytest.raises(BadValue, match='no image files in .*: cat'):
            Stimulus.from_folder(tmp_path)
        self.fill(tmp_path, ['cat/a.png', 'loose.png'])
        with pytest.raises(BadValue, match='loose.png'):
            Stimulus.from_folder(tmp_path)


class TestSplit:
    def test_stratified_complete_disjoint_seeded(self):
        label = np.repeat([0, 1, 2], [50, 30, 21])
        stim = Stimulus({'type': 'image'}, {'stimID': [f'{i}.png' for i in range(101)], 'label': label})
        train, test, val = stim.split((0.5, 0.3, 0.2), rng=0)
        ids = [set(part.get('stimID')) for part in (train, test, val)]
        assert set.union(*ids) == set(stim.get('stimID')) and sum(map(len, ids)) == 101
        for part, share in ((train, 0.5), (test, 0.3), (val, 0.2)):
            assert abs(len(part) - share * 101) <= 1
            counts = np.bincount(part.get('label'), minlength=3)
            assert (np.abs(counts - share * np.array([50, 30, 21])) <= 1).all()
        again = stim.split((0.5, 0.3, 0.2), rng=0)
        assert all(a.data.equals(b.data) for a, b in zip((train, test, val), again, strict=True))
        assert not stim.split(0.5, rng=1)[0].data.equals(train.data)

    def test_tiny_strata_still_give_the_shares(self):
        stim = Stimulus({'type': 'image'}, {'stimID': [str(i) for i in range(40)], 'label': range(40)})
        assert [len(part) for part in stim.split(0.5, rng=0)] == [20, 20]

    def test_repeats_stay_together(self):
        ids = [f'{i % 10}.png' for i in range(40)]
        stim = Stimulus({'type': 'image'}, {'stimID': ids, 'label': [i % 2 for i in range(40)]})
        a, b = stim.split(0.5, rng=0)
        assert not set(a.get('stimID')) & set(b.get('stimID')) and len(a) + len(b) == 40

    def test_without_strata_and_with_rest_left_out(self, stim):
        a, b = stim.split((0.25, 0.25), by=None, rng=0)
        assert len(a) == len(b) == 3

    def test_unknown_values_are_a_stratum(self):
        known = np.where(np.arange(40) % 4 == 0, np.nan, np.arange(40) % 2)
        stim = Stimulus({'type': 'image'}, {'stimID': [str(i) for i in range(40)], 'rating': known})
        parts = stim.split(0.5, by='rating', rng=0)
        assert [len(part) for part in parts] == [20, 20]
        assert [np.isnan(part.get('rating')).sum() for part in parts] == [5, 5]

    def test_mistakes(self, stim):
        for fractions in ((0.8, 0.3), (0.5, -0.1), (1.0, 0.0)):
            with pytest.raises(BadValue, match='fractions must be positive'):
                stim.split(fractions)
        with pytest.raises(BadValue, match='too few'):
            stim[:2].split((0.9, 0.05, 0.05), rng=0)
        with pytest.raises(BadValue, match='not in the stimulus table'):
            stim.split(0.5, by='category')


class TestSample:
    def table(self, *held):
        label = np.random.default_rng(5).permutation(np.repeat(np.arange(len(held)), held))
        return Stimulus({'type': 'image'}, {'stimID': [f'{i}.png' for i in range(len(label))], 'label': label})

    def counts(self, stim, n, rng):
        return np.bincount(stim.sample(n, rng=rng).get('label'), minlength=stim.get('label').max() + 1).tolist()

    def test_balanced_in_order_seeded(self):
        stim = self.table(30, 8, 11)
        part = stim.sample(24, rng=0)
        assert np.bincount(part.get('label')).tolist() == [8, 8, 8]
        ids = stim.get('stimID').tolist()
        places = [ids.index(name) for name in part.get('stimID')]
        assert places == sorted(set(places)) and part.get('label').tolist() == stim.get('label')[places].tolist()
        assert part.data.equals(stim.sample(24, rng=0).data) and not part.data.equals(stim.sample(24, rng=1).data)

    def test_who_gets_one_more_is_drawn(self):
        found = [tuple(self.counts(self.table(9, 9, 9), 7, seed)) for seed in range(300)]
        assert set(found) == {(3, 2, 2), (2, 3, 2), (2, 2, 3)}
        # each with probability 1/3: 5 standard deviations of 300 draws are 41
        assert all(abs(found.count(kind) - 100) < 41 for kind in set(found))
        assert {tuple(self.counts(self.table(2, 5), 5, seed)) for seed in range(20)} == {(2, 3)}     # of what is there
        assert {sum(self.counts(self.table(4, 4, 4), 2, seed)) for seed in range(20)} == {2}

    @pytest.mark.parametrize('by', ['label', None])
    def test_every_row_is_as_probable(self, by):
        stim = self.table(20, 20)
        drawn = np.mean([np.isin(stim.get('stimID'), stim.sample(10, by, rng=seed).get('stimID'))
                         for seed in range(400)], axis=0)
        assert (np.abs(drawn - 0.25) < 5 * np.sqrt(0.25 * 0.75 / 400)).all()

    def test_by_other_columns(self, stim):
        stim.set('rating', [np.nan, 1.5, 1.5, 1.5] * 3)
        ratings = stim.sample(6, by='rating', rng=0).get('rating')
        assert np.isnan(ratings).sum() == 3 and (ratings == 1.5).sum() == 3
        assert sorted(stim.sample(4, by='condition', rng=0).get('condition')) == ['cat', 'cat', 'dog', 'dog']
        assert stim.sample(12, rng=0).data.equals(stim.data) and len(stim.sample(5, by=None, rng=0)) == 5

    def test_the_refusal_says_what_is_possible(self, rng):
        """The largest n in the sentence can be drawn, one more cannot."""
        for held in rng.integers(1, 9, (20, 4)):
            if len(set(held)) == 1:
                continue
            stim = self.table(*held)
            with pytest.raises(BadValue) as refused:
                stim.sample(sum(held), rng=0)
            most = int(str(refused.value).split()[-1])
            assert max(self.counts(stim, most, 0)) - min(self.counts(stim, most, 0)) <= 1
            with pytest.raises(BadValue):
                stim.sample(most + 1, rng=0)

    def test_mistakes(self, stim):
        part = stim[[0, 1, 3, 5, 7]]
        with pytest.raises(BadValue, match="'cat' has 1 stimuli, but 2 are needed for a balanced part of 4; .* most 3"):
            part.sample(4, by='condition')
        for n in (0, -1, 13, 2.5):
            with pytest.raises(BadValue, match=f'whole number from 1 to 12, the stimuli there are, not {n}'):
                stim.sample(n)
        with pytest.raises(BadValue, match='not in the stimulus table'):
            stim.sample(2, by='category')


class TestPath:
    def test_beside_the_table_first_then_the_working_directory(self, tmp_path, monkeypatch):
        for place in ('table/img', 'cwd/img', 'cwd/other'):
            (tmp_path / place).mkdir(parents=True)
        monkeypatch.chdir(tmp_path / 'cwd')
        for path, found in (('img', 'table/img'), ('other', 'cwd/other')):
            text = f'type=image\npath={path}\ndata=stimID\na.png\n'
            (tmp_path / 'table' / 'x.stim.csv').write_text(text)
            stim = Stimulus()
            stim.load(tmp_path / 'table' / 'x.stim.csv')
            assert stim.path == tmp_path / found and stim.header['path'] == path
            assert stim[:1].path == tmp_path / found

    def test_saving_elsewhere_keeps_meaning_the_same_files(self, tmp_path):
        (tmp_path / 'a' / 'img').mkdir(parents=True)
        (tmp_path / 'b').mkdir()
        (tmp_path / 'a' / 'x.stim.csv').write_text('type=image\npath=img\ndata=stimID\na.png\n')
        stim = Stimulus()
        stim.load(tmp_path / 'a' / 'x.stim.csv')
        stim.save(tmp_path / 'a' / 'y.stim.csv')
        assert 'path=img\n' in (tmp_path / 'a' / 'y.stim.csv').read_text()
        stim.save(tmp_path / 'b' / 'x.stim.csv')
        moved = Stimulus()
        moved.load(tmp_path / 'b' / 'x.stim.csv')
        assert moved.path.resolve() == (tmp_path / 'a' / 'img').resolve()
        assert not moved.header['path'].startswith('/')

    def test_saving_through_a_linked_folder(self, tmp_path):
        (tmp_path / 'deep' / 'real' / 'img').mkdir(parents=True)
        (tmp_path / 'deep' / 'other').mkdir()
        (tmp_path / 'link').symlink_to(tmp_path / 'deep' / 'other')
        (tmp_path / 'same').symlink_to(tmp_path / 'deep' / 'real')
        (tmp_path / 'deep' / 'real' / 'x.stim.csv').write_text('type=image\npath=img\ndata=stimID\na.png\n')
        stim = Stimulus()
        stim.load(tmp_path / 'deep' / 'real' / 'x.stim.csv')
        for folder, path in (('link', '../real/img'), ('same', 'img')):
            stim.save(tmp_path / folder / 'y.stim.csv')
            moved = Stimulus()
            moved.load(tmp_path / folder / 'y.stim.csv')
            assert moved.header['path'] == path
            assert moved.path.resolve() == (tmp_path / 'deep' / 'real' / 'img').resolve()

    def test_a_folder_that_is_missing(self, stim, tmp_path):
        with pytest.raises(BadPath, match="no/x.stim.csv': the folder .*/no' does not exist; make it first"):
            stim.save(tmp_path / 'no' / 'x.stim.csv')

    @pytest.mark.parametrize('name', ['../secret.png', '/etc/passwd', 'a/../../b.png'])
    def test_ids_must_not_leave_the_folder(self, tmp_path, name):
        stim = Stimulus({'type': 'image', 'path': str(tmp_path)}, {'stimID': [name]})
        with pytest.raises(BadValue, match='leaves the folder'):
            stim.files()
        stim.allow_outside = True
        assert len(stim.files()) == 1 and len(stim[:1].files()) == 1


class TestCheckFiles:
    def test_lists_all_problems_at_once(self, tmp_path, rng):
        Image.fromarray(rng.integers(0, 255, (90, 90, 3), dtype=np.uint8)).save(tmp_path / 'good.jpg')
        whole = (tmp_path / 'good.jpg').read_bytes()
        (tmp_path / 'cut.jpg').write_bytes(whole[:len(whole) // 2])
        (tmp_path / 'text.png').write_text('not a picture')
        stim = Stimulus({'type': 'image', 'path': str(tmp_path)},
                        {'stimID': ['good.jpg', 'cut.jpg', 'text.png', 'no.png']})
        problems = stim.check_files()
        assert problems['stimID'].tolist() == ['cut.jpg', 'text.png', 'no.png']
        assert problems['problem'].tolist()[2] == 'missing'
        assert 'truncated' in problems['problem'].tolist()[0]
        assert stim.check_files(decode=False)['stimID'].tolist() == ['cut.jpg', 'text.png', 'no.png']

    @pytest.mark.parametrize('suffix', ['jpg', 'png', 'bmp'])
    def test_the_fast_check_finds_what_is_cut_off(self, tmp_path, rng, suffix):
        pixels = rng.integers(0, 255, (90, 90, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f'good.{suffix}')
        whole = (tmp_path / f'good.{suffix}').read_bytes()
        (tmp_path / f'cut.{suffix}').write_bytes(whole[:-100])
        (tmp_path / f'more.{suffix}').write_bytes(whole + bytes(500))           # shown all the same
        stim = Stimulus({'type': 'image', 'path': str(tmp_path)},
                        {'stimID': [f'{name}.{suffix}' for name in ('good', 'cut', 'more')]})
        found = stim.check_files(decode=False)
        assert found['stimID'].tolist() == ([] if suffix == 'bmp' else [f'cut.{suffix}'])       # which has no end mark
        assert suffix == 'bmp' or found['problem'].tolist() == ['a picture that is cut off']
