"""The papers behind the methods that a report names."""

from __future__ import annotations

REFERENCES = {
    'dnnbrain': (
        'Chen et al., 2020',
        'Chen X, Zhou M, Gong Z, Xu W, Liu X, Huang T, Zhen Z, Liu J (2020). DNNBrain: A unifying toolbox for '
        'mapping deep neural networks and brains. Frontiers in Computational Neuroscience 14:580632.',
        '10.3389/fncom.2020.580632'),
    'pytorch': (
        'Paszke et al., 2019',
        'Paszke A et al. (2019). PyTorch: An imperative style, high-performance deep learning library. Advances in '
        'Neural Information Processing Systems 32.',
        None),
    'sklearn': (
        'Pedregosa et al., 2011',
        'Pedregosa F et al. (2011). Scikit-learn: Machine learning in Python. Journal of Machine Learning Research '
        '12:2825-2830.',
        None),
    'ridge': (
        'Hoerl & Kennard, 1970',
        'Hoerl AE, Kennard RW (1970). Ridge regression: Biased estimation for nonorthogonal problems. Technometrics '
        '12:55-67.',
        '10.1080/00401706.1970.10488634'),
    'himalaya': (
        'Dupré la Tour et al., 2022',
        'Dupré la Tour T, Eickenberg M, Nunez-Elizalde AO, Gallant JL (2022). Feature-space selection with banded '
        'ridge regression. NeuroImage 264:119728.',
        '10.1016/j.neuroimage.2022.119728'),
    'banded': (
        'Nunez-Elizalde et al., 2019',
        'Nunez-Elizalde AO, Huth AG, Gallant JL (2019). Voxelwise encoding models with non-spherical multivariate '
        'normal priors. NeuroImage 197:482-492.',
        '10.1016/j.neuroimage.2019.04.012'),
    'lasso': (
        'Tibshirani, 1996',
        'Tibshirani R (1996). Regression shrinkage and selection via the lasso. Journal of the Royal Statistical '
        'Society B 58:267-288.',
        '10.1111/j.2517-6161.1996.tb02080.x'),
    'pls': (
        'Wold et al., 2001',
        'Wold S, Sjöström M, Eriksson L (2001). PLS-regression: a basic tool of chemometrics. Chemometrics and '
        'Intelligent Laboratory Systems 58:109-130.',
        '10.1016/S0169-7439(01)00155-1'),
    'svc': (
        'Cortes & Vapnik, 1995',
        'Cortes C, Vapnik V (1995). Support-vector networks. Machine Learning 20:273-297.',
        '10.1007/BF00994018'),
    'maxstat': (
        'Nichols & Holmes, 2002',
        'Nichols TE, Holmes AP (2002). Nonparametric permutation tests for functional neuroimaging: A primer with '
        'examples. Human Brain Mapping 15:1-25.',
        '10.1002/hbm.1058'),
    'pvalue': (
        'Phipson & Smyth, 2010',
        'Phipson B, Smyth GK (2010). Permutation P-values should never be zero. Statistical Applications in '
        'Genetics and Molecular Biology 9:39.',
        '10.2202/1544-6115.1585'),
    'folds': (
        'Nadeau & Bengio, 2003',
        'Nadeau C, Bengio Y (2003). Inference for the generalization error. Machine Learning 52:239-281.',
        '10.1023/A:1024068626366'),
    'ceiling': (
        'Schoppe et al., 2016',
        'Schoppe O, Harper NS, Willmore BDB, King AJ, Schnupp JWH (2016). Measuring the performance of neural '
        'models. Frontiers in Computational Neuroscience 10:10.',
        '10.3389/fncom.2016.00010'),
    'hrf': (
        'Friston et al., 1998',
        'Friston KJ, Fletcher P, Josephs O, Holmes A, Rugg MD, Turner R (1998). Event-related fMRI: Characterizing '
        'differential responses. NeuroImage 7:30-40.',
        '10.1006/nimg.1997.0306'),
    'rsa': (
        'Kriegeskorte et al., 2008',
        'Kriegeskorte N, Mur M, Bandettini P (2008). Representational similarity analysis: connecting the branches '
        'of systems neuroscience. Frontiers in Systems Neuroscience 2:4.',
        '10.3389/neuro.06.004.2008'),
    'rsaceiling': (
        'Nili et al., 2014',
        'Nili H, Wingfield C, Walther A, Su L, Marslen-Wilson W, Kriegeskorte N (2014). A toolbox for '
        'representational similarity analysis. PLoS Computational Biology 10:e1003553.',
        '10.1371/journal.pcbi.1003553'),
    'bootstrap': (
        'Schütt et al., 2023',
        'Schütt HH, Kipnis AD, Diedrichsen J, Kriegeskorte N (2023). Statistical inference on representational '
        'geometries. eLife 12:e82566.',
        '10.7554/eLife.82566'),
    'fdr': (
        'Benjamini & Hochberg, 1995',
        'Benjamini Y, Hochberg Y (1995). Controlling the false discovery rate: A practical and powerful approach to '
        'multiple testing. Journal of the Royal Statistical Society B 57:289-300.',
        '10.1111/j.2517-6161.1995.tb02031.x'),
    'mds': (
        'Kruskal, 1964',
        'Kruskal JB (1964). Multidimensional scaling by optimizing goodness of fit to a nonmetric hypothesis. '
        'Psychometrika 29:1-27.',
        '10.1007/BF02289565'),
    'adam': (
        'Kingma & Ba, 2015',
        'Kingma DP, Ba J (2015). Adam: A method for stochastic optimization. International Conference on Learning '
        'Representations.',
        None),
    'adamw': (
        'Loshchilov & Hutter, 2019',
        'Loshchilov I, Hutter F (2019). Decoupled weight decay regularization. International Conference on Learning '
        'Representations.',
        None),
    'nilearn': (
        'Abraham et al., 2014',
        'Abraham A et al. (2014). Machine learning for neuroimaging with scikit-learn. Frontiers in '
        'Neuroinformatics 8:14.',
        '10.3389/fninf.2014.00014'),
    'fsaverage': (
        'Fischl et al., 1999',
        'Fischl B, Sereno MI, Tootell RBH, Dale AM (1999). High-resolution intersubject averaging and a coordinate '
        'system for the cortical surface. Human Brain Mapping 8:272-284.',
        '10.1002/(SICI)1097-0193(1999)8:4<272::AID-HBM10>3.0.CO;2-4'),
    'mni': (
        'Fonov et al., 2011',
        'Fonov V, Evans AC, Botteron K, Almli CR, McKinstry RC, Collins DL (2011). Unbiased average age-appropriate '
        'atlases for pediatric studies. NeuroImage 54:313-327.',
        '10.1016/j.neuroimage.2010.07.033'),
    'alexnet': (
        'Krizhevsky et al., 2012',
        'Krizhevsky A, Sutskever I, Hinton GE (2012). ImageNet classification with deep convolutional neural '
        'networks. Advances in Neural Information Processing Systems 25.',
        None),
    'vgg': (
        'Simonyan & Zisserman, 2015',
        'Simonyan K, Zisserman A (2015). Very deep convolutional networks for large-scale image recognition. '
        'International Conference on Learning Representations.',
        None),
    'resnet': (
        'He et al., 2016',
        'He K, Zhang X, Ren S, Sun J (2016). Deep residual learning for image recognition. IEEE Conference on '
        'Computer Vision and Pattern Recognition, 770-778.',
        '10.1109/CVPR.2016.90'),
    'googlenet': (
        'Szegedy et al., 2015',
        'Szegedy C et al. (2015). Going deeper with convolutions. IEEE Conference on Computer Vision and Pattern '
        'Recognition, 1-9.',
        '10.1109/CVPR.2015.7298594'),
    'inception': (
        'Szegedy et al., 2016',
        'Szegedy C, Vanhoucke V, Ioffe S, Shlens J, Wojna Z (2016). Rethinking the Inception architecture for '
        'computer vision. IEEE Conference on Computer Vision and Pattern Recognition, 2818-2826.',
        '10.1109/CVPR.2016.308'),
    'vggface': (
        'Parkhi et al., 2015',
        'Parkhi OM, Vedaldi A, Zisserman A (2015). Deep face recognition. British Machine Vision Conference.',
        '10.5244/C.29.41'),
    'r3d': (
        'Tran et al., 2018',
        'Tran D, Wang H, Torresani L, Ray J, LeCun Y, Paluri M (2018). A closer look at spatiotemporal convolutions '
        'for action recognition. IEEE Conference on Computer Vision and Pattern Recognition, 6450-6459.',
        '10.1109/CVPR.2018.00675'),
    'vggish': (
        'Hershey et al., 2017',
        'Hershey S et al. (2017). CNN architectures for large-scale audio classification. IEEE International '
        'Conference on Acoustics, Speech and Signal Processing, 131-135.',
        '10.1109/ICASSP.2017.7952132'),
}
NETWORKS = (('vggface', 'vggface'), ('vggish', 'vggish'), ('vgg', 'vgg'), ('alexnet', 'alexnet'), ('resnet', 'resnet'),
            ('googlenet', 'googlenet'), ('inception', 'inception'), ('r3d', 'r3d'))


class Citations:
    """The papers that a text cites, in the order in which it does."""

    def __init__(self):
        self._cited: list[str] = []

    def __call__(self, *keys: str) -> str:
        """'(Chen et al., 2020; He et al., 2016)'."""
        self._cited += [key for key in keys if key not in self._cited]
        return f'({"; ".join(REFERENCES[key][0] for key in keys)})' if keys else ''

    def network(self, name: str) -> str:
        """The paper of a network with a space before it; empty where none is known."""
        key = next((key for start, key in NETWORKS if name.lower().startswith(start)), None)
        return f' {self(key)}' if key else ''

    @property
    def entries(self) -> list[dict]:
        """text and doi (None where there is none) of each, by author."""
        return sorted(({'text': REFERENCES[key][1], 'doi': REFERENCES[key][2]} for key in self._cited),
                      key=lambda entry: entry['text'])
