//! The past: the view as it was, a band over it that says so, and the scrubber under it. The view draws as it always does,
//! into what is left of the screen.

use super::state::{Travel, role_of, sign_of};
use crate::{
    Role, Width, fill,
    layout::{self, TravelLayout},
    pane, put, put_right, sparkline,
    view::{
        canvas::Canvas,
        frame,
        pieces::{Pieces, put_pieces, width_of},
        screen, status, to_ascii,
    },
};
use cuelight_base::counted;
use cuelight_projection::Notch;
use ratatui::{buffer::Buffer, layout::Rect, style::Modifier};
use unicode_width::UnicodeWidthStr;

pub(crate) fn draw(canvas: &Canvas<'_>, travel: &Travel, buf: &mut Buffer) {
    let places = layout::inside_travel(travel.screen);
    fill(buf, buf.area, canvas.theme.ground());
    let (width, height) = places.view;
    let mut inside = Buffer::empty(Rect::new(0, 0, width, height));
    screen(canvas.model, canvas.theme, &mut inside);
    if layout::frame(travel.screen).width == Width::TooSmall {
        copy(&inside, 0, buf, buf.area);
        return;
    }
    copy(&inside, 0, buf, Rect { height: 1, ..buf.area });
    copy(&inside, 1, buf, places.body);
    band(canvas, travel, places.band, buf);
    around(canvas, &places, buf);
    changes(canvas, travel, &places, buf);
    scrubber(canvas, travel, &places, buf);
    status::draw(canvas, places.status, buf);
    frame::keys(canvas, places.keys, buf);
    if canvas.glyphs.ascii {
        to_ascii(buf);
    }
}

/// Rows of a buffer, from one on, into an area of another.
fn copy(from: &Buffer, row: u16, to: &mut Buffer, area: Rect) {
    for y in 0..area.height {
        for x in 0..area.width {
            let Some(cell) = from.cell((x, row + y)) else { continue };
            if let Some(target) = to.cell_mut((area.x + x, area.y + y)) {
                *target = cell.clone();
            }
        }
    }
}

/// Draws the band with the source and the instant shown.
fn band(canvas: &Canvas<'_>, travel: &Travel, area: Rect, buf: &mut Buffer) {
    let style = canvas.style(Role::History).add_modifier(Modifier::BOLD | Modifier::REVERSED);
    let shade = canvas.glyphs.pick("▒", ":");
    let wide = area.width >= 140;
    let whose = match travel.history.run() {
        Some(run) => {
            let name = canvas.model.board.summary(run).or_else(|| travel.live.summary(run));
            let name =
                name.filter(|_| wide).map(|name| format!(" {}", cuelight_base::safe_text(&name.workflow)));
            format!("{run}{}", name.unwrap_or_default())
        }
        None => "the whole log".to_owned(),
    };
    let total = travel.history.len();
    let words = match travel.shown {
        None => {
            format!(" HISTORY  {whose}: reading what happened, {} so far ", counted(total, "event", "events"))
        }
        Some(at) => {
            let clock = canvas.model.now.to_utc().format(if wide { "%H:%M:%S%.3f" } else { "%H:%M:%S" });
            let more = if travel.complete { "" } else { "+" };
            let end = if wide { "nothing you press here changes anything" } else { "read-only" };
            format!(" HISTORY  {whose} as it was at {clock}  event {at} of {total}{more}   {end} ")
        }
    };
    let words = canvas.glyphs.fit(&words, usize::from(area.width));
    let x = put(buf, area, area.x, area.y, &shade.repeat(2), style);
    let mut x = put(buf, area, x, area.y, &words, style);
    while x < area.right() {
        x = put(buf, area, x, area.y, shade, style);
    }
}

