from homespun.generation.cache import KeyValueCache as KeyValueCache
from homespun.generation.draw import sample_tokens as sample_tokens
from homespun.generation.generate import decode as decode
from homespun.generation.generate import decode_batch as decode_batch
from homespun.generation.generate import decode_stream as decode_stream
from homespun.generation.generate import generate_batch as generate_batch
from homespun.generation.generate import generate_tokens as generate_tokens
from homespun.generation.sampling import Sampling as Sampling
