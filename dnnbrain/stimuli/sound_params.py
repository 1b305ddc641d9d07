"""What VGGish was trained with: the constants published with it (Hershey et al. 2017; AudioSet)."""

NUM_FRAMES = 96                             # of an example
NUM_BANDS = 64
EMBEDDING_SIZE = 128

SAMPLE_RATE = 16000                         # per second
STFT_WINDOW_LENGTH_SECONDS = 0.025
STFT_HOP_LENGTH_SECONDS = 0.010
NUM_MEL_BINS = NUM_BANDS
MEL_MIN_HZ = 125
MEL_MAX_HZ = 7500
LOG_OFFSET = 0.01
EXAMPLE_WINDOW_SECONDS = 0.96
EXAMPLE_HOP_SECONDS = 0.96                  # examples do not overlap

PCA_EIGEN_VECTORS_NAME = 'pca_eigen_vectors'
PCA_MEANS_NAME = 'pca_means'
QUANTIZE_MIN_VAL = -2.0
QUANTIZE_MAX_VAL = 2.0
