//! Time: when what ran. Bars by what was going on, waiting squeezed and labelled, the critical path heavy, and what is
//! usual beside it.

use super::gantt::{Chart, GanttRow, Lane, Scale};
use crate::{
    Glyphs, Role, gauge,
    layout::{self, TimeLayout},
    marks::age,
    pane,
    popup::draw::select_row,
    put, put_right, sparkline,
    travel::state::{role_of as role_of_notch, sign_of as sign_of_notch},
    view::{
        canvas::Canvas,
        pieces::{Pieces, put_pieces, wrapped},
    },
};
use cuelight_base::{Span, counted, safe_text};
use cuelight_projection::{Bar, Notch, Spell};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};
use unicode_width::UnicodeWidthStr;

pub(crate) fn draw(canvas: &Canvas<'_>, buf: &mut Buffer) {
    let model = canvas.model;
    let places = layout::time(model);
    let Some(chart) = &model.time.chart else { return empty(canvas, &places, buf) };
    match places.pane {
        Some(area) => {
            pane(
                buf,
                area,
                &title(canvas, chart, usize::from(area.width).saturating_sub(6)),
                "",
                canvas.pane(true),
            );
        }
        None => {
            let text = title(canvas, chart, usize::from(places.title.width).saturating_sub(2));
            put(buf, places.title, places.title.x + 1, places.title.y, &text, canvas.style(Role::Title));
        }
    }
    let whole = usize::from(places.chart.width) << model.time.zoom;
    let plot = Plot { canvas, scale: Scale::of(chart, whole), area: places.chart, left: model.time.left };
    head(canvas, &places, &plot, buf);
    plot.now(places.rows, buf);
    let each = places.each(chart.rows.len());
    let page = usize::from(places.rows.height / each);
    for (index, row) in chart.rows.iter().skip(model.time.top).take(page).enumerate() {
        let y = places.rows.y + u16::try_from(index).unwrap_or(0) * each;
        draw_row(canvas, &places, &plot, row, (y, each), buf);
    }
    if chart.rows.is_empty() {
        put(
            buf,
            places.rows,
            places.rows.x + 1,
            places.rows.y,
            "no step fits; c and i show all again",
            canvas.style(Role::Muted),
        );
    }
    if let Some(area) = places.marks {
        marks(canvas, &plot, area, buf);
    }
    match places.lower {
        Some([left, right]) => {
            lanes(canvas, chart, left, buf);
            spent(canvas, chart, right, buf);
        }
        None => foot(canvas, chart, places.foot, buf),
    }
}

/// Draws the density of events over time, the notable events, and a legend of their signs.
fn marks(canvas: &Canvas<'_>, plot: &Plot<'_>, area: Rect, buf: &mut Buffer) {
    let (y, muted) = (area.y + 1, canvas.style(Role::Muted));
    let cells = plot.left..plot.left + usize::from(plot.area.width);
    let mut happened = vec![0_u64; cells.len()];
    let mut notches: Vec<Option<Notch>> = vec![None; cells.len()];
    for beat in canvas.model.time.moments.beats().iter().filter(|beat| beat.at <= canvas.model.now) {
        let cell = plot.scale.cell(beat.at);
        if cells.contains(&cell) {
            happened[cell - cells.start] += beat.count;
            let notch = &mut notches[cell - cells.start];
            *notch = beat.notch.map_or(*notch, |value| Some(notch.map_or(value, |other| other.min(value))));
        }
    }
    // Behind now nothing can have happened.
    let until = plot.scale.now.map_or(cells.end, |number| number + 1).clamp(cells.start, cells.end);
    happened.truncate(until - cells.start);
    put(buf, area, area.x + 1, y, "events", muted);
    put(buf, area, area.x + 1, y + 1, "marks", muted);
    let graph = sparkline(canvas.glyphs, plot.area.width, &happened);
    put(buf, area, plot.area.x, y, &graph, canvas.style(Role::Graph1));
    for (x, notch) in (plot.area.x..).zip(&notches) {
        if let Some(notch) = notch {
            let style = canvas.style(role_of_notch(*notch));
            put(buf, area, x, y + 1, &sign_of_notch(*notch, canvas.glyphs).to_string(), style);
        }
    }
    let seen = |notch: &Notch| notches.contains(&Some(*notch));
    let mut legend = Pieces::new();
    for notch in Notch::ALL.into_iter().filter(seen) {
        legend.push((sign_of_notch(notch, canvas.glyphs).to_string(), canvas.style(role_of_notch(notch))));
        legend.push((format!(" {}  ", notch.word()), muted));
    }
    put_pieces(buf, area, (plot.area.x, y + 2), &legend, canvas.glyphs);
}

