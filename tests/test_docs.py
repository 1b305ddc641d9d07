"""The examples of README and docs run as they stand, in the order of their page."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from dnnbrain.brain.io import load_brainimg

ROOT = Path(__file__).parents[1]
PAGES = ['README.md', *(f'docs/{page.name}' for page in sorted((ROOT / 'docs').glob('*.md')))]


def blocks(page, language):
    return re.findall(rf'^```{language}\n(.*?)^```', (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def laboratory(tmp_path, published, rng, monkeypatch):
    """The files that the examples speak of: pictures, a scanner's table, responses, a mask, activations."""
    from dnnbrain.dnn.core import Stimulus
    from dnnbrain.dnn.models import AlexNet
    for name in ('cat', 'dog'):
        (tmp_path / 'my_pictures' / name).mkdir(parents=True)
        for i in range(12):
            pixels = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / 'my_pictures' / name / f'{i}.png')
    monkeypatch.chdir(tmp_path)
    stim = Stimulus.from_folder('my_pictures')
    stim.save('scanner.stim.csv')
    AlexNet().compute_activation(stim, ['conv5', 'fc2'], out='shown.act.h5')
    affine = np.diag([3, 3, 3, 1])
    nib.save(nib.Nifti1Image(rng.standard_normal((4, 4, 3, 24)).astype(np.float32), affine), 'bold.nii.gz')
    nib.save(nib.Nifti1Image(np.ones((4, 4, 3), np.uint8), affine), 'mask.nii.gz')
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize('page', [page for page in PAGES if blocks(page, 'python')])
def test_python_examples(page, laboratory):
    scope = {}
    for block in blocks(page, 'python'):
        exec(compile(block, page, 'exec'), scope)
    if page == 'docs/encoding.md':
        assert load_brainimg('conv5.nii.gz')[0].shape == (1, 4, 4, 3)


@pytest.mark.parametrize('page', PAGES)
def test_links_lead_somewhere(page):
    for target in re.findall(r'\]\(([^)#]+)\)', (ROOT / page).read_text()):
        assert target.startswith('https://') or ((ROOT / page).parent / target).exists(), target


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
