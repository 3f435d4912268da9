//! Division of the screen in a view: the share of the pane with the keys, and if it takes the whole screen
//! without borders.
//!
//! `layout` places the panes and asks here. `update/panes` changes the division.

/// The division chosen for one view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Panes {
    pub share: Share,
    /// True if the pane with the keys takes the whole screen. Text selected in the terminal then has no
    /// borders in it.
    pub whole: bool,
}

/// The share of the pane with the keys in the space of its neighbours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Share {
    /// As the view is made.
    #[default]
    Normal,
    /// Half of what the others have on top.
    Big,
    /// A third less than normal.
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

    /// The word for the share in the console.
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
                    [Share::Small, Share::Normal, Share::Big].map(|share| share.of(normal, all));
                assert!(small <= plain && plain == normal && plain <= big && big <= all);
            }
        }
    }

    #[test]
    fn three_steps_lead_around() {
        assert_eq!(Share::default().next().next().next(), Share::default());
    }
}
