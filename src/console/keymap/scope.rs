//! The scopes of keys: each view, dialog and line of text has its own.

/// Parts of the console with key tables of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// In every view, unless the view says otherwise.
    Normal,
    /// Keys of the Runs view.
    Runs,
    /// Keys of the DAG view.
    Dag,
    /// Keys of the Gates view.
    Gates,
    /// Keys of the Logs view.
    Logs,
    /// Keys of the Errors view.
    Errors,
    /// Keys of the Health view.
    Health,
    /// Keys of the Time view.
    Time,
    /// Keys of the Audit view.
    Audit,
    /// Keys of the Agents view.
    Agents,
    /// Keys of the Tools view.
    Tools,
    /// In the past, over the keys of the view.
    Travel,
    /// The same while it plays.
    Play,
    /// In a text field of one line, with a list under it or not.
    Text,
    /// Keys of a dialog.
    Dialog,
    /// In help, menus and lists over the view.
    Popup,
    /// In the question on the way out.
    Leave,
}

pub(super) const SCOPES: &[(Scope, &str)] = &[
    (Scope::Normal, "normal"),
    (Scope::Runs, "runs"),
    (Scope::Dag, "dag"),
    (Scope::Gates, "gates"),
    (Scope::Logs, "logs"),
    (Scope::Errors, "errors"),
    (Scope::Health, "health"),
    (Scope::Time, "time"),
    (Scope::Audit, "audit"),
    (Scope::Agents, "agents"),
    (Scope::Tools, "tools"),
    (Scope::Travel, "travel"),
    (Scope::Play, "play"),
    (Scope::Text, "text"),
    (Scope::Dialog, "dialog"),
    (Scope::Popup, "popup"),
    (Scope::Leave, "leave"),
];

impl Scope {
    /// Its name in the file.
    pub fn name(self) -> &'static str {
        SCOPES[self as usize].1
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        SCOPES.iter().find(|(_, known)| *known == name).map(|(scope, _)| *scope)
    }

    /// Every one, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        SCOPES.iter().map(|(scope, _)| *scope)
    }

    /// A view, whose keys stand before those of `normal`.
    pub(super) fn is_view(self) -> bool {
        !matches!(self, Self::Normal | Self::Text | Self::Dialog | Self::Popup | Self::Leave)
    }

    /// True if the scope's keys lie over those of a view.
    pub(super) const fn is_over(self) -> bool {
        matches!(self, Self::Travel | Self::Play)
    }

    /// The scopes in which a key is looked up, in this order.
    pub(super) fn chain(self) -> &'static [Self] {
        match self {
            Self::Normal => &[Self::Normal],
            Self::Runs => &[Self::Runs, Self::Normal],
            Self::Dag => &[Self::Dag, Self::Normal],
            Self::Gates => &[Self::Gates, Self::Normal],
            Self::Logs => &[Self::Logs, Self::Normal],
            Self::Errors => &[Self::Errors, Self::Normal],
            Self::Health => &[Self::Health, Self::Normal],
            Self::Time => &[Self::Time, Self::Normal],
            Self::Audit => &[Self::Audit, Self::Normal],
            Self::Agents => &[Self::Agents, Self::Normal],
            Self::Tools => &[Self::Tools, Self::Normal],
            Self::Travel => &[Self::Travel, Self::Normal],
            Self::Play => &[Self::Play, Self::Travel, Self::Normal],
            Self::Text => &[Self::Text],
            Self::Dialog => &[Self::Dialog],
            Self::Popup => &[Self::Popup],
            Self::Leave => &[Self::Leave],
        }
    }
}
