"""The calls of DNNBrain 1.0: every name at its path takes its arguments by place and by name, with 1.0's defaults.

What the calls return is tested where they are made.
"""

import ast
import importlib
import inspect
import re

import pytest

CALLS = {
    'dnnbrain.dnn.core': '''
        Stimulus(header=None, data=None)
        Stimulus.load(fname)
        Stimulus.save(fname)
        Stimulus.get(item)
        Stimulus.set(item, value)
        Stimulus.delete(item)
        Stimulus.permutate(item)
        Mask(layer=None, channels='all', rows='all', columns='all')
        Mask.load(fname)
        Mask.save(fname)
        Mask.get(layer)
        Mask.set(layer, channels, rows, columns)
        Mask.copy()
        Mask.delete(layer)
        Mask.clear()
        Activation(layer=None, value=None)
        Activation.load(fname, dmask=None)
        Activation.save(fname)
        Activation.get(layer)
        Activation.set(layer, value)
        Activation.delete(layer)
        Activation.concatenate(activations)
        Activation.mask(dmask)
        Activation.pool(method)
        Activation.fe(method, n_feat, axis=None)
        Activation.convolve_hrf(onsets, durations, n_vol, tr, ops=100)
        RDM()
        RDM.load(fname)
        RDM.save(fname)
        RDM.get(key, triu=False)
        RDM.set(key, rdm_arr, triu=False)
        DnnProbe(dnn_activ=None, map_type=None, estimator=None, cv=5, scoring=None)
        DnnProbe.set_activ(dnn_activ)
        DnnProbe.set_mapper(map_type, estimator, cv, scoring)
        DnnProbe.probe(beh_data, iter_axis=None)
    ''',
    'dnnbrain.dnn.base': '''
        array_statistic(arr, method, axis=None, keepdims=False)
        normalize(array)
        dnn_mask(acts, channels='all', rows='all', columns='all')
        dnn_fe(acts, method, n_feat, axis=None)
        correlation_score(y_true, y_pred, multioutput='uniform_average')
        correlation_scorer(regressor, X, y)
        gen_estimator_from_name(name)
        cross_val_confusion(classifier, X, y, cv)
        cross_val_scores(regressor, X, Y, scoring, cv, multi_trg_flag=True)
        UnivariateMapping(estimator=None, cv=5, scoring=None)
        UnivariateMapping.set_estimator(estimator)
        UnivariateMapping.set_cv(cv)
        UnivariateMapping.set_scoring(scoring)
        UnivariateMapping.map(X, Y)
        MultivariateMapping(estimator=None, cv=5, scoring=None)
        MultivariateMapping.set_estimator(estimator)
        MultivariateMapping.set_cv(cv)
        MultivariateMapping.set_scoring(scoring)
        MultivariateMapping.map(X, Y)
        ImageProcessor()
        ip.to_array(image)
        ip.to_tensor(image)
        ip.to_pil(image, normalization=False)
        ip.resize(image, size, interpolation='nearest')
        ip.crop(image, box)
        ip.translate(image, bkg, startpoint, endpoint, stride)
        ip.norm(image, ord)
        ip.total_variation(image)
        ImageSet(img_dir, img_ids, labels=None, transform=None)
        VideoSet(vid_file, frame_nums, labels=None, transform=None)
        VideoClipSet(clip_files, transform=None)
    ''',
    'dnnbrain.dnn.models': '''
        DNN()
        DNN.layer2module(layer)
        DNN.save(fname)
        DNN.eval()
        DNN.compute_activation(stimuli, dmask, pool_method=None, cuda=False)
        DNN.get_kernel(layer, kernels=None)
        DNN.ablate(layer, channels=None)
        DNN.train(data, n_epoch, task, optimizer=None, method='tradition', target=None, data_train=False,
                  data_validation=None)
        DNN.test(data, task, target=None, cuda=False)
        DNN.__call__(inputs)
        AlexNet(pretrained=True)
        VggFace(pretrained=True)
        Vgg11(pretrained=True)
        Vgg19_bn(pretrained=True)
        Googlenet(pretrained=True)
        Resnet152(pretrained=True)
        InceptionV3(pretrained=True)
        R3D(pretrained=True)
        R3D.layer2module(layer)
        R3D.compute_activation(stimuli, dmask)
        VGGish(pretrained=True, preprocess=True, postprocess=True)
        VGGish.compute_activation(stimuli, dmask)
        VGGish.__call__(x, fs=None)
        VggFaceModel()
        VGGishModel()
    ''',
    'dnnbrain.brain.core': '''
        ROI(rois=None, value=None)
        ROI.load(fname, rois=None)
        ROI.save(fname)
        ROI.get(rois)
        ROI.set(rois, value, index=None)
        ROI.delete(rois)
        BrainEncoder(brain_activ, map_type, estimator, cv=5, scoring=None)
        BrainEncoder.set_activ(brain_activ)
        BrainEncoder.set_mapper(map_type, estimator, cv, scoring)
        BrainEncoder.encode_dnn(dnn_activ, iter_axis=None)
        BrainEncoder.encode_behavior(beh)
        BrainDecoder(brain_activ, map_type, estimator, cv=5, scoring=None)
        BrainDecoder.set_activ(brain_activ)
        BrainDecoder.set_mapper(map_type, estimator, cv, scoring)
        BrainDecoder.decode_dnn(dnn_activ)
        BrainDecoder.decode_behavior(beh)
    ''',
    'dnnbrain.brain.io': '''
        load_brainimg(path, ismask=False)
        save_brainimg(path, data, header)
        extract_brain_activation(brainimg, mask, roilabels, method='mean')
    ''',
    'dnnbrain.brain.algo': 'convolve_hrf(X, onsets, durations, n_vol, tr, ops=100)',
    'dnnbrain.brain.rsa': '''
        RSA(rdm1, rdm2, input_type, n_jobs, n_iter, alpha=0.05)
        RSA.rsa(corr_method, sig_method)
    ''',
    'dnnbrain.io.fileio': '''
        StimulusFile(fname)
        StimulusFile.read()
        StimulusFile.write(type, path, data)
        ActivationFile(fname)
        ActivationFile.read(dmask=None)
        ActivationFile.write(activation)
        MaskFile(fname)
        MaskFile.read()
        MaskFile.write(dmask)
        RoiFile(fname)
        RoiFile.read(rois=None)
        RoiFile.write(rois, data)
        RdmFile(fname)
        RdmFile.read()
        RdmFile.write(rdm_type, rdm_dict)
    ''',
    'dnnbrain.utils.util': '''
        get_frame_time_info(vid_file, original_onset, interval=1, before_vid=0, after_vid=0)
        gen_dmask(layers=None, channels='all', dmask_file=None)
        normalize(array)
        topk_accuracy(pred, true, k)
        clustering(data, n_clusters, method)
        permutation_RSA(rdm1, rdm2, corr_type, n_iter)
        ceiling_RSA(rdms, corr_type)
    ''',
    'dnnbrain.utils.vggish_input': '''
        waveform_to_examples(data, sample_rate, return_tensor=True)
        wavfile_to_examples(wav_file, return_tensor=True)
    ''',
    'dnnbrain.utils.mel_features': '''
        frame(data, window_length, hop_length)
        periodic_hann(window_length)
        stft_magnitude(signal, fft_length, hop_length, window_length)
        hertz_to_mel(frequencies_hertz)
        spectrogram_to_mel_matrix(num_mel_bins, num_spectrogram_bins, audio_sample_rate, lower_edge_hertz,
                                  upper_edge_hertz)
        log_mel_spectrogram(data, audio_sample_rate, log_offset, window_length_secs, hop_length_secs)
    ''',
}
# Attributes and properties: of classes, or of a new instance where they are set when it is made.
ATTRIBUTES = {
    'dnnbrain.dnn.core': {'Stimulus': 'header items __len__ __getitem__', 'Mask': 'layers',
                          'Activation': 'layers __add__ __sub__ __mul__ __truediv__ __getitem__',
                          'RDM': 'rdm_type keys n_item'},
    'dnnbrain.dnn.base': {'UnivariateMapping': 'estimator_type', 'MultivariateMapping': 'estimator_type'},
    'dnnbrain.dnn.models': {'DNN': 'model layer2loc img_size train_transform test_transform layers layer2module'},
    'dnnbrain.brain.core': {'ROI': 'rois data __getitem__ __add__ __sub__ __mul__ __truediv__'},
    'dnnbrain.brain.rsa': {'RSA': 'rsa corr_rdm corr_rdms corr_rdm_rdms corr_bootstrap corr_permutation'},
}
CONSTANTS = '''NUM_FRAMES NUM_BANDS EMBEDDING_SIZE SAMPLE_RATE STFT_WINDOW_LENGTH_SECONDS STFT_HOP_LENGTH_SECONDS
               NUM_MEL_BINS MEL_MIN_HZ MEL_MAX_HZ LOG_OFFSET EXAMPLE_WINDOW_SECONDS EXAMPLE_HOP_SECONDS
               PCA_EIGEN_VECTORS_NAME
               PCA_MEANS_NAME QUANTIZE_MIN_VAL QUANTIZE_MAX_VAL'''


