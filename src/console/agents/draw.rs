//! Agents: who can be given work, who works now, how well each did, the best first; and which files describe none, and why not.

use crate::{
    Role, gauge, layout,
    marks::age,
    meter_role, pane,
    popup::draw::select_row,
    put,
    view::{
        canvas::{Canvas, main_pane},
        pieces::{Column, Pieces, columns, put_cell, put_pieces, wrapped},
    },
};
use cuelight_base::{RunId, StepIx, Timestamp, counted, dollars, safe_text};
use cuelight_exchange::{Presence, Registered};
use cuelight_projection::{AgentRow, AgentState};
use ratatui::{buffer::Buffer, layout::Rect};

pub(crate) fn draw(canvas: &Canvas<'_>, buf: &mut Buffer) {
    let model = canvas.model;
    let places = layout::tools(model);
    let known = &model.workspace.agents.known;
    let rows = model.board.agents(known);
    let at_work = model.board.agents_at_work();
    let present = model.board.present().present();
    let came = if present == 0 { String::new() } else { format!("{present} registered, ") };
    let title = format!("agents  {} described, {came}{at_work} at work", known.agents.len());
    let inside = main_pane(canvas, places.table, &title, "", buf);
    if rows.is_empty() {
        empty(canvas, inside, buf);
        pane(buf, places.preview, "nothing is selected", "", canvas.pane(false));
        return;
    }
    let mut wanted = vec![("#", 2, true), ("AGENT", 0, false), ("STATE", 12, false), ("HLT", 3, true)];
    for (column, least) in
        [(("", 8, false), 84), (("CALLS", 5, true), 56), (("FAIL", 4, true), 56), (("CONF", 4, true), 66)]
    {
        if inside.width >= least {
            wanted.push(column);
        }
    }
    if inside.width >= 100 {
        wanted.extend([("P50", 7, true), ("COST", 8, true), ("SEEN", 7, true)]);
    }
    let table = columns(inside.x + 2, inside.width.saturating_sub(3), &wanted);
    for column in &table {
        put_cell(buf, inside, *column, inside.y, (column.title, canvas.style(Role::Muted)), canvas.glyphs);
    }
    let selected = model.workspace.agents.selected.min(rows.len() - 1);
    let area = places.rows;
    let top = (selected + 1).saturating_sub(usize::from(area.height));
    for ((index, agent), y) in rows.iter().enumerate().skip(top).zip(area.y..area.bottom()) {
        let row = Rect { y, height: 1, ..area };
        let base = select_row(canvas, row, index == selected, buf);
        for column in &table {
            let (text, role) = cell(canvas, agent, *column);
            put_cell(buf, row, *column, y, (&text, base.patch(canvas.style(role))), canvas.glyphs);
        }
    }
    preview(canvas, &rows[selected], places.preview, buf);
}

fn empty(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let told = [
        "no agent is described, and none has worked",
        "an agent is a program of yours that is given a task and answers with what came of it. Describe one in \
         .cuelight/agents/NAME.yaml, or start a command as one in a step: agent: {command: …, task: …}",
        "here will stand: what it can do, what it does now, how often it was called, how well it did, how sure it was, what \
         it cost, and what is wrong with a file that describes none.",
        "cuelight agent   lists them, tries one out, finds one for a task",
    ];
    let width = usize::from(area.width.saturating_sub(6)).max(8);
    let mut lines: Vec<String> = Vec::new();
    for text in told {
        lines.extend(wrapped(text, width));
        lines.push(String::new());
    }
    for (index, (line, y)) in lines.iter().zip(area.y + 1..area.bottom()).enumerate() {
        let role = if index == 0 { Role::Text } else { Role::Muted };
        put(buf, area, area.x + 3, y, &canvas.glyphs.fit(line, width), canvas.style(role));
    }
}

fn cell(canvas: &Canvas<'_>, agent: &AgentRow<'_>, column: Column) -> (String, Role) {
    let none = || ("-".to_owned(), Role::Muted);
    let done = agent.done.filter(|tally| tally.ended > 0);
    match column.title {
        "#" => {
            agent.rank.map_or_else(|| (String::new(), Role::Muted), |rank| (rank.to_string(), Role::Muted))
        }
        "AGENT" => (safe_text(&agent.name), Role::Text),
        "STATE" => match agent.came {
            Some(came) => presence(came.presence(canvas.model.now)),
            None => (agent.state.words(), state_role(&agent.state)),
        },
        "HLT" => done
            .map_or_else(none, |tally| (tally.health().to_string(), meter_role(u64::from(tally.health().0)))),
        "" => done.map_or_else(
            || (String::new(), Role::Muted),
            |tally| {
                let health = u64::from(tally.health().0);
                (gauge(canvas.glyphs, column.width, health, 100), meter_role(health))
            },
        ),
        "CALLS" => agent.done.map_or_else(none, |tally| (tally.calls.to_string(), Role::Text)),
        "FAIL" => done.map_or_else(none, |tally| {
            (tally.failed.to_string(), if tally.failed > 0 { Role::Fail } else { Role::Muted })
        }),
        "CONF" => agent
            .done
            .and_then(|tally| tally.confidence())
            .map_or_else(none, |confidence| (confidence.to_string(), Role::Text)),
        "P50" => agent
            .done
            .and_then(|tally| tally.took())
            .map_or_else(none, |percentiles| (percentiles.p50.to_string(), Role::Text)),
        "COST" => agent
            .done
            .filter(|tally| tally.spent_micro_usd > 0)
            .map_or_else(none, |tally| (dollars(tally.spent_micro_usd), Role::Text)),
        _ => agent.last_seen(canvas.model.now).map_or_else(none, |at| {
            let since = canvas.model.now.since(at);
            (
                if agent.steps.is_empty() || agent.came.is_some() { age(since) } else { "now".to_owned() },
                Role::Text,
            )
        }),
    }
}

