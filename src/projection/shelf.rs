//! Collections that are cheap to copy: kept in pieces behind `Arc`, so that a copy shares all that did not change.
//!
//! Copying a board of 10,000 runs copies 79 pointers, and changing one run after that copies 128 pointers more.

use std::{collections::BTreeMap, sync::Arc};

const SHELF_PIECE: u64 = 128;
const ROWS_PIECE: usize = 64;

/// Things by number, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Shelf<T> {
    pieces: BTreeMap<u64, Arc<BTreeMap<u64, T>>>,
    len: usize,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { pieces: BTreeMap::new(), len: 0 }
    }
}

impl<T> Shelf<T> {
    /// The number of values.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True if the shelf is empty.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value of this number.
    pub fn get(&self, key: u64) -> Option<&T> {
        self.pieces.get(&(key / SHELF_PIECE))?.get(&key)
    }

    /// All of them, by number.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        self.pieces.values().flat_map(|piece| piece.iter().map(|(key, value)| (*key, value)))
    }

    /// The lowest number on the shelf.
    pub fn first(&self) -> Option<u64> {
        self.iter().next().map(|(key, _)| key)
    }
}

impl<T: Clone> Shelf<T> {
    /// One of them, to be changed; its piece is copied when somebody else holds it.
    pub(super) fn get_mut(&mut self, key: u64) -> Option<&mut T> {
        let piece = self.pieces.get_mut(&(key / SHELF_PIECE)).filter(|piece| piece.contains_key(&key))?;
        Arc::make_mut(piece).get_mut(&key)
    }

    pub(super) fn insert(&mut self, key: u64, value: T) {
        let piece = Arc::make_mut(self.pieces.entry(key / SHELF_PIECE).or_default());
        if piece.insert(key, value).is_none() {
            self.len += 1;
        }
    }

    pub(super) fn remove(&mut self, key: u64) -> Option<T> {
        let index = key / SHELF_PIECE;
        let piece = self.pieces.get_mut(&index).filter(|piece| piece.contains_key(&key))?;
        let piece = Arc::make_mut(piece);
        let gone = piece.remove(&key);
        if piece.is_empty() {
            self.pieces.remove(&index);
        }
        self.len -= usize::from(gone.is_some());
        gone
    }
}

/// Things in a row, counted from 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows<T> {
    pieces: Vec<Arc<Vec<T>>>,
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self { pieces: Vec::new() }
    }
}

impl<T> Rows<T> {
    /// The number of rows.
    pub fn len(&self) -> usize {
        self.pieces.last().map_or(0, |last| (self.pieces.len() - 1) * ROWS_PIECE + last.len())
    }

    /// True if no row is kept.
    pub const fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The row at this index.
    pub fn get(&self, index: usize) -> Option<&T> {
        self.pieces.get(index / ROWS_PIECE)?.get(index % ROWS_PIECE)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.pieces.iter().flat_map(|piece| piece.iter())
    }
}

impl<T: Clone> Rows<T> {
    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        let piece = self.pieces.get_mut(index / ROWS_PIECE)?;
        Arc::make_mut(piece).get_mut(index % ROWS_PIECE)
    }

    pub(super) fn push(&mut self, value: T) {
        match self.pieces.last_mut() {
            Some(last) if last.len() < ROWS_PIECE => Arc::make_mut(last).push(value),
            Some(_) | None => self.pieces.push(Arc::new(vec![value])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_by_place_across_pieces() {
        let mut rows = Rows::default();
        (0..200).for_each(|index| rows.push(index));
        let before = rows.clone();
        *rows.get_mut(130).expect("there are 200") = 7;
        assert_eq!((rows.len(), rows.get(130), rows.get(200)), (200, Some(&7), None));
        assert_eq!((before.get(130), before.iter().count()), (Some(&130), 200));
        assert!(Arc::ptr_eq(&before.pieces[0], &rows.pieces[0]), "what did not change is shared");
        assert!(!Arc::ptr_eq(&before.pieces[2], &rows.pieces[2]));
    }

    #[test]
    fn a_shelf_keeps_order_and_count() {
        let mut shelf = Shelf::default();
        for key in [500, 3, 129, 3] {
            shelf.insert(key, key);
        }
        assert_eq!(shelf.iter().map(|(key, _)| key).collect::<Vec<_>>(), [3, 129, 500]);
        assert_eq!((shelf.remove(129), shelf.remove(129), shelf.len()), (Some(129), None, 2));
        assert_eq!((shelf.first(), shelf.get(500), shelf.get(4)), (Some(3), Some(&500), None));
    }
}
