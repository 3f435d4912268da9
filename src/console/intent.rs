//! Every command of the console: its name in key tables and palette, its level of confirmation, and what it does in a
//! few words. Key line, help, palette and menu print from this table, so they cannot lie.
//!
//! Keys of a command are said in `keymap`; its effect on the model, in `update`.

use std::fmt;

/// The confirmation that a command needs before it takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Looks only: at once.
    L0,
    /// Can be taken back: at once, and `u` for ten seconds.
    L1,
    /// The key, then `y`.
    L2,
    /// The code or the id is typed, then Enter.
    L3,
    /// The command and the environment are typed.
    L4,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::L0 => "L0",
            Self::L1 => "L1",
            Self::L2 => "L2",
            Self::L3 => "L3",
            Self::L4 => "L4",
        })
    }
}

/// Under which head the help shows a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Moves the cursor or the visible part.
    Move,
    /// Finds, filters or shows something.
    Find,
    /// Works in every view.
    Anywhere,
    /// Belongs to what is looked at.
    View,
    /// Asks something of the engine.
    Act,
    /// Works inside text fields, dialogs and menus; not listed in the help of a view.
    Inside,
}

/// One row of the table.
struct Row {
    name: &'static str,
    short: &'static str,
    what: &'static str,
    level: Level,
    group: Group,
}

macro_rules! intents {
    ($($variant:ident $group:ident $level:ident $name:literal $short:literal $what:literal,)*) => {
        /// Something the operator can want.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "the table says what each does")]
        pub enum Intent { $($variant,)* }

        const TABLE: &[(Intent, Row)] = &[$((
            Intent::$variant,
            Row { name: $name, short: $short, what: $what, level: Level::$level, group: Group::$group },
        ),)*];
    };
}

