from homespun import accounting as accounting
from homespun import checkpoint as checkpoint
from homespun import corpus as corpus
from homespun import data as data
from homespun import errors as errors
from homespun import evaluation as evaluation
from homespun import generation as generation
from homespun import model as model
from homespun import optim as optim
from homespun import recipe as recipe
from homespun import reporting as reporting
from homespun import runs as runs
from homespun import storybook as storybook
from homespun import tokenizer as tokenizer
from homespun import training as training
from homespun.model.config import ModelConfig as ModelConfig
from homespun.model.transformer import TransformerLM as TransformerLM
from homespun.optim.adamw import AdamW as AdamW
from homespun.recipe.load import load_recipe as load_recipe
from homespun.runs.load import load_run as load_run
from homespun.tokenizer.tokenizer import Tokenizer as Tokenizer
from homespun.tokenizer.train import train_bpe as train_bpe

__version__: str
