//! One merge after the other.

use std::ops::Range;

use super::pairs::{Pair, Pairs};
use super::queue::Queue;
use super::tokens::Tokens;
use super::words::{Place, Words};
use super::Merge;
use crate::count::Counts;
use crate::error::BpeError;

/// The words as they are split now, their pairs, and the pairs' order.
pub(super) struct Trainer {
    words: Words,
    tokens: Tokens,
    pairs: Pairs,
    queue: Queue,
    beside: Beside,
}

impl Trainer {
    pub fn new(counts: &Counts) -> Result<Self, BpeError> {
        let words = Words::new(counts)?;
        let tokens = Tokens::new();
        let mut pairs = Pairs::of_bytes(&words);
        let mut queue = Queue::default();
        for pair in 0..pairs.len() as u32 {
            queue.push(pair, &mut pairs, &tokens);
        }
        Ok(Self {
            words,
            tokens,
            pairs,
            queue,
            beside: Beside::default(),
        })
    }

    /// Tokens beside the 256 bytes.
    pub fn num_new_tokens(&self) -> usize {
        self.tokens.len() - 256
    }

    /// Merges the next pair everywhere; none where no pair is left.
    pub fn step(&mut self) -> Option<Merge> {
        let index = self.queue.pop(&mut self.pairs, &self.tokens)?;
        let pair = *self.pairs.get(index);
        let (joined, _) = self.tokens.join(pair.left, pair.right);
        self.beside.clear(self.tokens.len());
        self.join_all(index, joined);
        let free = self.pairs.clear(index);
        self.settle(pair.left, pair.right, joined, free);
        Some((
            self.tokens.bytes(pair.left).to_vec(),
            self.tokens.bytes(pair.right).to_vec(),
        ))
    }

    /// Joins the symbols of `pair` wherever they still stand, from left to right, noting what stands beside them.
    fn join_all(&mut self, pair: u32, joined: u32) {
        let places = &self.pairs.places()[self.pairs.places_of(pair)];
        let Pair { left, right, .. } = *self.pairs.get(pair);
        let left_len = self.tokens.byte_len(left);
        let joined_len = left_len + self.tokens.byte_len(right);
        let mut last_end = 0;
        for (at, &place) in places.iter().enumerate() {
            if let Some(&soon) = places.get(at + LOOK_AHEAD_PLACES) {
                self.words.prefetch(soon);
            }
            let pos = place.pos as usize;
            let middle = pos + left_len;
            if self.words.at(pos) != left || self.words.at(middle) != right {
                continue;
            }
            let end = pos + joined_len;
            let count = self.words.count(place.word);
            if let Some(before) = self.words.before(pos) {
                let before_place = Place {
                    pos: (pos - self.tokens.byte_len(before)) as u32,
                    word: place.word,
                };
                // Where `before` was made in this very step, the pair of it and `left` was never counted.
                let lost = if last_end == pos { 0 } else { count };
                self.beside.note_before(before, count, lost, before_place);
            }
            if let Some(after) = self.words.after(end) {
                let is_joined_next = after == left && self.words.after(end + left_len) == Some(right);
                if is_joined_next {
                    // The pair of both joined ones is noted there, as what stands before.
                    self.beside.note_lost_after(after, count);
                } else if after == joined {
                    // A token that was known before: the same pair as that noted on the other side.
                    self.beside.note_lost_after(after, count);
                    self.beside.note_before(joined, count, 0, place);
                } else {
                    self.beside.note_after(after, count, place);
                }
            }
            self.words.join(pos, middle, end, joined);
            last_end = end;
        }
    }

