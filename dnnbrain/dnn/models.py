"""Public path of DNNBrain 1.0: networks. Spellings like VGG11 and ResNet18 are aliases."""

from dnnbrain.networks.dnn import DNN
from dnnbrain.networks.weights import models_folder
from dnnbrain.networks.zoo.alexnet import AlexNet
from dnnbrain.networks.zoo.inception import Googlenet, InceptionV3
from dnnbrain.networks.zoo.r3d import R3D
from dnnbrain.networks.zoo.resnet import Resnet10, Resnet18, Resnet34, Resnet50, Resnet101, Resnet152
from dnnbrain.networks.zoo.vgg import Vgg11, Vgg11_bn, Vgg13, Vgg13_bn, Vgg16, Vgg16_bn, Vgg19, Vgg19_bn
from dnnbrain.networks.zoo.vggface import VggFace, VggFaceModel
from dnnbrain.networks.zoo.vggish import VGGish, VGGishModel

VGG11, VGG13, VGG16, VGG19 = Vgg11, Vgg13, Vgg16, Vgg19
VGG11_bn, VGG13_bn, VGG16_bn, VGG19_bn = Vgg11_bn, Vgg13_bn, Vgg16_bn, Vgg19_bn
ResNet10, ResNet18, ResNet34, ResNet50, ResNet101, ResNet152 = \
    Resnet10, Resnet18, Resnet34, Resnet50, Resnet101, Resnet152

DNNBRAIN_MODEL: str            # the folder of weights, read when used

__all__ = [
    'DNN', 'AlexNet',
    'Vgg11', 'Vgg13', 'Vgg16', 'Vgg19', 'Vgg11_bn', 'Vgg13_bn', 'Vgg16_bn', 'Vgg19_bn',
    'VGG11', 'VGG13', 'VGG16', 'VGG19', 'VGG11_bn', 'VGG13_bn', 'VGG16_bn', 'VGG19_bn',
    'Resnet10', 'Resnet18', 'Resnet34', 'Resnet50', 'Resnet101', 'Resnet152',
    'ResNet10', 'ResNet18', 'ResNet34', 'ResNet50', 'ResNet101', 'ResNet152',
    'Googlenet', 'InceptionV3', 'VggFace', 'VggFaceModel', 'R3D', 'VGGish', 'VGGishModel', 'DNNBRAIN_MODEL',
]


def __getattr__(name: str) -> str:
    if name == 'DNNBRAIN_MODEL':
        return str(models_folder())
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