/// Without a chart: why, and what to do.
fn empty(canvas: &Canvas<'_>, places: &TimeLayout, buf: &mut Buffer) {
    let model = canvas.model;
    let inside = match places.pane {
        Some(area) => pane(buf, area, "time", "", canvas.pane(true)),
        None => Rect { x: places.rows.x + 1, ..places.rows },
    };
    let text = match model.time.run {
        Some(run) if model.board.summary(run).is_some() => {
            format!(
                "the steps of {run} are not in memory any more; `cuelight show {run}` reads them from the log"
            )
        }
        Some(run) => format!("{run} is not there; Esc goes back"),
        None => "nothing ran yet; `cuelight run FILE` starts a workflow".to_owned(),
    };
    for (row, line) in wrapped(&text, usize::from(inside.width.saturating_sub(2)).max(1)).iter().enumerate() {
        put(
            buf,
            inside,
            inside.x,
            inside.y + u16::try_from(row).unwrap_or(0),
            line,
            canvas.style(Role::Muted),
        );
    }
}

/// The title: the run on the screen, as much of it as fits.
fn title(canvas: &Canvas<'_>, chart: &Chart, room: usize) -> String {
    let model = canvas.model;
    let name =
        model.board.summary(chart.run).map_or_else(String::new, |summary| safe_text(&summary.workflow));
    let squeezed = chart.stretches.iter().any(|stretch| stretch.waits.is_some());
    let look = &model.time.look;
    let parts = [
        format!("{} {name}  {}", chart.run, chart.until.since(chart.from)),
        format!("critical path {} {}", chart.critical_time, canvas.glyphs.pick("━", "#")),
        if squeezed { format!("waiting squeezed {}", canvas.glyphs.pick("≈", "~")) } else { String::new() },
        if look.critical_only { "critical path only".to_owned() } else { String::new() },
        if look.hide_idle { "idle hidden".to_owned() } else { String::new() },
        match chart.medians_of {
            0 => String::new(),
            1 => "compared with 1 run before".to_owned(),
            runs => format!("compared with the median of {runs} runs"),
        },
        if model.time.zoom > 0 { format!("zoom {}x", 1_u32 << model.time.zoom) } else { String::new() },
    ];
    let mut out = String::new();
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        let gap = if out.is_empty() { "" } else { "   " };
        if out.is_empty() || out.width() + part.width() + gap.len() <= room {
            out.push_str(gap);
            out.push_str(&part);
        }
    }
    out
}

/// The heads of the columns, and the axis.
fn head(canvas: &Canvas<'_>, places: &TimeLayout, plot: &Plot<'_>, buf: &mut Buffer) {
    let (area, style) = (places.head, canvas.style(Role::Muted));
    put(buf, area, area.x + 1, area.y, "STEP", style);
    if wide(places) {
        put_right(buf, area, places.chart.x.saturating_sub(7), area.y, "TIME", style);
        put_right(buf, area, places.chart.x.saturating_sub(1), area.y, "Q", style);
    }
    for (cell, text) in plot.scale.ticks(8) {
        plot.put(buf, area.y, cell, &text, style);
    }
    let wave = canvas.glyphs.pick("≈", "~");
    for (cell, wide, text) in plot.scale.squeezed() {
        let text = canvas.glyphs.fit(&format!("{wave}{text}{wave}"), wide);
        plot.put(buf, area.y, cell, &format!("{text:^wide$}"), canvas.style(Role::Warn));
    }
    if let Some(now) = plot.scale.now {
        plot.put(buf, area.y, now, canvas.glyphs.pick("│now", "|now"), canvas.style(Role::Info));
    }
}