/// The events that led here, the one that was last at the end.
fn around(canvas: &Canvas<'_>, places: &TravelLayout, buf: &mut Buffer) {
    let Some(area) = places.around else { return };
    let inside = pane(buf, area, "events until here", "", canvas.pane(false));
    let lines: Vec<_> = canvas.model.board.lines().rev().take(usize::from(inside.height)).collect();
    for (row, line) in lines.into_iter().rev().enumerate() {
        let y = inside.y + u16::try_from(row).unwrap_or(0);
        let here = line.seq == canvas.model.board.seq;
        let cursor = if here { canvas.glyphs.pick("▌", ">") } else { " " };
        let clock = line.at.to_utc().format("%H:%M:%S%.3f").to_string();
        let role = if here { Role::Text } else { Role::Muted };
        let pieces: Pieces = vec![
            (format!("{cursor}{:>7}  {clock}  ", line.seq.to_string()), canvas.style(role)),
            (format!("{:<18} ", line.kind), canvas.style(if here { Role::Title } else { Role::Text })),
            (
                format!("{:<22} ", canvas.glyphs.fit(&cuelight_base::safe_text(&line.subject), 22)),
                canvas.style(role),
            ),
            (cuelight_base::safe_text(&line.detail), canvas.style(Role::Muted)),
        ];
        put_pieces(buf, inside, (inside.x, y), &pieces, canvas.glyphs);
    }
}

fn changes(canvas: &Canvas<'_>, travel: &Travel, places: &TravelLayout, buf: &mut Buffer) {
    let Some(area) = places.changes else { return };
    let more = travel.history.len().saturating_sub(travel.at);
    let title = format!("from here to now  (+{})", counted(more, "event", "events"));
    let inside = pane(buf, area, &title, "D compares", canvas.pane(false));
    for (row, (line, role)) in travel.changes.iter().take(usize::from(inside.height)).enumerate() {
        let y = inside.y + u16::try_from(row).unwrap_or(0);
        let room = usize::from(inside.width).saturating_sub(2);
        put(buf, inside, inside.x + 1, y, &canvas.glyphs.fit(line, room), canvas.style(*role));
    }
}

/// Draws the density of events, the notable ones, and the current position among them.
fn scrubber(canvas: &Canvas<'_>, travel: &Travel, places: &TravelLayout, buf: &mut Buffer) {
    let Some(track) = places.track else { return };
    let area = places.scrubber;
    let width = usize::from(track.width).max(2);
    if area.height > 2 {
        let each = travel.history.len().div_ceil(width).max(1);
        let cell = format!("1 cell = {}", counted(each, "event", "events"));
        let footer = format!("{cell}   a fold every {}", travel.history.spacing());
        let inside = pane(buf, area, &title(canvas), &footer, canvas.pane(true));
        put(buf, inside, inside.x + 1, inside.y, "events", canvas.style(Role::Muted));
        put(buf, inside, inside.x + 1, inside.y + 1, "marks", canvas.style(Role::Muted));
        put(
            buf,
            inside,
            track.x,
            inside.y,
            &sparkline(canvas.glyphs, track.width, &density(travel, width)),
            canvas.style(Role::Graph1),
        );
        marks(canvas, travel, width, (track.x, inside.y + 1, inside), buf);
    }
    let at = cell_of(travel, travel.at, width);
    let line: String = (0..width)
        .map(|cell| match cell {
            cell if cell == at => canvas.glyphs.pick('●', 'O'),
            0 => canvas.glyphs.pick('├', '|'),
            cell if cell + 1 == width => canvas.glyphs.pick('┤', '|'),
            _ => canvas.glyphs.pick('─', '-'),
        })
        .collect();
    put(buf, area, track.x, track.y, &line, canvas.style(Role::History));
    if track.y + 1 < area.bottom() {
        labels(canvas, travel, (track, at), area, buf);
    }
    if area.height > 6 {
        legend(canvas, travel, Rect { y: area.bottom().saturating_sub(2), height: 1, ..track }, buf);
    }
}

/// The event that was last, in words.
fn title(canvas: &Canvas<'_>) -> String {
    match canvas.model.board.lines().next_back() {
        Some(line) => {
            let words = format!("{} {} {}", line.kind, line.subject, line.detail);
            format!("scrubber · event {} {}", line.seq, cuelight_base::safe_text(words.trim_end()))
        }
        None => "scrubber".to_owned(),
    }
}

