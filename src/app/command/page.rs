//! One page that an auditor reads without us: what the log was and whether it holds, what stands out, every decision of a
//! person with its grounds, and how to check all of it. No scripts, nothing from elsewhere; it prints.

use super::{
    entries::Window,
    population::{Decision, Population},
};
use crate::exit::Trouble;
use cuelight_base::{Seq, Timestamp, safe_text};
use cuelight_store::{Heads, Reader, Workspace, check_heads, verify};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:80rem;padding:0 1rem;color:#111}\n\
    h1{margin-bottom:0}h2{margin-top:2rem;border-bottom:2px solid #111}p.lead{margin-top:.2rem;color:#444}\n\
    table{border-collapse:collapse;width:100%;font-size:13px}th,td{border:1px solid #999;padding:.3rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}\n\
    thead th{background:#eee}small{color:#444}code{font-size:12px;overflow-wrap:anywhere}dt{font-weight:600}dd{margin:0 0 .4rem 0}\n\
    .emergency{font-weight:700;border:2px solid #a00;padding:0 .3rem}tr:target{background:#ffd}\n\
    @media print{body{margin:0;max-width:none}tr{break-inside:avoid}a{color:inherit;text-decoration:none}}";

/// The page, of what was gathered at this time.
pub(super) fn page(
    workspace: &Workspace,
    reader: &Reader,
    list: &Population,
    window: &Window,
    now: Timestamp,
) -> Result<String, Trouble> {
    let heads = Heads::of(workspace).map_err(|error| Trouble::not_recorded(error.to_string()))?;
    let rows: String = list.decisions.iter().map(row).collect();
    let keys: String =
        heads.keys.iter().map(|key| format!("<li><code>{}</code></li>", html(&key.to_string()))).collect();
    let from = window.from.map_or_else(|| "the beginning".to_owned(), |moment| moment.to_string());
    let to = window.to.map_or_else(|| "now".to_owned(), |moment| moment.to_string());
    let many = list.decisions.len();
    let (head, hash) = list.head;
    let origin = heads.keys.first().map_or_else(
        || "not named yet: nothing was signed".to_owned(),
        |_| heads.notes.first().map_or_else(String::new, |note| note.origin.clone()),
    );
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>Decisions of people</title>\n\
         <style>\n{STYLE}\n</style></head><body>\n\
         <h1>Decisions of people</h1>\n<p class=\"lead\">Made {now} from the log of cuelight in {place}.</p>\n\
         <h2>The log</h2><dl>\n\
         <dt>Time</dt><dd>from {from} to {to}</dd>\n\
         <dt>Decisions</dt><dd>{many}, the whole population: nothing in between is left out</dd>\n\
         <dt>Log</dt><dd><code>{origin}</code></dd>\n\
         <dt>Its last record</dt><dd>number {number}, hash <code>{hash}</code></dd>\n\
         <dt>Does it hold?</dt><dd>{holds}</dd>\n</dl>\n\
         <h2>What stands out</h2>\n{separation}\
         <h2>All decisions</h2><table><thead><tr><th>Record</th><th>When (UTC)</th><th>Who</th><th>What</th><th>About</th>\
         <th>Why</th><th>On what grounds</th><th>Independent</th><th>The run</th></tr></thead><tbody>\n{rows}</tbody></table>\n\
         <h2>How to check this</h2><ol>\n\
         <li>This page: <code>cuelight audit verify PAGE --key KEY</code>, with the note that was made beside it.</li>\n\
         <li>The log, where it lies: <code>cuelight audit verify</code>; held against heads from elsewhere with \
         <code>--anchors FILE</code>.</li>\n\
         <li>One decision, anywhere: <code>cuelight audit receipt GATE -o FILE</code>, then <code>cuelight audit verify FILE --key KEY</code>.</li>\n\
         <li>Every record, anywhere: <code>cuelight audit export -o FILE</code>, then <code>cuelight audit verify FILE --key KEY</code>.</li>\n\
         </ol>\n<p>The keys, oldest first; compare them with those you were given:</p><ul>{keys}</ul>\n</body></html>\n",
        place = html(&workspace.root().display().to_string()),
        holds = html(&holds(reader, &heads)),
        separation = separation(list),
        origin = html(&origin),
        number = head.0,
    ))
}

/// The result of verifying every record, in words; computed when the page is made.
fn holds(reader: &Reader, heads: &Heads) -> String {
    let believed = heads.believed(&[]);
    let verified = match verify(reader, Seq(1)) {
        Ok(verified) => verified,
        Err(broken) => return format!("NO: {broken}"),
    };
    match check_heads(reader, &heads.notes, &believed) {
        Ok(Ok(signed)) => {
            format!(
                "yes: all {} records were looked at; heads are signed up to record {signed}. NOT VERIFIED against \
                 a copy that is kept elsewhere",
                verified.records
            )
        }
        Ok(Err(trouble)) => format!("NO: {trouble}"),
        Err(error) => format!("NO: {error}"),
    }
}

fn separation(list: &Population) -> String {
    let separation = &list.separation;
    let pairs: Vec<String> = separation
        .pairs
        .iter()
        .map(|(one, other, times)| format!("{} and {} ({times} times)", html(one), html(other)))
        .collect();
    let pairs = if pairs.is_empty() { "none".to_owned() } else { pairs.join(", ") };
    format!(
        "<table><tbody>\n\
         <tr><th>approved what they asked for themselves</th><td>{}</td></tr>\n\
         <tr><th>approved within two seconds of seeing it</th><td>{}</td></tr>\n\
         <tr><th>emergency approvals</th><td>{}</td></tr>\n\
         <tr><th>of these, not reviewed by somebody else within two working days</th><td>{}</td></tr>\n\
         <tr><th>two who approve each other, and nobody else does</th><td>{pairs}</td></tr>\n</tbody></table>\n",
        places(&separation.own),
        places(&separation.hasty),
        places(&separation.alone),
        places(&separation.overdue),
    )
}

fn places(list: &[Seq]) -> String {
    let links: Vec<String> = list.iter().map(|seq| format!("<a href=\"#{0}\">{0}</a>", seq.0)).collect();
    if links.is_empty() { "none".to_owned() } else { links.join(", ") }
}

fn row(decision: &Decision) -> String {
    let field = |name: &str| html(decision.field(name));
    // A line of its own below, where it says something.
    let more = |lead: &str, name: &str| match decision.field(name) {
        "" => String::new(),
        text => format!("<br><small>{lead}{}</small>", html(text)),
    };
    let emergency = match decision.field("emergency") {
        "" => String::new(),
        text => {
            format!("<br><span class=\"emergency\">EMERGENCY APPROVAL</span> <small>{}</small>", html(text))
        }
    };
    let said = if decision.field("verdict").is_empty() { field("what") } else { field("verdict") };
    let ask = decision
        .field("ask")
        .get(..16)
        .map_or_else(String::new, |field| format!("ask <code>{}</code>", html(field)));
    format!(
        "<tr id=\"{seq}\"><td>{seq}</td><td>{time}</td><td>{who}{proven}{groups}{channel}{acting}</td>\
         <td>{said}{emergency}</td><td>{on}{workflow}{run}</td><td>{reason}</td>\
         <td>{ask}{shown}{evidence}</td><td>{independent}{requester}{needed}</td><td>{state}</td></tr>\n",
        seq = decision.seq.0,
        time = field("time"),
        who = field("who"),
        proven = more("proven ", "proven"),
        groups = more("in ", "groups"),
        channel = more("by ", "channel"),
        acting = more("for ", "acting for"),
        on = field("on"),
        workflow = more("", "workflow"),
        run = more("", "run"),
        reason = field("reason"),
        shown = more("shown for ", "shown"),
        evidence = more("", "evidence"),
        independent = field("independent"),
        requester = more("asked for by ", "requested by"),
        needed = more("people wanted: ", "needed"),
        state = field("run is"),
    )
}

fn html(text: &str) -> String {
    let text = safe_text(text);
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
