//! The ids of a pre-token in 64 bits.

/// The most ids that stand in the value itself.
pub const MAX_PACKED: usize = 3;

const ID_BITS: u32 = 20;
const COUNT_SHIFT: u32 = 60;
/// In place of a count: the ids lie elsewhere.
const ELSEWHERE: u64 = 0xf;

/// Up to [`MAX_PACKED`] ids of 20 bits and, above them, how many; or where the ids lie in the cache's arena and, from bit 32
/// on, how many. 0 stands for nothing known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value(pub u64);

impl Value {
    /// Nothing known.
    pub const MISSING: Self = Self(0);

    /// `ids` themselves, if they fit.
    pub fn pack(ids: &[u32]) -> Option<Self> {
        if ids.is_empty() || ids.len() > MAX_PACKED || ids.iter().any(|id| id >> ID_BITS != 0) {
            return None;
        }
        let packed = ids
            .iter()
            .rev()
            .fold(0, |packed, &id| packed << ID_BITS | u64::from(id));
        Some(Self(packed | (ids.len() as u64) << COUNT_SHIFT))
    }

    /// Ids that lie at `place` in the arena.
    pub fn elsewhere(place: u32, num_ids: u32) -> Self {
        debug_assert!(num_ids < 1 << 28);
        Self(ELSEWHERE << COUNT_SHIFT | u64::from(num_ids) << 32 | u64::from(place))
    }

    /// Place and number of ids that lie in the arena.
    #[inline(always)]
    pub fn place(self) -> Option<(usize, usize)> {
        (self.0 >> COUNT_SHIFT == ELSEWHERE).then_some((self.0 as u32 as usize, (self.0 >> 32) as usize & 0xfff_ffff))
    }

    /// The ids, some of them padding where they are fewer, so that three can be copied whatever their number, and the number.
    #[inline(always)]
    pub fn unpack(self) -> ([u32; MAX_PACKED], usize) {
        let id = |k: u32| (self.0 >> (k * ID_BITS)) as u32 & ((1 << ID_BITS) - 1);
        ([id(0), id(1), id(2)], (self.0 >> COUNT_SHIFT) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: what went in.
    #[test]
    fn ids_come_back() {
        for ids in [&[0][..], &[1, 2, 3], &[(1 << 20) - 1; 3], &[7, 0]] {
            let value = Value::pack(ids).unwrap();
            let (unpacked, count) = value.unpack();
            assert_eq!(&unpacked[..count], ids);
            assert_eq!(value.place(), None);
            assert_ne!(value, Value::MISSING);
        }
        for ids in [&[][..], &[1 << 20], &[1; 4]] {
            assert_eq!(Value::pack(ids), None);
        }
        assert_eq!(Value::elsewhere(u32::MAX, 128).place(), Some((u32::MAX as usize, 128)));
    }
}
