import pytest
import torch

from homespun.errors import GenerationError
from homespun.generation import Sampling, decode, decode_batch, decode_stream, generate_batch, generate_tokens
from homespun.generation.cache import window_start
from homespun.generation.tokens import _Windows
from homespun.model.config import ModelConfig
from homespun.model.transformer import TransformerLM
from refusals import refuses

from .conftest import END, byte_tokenizer, random_model, scripted_model

SWITCHES = [
    {},
    {"positions": "none"},
    {"norm": "post"},
    {"norm": "none"},
    {"feed_forward": "silu"},
    {"feed_forward": "relu2"},
    {"zero_init": True},
    {"bigram_buckets": 50},
    {"value_embeddings": 1},
    {"residual_scales": True},
    {"logit_softcap": 0.5},
    {"tie_embeddings": True},
]


@pytest.mark.parametrize("switches", SWITCHES)
def test_cached_logits_equal_the_full_pass_on_the_same_window(switches):
    """Oracle: `TransformerLM` on the window's tokens at once, far beyond the end of the context.

    1e-5 of the largest logit: float32 sums in another order.
    """
    model = random_model(context_length=7, **switches)
    ids = torch.randint(257, (40,), generator=torch.Generator().manual_seed(1)).tolist()
    windows = _Windows(model, [ids[:3]], use_cache=True)
    for length in range(3, len(ids) + 1):
        if length > 3:
            windows.append(0, ids[length - 1])
        start = window_start(length, 7)
        with torch.no_grad():
            expected = model(torch.tensor([ids[start:length]]))[0, -1]
        got = windows.next_logits([0])[0]
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


def test_continuing_a_text_gives_what_one_call_gives():
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
    assert list(decode_stream(model, tokenizer, "#", 100, Sampling(temperature=0.0))) == ["a", "é", "€"]


def test_a_cut_character_is_replaced_at_the_end(tokenizer):
    assert decode(scripted_model("#a€".encode()), tokenizer, "#", 2, temperature=0.0) == "a\ufffd"


def test_special_tokens_written_in_a_prompt_stay_text(tokenizer):
    """The scripted model knows what follows `>`, not what follows the separator."""
    model = scripted_model(b">yes")
    assert decode(model, tokenizer, END, 100, temperature=0.0) == "yes"


def test_a_document_begins_without_a_prompt(tokenizer):
    model = scripted_model(b"?", ends=False)
    with torch.no_grad():
        model.lm_head.weight[ord("O"), 256] = 100.0
        model.lm_head.weight[256, ord("O")] = 100.0
    assert decode(model, tokenizer, "", 100, temperature=0.0, document_start=True) == "O"


def test_a_prompt_without_tokens_is_refused(tokenizer):
    with refuses(GenerationError, "prompt", "--document-start"):
        decode(random_model(), tokenizer, "", 10)


def test_document_start_needs_a_separator():
    with refuses(GenerationError, END):
        decode(random_model(), byte_tokenizer(special_tokens=()), "a", 10, document_start=True)


def test_another_separator_begins_and_ends_documents():
    """The scripted model writes id 256 last, which is this tokenizer's only special token."""
    tokenizer, model = byte_tokenizer(special_tokens=["<|eot|>"]), scripted_model(b"#hi")
    greedy = {"temperature": 0.0}
    assert decode(model, tokenizer, "#", 100, **greedy, separator="<|eot|>") == "hi"
    with torch.no_grad():
        model.lm_head.weight[ord("h"), 256] = 100.0
    assert decode(model, tokenizer, "", 100, **greedy, separator="<|eot|>", document_start=True) == "hi"
    with refuses(GenerationError, "<|end|>", "<|eot|>"):
        decode(model, tokenizer, "#", 100, separator="<|end|>")


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
    with refuses(GenerationError, "257", "model.vocab_size"):
        decode(random_model(), tokenizer, "a", 10)


@pytest.mark.parametrize(
    ("prompt", "max_new_tokens", "message"),
    [([], 5, "no tokens"), ([3, 257], 5, "token id 257"), ([-1], 5, "token id -1"), ([1], -1, "max_new_tokens = -1")],
)
def test_bad_arguments_are_refused_before_the_first_token(prompt, max_new_tokens, message):
    with refuses(GenerationError, message):
        generate_tokens(random_model(), prompt, max_new_tokens, Sampling())


def test_inference_mode_does_not_leak_between_tokens():
    """A generator that yields inside `torch.inference_mode` leaves its caller in it."""
    tokens = generate_tokens(random_model(), [1], 3, Sampling())
    next(tokens)
    assert not torch.is_inference_mode_enabled()


PROMPTS = [[1], list(range(5)), list(range(100, 116)), list(range(17)), list(range(40)), [7, 7]]


@pytest.mark.parametrize("use_cache", [True, False])
@pytest.mark.parametrize("switches", SWITCHES)
def test_logits_of_a_row_do_not_depend_on_its_neighbours(switches, use_cache):
    """Oracle: each text alone. The six windows move at different steps; two rows are dropped half-way.

    1e-5 of the largest logit: matrix products of another size sum in another order.
    """
    model = random_model(**switches)
    together = _Windows(model, PROMPTS, use_cache=use_cache)
    alone = [_Windows(model, [prompt], use_cache=use_cache) for prompt in PROMPTS]
    for step in range(20):
        rows = [0, 1, 2, 3, 4, 5] if step < 9 else [0, 2, 3, 5]
        got = together.next_logits(rows)
        for index, row in enumerate(rows):
            expected = alone[row].next_logits([0])[0]
            torch.testing.assert_close(got[index], expected, rtol=0, atol=1e-5 * float(expected.abs().max()))
            id_ = (31 * step + 7 * row) % 257
            together.append(row, id_)
            alone[row].append(0, id_)


def test_a_batch_gives_what_each_prompt_gives_alone():
    """Oracle: `generate_tokens` of each prompt with its seed; some rows end early, at an id that is drawn often."""
    model, sampling = random_model(), Sampling(top_k=3)
    seeds = range(10, 10 + len(PROMPTS))
    end_id = next(generate_tokens(model, PROMPTS[1], 1, sampling, seed=11))
    streams = generate_batch(model, PROMPTS, 40, sampling, seeds=seeds, end_id=end_id)
    alone = [
        list(generate_tokens(model, prompt, 40, sampling, seed=seed, end_id=end_id))
        for prompt, seed in zip(PROMPTS, seeds, strict=True)
    ]
    assert [list(stream) for stream in streams] == alone
    assert alone[1] == []


def test_decoding_a_batch_gives_what_each_prompt_gives_alone(tokenizer):
    """Oracle: `decode`; the stop string ends rows at different steps."""
    model, prompts = random_model(), ["a", "a longer prompt than the context", "mid", "", "a"]
    sampling = Sampling(temperature=0.9, top_k=8)
    stop = decode(model, tokenizer, "a", 6, 0.9, top_k=8)[-2:]
    got = decode_batch(model, tokenizer, prompts, 30, sampling, stop=stop, document_start=True)
    assert got == [
        decode(model, tokenizer, prompt, 30, 0.9, top_k=8, seed=seed, stop=stop, document_start=True)
        for seed, prompt in enumerate(prompts)
    ]


def test_one_seed_a_prompt(tokenizer):
    with refuses(GenerationError, "seeds: 1", "2 prompt"):
        decode_batch(random_model(), tokenizer, ["a", "b"], 3, seeds=[1])
    assert decode_batch(random_model(), tokenizer, [], 3) == []
