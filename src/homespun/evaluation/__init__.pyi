from homespun.evaluation.evaluate import Evaluation as Evaluation
from homespun.evaluation.evaluate import evaluate_dataset as evaluate_dataset