fn wide(places: &TimeLayout) -> bool {
    places.chart.x.saturating_sub(places.rows.x) >= 40
}

fn draw_row(
    canvas: &Canvas<'_>,
    places: &TimeLayout,
    plot: &Plot<'_>,
    row: &GanttRow,
    (y, each): (u16, u16),
    buf: &mut Buffer,
) {
    let selected = canvas.model.time.selected == Some(row.step);
    let base = select_row(canvas, Rect { y, height: 1, ..places.rows }, selected, buf);
    let names = Rect { y, height: 1, width: places.chart.x.saturating_sub(places.rows.x), ..places.rows };
    name(canvas, row, names, base, wide(places), buf);
    for bar in &row.bars {
        plot.bar(buf, y, bar, row.critical, base);
    }
    if let Some((from, until)) = row.planned {
        let from = from.max(canvas.model.now);
        plot.planned(buf, y, (from, until), base);
    }
    let below = each > 1;
    let (text, role) = after(canvas, row, below);
    let end = row.bars.last().map(|bar| plot.scale.cell(bar.until).max(plot.scale.cell(bar.from) + 1));
    if let Some(end) = end.filter(|_| !text.is_empty()) {
        plot.after(buf, y, end + 1, &text, base.patch(canvas.style(role)));
    }
    if let (true, Some(median), Some(first)) = (below, row.median, row.bars.first()) {
        let sign = canvas.glyphs.pick("╎", "'");
        let cell = plot.scale.cell((first.from + median).min(canvas.model.now.max(first.until)));
        let slower = row.slower().map_or_else(String::new, |slower| format!("  slower +{slower} %"));
        let role = if slower.is_empty() { Role::Muted } else { Role::Warn };
        plot.after(buf, y + 1, cell, &format!("{sign} median {median}{slower}"), canvas.style(role));
    }
}

/// Sign and name, and where there is room time and quality.
fn name(canvas: &Canvas<'_>, row: &GanttRow, area: Rect, base: Style, wide: bool, buf: &mut Buffer) {
    let fold = match row.holds {
        None => String::new(),
        Some((count, open)) => {
            let sign = if open { canvas.glyphs.pick("▾", "-") } else { canvas.glyphs.pick("×", "x") };
            format!(" {sign}{count}")
        }
    };
    let cursor = if base == Style::new() { " " } else { canvas.glyphs.pick("▌", ">") };
    let indent = "  ".repeat(row.depth.min(4));
    let numbers = if wide { 14 } else { 0 };
    let room = usize::from(area.width).saturating_sub(4 + indent.len() + fold.width() + numbers);
    let mut style = base.patch(canvas.style(Role::Text));
    if row.critical {
        style = style.add_modifier(Modifier::BOLD);
    }
    let pieces: Pieces = vec![
        (cursor.to_owned(), base.patch(canvas.style(Role::BorderFocus))),
        (format!("{indent}{} ", row.mark.sign(canvas.glyphs)), base.patch(row.mark.style(canvas.theme))),
        (canvas.glyphs.fit(&safe_text(&row.name), room), style),
        (fold, base.patch(canvas.style(Role::Muted))),
    ];
    put_pieces(buf, area, (area.x, area.y), &pieces, canvas.glyphs);
    if wide {
        let took = row.took.map_or_else(
            || row.median.map_or_else(String::new, |median| format!("~{median}")),
            |span| span.to_string(),
        );
        put_right(
            buf,
            area,
            area.right().saturating_sub(7),
            area.y,
            &took,
            base.patch(canvas.style(Role::Text)),
        );
        let quality = row.quality.map_or_else(String::new, |quality| quality.to_string());
        put_right(
            buf,
            area,
            area.right().saturating_sub(1),
            area.y,
            &quality,
            base.patch(canvas.style(Role::Muted)),
        );
    }
}

