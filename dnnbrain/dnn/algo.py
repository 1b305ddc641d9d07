"""Public path of DNNBrain 1.0: what a unit likes."""

from dnnbrain.interpret.algorithm import Algorithm
from dnnbrain.interpret.empirical_rf import EmpiricalReceptiveField
from dnnbrain.interpret.gradcam import GradCAMImage
from dnnbrain.interpret.integrated import IntegratedGradientsImage
from dnnbrain.interpret.masked_image import MaskedImage
from dnnbrain.interpret.minimal_component import MinimalComponentImage
from dnnbrain.interpret.minimal_image import MinimalParcelImage
from dnnbrain.interpret.occlusion import OccluderDiscrepancyMapping
from dnnbrain.interpret.saliency import GuidedSaliencyImage, SaliencyImage, VanillaSaliencyImage
from dnnbrain.interpret.synthesis import SynthesisImage
from dnnbrain.interpret.theoretical_rf import TheoreticalReceptiveField
from dnnbrain.interpret.upsampling import UpsamplingActivationMapping

__all__ = [
    'Algorithm',
    'EmpiricalReceptiveField',
    'GradCAMImage',
    'GuidedSaliencyImage',
    'IntegratedGradientsImage',
    'MaskedImage',
    'MinimalComponentImage',
    'MinimalParcelImage',
    'OccluderDiscrepancyMapping',
    'SaliencyImage',
    'SynthesisImage',
    'TheoreticalReceptiveField',
    'UpsamplingActivationMapping',
    'VanillaSaliencyImage',
]
