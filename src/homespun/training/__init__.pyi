from homespun.training.loop import train as train
from homespun.training.recorder import Recorder as Recorder
from homespun.training.session import Session as Session
from homespun.training.session import open_session as open_session