/// The text after the last bar.
fn after(canvas: &Canvas<'_>, row: &GanttRow, median_below: bool) -> (String, Role) {
    let took = row.took.map_or_else(String::new, |span| span.to_string());
    match row.bars.last().map(|bar| bar.what) {
        Some(Spell::Gate) if row.bars.last().is_some_and(|bar| bar.until >= canvas.model.now) => {
            let waited = row.bars.last().map_or(Span(0), |bar| bar.until.since(bar.from));
            (format!("{} for a person", age(waited)), Role::Gate)
        }
        Some(_) => match row.slower().filter(|_| !median_below) {
            Some(more) => (format!("{took} +{more} %"), Role::Warn),
            None => (took, Role::Muted),
        },
        None => (String::new(), Role::Muted),
    }
}

/// The bars' part of the screen.
struct Plot<'a> {
    canvas: &'a Canvas<'a>,
    scale: Scale,
    area: Rect,
    left: usize,
}

impl Plot<'_> {
    /// The column of a cell, when it is seen.
    fn column(&self, cell: usize) -> Option<u16> {
        let at = u16::try_from(cell.checked_sub(self.left)?).ok()?;
        (at <= self.area.width).then(|| self.area.x + at)
    }

    fn put(&self, buf: &mut Buffer, y: u16, cell: usize, text: &str, style: Style) {
        if let Some(x) = self.column(cell) {
            let area = Rect { y, height: 1, width: self.area.width + 1, ..self.area };
            put(buf, area, x, y, text, style);
        }
    }

    /// Behind a bar, and where there is no room before it.
    fn after(&self, buf: &mut Buffer, y: u16, cell: usize, text: &str, style: Style) {
        let width = text.width();
        let room = usize::from(self.area.width) + self.left;
        if cell + width <= room {
            self.put(buf, y, cell, text, style);
        }
    }

    fn bar(&self, buf: &mut Buffer, y: u16, bar: &Bar, critical: bool, base: Style) {
        let (from, until) = (self.scale.cell(bar.from), self.scale.cell(bar.until));
        let until = until.max(from + 1);
        let style = base.patch(self.canvas.style(role_of(bar.what, critical)));
        let (body, ends) = glyphs_of(bar.what, critical, self.canvas.glyphs);
        let seen = self.left..self.left + usize::from(self.area.width);
        for cell in from.max(seen.start)..until.min(seen.end) {
            let sign = match ends {
                Some(_) if until == from + 1 => body,
                Some((begin, _)) if cell == from => begin,
                Some((_, end)) if cell + 1 == until => end,
                _ => body,
            };
            self.put(buf, y, cell, sign, style);
        }
    }

    fn planned(
        &self,
        buf: &mut Buffer,
        y: u16,
        (from, until): (cuelight_base::Timestamp, cuelight_base::Timestamp),
        base: Style,
    ) {
        let from = self.scale.cell(from);
        let until = self.scale.cell(until).max(from + 1);
        let sign = self.canvas.glyphs.pick("┄", ".");
        for cell in from..until.min(self.left + usize::from(self.area.width)) {
            self.put(buf, y, cell, sign, base.patch(self.canvas.style(Role::Muted)));
        }
    }

    /// The line of now, under all that is drawn later.
    fn now(&self, rows: Rect, buf: &mut Buffer) {
        let Some(x) =
            self.scale.now.and_then(|cell| self.column(cell)).filter(|column| *column < rows.right())
        else {
            return;
        };
        for y in rows.y..rows.bottom() {
            put(buf, rows, x, y, self.canvas.glyphs.pick("│", "|"), self.canvas.style(Role::Border));
        }
    }
}

const fn role_of(what: Spell, critical: bool) -> Role {
    match what {
        Spell::Work if critical => Role::Graph1,
        Spell::Work => Role::Info,
        Spell::Gate | Spell::Doubt => Role::Gate,
        Spell::Retry | Spell::Undo => Role::Warn,
        Spell::Queue | Spell::Wait => Role::Muted,
    }
}

