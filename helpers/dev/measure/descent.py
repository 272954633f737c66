"""Training of a few weights in memory, for the scripts that need a model which can do one thing more."""

from collections.abc import Callable, Sequence

import torch
from torch import nn
from tqdm import trange


def descend(
    trained: Sequence[nn.Parameter],
    loss_of: Callable[[], torch.Tensor],
    steps: int,
    rate: float,
    decay: float,
    name: str,
) -> float:
    """Train weights in place over one cycle of the learning rate; the mean loss of the last tenth of the steps.

    Args:
        loss_of: the loss of the next step, a scalar.
        rate, decay: highest learning rate, and AdamW's weight decay.
        name: of what is learnt, beside the bar.
    """
    optimiser = torch.optim.AdamW(trained, lr=rate, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.1)
    losses = []
    for _ in trange(steps, desc=name, disable=None):
        loss = loss_of()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        schedule.step()
        losses.append(loss.detach())
    return float(torch.stack(losses[-max(1, steps // 10) :]).mean())
