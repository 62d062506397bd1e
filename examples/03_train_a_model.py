"""The training loop by hand, in the plainest form: batches, loss, gradients, clipping, update.

python examples/03_train_a_model.py
"""

import tempfile
from pathlib import Path

import torch

from homespun.data import get_batch
from homespun.generation import decode
from homespun.model import TransformerLM, cross_entropy
from homespun.model.config import ModelConfig
from homespun.optim import AdamW, clip_gradients, cosine_schedule
from homespun.storybook import write_storybook
from homespun.tokenizer import Tokenizer, train_bpe

NUM_STEPS = 60


def main() -> None:
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "stories.txt"
        write_storybook(text, num_stories=300, seed=0)
        tokenizer = Tokenizer(*train_bpe(text, 512, ["<|endoftext|>"]), ["<|endoftext|>"])
        ids = tokenizer.encode_to_numpy(text.read_text(encoding="utf-8"))

    config = ModelConfig(
        vocab_size=tokenizer.vocab_size, context_length=64, d_model=64, num_layers=2, num_heads=4, d_ff=192
    )
    model = TransformerLM(config)
    optimizer = AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    for step in range(NUM_STEPS):
        for group in optimizer.param_groups:
            group["lr"] = cosine_schedule(step, 3e-3, 3e-4, 10, NUM_STEPS)
        inputs, targets = get_batch(ids, 16, config.context_length, "cpu")
        loss = cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        norm = clip_gradients(model.parameters(), 1.0)
        optimizer.step()
        if step % 10 == 0 or step == NUM_STEPS - 1:
            print(f"step {step:3d}  loss {loss.item():.3f}  gradient norm {norm:.2f}")
    print(decode(model, tokenizer, "Once upon a time", 40, temperature=0.8, top_p=0.9))


if __name__ == "__main__":
    main()
