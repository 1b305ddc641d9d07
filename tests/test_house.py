"""The house: public names, floors, light imports, launchers."""

import importlib
import logging
import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SETUP = ConfigParser()
SETUP.read(ROOT / 'setup.cfg')
COMMANDS = dict(line.split(' = ') for line in SETUP['options.entry_points']['console_scripts'].split('\n') if line)

# Every name of DNNBrain 1.0 at its path; rows grow as later stages are built.
PUBLIC = {
    'dnnbrain.dnn.core': 'Stimulus Activation Mask DnnProbe RDM',
    'dnnbrain.dnn.models': '''DNN AlexNet Vgg11 Vgg13 Vgg16 Vgg19 Vgg11_bn Vgg13_bn Vgg16_bn Vgg19_bn VGG11 VGG13 VGG16
                              VGG19 VGG11_bn VGG13_bn VGG16_bn VGG19_bn Resnet10 Resnet18 Resnet34 Resnet50 Resnet101
                              Resnet152 ResNet10 ResNet18 ResNet34 ResNet50 ResNet101 ResNet152 Googlenet
                              InceptionV3 VggFace VggFaceModel R3D VGGish VGGishModel DNNBRAIN_MODEL''',
    'dnnbrain.dnn.base': '''DNNBRAIN_MODEL ImageProcessor ImageSet MultivariateMapping UnivariateMapping VideoClipSet
                            VideoSet array_statistic
                            correlation_score correlation_scorer cross_val_confusion cross_val_scores dnn_fe dnn_mask
                            gen_estimator_from_name ip normalize''',
    'dnnbrain.dnn.algo': '''
        Algorithm
        SynthesisImage
        MinimalComponentImage MinimalParcelImage TheoreticalReceptiveField
        EmpiricalReceptiveField MaskedImage OccluderDiscrepancyMapping UpsamplingActivationMapping
        GradCAMImage GuidedSaliencyImage IntegratedGradientsImage SaliencyImage VanillaSaliencyImage
    ''',
    'dnnbrain.brain.core': 'BrainDecoder BrainEncoder ROI',
    'dnnbrain.brain.algo': 'convolve_hrf',
    'dnnbrain.brain.io': '''extract_brain_activation inside load_brainimg load_mask masked resample_mask same_space
                           save_brainimg unmasked warn_bad_voxels''',
    'dnnbrain.brain.rsa': 'RSA',
    'dnnbrain.io.fileio': 'StimulusFile ActivationFile MaskFile RoiFile RdmFile',
    'dnnbrain.utils.plot': 'imgarray_show',
    'dnnbrain.utils.util': '''ceiling_RSA clustering gen_dmask get_frame_time_info normalize permutation_RSA
                              topk_accuracy''',
    'dnnbrain.utils.vggish_input': 'waveform_to_examples wavfile_to_examples',
    'dnnbrain.utils.mel_features': '''frame hertz_to_mel log_mel_spectrogram periodic_hann spectrogram_to_mel_matrix
                                      stft_magnitude''',
    'dnnbrain.datasets': 'data_home digits fetch_92images simulate_subject',
    'dnnbrain.viz': '''imgarray_show plot_feature_maps plot_history plot_kernels plot_layer_maps plot_layer_profile
                       plot_mds plot_rdms plot_saliency plot_top_stimuli show_predictions''',
}


@pytest.mark.parametrize('path', PUBLIC)
def test_public_names(path):
    module = importlib.import_module(path)
    names = PUBLIC[path].split()
    if hasattr(module, '__all__'):
        assert sorted(module.__all__) == sorted(names)
    for name in names:
        assert callable(getattr(module, name)) or name in ('ip', 'DNNBRAIN_MODEL')
        assert getattr(module, name).__doc__


def test_commands_and_launchers_agree():
    assert set(COMMANDS) == {'dnn_optstim', 'dnn_rotation', 'dnn_topstim', 'dnn_view',
                             'brain_roi', 'dnn_train', 'dnn_finetune', 'dnn_act', 'dnn_ablation', 'dnn_export',
                             'dnn_mask', 'dnn_pool', 'dnn_fe', 'dnn_rsa', 'brain_rsa', 'db_hrf', 'db_encode',
                             'db_decode', 'db_corr', 'db_topo', 'dnn_probe', 'db_info', 'db_report', 'db_rsa',
                             'dnn_minstim', 'dnn_rf_sw', 'dnn_rf_us',
                             'dnn_saliency'}
    assert {f.name for f in (ROOT / 'bin').iterdir()} == set(COMMANDS)
    for name, target in COMMANDS.items():
        assert target == f'dnnbrain.cli.{name}:main'
        launcher = (ROOT / 'bin' / name).read_text()
        assert f'from dnnbrain.cli.{name} import main' in launcher and len(launcher.splitlines()) <= 4
        assert (ROOT / 'bin' / name).stat().st_mode & 0o111


@pytest.mark.parametrize('name', COMMANDS)
def test_launchers_run_without_installing(name, tmp_path):
    done = subprocess.run([sys.executable, ROOT / 'bin' / name, '--help'], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith(f'Usage: {name}') and 'Example:' in done.stdout


def loaded_by(statement):
    code = f'import sys; {statement}; print(*sys.modules)'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


@pytest.mark.parametrize('statement', [
    'import dnnbrain', 'from dnnbrain.dnn.core import *', 'import dnnbrain.io.fileio', 'import dnnbrain.brain.core',
    'import dnnbrain.brain.io', 'import dnnbrain.mapping.multivariate', 'import dnnbrain.utils.util',
    'import dnnbrain.networks.registry',
])
def test_light_parts_load_no_heavy_library(statement):
    assert not loaded_by(statement) & {'torch', 'torchvision', 'PIL', 'matplotlib', 'nilearn'}


def test_networks_load_no_signal_processing():
    """It takes a second, and sounds at another rate than VGGish's alone need it."""
    assert not loaded_by('import dnnbrain.dnn.models') & {'scipy.signal', 'sklearn', 'matplotlib', 'skimage'}


@pytest.mark.parametrize('name', COMMANDS)
def test_help_needs_click_only(name):
    """So that it answers at once."""
    heavy = {'torch', 'numpy', 'pandas', 'scipy', 'h5py', 'nibabel', 'sklearn', 'PIL'}
    assert not loaded_by(f'import dnnbrain.cli.{name}') & (heavy - {'numpy'})


def test_environment_is_read_when_used():
    assert 'DNNBRAIN_DATA' in (ROOT / 'dnnbrain' / 'io' / 'download.py').read_text()
    code = "import os; os.environ.pop('DNNBRAIN_DATA', None); import dnnbrain.dnn.models, dnnbrain.dnn.base"
    subprocess.run([sys.executable, '-c', code], check=True, cwd=ROOT)


def test_floors():
    """Contracts in setup.cfg: each floor imports only downwards."""
    from importlinter.cli import lint_imports
    silenced = [logging.getLogger(name) for name in logging.Logger.manager.loggerDict]
    assert lint_imports(config_filename=str(ROOT / 'setup.cfg'), no_cache=True) == 0
    for logger in silenced:             # or tests that follow would not see what is logged
        logger.disabled = False


def test_readme_keeps_two_commands():
    text = (ROOT / 'README.md').read_text()
    assert re.findall(r'^pip install .*$', text, re.MULTILINE) == \
        ['pip install . && python examples/quickstart.py', "pip install '.[test]' && pytest"]
