//! The hand-written splitters against the patterns they stand for.

use std::sync::LazyLock;

use homespun_bpe::split::{Splitter, GPT2_PATTERN, GPT4_PATTERN, O200K_PATTERN};
use homespun_bpe::{stable_prefix, SpecialTokens};
use proptest::prelude::*;

const ORIGINAL_GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const EARLY_GPT4: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const PATTERNS: [&str; 5] = [GPT2_PATTERN, GPT4_PATTERN, O200K_PATTERN, ORIGINAL_GPT2, EARLY_GPT4];

/// Texts of the characters on which the patterns turn, in runs short and long.
fn texts() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        6 => proptest::sample::select(vec!['a', 'Z', 's', 't', 'l', 'v', 'r', 'e', 'S', 'L', 'V', 'E', 'd', 'm']),
        4 => Just(' '),
        3 => Just('\''),
        2 => proptest::sample::select(vec!['\n', '\r', '\t', '\u{b}', '\u{c}', '\u{1c}', '\u{1f}']),
        2 => proptest::sample::select(vec!['0', '9', '\u{b2}', '\u{661}', '\u{3007}']),
        2 => proptest::sample::select(vec!['.', '/', '-', '_', '(', '\0', '\u{7f}', '\u{301}', '\u{20ac}', '\u{1f600}']),
        2 => proptest::sample::select(vec!['\u{85}', '\u{a0}', '\u{2003}', '\u{3000}', '\u{200b}', '\u{180e}']),
        2 => proptest::sample::select(vec!['\u{e9}', '\u{17f}', '\u{212a}', '\u{4e2d}', '\u{ac00}', '\u{10400}', '\u{c9}', '\u{2b0}', '\u{93f}']),
        1 => any::<char>(),
    ];
    let run = (character, prop_oneof![8 => 1..3usize, 1 => 3..100usize]);
    proptest::collection::vec(run, 0..60)
        .prop_map(|runs| runs.into_iter().flat_map(|(c, n)| std::iter::repeat_n(c, n)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Oracle: the pattern itself, on fancy-regex.
    #[test]
    fn by_hand_equals_the_pattern(text in texts()) {
        static ENGINES: LazyLock<Vec<Splitter>> =
            LazyLock::new(|| PATTERNS.iter().map(|pattern| Splitter::by_engine(pattern).unwrap()).collect());
        for (pattern, engine) in PATTERNS.iter().zip(ENGINES.iter()) {
            let by_hand = Splitter::new(pattern).unwrap();
            prop_assert!(by_hand.is_streamable());
            prop_assert_eq!(by_hand.split(&text).unwrap(), engine.split(&text).unwrap(), "{}", pattern);
        }
    }

    /// Oracle: splitting the whole text, whatever follows the stable prefix.
    #[test]
    fn no_later_text_changes_a_stable_prefix(before in texts(), after in texts()) {
        for pattern in PATTERNS {
            let splitter = Splitter::new(pattern).unwrap();
            let stable = splitter.stable_prefix(&before);
            let mut parts = splitter.split(&before[..stable]).unwrap();
            let whole = format!("{before}{after}");
            let rest = splitter.split(&whole[stable..]).unwrap();
            parts.extend(rest.iter().map(|range| range.start + stable..range.end + stable));
            prop_assert_eq!(parts, splitter.split(&whole).unwrap(), "{}", pattern);
        }
    }

    /// Oracle: splitting the whole text. A safe cut needs no token to begin at the start of the text.
    #[test]
    fn safe_cuts_are_safe(before in texts(), after in texts()) {
        for pattern in PATTERNS {
            let splitter = Splitter::new(pattern).unwrap();
            let whole = format!("{before}{after}");
            let Some(cut) = splitter.last_safe_cut(&before) else { continue };
            let mut parts = splitter.split(&whole[..cut]).unwrap();
            let rest = splitter.split(&whole[cut..]).unwrap();
            parts.extend(rest.iter().map(|range| range.start + cut..range.end + cut));
            prop_assert_eq!(parts, splitter.split(&whole).unwrap(), "{}", pattern);
        }
    }

    /// Oracle: splitting the whole text; the pre-token around the cut is put together again.
    #[test]
    fn words_can_be_cut(before in texts(), word in "[aelrstv]{0,9}", after in texts(), banned in "[aelrstv]") {
        let before = before + &word;
        let may_cut = |left: u8, _: u8| left != banned.as_bytes()[0];
        for pattern in PATTERNS {
            let splitter = Splitter::new(pattern).unwrap();
            let whole = format!("{before}{after}");
            let Some(cut) = splitter.last_cut_of_word(&before, may_cut) else {
                let ends_in_letters = word.len() >= 4 && !word[2..word.len() - 1].contains(&banned);
                prop_assert!(!ends_in_letters, "{}", pattern);
                continue;
            };
            let mut parts = splitter.split(&whole[..cut]).unwrap();
            let mut rest = splitter.split(&whole[cut..]).unwrap();
            let second = rest.remove(0);
            parts.last_mut().unwrap().end = second.end + cut;
            parts.extend(rest.iter().map(|range| range.start + cut..range.end + cut));
            prop_assert_eq!(parts, splitter.split(&whole).unwrap(), "{}", pattern);
        }
    }

    /// Oracle: pieces and pre-tokens of the whole text.
    #[test]
    fn no_later_text_changes_a_stable_prefix_with_special_tokens(
        before in "[a' <|>e\n]{0,30}", after in "[a' <|>e\n]{0,30}",
    ) {
        let specials = SpecialTokens::new(["<|e|>", "<|e|><|e|>", "<", "a ' a", "||||"]).unwrap();
        for pattern in PATTERNS {
            let splitter = Splitter::new(pattern).unwrap();
            let stable = stable_prefix(&before, &splitter, &specials);
            let whole = format!("{before}{after}");
            let mut parts = all_tokens(&whole[..stable], &splitter, &specials);
            parts.extend(all_tokens(&whole[stable..], &splitter, &specials));
            prop_assert_eq!(parts, all_tokens(&whole, &splitter, &specials), "{}", pattern);
        }
    }
}

fn all_tokens(text: &str, splitter: &Splitter, specials: &SpecialTokens) -> Vec<String> {
    use homespun_bpe::special::Piece;
    let mut tokens = Vec::new();
    for piece in specials.pieces(text.as_bytes()) {
        match piece {
            Piece::Special(range, index) => {
                assert_eq!(&text[range], specials.tokens()[index]);
                tokens.push(format!("special {index}"));
            }
            Piece::Text(range) => {
                let document = &text[range];
                let ranges = splitter.split(document).unwrap();
                tokens.extend(ranges.into_iter().map(|range| document[range].to_string()));
            }
        }
    }
    tokens
}

/// Derived by hand from the pattern.
#[test]
fn gpt2_splits_known_text() {
    let splitter = Splitter::new(GPT2_PATTERN).unwrap();
    let split = |text: &str| -> Vec<String> {
        let ranges = splitter.split(text).unwrap();
        ranges.into_iter().map(|range| text[range].to_string()).collect()
    };
    assert_eq!(
        split("some text that i'll pre-tokenize"),
        ["some", " text", " that", " i", "'ll", " pre", "-", "tokenize"]
    );
    assert_eq!(split("a  b\n\nc "), ["a", " ", " b", "\n", "\n", "c", " "]);
    assert_eq!(split("''s 's"), ["''", "s", " '", "s"]);
}

/// A stream must make progress through an endless run of white space, digits or letters.
#[test]
fn a_stable_prefix_comes_as_soon_as_a_pretoken_is_over() {
    let gpt4 = Splitter::new(GPT4_PATTERN).unwrap();
    assert!(gpt4.stable_prefix(&"1".repeat(10_000)) > 9_990);
    let gpt2 = Splitter::new(GPT2_PATTERN).unwrap();
    assert_eq!(gpt2.stable_prefix(&"1".repeat(10_000)), 0);
    assert_eq!(gpt2.stable_prefix(&format!("x{}", " ".repeat(10_000))), 1);
}

#[test]
fn text_between_matches_of_a_custom_pattern_is_a_pretoken() {
    let splitter = Splitter::new(r"\w+").unwrap();
    assert_eq!(splitter.split("ab, cd!").unwrap(), [0..2, 2..4, 4..6, 6..7]);
    let before_capitals = Splitter::new(r"(?=\p{Lu})").unwrap();
    assert_eq!(before_capitals.split("aBcD").unwrap(), [0..1, 1..3, 3..4]);
    assert_eq!(splitter.stable_prefix("ab, cd"), 0);
    assert!(Splitter::new("(").is_err());
}
