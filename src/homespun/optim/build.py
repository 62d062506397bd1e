"""From a recipe's `optim` section to an optimizer."""

from torch import nn
from torch.optim import Optimizer

from homespun.optim.adamw import AdamW
from homespun.optim.config import OptimConfig
from homespun.optim.groups import parameter_groups
from homespun.optim.sgd import SGD


def build_optimizer(model: nn.Module, config: OptimConfig) -> Optimizer:
    """Make the optimizer that `config` names for `model`.

    Its rate is `config.lr` until the caller sets each group's "lr" from `learning_rate_at`.
    """
    match config.name:
        case "adamw":
            groups = parameter_groups(model, config.weight_decay, decay_all=config.decay_all)
            return AdamW(groups, lr=config.lr, betas=config.betas, eps=config.eps)
        case "sgd":
            return SGD([parameter for parameter in model.parameters() if parameter.requires_grad], lr=config.lr)
