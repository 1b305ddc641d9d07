"""Public path of DNNBrain 1.0: what a unit likes."""

from dnnbrain.interpret.algorithm import Algorithm
from dnnbrain.interpret.fields.empirical_rf import EmpiricalReceptiveField
from dnnbrain.interpret.fields.occlusion import OccluderDiscrepancyMapping
from dnnbrain.interpret.fields.theoretical_rf import TheoreticalReceptiveField
from dnnbrain.interpret.fields.upsampling import UpsamplingActivationMapping
from dnnbrain.interpret.minimal.masked_image import MaskedImage
from dnnbrain.interpret.minimal.minimal_component import MinimalComponentImage
from dnnbrain.interpret.minimal.minimal_image import MinimalParcelImage
from dnnbrain.interpret.saliency.gradcam import GradCAMImage
from dnnbrain.interpret.saliency.images import GuidedSaliencyImage, SaliencyImage, VanillaSaliencyImage
from dnnbrain.interpret.saliency.integrated import IntegratedGradientsImage
from dnnbrain.interpret.synthesis.image import SynthesisImage

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
