//! How a view shares the screen: how much of it the pane with the keys takes, and whether it has all of it, without borders.
//!
//! Where panes stand is said in `layout`, which asks here; what changes it, in `update/panes`.

/// What was chosen for one view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Panes {
    pub share: Share,
    /// Whether the pane with the keys has all of the screen: what a terminal selects is text alone then.
    pub whole: bool,
}

/// How much the pane with the keys takes of what it shares with others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Share {
    /// As the view is made.
    #[default]
    Normal,
    /// Half of what the others have on top.
    Big,
    /// A third less.
    Small,
}

impl Share {
    /// The next one, around.
    pub(super) const fn next(self) -> Self {
        match self {
            Self::Normal => Self::Big,
            Self::Big => Self::Small,
            Self::Small => Self::Normal,
        }
    }

    /// In a word.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Big => "big",
            Self::Small => "small",
        }
    }

    /// The cells of a pane that has so many of so many as the view is made.
    pub(super) const fn of(self, normal: u16, all: u16) -> u16 {
        let others = all.saturating_sub(normal);
        match self {
            Self::Normal => normal,
            Self::Big => normal + others / 2,
            Self::Small => normal - normal / 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_never_more_than_there_is() {
        for all in 0..200_u16 {
            for normal in 0..=all {
                let [small, plain, big] =
                    [Share::Small, Share::Normal, Share::Big].map(|it| it.of(normal, all));
                assert!(small <= plain && plain == normal && plain <= big && big <= all);
            }
        }
    }

    #[test]
    fn three_steps_lead_around() {
        assert_eq!(Share::default().next().next().next(), Share::default());
    }
}
