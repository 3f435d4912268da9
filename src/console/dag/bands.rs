//! A woven picture that is too wide for its room is cut between columns and stands in bands, one below the other. A wire
//! that goes on in the next band leaves at the right, runs back between the bands, and comes in at the left.

use super::{Place, arrange::Arranged};

/// So many wires run from one band to the next at most; with more the eye loses them.
const WIRES_MAX: usize = 4;

/// One band: its columns, its own rows in the picture it was cut from, and the rows of the wires that come in.
struct Band {
    /// The column it begins with and the one after its last.
    columns: (usize, usize),
    /// From the first cell that moves to this band to the first that no longer does.
    from: i32,
    until: i32,
    /// The rows, in the uncut picture, of the wires that come in from the band before.
    enters: Vec<i32>,
    /// The first row and the one after the last, in the uncut picture.
    rows: (i32, i32),
    /// The first row in the picture in bands.
    top: i32,
}

impl Band {
    /// Cells at its left for the wires that come in.
    fn margin(&self) -> i32 {
        if self.enters.is_empty() { 0 } else { count(self.enters.len()) + 1 }
    }

    fn x(&self, x: i32) -> i32 {
        x - self.from + self.margin()
    }

    fn y(&self, y: i32) -> i32 {
        y - self.rows.0 + self.top
    }
}

fn count(len: usize) -> i32 {
    i32::try_from(len).expect("wires are few")
}

/// The same picture in bands of at most `room` columns; none if too many wires would run between them.
pub(super) fn in_bands(arranged: &Arranged, room: i32) -> Option<Arranged> {
    let mut bands = cut(arranged, room)?;
    let mut of_column = vec![0; arranged.lefts.len()];
    for (number, band) in bands.iter().enumerate() {
        of_column[band.columns.0..band.columns.1].fill(number);
    }
    for (place, (column, _)) in arranged.places.iter().zip(&arranged.columns) {
        let rows = &mut bands[of_column[*column as usize]].rows;
        *rows = (rows.0.min(place.y), rows.1.max(place.y + place.height));
    }
    for way in &arranged.ways {
        for ends in way.windows(2) {
            let (left, right) = (ends[0].0, ends[1].0);
            for band in bands.iter_mut().filter(|band| left < band.until && right >= band.from) {
                let (top, bottom) = (ends[0].1.min(ends[1].1), ends[0].1.max(ends[1].1));
                band.rows = (band.rows.0.min(top), band.rows.1.max(bottom + 1));
            }
        }
    }
    let mut top = 0;
    for number in 0..bands.len() {
        bands[number].top = top;
        let between = bands.get(number + 1).map_or(0, |next| count(next.enters.len().max(1)));
        top += bands[number].rows.1 - bands[number].rows.0 + between;
    }
    let mut cut = Arranged { columns: arranged.columns.clone(), bands: bands.len(), ..Arranged::default() };
    for ((place, pin), (column, _)) in arranged.places.iter().zip(&arranged.pins).zip(&arranged.columns) {
        let band = &bands[of_column[*column as usize]];
        cut.places.push(Place { x: band.x(place.x), y: band.y(place.y), ..*place });
        cut.pins.push(band.y(*pin));
    }
    cut.lefts = arranged.lefts.iter().zip(&of_column).map(|(left, band)| bands[*band].x(*left)).collect();
    cut.ways = arranged.ways.iter().map(|way| rewoven(way, &bands)).collect();
    let corners = cut.ways.iter().flatten().map(|(x, _)| x + 1);
    cut.width = cut.places.iter().map(|place| place.x + place.width).chain(corners).max().unwrap_or(0);
    cut.height = top;
    Some(cut)
}

/// As many columns a band as have room, at least one.
fn cut(arranged: &Arranged, room: i32) -> Option<Vec<Band>> {
    let lefts = &arranged.lefts;
    let enters: Vec<Vec<i32>> = crossings(arranged);
    let right_of = |column: usize| lefts.get(column + 1).map_or(arranged.width, |next| next - 1);
    let begin = |column: usize, enters: Vec<i32>| {
        let from = if column == 0 { i32::MIN / 2 } else { lefts[column] - 1 };
        let from = if column == 0 { from.max(lefts[0]) } else { from };
        let rows = (i32::MAX, i32::MIN);
        Band { columns: (column, column + 1), from, until: i32::MAX, enters, rows, top: 0 }
    };
    let mut bands = vec![begin(0, Vec::new())];
    for column in 1..lefts.len() {
        let band = bands.last_mut().expect("there is one");
        let leaves = enters.get(column + 1).map_or(0, |enters| count(enters.len()));
        if band.x(right_of(column)) + leaves <= room {
            band.columns.1 = column + 1;
        } else {
            if enters[column].len() > WIRES_MAX {
                return None;
            }
            band.until = lefts[column] - 1;
            bands.push(begin(column, enters[column].clone()));
        }
    }
    Some(bands)
}

/// For each column the rows in which wires come in from the one before, each once.
fn crossings(arranged: &Arranged) -> Vec<Vec<i32>> {
    let mut rows = vec![Vec::new(); arranged.lefts.len()];
    for way in &arranged.ways {
        for ends in way.windows(2).filter(|ends| ends[0].1 == ends[1].1) {
            let first = arranged.lefts.partition_point(|left| left - 1 < ends[0].0);
            let last = arranged.lefts.partition_point(|left| left - 1 <= ends[1].0);
            rows[first..last].iter_mut().for_each(|rows: &mut Vec<i32>| rows.push(ends[0].1));
        }
    }
    for rows in &mut rows {
        rows.sort_unstable();
        rows.dedup();
    }
    rows
}

/// A way over the cuts. The upper of two wires leaves further right and runs back further down, so that none crosses
/// another on its way.
fn rewoven(way: &[(i32, i32)], bands: &[Band]) -> Vec<(i32, i32)> {
    let Some(first) = way.first() else { return Vec::new() };
    let mut at = bands.partition_point(|band| band.from <= first.0).saturating_sub(1);
    let mut corners = vec![(bands[at].x(first.0), bands[at].y(first.1))];
    for &(x, y) in &way[1..] {
        while let Some(next) = bands.get(at + 1).filter(|next| x >= next.from) {
            let band = &bands[at];
            let number = count(next.enters.partition_point(|row| *row < y));
            let all = count(next.enters.len());
            let right = band.x(next.from) + all - 1 - number;
            let lane = next.top - 1 - number;
            let left = next.margin() - 2 - number;
            corners.extend([(right, band.y(y)), (right, lane), (left, lane), (left, next.y(y))]);
            at += 1;
        }
        corners.push((bands[at].x(x), bands[at].y(y)));
    }
    corners.dedup();
    corners
}
