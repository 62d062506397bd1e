"""How surprised a model is by each token of a text: -ln of the probability that it gave the token."""

import codecs
from collections.abc import Sequence
from itertools import groupby

import torch

from homespun.errors import GenerationError
from homespun.generation.cache import window_start
from homespun.model.transformer import TransformerLM
from homespun.tokenizer.tokenizer import Tokenizer


@torch.inference_mode()
def measure_surprise(model: TransformerLM, ids: Sequence[int]) -> list[float]:
    """Return -ln P(id | the ids before it) in nats for every id but the first, which nothing comes before.

    The probability is the model's own, at temperature 1 over the whole vocabulary, however the text was drawn. Each id
    is predicted from the window that `generate_tokens` would have drawn it from, up to the rounding of another order of
    sums.

    Raises:
        GenerationError: there is no id.
    """
    if not ids:
        raise GenerationError("no token to measure; give at least one")
    device = next(model.parameters()).device
    context_length = model.config.context_length
    nats: list[float] = []
    # One forward for all ids that are predicted from the same first token.
    for start, group in groupby(range(1, len(ids)), key=lambda position: window_start(position, context_length)):
        positions = [*group]
        hidden_BTD = model.hidden(torch.tensor([ids[start : positions[-1]]], device=device))
        targets_BT = torch.tensor([[ids[position] for position in positions]], device=device)
        losses_BT = model.lm_head.token_losses(hidden_BTD[:, positions[0] - 1 - start :], targets_BT)
        # A token of probability 1 may come out as -1e-7: the difference of two rounded sums.
        nats += [max(0.0, loss) for loss in losses_BT[0].tolist()]
    return nats


def texts_of_tokens(tokenizer: Tokenizer, ids: Sequence[int]) -> list[str]:
    """Return the text that each id adds; joined, they are the text of the ids.

    A token may end inside a character. Its text is then without the character, which the token that completes it adds.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    return [decoder.decode(tokenizer.id_to_token(id_), final=index == len(ids)) for index, id_ in enumerate(ids, 1)]
