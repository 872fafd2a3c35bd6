"""The networks, what they cost, and where their weights come from; `kdlearn.models.resnet` needs torchvision."""

from kdlearn.models.airbench import airbench, whiten
from kdlearn.models.basic import perceptron, seeded, small_convnet
from kdlearn.models.costs import cost_of, count_macs, count_parameters, latency
from kdlearn.models.initialisation import initialise_from, load_weights, save_weights, set_weights, weights_hash

__all__ = [
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
]
