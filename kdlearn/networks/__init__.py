"""The networks, what they cost, and where their weights come from; `kdlearn.networks.resnet` needs torchvision."""

from kdlearn.networks.airbench import airbench, whiten, whitened_airbench, whitening_filters, whitening_images
from kdlearn.networks.basic import YesOrNo, perceptron, seeded, small_convnet
from kdlearn.networks.costs import cost_of, count_macs, count_parameters, latency
from kdlearn.networks.weights import initialise_from, load_weights, save_weights, set_weights, weights_hash

__all__ = [
    "YesOrNo",
    "airbench",
    "cost_of",
    "count_macs",
    "count_parameters",
    "initialise_from",
    "latency",
    "load_weights",
    "perceptron",
    "save_weights",
    "seeded",
    "set_weights",
    "small_convnet",
    "weights_hash",
    "whiten",
    "whitened_airbench",
    "whitening_filters",
    "whitening_images",
]
