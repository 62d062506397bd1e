from homespun.recipe.config import ExecutionConfig as ExecutionConfig
from homespun.recipe.config import LoggingConfig as LoggingConfig
from homespun.recipe.config import RunConfig as RunConfig
from homespun.recipe.config import TrainingConfig as TrainingConfig
from homespun.recipe.load import load_recipe as load_recipe
from homespun.recipe.load import save_recipe as save_recipe
from homespun.recipe.prepare import prepare as prepare