def of_path(path):
    """Names, parameters and defaults of each call of a path."""
    for name, parameters in re.findall(r'([\w.]+)\((.*?)\)', CALLS[path], re.DOTALL):
        arguments = ast.parse(f'def call({parameters}): ...').body[0].args
        yield name, [a.arg for a in arguments.args], [ast.literal_eval(d) for d in arguments.defaults]


def found(path, name):
    """What a dotted name means, and whether a first argument (self) is still to come."""
    thing, owner = importlib.import_module(path), None
    for part in name.split('.'):
        thing, owner = getattr(thing, part), thing
    return thing, inspect.isclass(owner) and inspect.isfunction(thing)


@pytest.mark.parametrize('path, name, parameters, defaults', [
    pytest.param(path, *call, id=f'{path}.{call[0]}') for path in CALLS for call in of_path(path)])
def test_calls(path, name, parameters, defaults):
    thing, unbound = found(path, name)
    signature = inspect.signature(thing)
    own = ['itself'] if unbound else []
    values = [f'value of {parameter}' for parameter in parameters]
    by_place = signature.bind(*own, *values).arguments
    assert list(by_place)[len(own):] == parameters              # each at its place, under its name
    by_name = signature.bind(*own, **dict(zip(parameters, values, strict=True))).arguments
    assert by_name == by_place
    optional = parameters[len(parameters) - len(defaults):]
    signature.bind(*own, *values[:len(parameters) - len(defaults)])         # no new argument that is required
    assert [signature.parameters[parameter].default for parameter in optional] == defaults


