"""The block that torch has, with the weights of one of ours."""

import torch
from torch import nn


def block_of_torch(block: nn.Module, width: int, heads: int) -> nn.Module:
    layer = nn.TransformerEncoderLayer(width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True).double()
    weights = {
        "self_attn.in_proj_weight": block.attention.projections.weight,
        "self_attn.in_proj_bias": torch.zeros(3 * width).double(),
        "self_attn.out_proj.weight": block.attention.output.weight,
        "self_attn.out_proj.bias": block.attention.output.bias,
        **{f"norm1.{name}": one for name, one in block.before_attention.named_parameters()},
        **{f"norm2.{name}": one for name, one in block.before_layers.named_parameters()},
        **{f"linear1.{name}": one for name, one in block.layers[0].named_parameters()},
        **{f"linear2.{name}": one for name, one in block.layers[2].named_parameters()},
    }
    layer.load_state_dict(weights)
    return layer
