//! The neighbours of the pair being merged.

use std::ops::Range;

use super::pairs::Pairs;
use crate::error::BpeError;
use crate::memory::reserve_exact;

/// The symbols on one side of a merged pair, each with what is gone and what is new.
#[derive(Default)]
pub(super) struct Side {
    /// Index in `notes` by symbol, where that one's symbol is the same.
    slots: Vec<u32>,
    notes: Vec<Note>,
    /// New places, each with its symbol's index in `notes`.
    places: Vec<(u32, u32)>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Note {
    pub symbol: u32,
    /// The new places that are kept: `places[first..first + num_places]` of all pairs.
    pub num_places: u32,
    pub first: usize,
    /// Occurrences of the pair with the old symbol that are gone.
    pub lost: u64,
    /// Occurrences of the pair with the new symbol.
    pub gained: u64,
}

impl Side {
    /// Forgets all, and makes room for at most `num_places`.
    pub fn clear(&mut self, num_tokens: usize, num_places: usize) -> Result<(), BpeError> {
        self.slots.resize(num_tokens, 0);
        self.notes.clear();
        self.places.clear();
        reserve_exact(&mut self.places, num_places)
    }

    #[inline(always)]
    fn slot(&mut self, symbol: u32) -> usize {
        let slot = self.slots[symbol as usize] as usize;
        if self.notes.get(slot).is_some_and(|note| note.symbol == symbol) {
            return slot;
        }
        self.add(symbol)
    }

    #[inline(never)]
    fn add(&mut self, symbol: u32) -> usize {
        self.slots[symbol as usize] = self.notes.len() as u32;
        self.notes.push(Note {
            symbol,
            num_places: 0,
            first: 0,
            lost: 0,
            gained: 0,
        });
        self.notes.len() - 1
    }

    /// `symbol` stood beside the pair, `gained` times, with the new symbol now at `place`.
    #[inline(always)]
    pub fn gain(&mut self, symbol: u32, gained: u64, lost: u64, place: u32) {
        let slot = self.slot(symbol);
        let note = &mut self.notes[slot];
        note.gained += gained;
        note.lost += lost;
        note.num_places += 1;
        self.places.push((slot as u32, place));
    }

    /// `symbol` was next to the pair; its new neighbour is recorded elsewhere.
    #[inline]
    pub fn lose(&mut self, symbol: u32, lost: u64) {
        let slot = self.slot(symbol);
        self.notes[slot].lost += lost;
    }

    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Moves the new places of the symbols for which `keeps`, symbol by symbol, to those of all pairs; the places in `free`
    /// may be written over. The others' notes have no places any more.
    pub fn sort_places(
        &mut self,
        pairs: &mut Pairs,
        free: &mut Range<usize>,
        keeps: impl Fn(&Note) -> bool,
    ) -> Result<(), BpeError> {
        const NOT_KEPT: usize = usize::MAX;
        let mut num_kept = 0;
        for note in &mut self.notes {
            if keeps(note) {
                note.first = num_kept;
                num_kept += note.num_places as usize;
            } else {
                note.first = NOT_KEPT;
                note.num_places = 0;
            }
        }
        if num_kept == 0 {
            return Ok(());
        }
        let base = pairs.make_room(num_kept, free)?;
        let kept = &mut pairs.places_mut()[base..base + num_kept];
        for &(slot, place) in &self.places {
            let next = &mut self.notes[slot as usize].first;
            if *next != NOT_KEPT {
                kept[*next] = place;
                *next += 1;
            }
        }
        for note in self.notes.iter_mut().filter(|note| note.num_places > 0) {
            note.first = note.first + base - note.num_places as usize;
        }
        Ok(())
    }
}
