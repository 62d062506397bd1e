"""Train a tokenizer on generated stories, look at what it learned, save it and load it again.

python examples/01_train_a_tokenizer.py
"""

import tempfile
from pathlib import Path

from homespun.storybook import generate_stories, write_storybook
from homespun.tokenizer import Tokenizer, train_bpe


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "stories.txt"
        write_storybook(text, num_stories=500, seed=0)
        vocab, merges = train_bpe(text, vocab_size=512, special_tokens=["<|endoftext|>"])
        tokenizer = Tokenizer(vocab, merges, ["<|endoftext|>"])

        print("first merges:", *merges[:8])
        print("longest token:", max(vocab.values(), key=len))
        story = next(iter(generate_stories(1, seed=1))).text
        ids = tokenizer.encode(story)
        print(f"{len(story.encode())} bytes -> {len(ids)} tokens")
        assert tokenizer.decode(ids) == story

        tokenizer.save(Path(folder) / "tokenizer")
        assert Tokenizer.load(Path(folder) / "tokenizer").fingerprint == tokenizer.fingerprint


if __name__ == "__main__":
    main()
