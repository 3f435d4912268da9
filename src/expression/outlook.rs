//! Conditions as far as they are known before a run: the status functions are given, names and values are not.

use super::{
    function::StatusFunction,
    tree::{Comparison, Expr, Node, NodeKind},
};

impl Expr {
    /// False when a condition cannot hold while the status functions answer this, whatever all other values are.
    pub fn may_hold(&self, status: impl Fn(StatusFunction) -> bool) -> bool {
        // As at GitHub, `success()` is meant unless a status function is named.
        (self.uses_status_function() || status(StatusFunction::Success))
            && truth(&self.root, &status) != Some(false)
    }

    /// True when a condition holds while the status functions answer this, whatever all other values are.
    pub fn must_hold(&self, status: impl Fn(StatusFunction) -> bool) -> bool {
        (self.uses_status_function() || status(StatusFunction::Success))
            && truth(&self.root, &status) == Some(true)
    }
}

/// The truth of a part; `None` when it depends on values.
fn truth(node: &Node, status: &dyn Fn(StatusFunction) -> bool) -> Option<bool> {
    let all = |nodes: &[Node]| nodes.iter().map(|node| truth(node, status)).collect::<Vec<_>>();
    match &node.kind {
        NodeKind::Null => Some(false),
        NodeKind::Bool(value) => Some(*value),
        NodeKind::Number(number) => Some(*number != 0.0 && !number.is_nan()),
        NodeKind::Text(text) => Some(!text.is_empty()),
        NodeKind::Call(function, _) => StatusFunction::of(*function).map(status),
        NodeKind::Not(inner) => truth(inner, status).map(|truth| !truth),
        NodeKind::And(nodes) => decided(&all(nodes), false),
        NodeKind::Or(nodes) => decided(&all(nodes), true),
        NodeKind::Compare(comparison, sides) => {
            let (one, two) = (boolean(&sides.0, status)?, boolean(&sides.1, status)?);
            match comparison {
                Comparison::Equal => Some(one == two),
                Comparison::NotEqual => Some(one != two),
                _ => None,
            }
        }
        NodeKind::Context(_) | NodeKind::Index(..) => None,
    }
}

/// `&&` is decided by one part that is false, `||` by one that is true, and either by all parts together.
fn decided(parts: &[Option<bool>], by: bool) -> Option<bool> {
    if parts.contains(&Some(by)) {
        return Some(by);
    }
    parts.iter().all(Option::is_some).then_some(!by)
}

/// The value of a part that is true or false and nothing else, so that it compares as that.
fn boolean(node: &Node, status: &dyn Fn(StatusFunction) -> bool) -> Option<bool> {
    match &node.kind {
        NodeKind::Bool(_) | NodeKind::Call(..) | NodeKind::Not(_) => truth(node, status),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    /// True if a condition may hold after a rejection.
    fn holds(condition: &str) -> bool {
        let expr = parse(condition).expect("it parses");
        expr.may_hold(|function| function == StatusFunction::Always)
    }

    #[test]
    fn a_condition_holds_after_a_rejection_unless_its_status_functions_say_otherwise() {
        for yes in [
            "always()",
            "!cancelled()",
            "!success()",
            "!failure() && steps.a.outputs.b == 'c'",
            "success() || always()",
            "success() == false",
            "always() && inputs.x",
            "contains('abc', inputs.x) && !failure()",
        ] {
            assert!(holds(yes), "{yes}");
        }
        for no in [
            "success()",
            "inputs.x == 'y'",
            "true",
            "failure()",
            "success() || failure()",
            "cancelled() && always()",
            "always() && false",
            "success() == true",
            "success() && inputs.x",
        ] {
            assert!(!holds(no), "{no}");
        }
    }
}
