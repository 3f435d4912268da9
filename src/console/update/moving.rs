//! Moving a cursor in a list: the same arithmetic for every list, so that `5j`, `G` and pages mean the same everywhere.

use crate::Intent;

/// The cursor after a command, in a list of `len` rows of which `page` are visible. None if the command does
/// not move it.
pub(crate) fn moved(intent: Intent, at: usize, len: usize, page: usize, count: Option<u32>) -> Option<usize> {
    let times = usize::try_from(count.unwrap_or(1).max(1)).unwrap_or(1);
    let half = (page / 2).max(1);
    let last = len.saturating_sub(1);
    let to = match intent {
        Intent::Down => at.saturating_add(times),
        Intent::Up => at.saturating_sub(times),
        Intent::HalfDown => at.saturating_add(half * times),
        Intent::HalfUp => at.saturating_sub(half * times),
        Intent::PageDown => at.saturating_add(page.max(1) * times),
        Intent::PageUp => at.saturating_sub(page.max(1) * times),
        Intent::First => count.map_or(0, |row| usize::try_from(row).unwrap_or(0).saturating_sub(1)),
        Intent::Last => count.map_or(last, |row| usize::try_from(row).unwrap_or(last).saturating_sub(1)),
        _ => return None,
    };
    Some(to.min(last))
}

/// The first row that is seen, so that the cursor is among those that are.
pub(crate) fn scrolled(top: usize, at: usize, len: usize, page: usize) -> usize {
    let page = page.max(1);
    let lowest = (at + 1).saturating_sub(page);
    top.clamp(lowest, at.max(lowest)).min(len.saturating_sub(page.min(len)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn movement_stays_in_the_list() {
        let to = |intent, at, count| moved(intent, at, 10, 4, count).expect("a movement");
        assert_eq!(to(Intent::Down, 3, Some(5)), 8);
        assert_eq!(to(Intent::Down, 9, None), 9);
        assert_eq!(to(Intent::Last, 0, None), 9);
        assert_eq!(to(Intent::Last, 0, Some(3)), 2);
        assert_eq!(to(Intent::HalfUp, 1, None), 0);
        assert_eq!(moved(Intent::Down, 0, 0, 4, None), Some(0));
        assert_eq!(moved(Intent::Help, 0, 10, 4, None), None);
    }

    #[test]
    fn the_cursor_is_always_seen() {
        for len in 0..12 {
            for page in 0..8 {
                for at in 0..len {
                    for top in 0..15 {
                        let top = scrolled(top, at, len, page);
                        assert!(top <= at && at < top + page.max(1), "{len} {page} {at} {top}");
                    }
                }
            }
        }
    }
}