const fn state_role(state: &AgentState) -> Role {
    match state {
        AgentState::Works(_) => Role::Ok,
        AgentState::Waits(_) => Role::Warn,
        AgentState::Open | AgentState::Broken(_) => Role::Fail,
        AgentState::Idle | AgentState::Unlisted | AgentState::Came => Role::Muted,
    }
}

fn presence(presence: Presence) -> (String, Role) {
    let role = match presence {
        Presence::Live => Role::Ok,
        Presence::Late => Role::Warn,
        Presence::Lost => Role::Fail,
    };
    (presence.word().to_owned(), role)
}

fn preview(canvas: &Canvas<'_>, agent: &AgentRow<'_>, area: Rect, buf: &mut Buffer) {
    let inside = layout::inset(pane(buf, area, &safe_text(&agent.name), "", canvas.pane(false)), 1, 0, 0);
    let width = usize::from(inside.width.saturating_sub(11)).max(8);
    let mut y = inside.y;
    for (name, text) in facts(canvas, agent) {
        for (index, line) in wrapped(&text, width).into_iter().enumerate() {
            if y >= inside.bottom() {
                return;
            }
            let head = if index == 0 { name } else { "" };
            let line: Pieces =
                vec![(format!("{head:<11}"), canvas.style(Role::Muted)), (line, canvas.style(Role::Text))];
            put_pieces(buf, inside, (inside.x, y), &line, canvas.glyphs);
            y += 1;
        }
    }
}

/// The same of one that came by itself.
fn facts_of_registered(registered: &Registered, now: Timestamp) -> Vec<(&'static str, String)> {
    let about = &registered.about;
    let mut out = vec![
        ("state", presence(registered.presence(now)).0),
        ("type", safe_text(&about.agent_type)),
        ("can do", safe_text(&about.capabilities.join(", "))),
        ("sign", format!("every {}, the last one {} ago", about.heartbeat, age(now.since(registered.seen)))),
        ("takes", format!("{} at once", about.max_concurrent)),
        ("came", format!("{} ago, over HTTP", age(now.since(registered.since)))),
    ];
    out.extend(about.metadata.iter().map(|(name, value)| ("says", safe_text(&format!("{name}: {value}")))));
    out.retain(|pair| !pair.1.is_empty());
    out
}

/// The facts about an agent, most urgent first; foreign text made safe.
fn facts(canvas: &Canvas<'_>, agent: &AgentRow<'_>) -> Vec<(&'static str, String)> {
    let now = canvas.model.now;
    let mut out: Vec<(&'static str, String)> = Vec::new();
    if let AgentState::Broken(why) = &agent.state {
        out.push(("broken", safe_text(why)));
        return out;
    }
    if let Some(came) = agent.came {
        let board = &canvas.model.board;
        let of = |(run, step): &(RunId, StepIx)| {
            let id = board.run(*run).map_or_else(String::new, |run| run.step_id(*step));
            ("works on", format!("{run} {}", safe_text(&id)))
        };
        return agent.steps.iter().map(of).chain(facts_of_registered(came, now)).collect();
    }
    let board = &canvas.model.board;
    for (run, step) in &agent.steps {
        let id = board.run(*run).map_or_else(String::new, |run| run.step_id(*step));
        out.push(("works on", format!("{run} {}", safe_text(&id))));
    }
    if let Some(about) = agent.about {
        out.push(("does", safe_text(&about.description)));
        out.push(("can do", safe_text(&about.capabilities.join(", "))));
        let beat = about
            .heartbeat
            .map_or_else(|| "may be silent".to_owned(), |heartbeat| format!("every {heartbeat}"));
        out.push(("sign", beat));
        out.push(("effect", format!("{}, {}", safe_text(&about.effect), safe_text(&about.risk))));
    }
    if let Some(done) = agent.done {
        let results = format!("{} done, {} in part, {} failed", done.done, done.partial, done.failed);
        match agent.success() {
            Some(share) => {
                out.push(("health", format!("{} {}", done.health(), done.health().label())));
                out.push(("results", format!("{results}: {} % good", share.percent())));
            }
            None => out.push(("results", "none yet".to_owned())),
        }
        out.push(("calls", counted(usize::try_from(done.calls).unwrap_or(usize::MAX), "call", "calls")));
        let sure = done
            .confidence()
            .map_or_else(|| "nothing yet".to_owned(), |confidence| format!("{confidence} on average"));
        out.push(("confidence", sure));
        let said = done
            .said()
            .map_or_else(|| "it says nothing".to_owned(), |score| format!("{score}, as it says itself"));
        out.push(("quality", said));
        if let Some(took) = done.took() {
            out.push(("took", format!("p50 {}  p99 {}  of {}", took.p50, took.p99, took.count)));
        }
        out.push(("cost", format!("{} USD", dollars(done.spent_micro_usd))));
        if let Some((at, mode)) = done.last_failure {
            out.push(("failed", format!("{} {} ago", mode.label(), age(now.since(at)))));
        }
    } else {
        out.push(("results", "it was not called yet".to_owned()));
    }
    if let Some(about) = agent.about {
        out.push(("file", safe_text(&about.origin)));
    }
    out.retain(|pair| !pair.1.is_empty());
    out
}
