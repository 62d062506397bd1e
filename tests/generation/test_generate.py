import pytest
import torch

from homespun.errors import GenerationError
from homespun.generation import Sampling, decode, decode_stream, generate_tokens
from homespun.generation.cache import window_start
from homespun.generation.generate import _Window
from homespun.model.config import ModelConfig
from homespun.model.transformer import TransformerLM

from .conftest import END, byte_tokenizer, random_model, scripted_model

SWITCHES = [
    {},
    {"positions": "none"},
    {"norm": "post"},
    {"norm": "none"},
    {"feed_forward": "silu"},
    {"tie_embeddings": True},
]


@pytest.mark.parametrize("switches", SWITCHES)
def test_cached_logits_equal_the_full_pass_on_the_same_window(switches):
    """Oracle: `TransformerLM` on the window's tokens at once, far beyond the end of the context.

    1e-5 of the largest logit: float32 sums in another order.
    """
    model = random_model(context_length=7, **switches)
    ids = torch.randint(257, (40,), generator=torch.Generator().manual_seed(1)).tolist()
    window = _Window(model, use_cache=True)
    for length in range(3, len(ids) + 1):
        start = window_start(length, 7)
        with torch.no_grad():
            expected = model(torch.tensor([ids[start:length]]))[0, -1]
        got = window.next_logits(ids[:length])
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("prompt_length", [1, 5, 16, 17, 40])
def test_cache_changes_no_token(prompt_length):
    model = random_model()
    prompt = list(range(prompt_length))
    cached, uncached = (
        list(generate_tokens(model, prompt, 50, Sampling(temperature=0.9), seed=3, use_cache=use_cache))
        for use_cache in (True, False)
    )
    assert cached == uncached
    assert len(cached) == 50


def test_going_on_gives_what_one_go_would_have_given():
    model, greedy = random_model(), Sampling(temperature=0.0)
    whole = list(generate_tokens(model, [1, 2, 3], 60, greedy))
    begun = list(generate_tokens(model, [1, 2, 3], 25, greedy))
    assert begun + list(generate_tokens(model, [1, 2, 3, *begun], 35, greedy)) == whole


def test_it_ends_where_the_model_writes_the_separator(tokenizer):
    assert decode(scripted_model(b"#hi you"), tokenizer, "#", 100, temperature=0.0) == "hi you"


def test_it_ends_after_max_new_tokens(tokenizer):
    model = scripted_model(b"#hi you")
    assert decode(model, tokenizer, "#", 2, temperature=0.0) == "hi"
    assert decode(model, tokenizer, "#", 0, temperature=0.0) == ""


@pytest.mark.parametrize(
    ("stop", "text"), [("</s>", "ab"), (["zz", "b<"], "a"), (["/", "</s>"], "ab<"), ("Z", "ab</s>"), ((), "ab</s>")]
)
def test_stop_strings_across_tokens(tokenizer, stop, text):
    """Each byte is a token of its own here, so every stop string of two letters spans tokens."""
    assert decode(scripted_model(b"#ab</s>"), tokenizer, "#", 100, temperature=0.0, stop=stop) == text


def test_stream_does_not_break_characters(tokenizer):
    model = scripted_model("#aé€".encode())
    assert list(decode_stream(model, tokenizer, "#", 100, temperature=0.0)) == ["a", "é", "€"]


def test_a_cut_character_is_replaced_at_the_end(tokenizer):
    assert decode(scripted_model("#a€".encode()), tokenizer, "#", 2, temperature=0.0) == "a\ufffd"


def test_special_tokens_spelled_in_a_prompt_stay_text(tokenizer):
    """The scripted model knows what follows `>`, not what follows the separator."""
    model = scripted_model(b">yes")
    assert decode(model, tokenizer, END, 100, temperature=0.0) == "yes"


def test_a_document_of_its_own(tokenizer):
    model = scripted_model(b"?", ends=False)
    with torch.no_grad():
        model.lm_head.weight[ord("O"), 256] = 100.0
        model.lm_head.weight[256, ord("O")] = 100.0
    assert decode(model, tokenizer, "", 100, temperature=0.0, document_start=True) == "O"


def test_prompt_that_encodes_to_nothing(tokenizer):
    with pytest.raises(GenerationError, match=r"encodes to nothing; .* --document-start"):
        decode(random_model(), tokenizer, "", 10)


def test_document_start_needs_a_separator():
    with pytest.raises(GenerationError, match="does not have"):
        decode(random_model(), byte_tokenizer(special_tokens=()), "a", 10, document_start=True)


def test_a_seed_gives_the_same_text(tokenizer):
    model = random_model()
    one, same, other = (decode(model, tokenizer, "a", 30, seed=seed) for seed in (1, 1, 2))
    assert one == same != other


def test_top_k_1_is_greedy(tokenizer):
    model = random_model()
    greedy = decode(model, tokenizer, "a", 30, temperature=0.0)
    assert decode(model, tokenizer, "a", 30, top_k=1) == greedy
    assert decode(model, tokenizer, "a", 30, min_p=1.0) == greedy


def test_ids_beyond_the_tokenizer_are_not_drawn():
    """A model's vocabulary may be rounded up; the tokenizer could not decode the surplus."""
    tokenizer = byte_tokenizer(special_tokens=())
    config = ModelConfig(vocab_size=512, context_length=8, d_model=8, num_layers=1, num_heads=1, d_ff=8)
    torch.manual_seed(0)
    assert len(tokenizer.encode(decode(TransformerLM(config), tokenizer, "a", 40))) >= 40


def test_the_tokenizer_of_another_model_is_refused():
    tokenizer = byte_tokenizer(special_tokens=[END, "<|pad|>"])
    with pytest.raises(GenerationError, match=r"258 tokens, model.vocab_size is 257"):
        decode(random_model(), tokenizer, "a", 10)


@pytest.mark.parametrize(
    ("prompt", "max_new_tokens", "message"),
    [([], 5, "no tokens"), ([3, 257], 5, "token id 257"), ([-1], 5, "token id -1"), ([1], -1, "max_new_tokens = -1")],
)
def test_bad_arguments_are_refused_before_the_first_token(prompt, max_new_tokens, message):
    with pytest.raises(GenerationError, match=message):
        generate_tokens(random_model(), prompt, max_new_tokens, Sampling())


def test_inference_mode_does_not_leak_between_tokens():
    """A generator that yields inside the mode would leave its caller in it."""
    tokens = generate_tokens(random_model(), [1], 3, Sampling())
    next(tokens)
    assert not torch.is_inference_mode_enabled()