@pytest.mark.parametrize('path, name', [(path, name) for path in ATTRIBUTES for name in ATTRIBUTES[path]])
def test_attributes(path, name):
    thing = getattr(importlib.import_module(path), name)
    new = thing(*(['glm'] if name.endswith('Mapping') else [])) if name != 'RSA' else thing
    for attribute in ATTRIBUTES[path][name].split():
        assert hasattr(thing, attribute) or hasattr(new, attribute), attribute


@pytest.mark.parametrize('name, argument, file', [('R3D', 'clip_files', 'none.mp4'), ('VGGish', 'wavfile', 'none.wav')])
def test_files_by_the_names_of_their_time(name, argument, file):
    """What `compute_activation` calls stimuli and dmask."""
    from dnnbrain._checks import BadType, BadValue
    dnn = getattr(importlib.import_module('dnnbrain.dnn.models'), name)._empty()
    with pytest.raises(BadValue, match=rf'{file} \(missing\)'):
        dnn.compute_activation(**{argument: [file], 'layers': [dnn.layers[0]]})
    with pytest.raises(BadType, match=f'{argument} and stimuli are the same argument; give one'):
        dnn.compute_activation(**{argument: [file], 'stimuli': [file], 'layers': [dnn.layers[0]]})


def test_constants_of_vggish():
    constants = importlib.import_module('dnnbrain.utils.vggish_params')
    assert sorted(CONSTANTS.split()) == sorted(constants.__all__)
    assert constants.SAMPLE_RATE == 16000 and constants.NUM_FRAMES == 96 and constants.NUM_MEL_BINS == 64


def test_folder_of_weights_is_read_when_used(monkeypatch, tmp_path):
    monkeypatch.setenv('DNNBRAIN_DATA', str(tmp_path))
    for path in ('dnnbrain.dnn.models', 'dnnbrain.dnn.base'):
        assert importlib.import_module(path).DNNBRAIN_MODEL == str(tmp_path / 'models')
    monkeypatch.delenv('DNNBRAIN_DATA')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    for path in ('dnnbrain.dnn.models', 'dnnbrain.dnn.base'):
        module = importlib.import_module(path)
        assert module.DNNBRAIN_MODEL == str(tmp_path / 'dnnbrain' / 'models')
        with pytest.raises(AttributeError, match=f"module '{path}' has no attribute 'DNNBRAIN_MODELS'"):
            module.DNNBRAIN_MODELS  # noqa: B018
