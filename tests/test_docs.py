"""The examples of README and docs run as they stand, in the order of their page."""

import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from dnnbrain.brain.io import load_brainimg

ROOT = Path(__file__).parents[1]
MADE = {'_build', 'generated', 'auto_examples'}             # by Sphinx
PAGES = ['README.md', 'CONTRIBUTING.md', *(str(page.relative_to(ROOT)) for page in sorted((ROOT / 'docs').rglob('*.md'))
                                           if not set(page.parts) & MADE)]
SETUP = ConfigParser()
SETUP.read(ROOT / 'setup.cfg')
COMMANDS = {line.split(' = ')[0] for line in SETUP['options.entry_points']['console_scripts'].split('\n') if line}
SHELL = {'sh', 'bash', 'console', ''}
NOT_RUN = {'matlab'}                                        # languages of other tools
AFFINE = np.diag([3, 3, 3, 1])
PUBLIC = [f'dnnbrain.{path}' for path in
          ('dnn.core', 'dnn.models', 'dnn.base', 'dnn.algo', 'brain.core', 'brain.io', 'brain.algo', 'brain.rsa',
           'io.fileio', 'utils.util', 'utils.plot', 'utils.vggish_input', 'utils.mel_features', 'datasets', 'viz')]


def fences(page):
    """(language, text) of each block of a page."""
    return re.findall(r'^ *`{3,}([^\n`]*)\n(.*?)^ *`{3,} *$', (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


def blocks(page, language):
    return [text for found, text in fences(page) if found == language]


def command_lines(page):
    """Words of each call of a command of dnnbrain in the shell blocks of a page."""
    text = '\n'.join(text for language, text in fences(page) if language in SHELL)
    for line in text.replace('\\\n', ' ').splitlines():
        words = shlex.split(line, comments=True) if re.match(r'\$? *\w+ ', line) and "'" not in line else []
        first = next((i for i, word in enumerate(words) if word in COMMANDS), None)
        if first is not None and len(words) > first + 1 and set(words[:first]) <= {'$'} | set(words[:first - 1 or 1]):
            yield words[first:]


def inline_calls(page):
    """Words of the calls in running text, such as `dnn_act -net AlexNet ...`."""
    text = re.sub(r'^ *`{3,}.*?^ *`{3,}', '', (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    for span in re.findall(r'(?<!`)`([^`]+)`', text):
        words = span.replace('\n', ' ').replace('\\|', '|').split()
        if len(words) > 1 and words[0] in COMMANDS:
            yield words


def click_command(name):
    return importlib.import_module(f'dnnbrain.cli.{name}').main


@pytest.fixture(scope='session')
def laboratory_files(tmp_path_factory, models):
    """The files that the examples speak of: pictures, a scanner's table, responses, a mask, activations."""
    from dnnbrain.dnn.core import Stimulus
    from dnnbrain.dnn.models import AlexNet
    folder, rng = tmp_path_factory.mktemp('laboratory'), np.random.default_rng(0)
    for name in ('cat', 'dog'):
        (folder / 'my_pictures' / name).mkdir(parents=True)
        for i in range(12):
            pixels = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / 'my_pictures' / name / f'{i}.png')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv('DNNBRAIN_DATA', str(models))
        stim = Stimulus.from_folder('my_pictures')
        stim.save('scanner.stim.csv')
        stim.save('pictures.stim.csv')
        AlexNet().compute_activation(stim, ['conv5', 'fc2'], out='shown.act.h5')
    nib.save(nib.Nifti1Image(rng.standard_normal((4, 4, 3, 24)).astype(np.float32), AFFINE), folder / 'bold.nii.gz')
    nib.save(nib.Nifti1Image(np.ones((4, 4, 3), np.uint8), AFFINE), folder / 'mask.nii.gz')
    return folder


@pytest.fixture
def laboratory(tmp_path, laboratory_files, models, monkeypatch):
    """A copy of these files as the working folder, and weights that AlexNet() finds."""
    shutil.copytree(laboratory_files, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('DNNBRAIN_DATA', str(models))
    return tmp_path


def write_film_and_sounds():
    """What stimuli.md speaks of: a film of 20 frames, and two sounds."""
    import av
    import soundfile
    with av.open('film.mp4', 'w') as film:
        stream = film.add_stream('mpeg4', rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 10 * number, np.uint8), format='rgb24')
            film.mux(stream.encode(frame))
        film.mux(stream.encode())
    Path('my_sounds').mkdir()
    for name in ('bell', 'rain'):
        soundfile.write(f'my_sounds/{name}.wav', np.zeros(16000), 16000)


@pytest.mark.slow
@pytest.mark.parametrize('page', [page for page in PAGES if blocks(page, 'python')])
def test_python_examples(page, laboratory):
    if page == 'docs/stimuli.md':
        write_film_and_sounds()
    scope = {}
    for block in blocks(page, 'python'):
        exec(compile(block, page, 'exec'), scope)
    if page == 'docs/encoding.md':
        assert load_brainimg('conv5.nii.gz')[0].shape == (1, 4, 4, 3)
    if page == 'docs/stimuli.md':
        assert scope['frames'].tolist() == [1, 6, 11, 16] and scope['onsets'][0] == 6
        assert scope['onsets'][-1] + scope['durations'][-1] == pytest.approx(8)         # 20 frames, 10 a second


@pytest.mark.parametrize('page', PAGES)
def test_no_block_is_written_so_that_it_is_not_run(page):
    known = {'python'} | SHELL | NOT_RUN
    assert {language for language, _ in fences(page) if not language.startswith('{')} <= known
    assert not re.findall(r'\{code-block\}|\{code-cell\}|\{code\}', (ROOT / page).read_text())


@pytest.mark.parametrize('page', [page for page in PAGES if [*command_lines(page), *inline_calls(page)]])
def test_command_lines_are_understood(page):
    """Names, required options, choices and numbers; nothing is run."""
    for name, *args in command_lines(page):
        click_command(name).make_context(name, args)
    for name, *args in inline_calls(page):
        command = click_command(name)
        options = {spelling for param in command.params for spelling in (*param.opts, *param.secondary_opts)}
        for arg in args:
            if re.match(r'--?[A-Za-z]', arg):
                assert arg.split('=')[0].rstrip('.,') in options | {'-h', '-help', '--help'}, f'{name} {arg}'


@pytest.mark.parametrize('page', PAGES)
def test_scripts_that_are_called_exist(page):
    text = '\n'.join(text for language, text in fences(page) if language in SHELL)
    for script in re.findall(r'python ((?:examples|benchmarks)/\S+\.py)', text):
        assert (ROOT / script).exists(), script


def files_of_extraction():
    from dnnbrain.dnn.core import Activation, Stimulus
    rng = np.random.default_rng(0)
    activation = Activation('conv5', rng.standard_normal((12, 8, 3, 3)).astype(np.float32))
    activation.stim_ids = np.array([f'{i}.png' for i in range(12)])
    activation.save('x.act.h5')
    Stimulus({'type': 'image', 'path': '.'}, {'stimID': [f'{i}.png' for i in range(12)], 'onset': np.arange(12) * 20.0,
                                              'duration': np.ones(12)}).save('run1.stim.csv')


def files_of_rsa():
    files_of_extraction()
    Path('x.act.h5').rename('alexnet.act.h5')
    from dnnbrain.dnn.core import Stimulus
    stim = Stimulus({'type': 'image', 'path': '.'}, {'stimID': [f'{i}.png' for i in range(12)],
                                                     'condition': ['cat', 'dog'] * 6})
    rng = np.random.default_rng(0)
    for name in ('pictures', 'sub1', 'sub2', 'sub3'):
        stim.save(f'{name}.stim.csv')
        nib.save(nib.Nifti1Image(rng.standard_normal((4, 4, 3, 12)).astype(np.float32), AFFINE), f'{name}.nii.gz')
    areas = np.ones((4, 4, 3), np.uint8)
    areas[2:] = 2
    nib.save(nib.Nifti1Image(areas, AFFINE), 'areas.nii.gz')


@pytest.mark.parametrize('page, prepare, made', [
    ('docs/extraction.md', files_of_extraction, ['part.act.h5', 'pooled.act.h5', 'features.act.h5', 'run1.act.h5']),
    ('docs/rsa.md', files_of_rsa, ['alexnet.rdm.h5', 'sub3.rdm.h5', 'rsa/rsa.csv', 'rsa/profile.png']),
])
def test_command_lines_run(page, prepare, made, tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    prepare()
    for name, *args in command_lines(page):
        each = [args] if name != 'brain_rsa' else [[arg.replace('sub1', f'sub{i}') for arg in args] for i in (1, 2, 3)]
        for given in each:
            code, _, error = run(name, *given)
            assert code == 0, f'{name}: {error}'
    assert [Path(name).exists() for name in made] == [True] * len(made)


@pytest.mark.slow
def test_commands_from_pictures_to_a_map(laboratory, run):
    for name, *args in command_lines('docs/commands.md'):
        code, _, error = run(name, *args)
        assert code == 0, f'{name}: {error}'
    assert load_brainimg('encoding/conv5/score.nii.gz')[0].shape == (1, 4, 4, 3)


def test_every_command_is_on_the_page_of_commands():
    listed = re.findall(r'\{doc\}`(\w+) <commands/generated/\1>`', (ROOT / 'docs/commands.md').read_text())
    assert sorted(listed) == sorted(COMMANDS)


def test_every_public_name_is_in_the_api_reference():
    text = '\n'.join((ROOT / page).read_text() for page in PAGES if '/api/' in page)
    names = re.findall(r'^   (dnnbrain\.\S+)$', text, re.MULTILINE)
    assert len(names) == len(set(names))
    documented = {id(getattr(importlib.import_module(path), name)) for path, name in (n.rsplit('.', 1) for n in names)}
    for path in PUBLIC:
        module = importlib.import_module(path)
        own = [name for name, thing in vars(module).items()
               if getattr(thing, '__module__', None) == path and not name.startswith('_')]
        things = {name: getattr(module, name) for name in getattr(module, '__all__', own) if name != 'DNNBRAIN_MODEL'}
        missing = [name for name, thing in things.items() if not {id(thing), id(type(thing))} & documented]
        assert not missing, f'{path}: list {missing} on a page in docs/api'


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_shell_example_of_the_readme(tmp_path):
    """The five steps as commands: transfer works and the map recovers the truth."""
    script, = blocks('README.md', 'bash')
    path = os.pathsep.join([str(Path(sys.executable).parent), str(ROOT / 'bin'), os.environ['PATH']])
    done = subprocess.run(['bash', '-e', '-c', script], cwd=tmp_path, capture_output=True, text=True,
                          env=os.environ | {'PATH': path})
    assert done.returncode == 0, done.stderr
    accuracy = [float(score) for score in re.findall(r'^validation score (\S+)$', done.stdout, re.MULTILINE)]
    assert len(accuracy) == 2 and min(accuracy) > 0.9
    found, truth = (load_brainimg(tmp_path / name, ismask=True)[0]
                    for name in ('encoding/preferred_layer.nii.gz', 'subject/truth.nii.gz'))
    inside = np.isfinite(truth)
    assert np.corrcoef(found[inside], truth[inside])[0, 1] > 0.8
    with Image.open(tmp_path / 'encoding' / 'layers.png') as picture:
        assert picture.width > 1000
