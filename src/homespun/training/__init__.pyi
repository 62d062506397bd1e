from homespun.training.loop import train as train
from homespun.training.recorder import Recorder as Recorder
from homespun.training.run import Run as Run
from homespun.training.run import open_run as open_run
