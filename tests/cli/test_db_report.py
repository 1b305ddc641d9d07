"""db_report on what commands write."""

import pytest


@pytest.fixture(scope='module')
def results(mapping_files, tmp_path_factory):
    """Folders of db_encode and db_decode."""
    from click.testing import CliRunner

    from dnnbrain.cli import db_decode, db_encode
    folder = tmp_path_factory.mktemp('results')
    files = ['-act', mapping_files / 'x.act.h5', '-resp', mapping_files / 'once.nii.gz', '-seed', 3]
    for command, more in ((db_encode, ['-perm', 5, '-scoring', 'correlation']), (db_decode, ['-layer', 'fc'])):
        name = command.__name__.rsplit('.', 1)[1]
        asked = ['-anal', 'mv', '-model', 'ridge', *files, *more, '-out', folder / name]
        done = CliRunner().invoke(command.main, [str(word) for word in asked])
        assert done.exit_code == 0, done.output
    return folder


def test_page(run, results, tmp_path):
    code, said, _ = run('db_report', results / 'db_encode', results / 'db_decode', '-out', tmp_path / 'r.html',
                        '-title', 'Ours')
    assert code == 0 and said.startswith(f'{tmp_path / "r.html"} (')
    text = (tmp_path / 'r.html').read_text()
    for part in ('<h1>Ours</h1>', 'Encoding: db_encode', 'Decoding: db_decode',
                 'The responses of 12 voxels (once.nii.gz)',
                 'Every unit of this layer', 'With five permutations', 'The smallest fold holds eight rows', 'seed 3',
                 'family-wise error over voxels and layers'):
        assert part in text, part


def test_mistakes(run, results, tmp_path):
    (tmp_path / 'bad').mkdir()
    (tmp_path / 'bad' / 'result.json').write_text('{')
    for arguments, part in (((tmp_path, '-out', tmp_path / 'r.html'), 'holds no result'),
                            ((tmp_path / 'bad', '-out', tmp_path / 'r.html'), 'cannot be read'),
                            ((results / 'db_encode', '-out', tmp_path / 'no' / 'r.html'), 'make it first'),
                            ((results / 'db_encode', '-out', tmp_path / 'r.txt'), 'must end in .html'),
                            ((results / 'db_encode',), '-out'), (('-out', tmp_path / 'r.html'), 'RESULT')):
        code, _, said = run('db_report', *arguments)
        assert code == 2 and part in said and said.count('\n') == 1, said
    assert not (tmp_path / 'r.html').exists()
