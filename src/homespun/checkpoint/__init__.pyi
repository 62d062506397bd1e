from homespun.checkpoint.checkpoint import Checkpoint as Checkpoint
from homespun.checkpoint.checkpoint import load_checkpoint as load_checkpoint
from homespun.checkpoint.checkpoint import load_model as load_model
from homespun.checkpoint.checkpoint import read_state as read_state
from homespun.checkpoint.checkpoint import save_checkpoint as save_checkpoint
