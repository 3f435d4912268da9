//! The board, a fold over events that screens and commands read. It decides nothing.
//!
//! Foreign texts in it (outputs, prompts, messages, tails, comments) are kept as they came. A console shows
//! them through `base::safe_pieces`; JSON carries them raw.

mod agents;
mod answer;
mod answers;
mod ask_diff;
mod ask_rows;
mod board;
mod call_files;
mod care;
mod checkup;
mod compare;
mod copies;
mod doubt;
mod errors;
mod event_line;
mod evidence_verdict;
mod fields;
mod gate;
mod graph;
mod history;
mod hold;
mod inbox;
mod lessons;
mod lineage;
mod medians;
mod numbers;
mod offered;
mod run;
mod shelf;
mod spans;
mod spelled;
mod step;
mod talks;
mod target;
mod timeline;
mod trail;
mod vitals;
mod why;
mod words;

pub use agents::{AgentAbout, AgentRow, AgentState, AgentsAbout};
pub use answer::{
    CANNOT_UNDO, NO_DEADLINE, ask_risk_word, next_commands, nobody_words, send_back_words, settle_command,
    settled_words, stuck_words, undo_line,
};
pub use answers::{
    AgentAnswer, DifferenceAnswer, ErrorAnswer, GateAnswer, GatesAnswer, HealthAnswer, KnowledgeAnswer,
    ResultAnswer, RunAnswer, ShowAnswer, ValueAnswer, diff_json, gate_json, gates_json, run_json, runs_json,
    show_json, show_json_to,
};
pub use ask_diff::{AskChange, ask_diff};
pub use ask_rows::{
    AskContent, AskMark, AskPart, AskPiece, AskPlace, AskRow, AskSection, AskSign, AskSpelling, AskTold,
    ask_details, ask_rows, evidence_lines, people_words, risk_mark, vote_rows,
};
pub use board::{Board, ValueName, ValueView};
pub use call_files::{NOT_CHECKED, call_files, not_checked, snapshot_files};
pub use care::Care;
pub use checkup::{BudgetView, Check, Grade, health_line, overall};
pub use compare::{RunsDiff, Side, StepDiff, run_diff, runs_diff};
pub use copies::names_in_words;
pub use doubt::{DoubtView, doubt, may_have};
pub use errors::{ErrorState, ErrorView, Fix, Said};
pub use event_line::{event_line, event_type, event_types, events_schema};
pub use evidence_verdict::{EvidenceVerdict, check_of, verdict_of};
pub use fields::{FieldRow, Fields};
pub use gate::{Approved, Comment, GateView, VoteView};
pub use graph::{Graph, Node};
pub use history::{History, Moment, Notch};
pub use hold::Hold;
pub use inbox::{Attention, InboxRow};
pub use lessons::{Alike, Worker};
pub use lineage::{corrected_words, lineage_words, partial_words};
pub use medians::Medians;
pub use numbers::{Counts, DoneOfAll, Health, Results, quality};
pub use offered::Offered;
pub use run::{Line, RunSpan, RunSummary, RunView};
pub use shelf::{Rows, Shelf};
pub use spans::{SpanKind, SpanValue, TraceSpan, otlp_json, spans_of};
pub use spelled::{command_line, risk_word, script_of, words_line};
pub use step::{AttemptView, ByHand, Phase, StepView, UndoState, WaitKind, kind_word};
pub use talks::asked_anew;
pub use target::TargetView;
pub use timeline::{Bar, Spell, Stretch, Timeline, TimelineRow};
pub use trail::{Record, TrailRow};
pub use vitals::{Beat, Percentiles, Period, Reason, Signals, Tally, Vitals};
pub use why::{WhyLine, why};
pub use words::{
    CLAIM_WORDS, EventWords, alternative_words, candidate_words, choice_words, comer_words, event_words,
    hold_words, message_words, scope_word,
};
