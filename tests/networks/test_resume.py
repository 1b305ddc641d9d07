"""Extraction that was broken off, divided, or short of memory gives what one run gives, bit for bit."""

import json
import os
import shutil
import signal
import subprocess
import sys

import h5py
import numpy as np
import pytest
import torch

from dnnbrain._checks import BadPath, BadValue
from dnnbrain.dnn.core import Activation, Stimulus
from dnnbrain.dnn.models import Resnet10
from dnnbrain.io.act_resume import ResumableWriter

LAYERS = ['conv', 'relu', 'layer4_basicblock0', 'fc']


@pytest.fixture
def many(tmp_path):
    """90 pictures of 40 x 40."""
    from PIL import Image
    noise = np.random.default_rng(0)
    (tmp_path / 'pictures').mkdir()
    names = [f'{i:03d}.png' for i in range(90)]
    for name in names:
        Image.fromarray(noise.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(tmp_path / 'pictures' / name)
    stim = Stimulus({'type': 'image', 'path': str(tmp_path / 'pictures')}, {'stimID': names})
    stim.save(tmp_path / 'x.stim.csv')
    return stim


@pytest.fixture
def net():
    return Resnet10(rng=0)


def same(fname, other):
    a, b = Activation(), Activation()
    a.load(fname)
    b.load(other)
    assert a.layers == b.layers and list(a.stim_ids) == list(b.stim_ids)
    for layer in a.layers:
        assert a.get(layer).dtype == b.get(layer).dtype
        np.testing.assert_array_equal(a.get(layer), b.get(layer))


SCRIPT = '''
import os, signal, sys, threading
from dnnbrain.dnn.core import Stimulus
from dnnbrain.dnn.models import Resnet10
import torch
torch.set_num_threads(1)
import dnnbrain.io.act_resume as act_resume
act_resume.MARK_EVERY = 0
stim = Stimulus(); stim.load('x.stim.csv')
net = Resnet10(rng=0)
usual = act_resume.ResumableWriter.batch_done

def killed_after(left, delay):          # batches, and seconds after the last of them
    def batch_done(self):
        nonlocal left
        usual(self)
        left -= 1
        if left == 0:
            threading.Timer(delay, os.kill, (os.getpid(), signal.SIGKILL)).start()
    act_resume.ResumableWriter.batch_done = batch_done

for line in sys.stdin:                  # a process of its own for each line, that need not load everything anew
    worker = os.fork()
    if worker == 0:
        times, left, delay = line.split()
        killed_after(int(left), float(delay))
        for _ in range(int(times)):
            net.compute_activation(stim, ['conv', 'relu', 'layer4_basicblock0', 'fc'], batch_size=10,
                                   out='x.act.h5', resume=True)
        os._exit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]), flush=True)
'''


@pytest.mark.slow
def test_killed_at_random_moments(many, net, tmp_path):
    """SIGKILL again and again: each run goes on from the one before, also from one killed while it copied."""
    torch.set_num_threads(1)
    net.compute_activation(many, LAYERS, batch_size=10, out=tmp_path / 'whole.act.h5')
    (tmp_path / 'script.py').write_text(SCRIPT)
    moments, rows, ends = np.random.default_rng(1), [], []
    with subprocess.Popen([sys.executable, 'script.py'], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as server:
        def run(*words):
            print(*words, file=server.stdin, flush=True)
            return int(server.stdout.readline())
        for _ in range(10):
            ends.append(run(1, moments.integers(1, 9), moments.random() * 0.2))
            if (tmp_path / 'x.act.h5').exists():
                same(tmp_path / 'x.act.h5', tmp_path / 'whole.act.h5')
                os.remove(tmp_path / 'x.act.h5')
                rows.append(90)
                continue
            try:
                with h5py.File(tmp_path / 'x.act.h5.part', 'r', swmr=True) as file:
                    rows.append(int(file['meta/rows'][0]))
            except (OSError, KeyError):                  # what no reader can open, a run that goes on can
                rows.append(0)
        assert set(ends) <= {-signal.SIGKILL, 7} and ends.count(-signal.SIGKILL) > 3, ends
        assert len(set(rows)) > 2, rows                  # at different stages
        assert run(2, 0, 0) == 7
        server.stdin.close()
    same(tmp_path / 'x.act.h5', tmp_path / 'whole.act.h5')
    assert not list(tmp_path.glob('*.part*'))


@pytest.mark.parametrize('moment', [1, 4, 8])
def test_broken_off_by_an_error(many, net, tmp_path, moment, monkeypatch):
    """Ctrl-C or a crash: the part is closed well, and gone on in place."""
    net.compute_activation(many, LAYERS, batch_size=10, out=tmp_path / 'whole.act.h5')
    count, usual = [0], ResumableWriter.batch_done

    def interrupted(self):
        count[0] += 1
        if count[0] == moment:
            raise KeyboardInterrupt
        usual(self)
    monkeypatch.setattr(ResumableWriter, 'batch_done', interrupted)
    with pytest.raises(KeyboardInterrupt):
        net.compute_activation(many, LAYERS, batch_size=10, out=tmp_path / 'x.act.h5', resume=True)
    assert not (tmp_path / 'x.act.h5').exists()
    assert (tmp_path / 'x.act.h5.part').exists() == (moment > 1)
    monkeypatch.undo()
    shown = []
    net.model.register_forward_pre_hook(lambda module, args: shown.append(len(args[0])))
    net.compute_activation(many, LAYERS, batch_size=10, out=tmp_path / 'y.act.h5')       # another name: all of it
    assert sum(shown) == 90
    shown.clear()
    os.replace(tmp_path / 'y.act.h5', tmp_path / 'hooked.act.h5')
    same(tmp_path / 'hooked.act.h5', tmp_path / 'whole.act.h5')
    net.model._forward_pre_hooks.clear()
    net.compute_activation(many, LAYERS, batch_size=10, out=tmp_path / 'x.act.h5', resume=True)
    same(tmp_path / 'x.act.h5', tmp_path / 'whole.act.h5')
    assert sorted(f.name for f in tmp_path.glob('x.*')) == ['x.act.h5', 'x.stim.csv']


def test_only_the_rest_is_shown(many, net, tmp_path, monkeypatch):
    from dnnbrain.networks import extract
    shown, usual = [], extract.batches

    def counting(pictures, *args):
        shown.append(sum(map(len, args[-1])))
        if len(shown) == 1:
            first, *_ = usual(pictures, *args)
            yield first
            raise OSError(28, 'No space left on device')
        yield from usual(pictures, *args)
    monkeypatch.setattr(extract, 'batches', counting)
    for _ in range(2):
        try:
            net.compute_activation(many, LAYERS, batch_size=32, out=tmp_path / 'x.act.h5', resume=True)
        except OSError as error:
            assert 'is full; make room, then resume' in str(error)
    assert shown == [90, 58]


class TestWhatIsThere:
    def test_the_same_content_returns_at_once(self, many, net, tmp_path, monkeypatch):
        first = net.compute_activation(many, 'fc', out=tmp_path / 'x.act.h5')
        stamp = (tmp_path / 'x.act.h5').stat()
        monkeypatch.setattr(Resnet10, '__call__', None)
        monkeypatch.setattr(net.model, 'forward', None)
        again = net.compute_activation(many, 'fc', out=tmp_path / 'x.act.h5', resume=True)
        np.testing.assert_array_equal(first.get('fc'), again.get('fc'))
        assert (tmp_path / 'x.act.h5').stat().st_mtime_ns == stamp.st_mtime_ns

    @pytest.mark.parametrize('change', ['weights', 'layers', 'pool', 'dtype', 'picture', 'order', 'transform', 'hook'])
    def test_other_content_is_refused(self, many, net, tmp_path, change):
        net.compute_activation(many, 'fc', out=tmp_path / 'x.act.h5')
        options, stim = {'dmask': 'fc'}, many
        if change == 'weights':
            net.model.fc.bias.data += 1
        elif change in ('layers', 'pool', 'dtype'):
            options |= {'layers': {'dmask': 'avgpool'}, 'pool': {'pool_method': 'max'},
                        'dtype': {'dtype': 'float16'}}[change]
        elif change == 'picture':
            os.utime(many.files()[3], (1, 1))
        elif change == 'order':
            stim = many[[1, 0, *range(2, 90)]]
        elif change == 'transform':
            net.test_transform = net.train_transform
        else:
            net.model.conv1.register_forward_hook(lambda m, a, out: out * 0)
        with pytest.raises(BadValue, match='is there and holds other content'):
            net.compute_activation(stim, **options, out=tmp_path / 'x.act.h5', resume=True)
        net.compute_activation(stim, **options, out=tmp_path / 'x.act.h5', resume=True, overwrite=True)
        net.compute_activation(stim, **options, out=tmp_path / 'x.act.h5', resume=True)

    def test_other_pictures_of_arrays_and_subsets(self, tiny, tmp_path):
        pixels = np.random.default_rng(0).integers(0, 256, (6, 3, 8, 16), dtype=np.uint8)
        whole = torch.utils.data.TensorDataset(torch.rand(6, 3, 12, 12), torch.zeros(6))
        for first, second in ((pixels, pixels.reshape(6, 3, 16, 8)),
                              (torch.utils.data.Subset(whole, [0, 1]), torch.utils.data.Subset(whole, [2, 3]))):
            tiny.compute_activation(first, 'fc', out=tmp_path / 'x.act.h5')
            tiny.compute_activation(first, 'fc', out=tmp_path / 'x.act.h5', resume=True)
            with pytest.raises(BadValue, match='is there and holds other content'):
                tiny.compute_activation(second, 'fc', out=tmp_path / 'x.act.h5', resume=True)

    def test_overwrite_goes_on_from_the_same_content_only(self, many, net, tmp_path, monkeypatch):
        def broken(self):
            usual(self)
            if min(self._written.values()) >= 64:
                raise KeyboardInterrupt
        usual, shown = ResumableWriter.batch_done, []
        monkeypatch.setattr(ResumableWriter, 'batch_done', broken)
        with pytest.raises(KeyboardInterrupt):
            net.compute_activation(many, 'fc', batch_size=32, out=tmp_path / 'x.act.h5')
        monkeypatch.undo()
        forward = net.model.forward
        monkeypatch.setattr(net.model, 'forward', lambda x: (shown.append(len(x)), forward(x))[1])
        shutil.copy(tmp_path / 'x.act.h5.part', tmp_path / 'y.act.h5.part')
        net.compute_activation(many, 'fc', batch_size=32, out=tmp_path / 'x.act.h5', resume=True, overwrite=True)
        assert sum(shown) == 90 - 64
        net.compute_activation(many, 'avgpool', batch_size=32, out=tmp_path / 'y.act.h5', resume=True, overwrite=True)
        assert sum(shown) == 90 - 64 + 90
        for layer, path in (('fc', 'x.act.h5'), ('avgpool', 'y.act.h5')):
            found = Activation()
            found.load(tmp_path / path)
            truth = net.compute_activation(many, layer, batch_size=32)
            np.testing.assert_array_equal(found.get(layer), truth.get(layer))

    def test_a_damaged_file_may_be_overwritten(self, tiny, stim, tmp_path):
        tiny.compute_activation(stim, 'fc', out=tmp_path / 'x.act.h5')
        (tmp_path / 'x.act.h5').write_bytes((tmp_path / 'x.act.h5').read_bytes()[:-200])
        with pytest.raises(BadValue, match='is truncated'):
            tiny.compute_activation(stim, 'fc', out=tmp_path / 'x.act.h5', resume=True)
        assert len(tiny.compute_activation(stim, 'fc', out=tmp_path / 'x.act.h5', resume=True, overwrite=True)) == 12

    def test_the_part_of_another_run(self, many, net, tmp_path, monkeypatch):
        def broken(self, rows=[]):               # noqa: B006
            rows.append(1)
            if len(rows) == 3:
                raise KeyboardInterrupt
            usual(self)
        usual = ResumableWriter.batch_done
        monkeypatch.setattr(ResumableWriter, 'batch_done', broken)
        with pytest.raises(KeyboardInterrupt):
            net.compute_activation(many, 'fc', batch_size=32, out=tmp_path / 'x.act.h5')
        with pytest.raises(BadValue, match='x.act.h5.part. is the part of another extraction'):
            net.compute_activation(many, 'avgpool', out=tmp_path / 'x.act.h5', resume=True)
        net.compute_activation(many, 'avgpool', out=tmp_path / 'x.act.h5')
        assert not list(tmp_path.glob('*.part*'))

    def test_a_truncated_file_is_said_to_be_one(self, many, net, tmp_path):
        net.compute_activation(many, 'fc', out=tmp_path / 'x.act.h5')
        whole = (tmp_path / 'x.act.h5').read_bytes()
        (tmp_path / 'x.act.h5').write_bytes(whole[:len(whole) // 2])
        with pytest.raises(BadValue, match='is truncated'):
            net.compute_activation(many, 'fc', out=tmp_path / 'x.act.h5', resume=True)

    def test_resume_needs_a_file(self, many, net):
        with pytest.raises(BadValue, match='resume needs out'):
            net.compute_activation(many, 'fc', resume=True)


def test_a_disk_that_cannot_hold_it(many, net, tmp_path, monkeypatch):
    import shutil
    from collections import namedtuple
    usage = namedtuple('usage', 'total used free')
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: usage(10 ** 7, 0, 10 ** 7))
    with pytest.raises(BadValue, match=r'need about 0.0 GB, but the disk of .*x.act.h5. has 0.0 GB free; mask or pool'):
        net.compute_activation(many, ['conv', 'relu'], out=tmp_path / 'x.act.h5')
    assert not list(tmp_path.glob('x.act*'))
    net.compute_activation(many, ['fc'], out=tmp_path / 'x.act.h5')


class TestMemory:
    def limited(self, net, most, where):
        """Fails like a device with little memory, in the middle of the network."""
        def hook(module, args, output):
            if len(output) > most:
                raise torch.OutOfMemoryError('CUDA out of memory')
        return net.layer2module(where).register_forward_hook(hook)

    @pytest.mark.parametrize('to_file', [False, True])
    def test_a_batch_that_does_not_fit_is_made_smaller(self, many, net, tmp_path, to_file, caplog):
        """Layers that had answered before the memory ran out are not there twice."""
        expected = net.compute_activation(many, LAYERS, batch_size=8)
        handle = self.limited(net, 10, 'layer3')
        found = net.compute_activation(many, LAYERS, batch_size=32, out=tmp_path / 'x.act.h5' if to_file else None)
        handle.remove()
        assert [r.getMessage() for r in caplog.records if 'do not fit' in r.getMessage()] == [
            '32 stimuli at once do not fit into memory; going on with 16',
            '16 stimuli at once do not fit into memory; going on with 8']
        for layer in LAYERS:
            np.testing.assert_allclose(found.get(layer), expected.get(layer), atol=1e-5)

    def test_one_that_does_not_fit_alone(self, many, net):
        self.limited(net, 0, 'layer3')
        with pytest.raises(torch.OutOfMemoryError):
            net.compute_activation(many, LAYERS)


@pytest.mark.parametrize('virtual', [False, True])
def test_shards_merged_are_one_run(many, net, tmp_path, virtual):
    whole = tmp_path / 'whole.act.h5'
    net.compute_activation(many, LAYERS, batch_size=10, out=whole)
    (tmp_path / 'parts').mkdir()
    parts = [tmp_path / 'parts' / f'{i}.act.h5' for i in (1, 2, 3, 4)]
    for i, part in enumerate(parts, 1):
        net.compute_activation(many, LAYERS, batch_size=10, out=part, shard=(i, 4))
    merged = Activation.merge(parts[::-1], tmp_path / 'merged.act.h5', virtual)
    same(tmp_path / 'merged.act.h5', whole)
    two = net.compute_activation(many[[80, 3]], 'conv').get('conv')
    np.testing.assert_allclose(merged.get('conv')[[80, 3]], two, atol=1e-5)
    if virtual:
        assert (tmp_path / 'merged.act.h5').stat().st_size < 40_000
        parts[2].unlink()
        with pytest.raises(BadPath, match='3.act.h5., which does not exist; put it back'):
            Activation().load(tmp_path / 'merged.act.h5')


def test_wrong_shards(many, net, tmp_path):
    parts = [tmp_path / f'{i}.act.h5' for i in range(3)]
    net.compute_activation(many, 'fc', out=parts[0], shard=(1, 2))
    net.compute_activation(many, 'avgpool', out=parts[1], shard=(2, 2))
    net.compute_activation(many, 'fc', out=parts[2])
    for these, said in ((parts[:1], 'give all the parts'),
                        ([parts[0], parts[0]], 'these are shards 1/2, 1/2; all from'),
                        (parts[:2], 'comes from another extraction .*: layer_paths differs'),
                        ([parts[0], parts[2]], 'is no shard of an extraction')):
        with pytest.raises(BadValue, match=said):
            Activation.merge(these, tmp_path / 'm.act.h5')
    for shard in ((0, 2), (3, 2), (1, 4)):
        with pytest.raises(BadValue, match='is not possible: parts count from 1, and 90 stimuli in batches of 32'):
            net.compute_activation(many, 'fc', shard=shard)


WRITER = '''
import sys, time
from dnnbrain.io.act_resume import ResumableWriter
import numpy as np
with ResumableWriter('x.act.h5', 2, None, {'key': 'a'}, ['a']) as writer:
    for row in range(2):
        writer.write({'a': np.full((1, 2, 2, 2), row, np.float32)})
        writer.batch_done()
        print('written', flush=True)
        sys.stdin.readline()
'''


@pytest.mark.parametrize('resume', [False, True])
def test_two_runs_at_once(tmp_path, monkeypatch, resume):
    """The second would take away the part of the first, whose end would then give its name to an unfinished file."""
    monkeypatch.chdir(tmp_path)
    with subprocess.Popen([sys.executable, '-c', WRITER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as first:
        first.stdout.readline()
        with pytest.raises(BadValue, match='x.act.h5. is being written by another run; wait for its end'), \
                ResumableWriter('x.act.h5', 2, None, {'key': 'a'}, ['a'], resume=resume):
            pass
        first.communicate('\n\n')
    assert [f.name for f in tmp_path.iterdir()] == ['x.act.h5']
    found = Activation()
    found.load('x.act.h5')
    np.testing.assert_array_equal(found.get('a')[:, 0, 0, 0], [0, 1])


@pytest.mark.parametrize('to_file', [False, True])
def test_what_float16_does_not_hold(tiny, stim, tmp_path, to_file):
    with torch.no_grad():
        tiny.model[0].bias.fill_(300)
    out = tmp_path / 'x.act.h5' if to_file else None                        # sums over 10 x 10 are 30,000
    assert np.isfinite(tiny.compute_activation(stim, 'conv', 'L1', dtype='float16', out=out).get('conv')).all()
    with torch.no_grad():
        tiny.model[0].bias.fill_(900)
    with pytest.raises(BadValue, match="layer 'conv' puts out numbers beyond what float16 holds"):
        tiny.compute_activation(stim, 'conv', 'L1', dtype='float16', out=out)
    assert tiny.compute_activation(stim, 'conv', 'L1', dtype='bfloat16', out=out).get('conv').max() > 65504


@pytest.mark.parametrize(('how', 'said'), [
    ({'batch_size': 2.5}, 'batch_size must be a whole number'), ({'batch_size': 0}, 'batch_size must be at least 1'),
    ({'n_worker': -1}, 'n_worker must be at least 0'), ({'n_worker': 'all'}, 'n_worker must be a whole number'),
    ({'on_error': 'ignore'}, 'on_error .ignore. is not known'),
])
def test_wrong_settings(tiny, stim, how, said):
    with pytest.raises((BadValue, TypeError), match=said):
        tiny.compute_activation(stim, 'fc', **how)


@pytest.mark.parametrize('to_file', [False, True])
def test_types(many, net, tmp_path, to_file):
    exact = net.compute_activation(many, ['conv']).get('conv')
    for dtype, eps in (('float16', 2 ** -11), ('bfloat16', 2 ** -8)):
        found = net.compute_activation(many, ['conv'], dtype=dtype, out=tmp_path / 'x.act.h5' if to_file else None)
        values = found.get('conv')
        assert values.dtype == (np.float16 if dtype == 'float16' else np.float32)
        np.testing.assert_allclose(values.astype(np.float32), exact, rtol=eps, atol=1e-6)
        if dtype == 'bfloat16':
            assert not (values.view(np.uint32) & 0xFFFF).any()


def test_files_that_cannot_be_read_are_left_out(many, net, tmp_path):
    many.files()[4].unlink()
    many.files()[7].write_bytes(b'nothing')
    many.files()[9].write_bytes(many.files()[9].read_bytes()[:2000])             # its head is whole
    with pytest.raises(BadValue, match=r'3 of 90 stimuli .*: 004.png \(missing\), 007.png .*, 009.png \(.* cut off'):
        net.compute_activation(many, 'fc')
    found = net.compute_activation(many, 'fc', on_error='skip', out=tmp_path / 'x.act.h5')
    kept = [i for i in range(90) if i not in (4, 7, 9)]
    assert list(found.stim_ids) == [f'{i:03d}.png' for i in kept]
    assert [name for name, _ in found.meta['skipped']] == ['004.png', '007.png', '009.png']
    np.testing.assert_array_equal(found.get('fc'), net.compute_activation(many[kept], 'fc').get('fc'))


class TestCommand:
    @pytest.fixture
    def files(self, many, net, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        net.save('w.pth')
        return ['-net', 'Resnet10', '-weights', 'w.pth', '-stim', 'x.stim.csv', '-layer', 'relu', 'fc', '-batch', '10']

    def test_dry_run(self, files, run, tmp_path):
        code, said, _ = run('dnn_act', *files, '-dry-run', '-out', 'x.act.h5')
        assert code == 0 and not list(tmp_path.glob('x.act*'))
        assert '90 x 64 x 32 x 32' in said and f'{90 * 64 * 32 * 32 * 4:,}' in said and f'{90 * 1000 * 4:,}' in said
        assert 'free on the disk' in said and 'about 0 h 00 min' in said
        assert '50 x 1000 x 1 x 1' in run('dnn_act', *files, '-dry-run', '-shard', '2/2', '-out', 'x.act.h5')[1]

    def test_dry_run_obeys_what_the_run_does(self, files, run, many):
        many.files()[4].unlink()
        assert '89 x 1000' in run('dnn_act', *files, '-dry-run', '-on_error', 'skip', '-out', 'x.act.h5')[1]
        for options, expected in ((['-on_error', 'raise'], '1 of 90 stimuli'), (['-shard', '9/2'], 'is not possible'),
                                  (['-reduce', 'srp:5', '-fit', 'x.stim.csv'], 'leave fit out'),
                                  (['-reduce', 'pca:0'], "reduce 'pca:0' is not understood")):
            code, _, said = run('dnn_act', *files, '-dry-run', '-on_error', 'skip', *options, '-out', 'x.act.h5')
            assert code == 2 and expected in said

    def test_shards_and_merge(self, files, run):
        for i in '123':
            assert run('dnn_act', *files, '-shard', f'{i}/3', '-out', f'{i}.act.h5')[0] == 0
        assert run('dnn_act', '-merge', '1.act.h5', '2.act.h5', '3.act.h5', '-virtual', '-out', 'all.act.h5')[0] == 0
        assert run('dnn_act', *files, '-out', 'one.act.h5')[0] == 0
        same('all.act.h5', 'one.act.h5')

    def test_resume_and_skip(self, files, run, many):
        many.files()[4].unlink()
        code, _, said = run('dnn_act', *files, '-resume', '-on_error', 'skip', '-dtype', 'float16', '-out', 'x.act.h5')
        assert code == 0 and 'left out: 004.png (missing)' in said
        assert run('dnn_act', *files, '-resume', '-on_error', 'skip', '-dtype', 'float16', '-out', 'x.act.h5')[0] == 0
        code, _, said = run('dnn_act', *files, '-resume', '-on_error', 'skip', '-out', 'x.act.h5')
        assert code == 2 and 'holds other content' in said
        assert run('dnn_act', *files, '-resume', '-overwrite', '-on_error', 'skip', '-out', 'x.act.h5')[0] == 0

    @pytest.mark.parametrize(('options', 'said'), [
        (['-shard', '3', '-out', 'x.act.h5'], '-shard must read like 1/4'),
        (['-shard', '²/3', '-out', 'x.act.h5'], '-shard must read like 1/4'),
        (['-merge', 'a.act.h5', 'b.act.h5', '-out', 'x.act.h5'], '-merge joins files that are there'),
        (['-virtual', '-out', 'x.act.h5'], '-virtual goes with -merge'),
        (['-overwrite', '-out', 'x.act.h5'], '-overwrite with -resume'),
    ])
    def test_wrong_options(self, files, run, options, said):
        code, _, error = run('dnn_act', *files, *options)
        assert code == 2 and said in error

    def test_what_must_be_given(self, run):
        code, _, error = run('dnn_act', '-layer', 'conv1', '-out', 'x.act.h5')
        assert code == 2 and 'give a network' in error


def test_the_meta_says_how(many, net, tmp_path):
    found = net.compute_activation(many, 'fc', dtype='float16', tokens='mean', out=tmp_path / 'x.act.h5')
    assert json.dumps(found.meta['dmask']) and found.meta['dtype'] == 'float16' and found.meta['tokens'] == 'mean'
    assert len(found.meta['key']) == 64 and found.meta['skipped'] == []


class TestWrittenBehind:
    """What a GPU gets: a thread writes while the network goes on."""

    @pytest.fixture(autouse=True)
    def behind(self, monkeypatch):
        from dnnbrain.networks import extract
        from dnnbrain.networks.sinks import ToFileBehind
        self.whole = extract.ToFile
        monkeypatch.setattr(extract, 'ToFile', ToFileBehind)

    def test_the_same_file(self, many, net, tmp_path, monkeypatch):
        net.compute_activation(many, LAYERS, batch_size=10, out=tmp_path / 'behind.act.h5')
        monkeypatch.setattr('dnnbrain.networks.extract.ToFile', self.whole)
        net.compute_activation(many, LAYERS, batch_size=10, out=tmp_path / 'whole.act.h5')
        same(tmp_path / 'behind.act.h5', tmp_path / 'whole.act.h5')

    def test_memory_that_runs_short(self, many, net, tmp_path):
        handle = TestMemory().limited(net, 10, 'layer3')
        found = net.compute_activation(many, LAYERS, batch_size=32, out=tmp_path / 'x.act.h5')
        handle.remove()
        np.testing.assert_allclose(found.get('conv'), net.compute_activation(many, 'conv').get('conv'), atol=1e-5)

    @pytest.mark.parametrize('moment', [1, 6])
    def test_a_full_disk_is_said(self, many, net, tmp_path, monkeypatch, moment):
        count, usual = [0], ResumableWriter.write

        def full(self, block):
            count[0] += 1
            if count[0] >= moment:
                raise OSError(28, 'No space left on device')
            usual(self, block)
        monkeypatch.setattr(ResumableWriter, 'write', full)
        with pytest.raises(OSError, match='is full; make room, then resume'):
            net.compute_activation(many, LAYERS, batch_size=10, out=tmp_path / 'x.act.h5')
        assert not (tmp_path / 'x.act.h5').exists()
        monkeypatch.setattr(ResumableWriter, 'write', usual)
        net.compute_activation(many, LAYERS, batch_size=10, out=tmp_path / 'x.act.h5', resume=True)
        assert not list(tmp_path.glob('*.part*'))