/// The cell of a stretch, and its two ends where they are others.
fn glyphs_of(
    what: Spell,
    critical: bool,
    glyphs: Glyphs,
) -> (&'static str, Option<(&'static str, &'static str)>) {
    match what {
        Spell::Work if critical => (glyphs.pick("━", "#"), Some(glyphs.pick(("┣", "┫"), ("[", "]")))),
        Spell::Work => (glyphs.pick("─", "="), Some(glyphs.pick(("├", "┤"), ("[", "]")))),
        Spell::Gate => (glyphs.pick("▒", ":"), None),
        Spell::Queue => (glyphs.pick("·", "."), None),
        Spell::Retry => (glyphs.pick("╌", "~"), None),
        Spell::Wait => (glyphs.pick("┄", "-"), None),
        Spell::Doubt => ("?", None),
        Spell::Undo => (glyphs.pick("◄", "{"), None),
    }
}

/// Draws a summary of the time spent, in lines, on screens without room for more.
fn foot(canvas: &Canvas<'_>, chart: &Chart, area: Rect, buf: &mut Buffer) {
    let total = chart.spent.iter().fold(0_u64, |sum, pair| sum.saturating_add(pair.1.0)).max(1);
    let spent: Vec<String> = by_time(chart)
        .iter()
        .map(|(what, span)| format!("{} {} %", what.word(), span.0.saturating_mul(100) / total))
        .collect();
    let arrow = canvas.glyphs.pick(" → ", " > ");
    let critical: Vec<String> = chart.critical.iter().map(|text| safe_text(text)).collect();
    let mut lines = vec![("where the time went", spent.join("   ")), ("critical path", critical.join(arrow))];
    if let Some((name, took, median)) = chart.slower.first() {
        lines.push((
            "slower than usual",
            format!("{}  {took} (median {median} of {})", safe_text(name), runs(chart.medians_of)),
        ));
    }
    if let Some(end) = chart.forecast {
        lines.push(("about to end", format!("{} if whoever is asked answers now", end.clock())));
    }
    lines.extend(would_help(canvas, chart).map(|text| ("would help", text)));
    let skip = u16::from(usize::from(area.height) > lines.len());
    for (row, (head, text)) in lines.into_iter().enumerate() {
        let y = area.y + skip + u16::try_from(row).unwrap_or(0);
        let x = put(buf, area, area.x + 1, y, &format!("{head:<20} "), canvas.style(Role::Muted));
        let room = usize::from(area.right().saturating_sub(x + 1));
        put(buf, area, x, y, &canvas.glyphs.fit(&text, room), canvas.style(Role::Text));
    }
}

/// `answering at once −2m19s   more slots −3s`
fn would_help(canvas: &Canvas<'_>, chart: &Chart) -> Option<String> {
    let minus = canvas.glyphs.pick("−", "-");
    let word = |what: Spell| if what == Spell::Gate { "answering at once" } else { "more slots" };
    let parts: Vec<String> = chart
        .would_help
        .iter()
        .map(|(what, span)| format!("{} {minus}{}", word(*what), age(*span)))
        .collect();
    (!parts.is_empty()).then(|| parts.join("   "))
}

fn runs(count: usize) -> String {
    counted(count, "run", "runs")
}

/// The kinds of time spent, longest first.
fn by_time(chart: &Chart) -> Vec<(Spell, Span)> {
    let mut spent = chart.spent.clone();
    spent.sort_by_key(|pair| std::cmp::Reverse(pair.1));
    spent
}

