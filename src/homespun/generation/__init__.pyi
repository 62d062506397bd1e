from homespun.generation.cache import KeyValueCache as KeyValueCache
from homespun.generation.generate import decode as decode
from homespun.generation.generate import decode_stream as decode_stream
from homespun.generation.generate import generate_tokens as generate_tokens
from homespun.generation.sampling import Sampling as Sampling
from homespun.generation.sampling import sample_token as sample_token