intents! {
    Down Move L0 "down" "down" "down",
    Up Move L0 "up" "up" "up",
    Left Move L0 "left" "left" "left",
    Right Move L0 "right" "right" "right",
    First Move L0 "first" "first" "first",
    Last Move L0 "last" "last" "last",
    HalfDown Move L0 "half-page-down" "half down" "half a page down",
    HalfUp Move L0 "half-page-up" "half up" "half a page up",
    PageDown Move L0 "page-down" "page down" "a page down",
    PageUp Move L0 "page-up" "page up" "a page up",
    NextPanel Move L0 "next-panel" "panel" "next panel",
    NextSibling Move L0 "next-sibling" "next alike" "next of its kind",
    PreviousSibling Move L0 "previous-sibling" "alike before" "the one before",

    Find Find L0 "find" "find" "find",
    Filter Find L0 "filter" "filter" "show only matches",
    NextMatch Find L0 "next-match" "next" "next match",
    PreviousMatch Find L0 "previous-match" "previous" "previous match",
    Sort Find L0 "sort" "sort" "sort by what is next",
    SortReverse Find L0 "sort-reverse" "turn" "turn the order",
    Mark Find L0 "mark" "mark" "mark this",
    MarkRange Find L0 "mark-range" "mark range" "mark up to here",
    MarkAll Find L0 "mark-all" "mark all" "mark all or none",
    Preview Find L0 "preview" "preview" "preview on or off",
    PaneSize Find L0 "pane-size" "pane size" "big, small, normal",
    WholePane Find L0 "whole-pane" "whole" "whole, no borders",
    Why Find L0 "why" "why" "why does it wait",

    ViewRuns Anywhere L0 "view-runs" "runs" "all runs",
    ViewDag Anywhere L0 "view-dag" "graph" "graph of this run",
    ViewGates Anywhere L0 "view-gates" "gates" "what waits",
    ViewErrors Anywhere L0 "view-errors" "errors" "what failed",
    ViewHealth Anywhere L0 "view-health" "health" "how well it goes",
    ViewLogs Anywhere L0 "view-logs" "logs" "what was written",
    ViewTime Anywhere L0 "view-time" "time" "when what ran",
    ViewAudit Anywhere L0 "view-audit" "audit" "who decided what",
    ViewAgents Anywhere L0 "agents" "agents" "who does the work",
    ViewTools Anywhere L0 "tools" "tools" "what it is done with",
    Logs Anywhere L0 "logs" "logs" "what this wrote",
    LastView Anywhere L0 "last-view" "last view" "last view",
    Backward Anywhere L0 "back" "back" "back",
    Forward Anywhere L0 "forward" "forward" "forward",
    SetMark Anywhere L0 "set-mark" "mark" "mark a place",
    GoToMark Anywhere L0 "go-to-mark" "to mark" "go to a mark",
    Open Anywhere L0 "open" "open" "open",
    Escape Anywhere L0 "escape" "back" "back; never acts",
    CloseView Anywhere L0 "close-view" "close" "close the view",
    Palette Anywhere L0 "palette" "cmd" "every command",
    Help Anywhere L0 "help" "help" "this help",
    Menu Anywhere L0 "menu" "actions" "menu of actions",
    CopyId Anywhere L0 "copy-id" "copy id" "copy the id",
    CopyRow Anywhere L0 "copy-row" "copy row" "copy the row",
    CopyJson Anywhere L0 "copy-json" "copy JSON" "copy it as JSON",
    CopyLink Anywhere L0 "copy-link" "copy link" "command to see it",
    CopyScreen Anywhere L0 "copy-screen" "copy text" "copy the screen",
    Export Anywhere L0 "export" "export" "save SVG, text, JSON",
    CommandLog Anywhere L0 "command-log" "log" "what was asked",
    TakeBack Anywhere L0 "take-back" "undo" "take action back",
    Freeze Anywhere L0 "freeze" "freeze" "freeze the screen",
    Mouse Anywhere L0 "mouse" "mouse" "mouse on or off",
    Travel Anywhere L0 "travel" "travel" "look at the past",
    Redraw Anywhere L0 "redraw" "redraw" "draw all again",
    Theme Anywhere L0 "next-theme" "theme" "next theme",
    Quit Anywhere L0 "quit" "quit" "leave (asks)",

    FoldToggle View L0 "fold-toggle" "fold" "fold on or off",
    FoldOpen View L0 "fold-open" "open fold" "open a fold",
    FoldClose View L0 "fold-close" "close fold" "close a fold",
    FoldAll View L0 "fold-all" "fold all" "close all folds",
    FoldNone View L0 "fold-none" "unfold all" "open all folds",
    Nearer View L0 "zoom-in" "nearer" "nearer",
    Farther View L0 "zoom-out" "farther" "farther",
    Follow View L0 "follow" "follow" "follow what runs",
    NextHot View L0 "next-hot" "next hot" "next hot step",
    PreviousHot View L0 "previous-hot" "previous hot" "the one before",
    Parents View L0 "parents" "parents" "to what this needs",
    Children View L0 "children" "children" "to what needs this",
    Tree View L0 "tree" "tree" "as a tree of lines",
    Map View L0 "map" "map" "map on or off",
    AllEdges View L0 "all-edges" "all edges" "all edges, or a few",
    WhatIf View L0 "what-if" "what if" "what an answer does",
    Who View L0 "who" "who" "who can answer",
    Evidence View L0 "evidence" "view" "whole evidence",
    NextGate View L0 "next-gate" "next gate" "next gate",
    PreviousGate View L0 "previous-gate" "gate before" "the gate before",
    ReadOn View L0 "read-on" "read, mark" "read on; at the end, mark",

    Window View L0 "window" "window" "5m, 1h, 24h",

    EventOn View L0 "event-on" "event" "an event on",
    EventBack View L0 "event-back" "event" "an event back",
    StepOn View L0 "step-on" "step" "a step's turn on",
    StepBack View L0 "step-back" "step" "a step's turn back",
    SecondOn View L0 "second-on" "second" "a second on",
    SecondBack View L0 "second-back" "second" "a second back",
    NextNotch View L0 "next-notch" "gate or error" "next gate or error",
    PreviousNotch View L0 "previous-notch" "gate or error" "the one before",
    Earliest View L0 "earliest" "begin" "to the begin",
    Newest View L0 "newest" "end" "to the end",
    PlayOn View L0 "play" "play" "play, or stop",
    PlayBack View L0 "play-back" "back" "play backwards",
    Speed View L0 "speed" "speed" "how fast it plays",
    Compare View L0 "compare" "diff" "compare instants, runs",

    Fit View L0 "fit" "fit" "all of it at once",
    CriticalPath View L0 "critical-path" "critical path" "critical path only",
    HideIdle View L0 "hide-idle" "hide idle" "hide what never ran",

    Everything View L0 "everything" "all" "all, or decisions",
    Verify View L0 "verify" "verify" "verify the chain",
    Json View L0 "json" "json" "as JSON, or in words",
    GoThere View L0 "go-there" "go there" "to its step or gate",
    SameRun View L0 "same-run" "same run" "this run only",
    SameUser View L0 "same-user" "same user" "this user only",

    Wrap View L0 "wrap" "wrap" "wrap or cut lines",
    LogColumns View L0 "log-columns" "columns" "time, level and name, or text alone",
    LogLevel View L0 "log-level" "level" "warnings, errors, all",
    NextStep View L0 "next-step" "next step" "the next step",
    PreviousStep View L0 "previous-step" "step before" "the step before",
    NextCall View L0 "next-call" "next call" "its next call",
    PreviousCall View L0 "previous-call" "call before" "its call before",
    WholeRun View L0 "whole-run" "all" "output of all steps",
    CopyLine View L0 "copy-line" "copy line" "copy the line",
    CopyBlock View L0 "copy-block" "copy block" "copy what is seen",

    NewRun View L1 "new-run" "new run" "start a workflow",
    Pause Act L1 "pause" "pause" "pause or resume",
    Cancel Act L3 "cancel" "cancel" "end the run",
    Retry Act L2 "retry" "retry" "do again what failed",
    Fork Act L2 "fork" "fork" "a new run from here",
    Skip Act L3 "skip" "skip" "skip this step; its dependents run",
    Compensate Act L3 "compensate" "undo run" "undo what was done",
    Approve Act L2 "approve" "approve" "approve the ask",
    Reject Act L2 "reject" "reject" "reject with a reason",
    EditForm Act L2 "edit-form" "edit" "change parameters",
    Comment Act L1 "comment" "comment" "write to all asked",
    Acknowledge Act L1 "acknowledge" "acknowledge" "you look after it",
    Resolve Act L1 "resolve" "resolve" "it is mended",
    Withdraw Act L2 "withdraw" "withdraw" "withdraw your answer",
    SendBack Act L2 "send-back" "send back" "repeat earlier steps",
    Delegate Act L2 "delegate" "delegate" "let another answer",
    Review Act L2 "review" "review" "record the review",
    BreakGlass Act L3 "break-glass" "emergency" "give an emergency approval",
    Override Act L3 "override" "override" "approve by override; another person reviews it",
    Happened Act L3 "happened" "happened" "it did happen",
    NotHappened Act L3 "not-happened" "did not" "it did not happen",
    GiveUp Act L3 "give-up" "give up" "it failed",
    UndoAgain Act L3 "undo-again" "undo again" "undo it again",
    UndoByHand Act L3 "undo-by-hand" "by hand" "undone by hand",

    Editor Inside L0 "editor" "editor" "in your own editor",
    Detach Inside L0 "detach" "detach" "leave; runs go on",
    Stop Inside L4 "stop" "stop" "stop the engine",
    Yes Inside L0 "yes" "yes" "yes",
    No Inside L0 "no" "no" "back",
    Submit Inside L0 "submit" "do it" "do it",
    NextField Inside L0 "next-field" "next" "next field",
    PreviousField Inside L0 "previous-field" "previous" "field before",
    Complete Inside L0 "complete" "complete" "complete",
    EraseChar Inside L0 "erase" "erase" "erase",
    EraseNext Inside L0 "erase-next" "erase next" "erase what follows",
    EraseWord Inside L0 "erase-word" "erase word" "erase a word",
    EraseLine Inside L0 "erase-line" "clear" "clear",
    CursorLeft Inside L0 "cursor-left" "left" "cursor left",
    CursorRight Inside L0 "cursor-right" "right" "cursor right",
    CursorHome Inside L0 "cursor-home" "begin" "cursor to the begin",
    CursorEnd Inside L0 "cursor-end" "end" "cursor to the end",
}