/// Draws the bars of each slot.
fn lanes(canvas: &Canvas<'_>, chart: &Chart, area: Rect, buf: &mut Buffer) {
    let inside = pane(buf, area, "by slot  (one row = one slot)", "", canvas.pane(false));
    let bars = layout::inset(inside, 1, 0, 0);
    let bars = Rect { x: bars.x + 9, width: bars.width.saturating_sub(9), ..bars };
    let scale = Scale::of(chart, usize::from(bars.width));
    let shown = usize::from(inside.height);
    // People are always seen; of slots as many as there is room for.
    let people = chart.lanes.last().filter(|lane| lane.name == "people" && chart.lanes.len() > shown);
    let slots = chart.lanes.iter().take(shown - usize::from(people.is_some()).min(shown));
    for (row, lane) in slots.chain(people).enumerate() {
        let y = inside.y + u16::try_from(row).unwrap_or(0);
        put(buf, inside, inside.x + 1, y, &lane.name, canvas.style(Role::Text));
        put_lane(canvas, lane, &scale, Rect { y, height: 1, ..bars }, buf);
    }
}

fn put_lane(canvas: &Canvas<'_>, lane: &Lane, scale: &Scale, area: Rect, buf: &mut Buffer) {
    let (idle, work, waits) = canvas.glyphs.pick(("▁", "▆", "▒"), (".", "#", ":"));
    put(buf, area, area.x, area.y, &idle.repeat(usize::from(area.width)), canvas.style(Role::Border));
    for bar in &lane.bars {
        let (from, until) = (scale.cell(bar.from), scale.cell(bar.until).max(scale.cell(bar.from) + 1));
        let person = matches!(bar.what, Spell::Gate | Spell::Doubt);
        let sign = if person { waits } else { work };
        let style = canvas.style(role_of(bar.what, false));
        let x = area.x.saturating_add(u16::try_from(from).unwrap_or(u16::MAX));
        put(buf, area, x, area.y, &sign.repeat(until - from), style);
    }
}

/// Draws the time spent by kind, the critical path, the slow steps, and the forecast.
fn spent(canvas: &Canvas<'_>, chart: &Chart, area: Rect, buf: &mut Buffer) {
    let inside = layout::inset(pane(buf, area, "where the time went", "", canvas.pane(false)), 1, 0, 0);
    let total = chart.spent.iter().map(|pair| pair.1.0).sum::<u64>().max(1);
    let mut y = inside.y;
    for (what, span) in by_time(chart).into_iter().take(4) {
        let x = put(buf, inside, inside.x, y, &format!("{:<20}", long_word(what)), canvas.style(Role::Text));
        let x = put(
            buf,
            inside,
            x,
            y,
            &gauge(canvas.glyphs, 30, span.0, total),
            canvas.style(role_of(what, false)),
        );
        let share = span.0 * 100 / total;
        put(buf, inside, x, y, &format!("  {share:>3} %  {span:>8}"), canvas.style(Role::Muted));
        y += 1;
    }
    y += 1;
    let arrow = canvas.glyphs.pick(" → ", " > ");
    let critical: Vec<String> = chart.critical.iter().map(|text| safe_text(text)).collect();
    let slower: Vec<String> = chart
        .slower
        .iter()
        .map(|(name, took, median)| format!("{} +{}", safe_text(name), Span(took.0 - median.0)))
        .collect();
    let slower = match (chart.medians_of, slower.is_empty()) {
        (0, _) => "no run of it came before".to_owned(),
        (_, true) => "nothing".to_owned(),
        (_, false) => slower.join(",  "),
    };
    let mut lines = vec![("critical path", critical.join(arrow)), ("slower than usual", slower)];
    lines.extend(would_help(canvas, chart).map(|text| ("would help", text)));
    if let Some(end) = chart.forecast {
        lines.push(("about to end", format!("{} if whoever is asked answers now", end.clock())));
    }
    for (head, text) in lines {
        let x = put(buf, inside, inside.x, y, &format!("{head:<20}"), canvas.style(Role::Muted));
        let room = usize::from(inside.right().saturating_sub(x));
        put(buf, inside, x, y, &canvas.glyphs.fit(&text, room), canvas.style(Role::Text));
        y += 1;
    }
}

const fn long_word(what: Spell) -> &'static str {
    match what {
        Spell::Gate => "waiting for people",
        Spell::Work => "work",
        Spell::Queue => "queue",
        Spell::Retry => "retry and back-off",
        Spell::Wait => "waiting for time",
        Spell::Doubt => "in doubt",
        Spell::Undo => "undo",
    }
}
