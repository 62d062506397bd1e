from homespun.evaluation.evaluate import evaluate_dataset as evaluate_dataset
from homespun.evaluation.evaluation import Evaluation as Evaluation