impl Intent {
    /// Every command, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(intent, _)| *intent)
    }

    /// The command of a name in a key table.
    pub fn named(name: &str) -> Option<Self> {
        TABLE.iter().find(|(_, row)| row.name == name).map(|(intent, _)| *intent)
    }

    /// Its name in key tables.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// One word or two, for the key line.
    pub fn short(self) -> &'static str {
        self.row().short
    }

    /// The effect of the command in a few words.
    pub fn what(self) -> &'static str {
        self.row().what
    }

    /// Words for it in other programs; the palette finds it by them.
    pub const fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::Cancel => &["kill", "abort", "stop", "end", "terminate"],
            Self::Retry => &["restart", "rerun", "again", "redo"],
            Self::Compensate => &["undo", "rollback", "revert", "compensate"],
            Self::Pause => &["suspend", "resume", "unpause", "continue"],
            Self::Why => &["describe", "explain", "status", "info"],
            Self::Approve => &["accept", "allow", "confirm", "yes"],
            Self::Reject => &["deny", "decline", "refuse", "no"],
            Self::Open => &["enter", "show"],
            Self::NewRun => &["launch", "start", "trigger", "new"],
            Self::ViewGates => &["inbox", "approvals"],
            Self::ViewDag => &["dag", "pipeline"],
            Self::ViewErrors => &["failures", "failed"],
            Self::ViewTime => &["timeline", "gantt"],
            Self::Logs => &["log", "output", "tail"],
            Self::Quit => &["exit", "bye"],
            _ => &[],
        }
    }

    /// The least that has to be said before it happens.
    pub fn level(self) -> Level {
        self.row().level
    }

    /// Under which head the help shows it.
    pub fn group(self) -> Group {
        self.row().group
    }

    fn row(self) -> &'static Row {
        &TABLE[self as usize].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_every_name_is_its_own() {
        for (index, intent) in Intent::all().enumerate() {
            assert_eq!(intent as usize, index);
            assert_eq!(Intent::named(intent.name()), Some(intent));
        }
    }
}
