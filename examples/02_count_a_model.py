"""What a model costs before anyone trains it: parameters and FLOPs from its config alone, without torch.

python examples/02_count_a_model.py
"""

from homespun.accounting import count_parameters, forward_flops
from homespun.model.config import ModelConfig


def main() -> None:
    config = ModelConfig(vocab_size=10_000, context_length=256, d_model=512, num_layers=4, num_heads=16, d_ff=1_344)
    print(f"parameters: {count_parameters(config):,}")
    print(f"FLOPs of a forward pass over one context: {forward_flops(config, config.context_length):,}")


if __name__ == "__main__":
    main()
