"""Random networks in the commands that ask what a unit likes: what architecture alone gives."""

import pytest

LOOK = ['-net', 'Resnet10', '-random', '-seed', '3', '-layer', 'fc', '-stim', 'one.stim.csv', '-out', 'made']


@pytest.mark.parametrize('command, more', [
    ('dnn_saliency', ['-chn', '1', '-meth', 'vanilla']), ('dnn_topstim', ['-chn', '1', '-top', '1']),
    ('dnn_optstim', ['-chn', '1', '-iter', '1']), ('dnn_minstim', ['-chn', '1', '-param', 'scale=1000']),
    ('dnn_view', ['-layer', 'conv', '-chn', '1']),
    ('dnn_rf_sw', ['-chn', '1', '-wsize', '20', '20', '-stride', '20', '20', '-metric', 'max']),
    ('dnn_rf_us', ['-layer', 'conv', '-chn', '1', '-ip_metric', 'bicubic', '-up_thres', '0.5'])])
def test_random_networks_for_comparison(run, stim, tmp_path, monkeypatch, command, more):
    """Architecture alone, in each command that asks what a unit likes; never beside weights."""
    monkeypatch.chdir(tmp_path)
    stim[:1].save('one.stim.csv')
    words = [word for word in LOOK if word != '-stim' and word != 'one.stim.csv'] if command == 'dnn_optstim' else LOOK
    code, _, err = run(command, *words, *more)
    assert code == 0 and list((tmp_path / 'made').iterdir()), err
    assert 'contradict' in run(command, *words, *more, '-weights', 'x.pth')[2]
