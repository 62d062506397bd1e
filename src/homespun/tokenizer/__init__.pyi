from homespun.tokenizer.config import TokenizerConfig as TokenizerConfig
from homespun.tokenizer.counting.options import CountOptions as CountOptions
from homespun.tokenizer.tokenizer import Tokenizer as Tokenizer
from homespun.tokenizer.train import train_bpe as train_bpe
from homespun.tokenizer.train import train_bpe_from_counts as train_bpe_from_counts
from homespun.tokenizer.train import train_bpe_from_iterator as train_bpe_from_iterator