    /// Brings pairs and queue up to date with what was noted; the places in `free` may be written over.
    fn settle(&mut self, left: u32, right: u32, joined: u32, mut free: Range<usize>) {
        let Self {
            pairs,
            queue,
            tokens,
            beside,
            ..
        } = self;
        for (symbol, _) in beside.before.notes() {
            pairs.prefetch(symbol, left);
            pairs.prefetch(symbol, joined);
        }
        for (symbol, _) in beside.after.notes() {
            pairs.prefetch(right, symbol);
            pairs.prefetch(joined, symbol);
        }
        for (symbol, note) in beside.before.notes() {
            if left != right || symbol != left {
                pairs.lower(symbol, left, note.lost);
            }
        }
        for (symbol, note) in beside.after.notes() {
            if left != right || symbol != left {
                pairs.lower(right, symbol, note.lost);
            }
        }
        beside.before.sort_places(pairs, &mut free);
        for (symbol, note) in beside.before.notes().filter(|(_, note)| note.num_places > 0) {
            let pair = pairs.add(symbol, joined, note.gained, note.places());
            queue.push(pair, pairs, tokens);
        }
        beside.after.sort_places(pairs, &mut free);
        for (symbol, note) in beside.after.notes().filter(|(_, note)| note.num_places > 0) {
            let pair = pairs.add(joined, symbol, note.gained, note.places());
            queue.push(pair, pairs, tokens);
        }
    }
}

/// How many places ahead the words are asked for.
const LOOK_AHEAD_PLACES: usize = 12;

/// What stands beside the pair being merged.
#[derive(Default)]
struct Beside {
    before: Side,
    after: Side,
}

impl Beside {
    fn clear(&mut self, num_tokens: usize) {
        self.before.clear(num_tokens);
        self.after.clear(num_tokens);
    }

    fn note_before(&mut self, symbol: u32, gained: u64, lost: u64, place: Place) {
        self.before.gain(symbol, gained, place);
        self.before.note(symbol).lost += lost;
    }

    fn note_after(&mut self, symbol: u32, gained: u64, place: Place) {
        self.after.gain(symbol, gained, place);
        self.after.note(symbol).lost += gained;
    }

    fn note_lost_after(&mut self, symbol: u32, lost: u64) {
        self.after.note(symbol).lost += lost;
    }
}

/// The symbols on one side of the merged pair.
#[derive(Default)]
struct Side {
    /// Index in `noted` by symbol, where that one's symbol is the same.
    slots: Vec<u32>,
    noted: Vec<(u32, Note)>,
    /// New places, each with its symbol's index in `noted`.
    places: Vec<(u32, Place)>,
    ends: Vec<usize>,
}

#[derive(Clone, Copy, Default)]
struct Note {
    /// Occurrences of the pair with the old symbol that are gone.
    lost: u64,
    /// Occurrences of the pair with the new symbol.
    gained: u64,
    /// The new places are `places[first..first + num_places]` of all pairs' places.
    first: usize,
    num_places: usize,
}

impl Note {
    fn places(&self) -> Range<usize> {
        self.first..self.first + self.num_places
    }
}

impl Side {
    fn clear(&mut self, num_tokens: usize) {
        self.slots.resize(num_tokens, 0);
        self.noted.clear();
        self.places.clear();
    }

    #[inline]
    fn slot(&mut self, symbol: u32) -> usize {
        let slot = self.slots[symbol as usize] as usize;
        if self.noted.get(slot).is_some_and(|noted| noted.0 == symbol) {
            return slot;
        }
        self.slots[symbol as usize] = self.noted.len() as u32;
        self.noted.push((symbol, Note::default()));
        self.noted.len() - 1
    }

    #[inline]
    fn note(&mut self, symbol: u32) -> &mut Note {
        let slot = self.slot(symbol);
        &mut self.noted[slot].1
    }

    #[inline]
    fn gain(&mut self, symbol: u32, gained: u64, place: Place) {
        let slot = self.slot(symbol);
        let note = &mut self.noted[slot].1;
        note.gained += gained;
        note.num_places += 1;
        self.places.push((slot as u32, place));
    }

    fn notes(&self) -> impl Iterator<Item = (u32, Note)> + '_ {
        self.noted.iter().copied()
    }

    /// Moves the new places, symbol by symbol, to those of all pairs.
    fn sort_places(&mut self, pairs: &mut Pairs, free: &mut Range<usize>) {
        let (mut first, sorted) = pairs.make_room(self.places.len(), free);
        let base = first;
        self.ends.clear();
        for (_, note) in &mut self.noted {
            note.first = first;
            self.ends.push(first - base);
            first += note.num_places;
        }
        for &(slot, place) in &self.places {
            let end = &mut self.ends[slot as usize];
            sorted[*end] = place;
            *end += 1;
        }
    }
}