fn cell_of(travel: &Travel, at: usize, width: usize) -> usize {
    let len = travel.history.len().max(1);
    (at.saturating_sub(1) * (width - 1)).checked_div(len.saturating_sub(1).max(1)).unwrap_or(0).min(width - 1)
}

/// The rate of events in each cell, on a scale of powers of two.
fn density(travel: &Travel, width: usize) -> Vec<u64> {
    let moments = travel.history.moments();
    let len = moments.len();
    let cells = (0..width).map(|cell| {
        let from = cell * len / width;
        let to = ((cell + 1) * len / width).max(from + 1).min(len);
        match (moments.get(from.saturating_sub(1)), moments.get(to.saturating_sub(1))) {
            (Some(first), Some(last)) if to > from => {
                let span = last.latest.since(first.latest).0.max(1);
                u64::from((((to - from) as u64 * 1_000_000) / span).max(1).ilog2())
            }
            _ => 0,
        }
    });
    cells.collect()
}

/// Draws the notable events, the most important one of each cell.
fn marks(
    canvas: &Canvas<'_>,
    travel: &Travel,
    width: usize,
    (x, y, area): (u16, u16, Rect),
    buf: &mut Buffer,
) {
    let mut cells: Vec<Option<Notch>> = vec![None; width];
    for (index, moment) in travel.history.moments().iter().enumerate() {
        if let Some(notch) = moment.notch {
            let cell = &mut cells[cell_of(travel, index + 1, width)];
            *cell = Some(cell.map_or(notch, |cell| cell.min(notch)));
        }
    }
    let blank = canvas.glyphs.pick('·', '.');
    for (cell, notch) in cells.into_iter().enumerate() {
        let (sign, role) =
            notch.map_or((blank, Role::Border), |notch| (sign_of(notch, canvas.glyphs), role_of(notch)));
        let x = x.saturating_add(u16::try_from(cell).unwrap_or(u16::MAX));
        put(buf, area, x, y, &sign.to_string(), canvas.style(role));
    }
}

/// The first instant, this one under its place, and the time it is now.
fn labels(canvas: &Canvas<'_>, travel: &Travel, (track, at): (Rect, usize), area: Rect, buf: &mut Buffer) {
    let y = track.y + 1;
    let first = travel.history.moments().first().map_or_else(String::new, |moment| moment.at.clock());
    let live = if area.width >= 100 { "live " } else { "" };
    let live = format!("{live}{}", canvas.model.clock.clock());
    put(buf, area, track.x, y, &first, canvas.style(Role::Muted));
    put_right(buf, area, track.right(), y, &live, canvas.style(Role::Muted));
    let here = canvas.model.now.clock();
    let x = track.x.saturating_add(u16::try_from(at).unwrap_or(0)).saturating_sub(4);
    let width = |text: &str| u16::try_from(text.width()).unwrap_or(0);
    let free = track.x + width(&first) + 1..track.right().saturating_sub(width(&live) + width(&here) + 1);
    if free.contains(&x) && travel.shown.is_some() {
        put(buf, area, x, y, &here, canvas.style(Role::Text));
    }
}

fn legend(canvas: &Canvas<'_>, travel: &Travel, area: Rect, buf: &mut Buffer) {
    let mut line = Pieces::new();
    for notch in Notch::ALL {
        line.push((sign_of(notch, canvas.glyphs).to_string(), canvas.style(role_of(notch))));
        line.push((format!(" {}  ", notch.word()), canvas.style(Role::Muted)));
    }
    if let Some(play) = travel.play {
        let way = if play.forward { "plays" } else { "plays backwards" };
        line.push((format!("{way} {}x", travel.speed), canvas.style(Role::Warn)));
    }
    if width_of(&line) > usize::from(area.width) {
        line.truncate(2 * 6);
    }
    put_pieces(buf, area, (area.x, area.y), &line, canvas.glyphs);
}
