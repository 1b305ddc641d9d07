"""dnnbrain relates deep networks to the brain.

The way data takes, and the folder where each step lives::

    stimuli      what is shown: tables of pictures, video frames, clips, sounds
    networks     who sees it: AlexNet, VGG, ResNet; transfer learning; extraction
    activation   what every layer answered: masks, pooling, files that stream
    mapping      how two tables relate: kernels, ridge, cross-validation, scores
    brain        where in the brain: images, regions of interest, encoding models
    viz          curves and brain maps
    datasets     small real pictures, and a simulated brain whose truth is known
    io           one file per format on disk
    cli          the commands, one file each

``dnnbrain.dnn``, ``dnnbrain.utils``, ``dnnbrain.brain.core`` and ``dnnbrain.io.fileio`` are the
import paths of DNNBrain 1.0; they only re-export.
"""

__version__ = '2.0.0a1'
