//! Copies of a step of Argo: `withItems`, `withParam` and `withSequence` as a matrix.

use super::{Import, members::named, words::Scope};
use crate::{foreign, page::variable};
use cuelight_base::{Value, ValueMap};
use serde_json::json;

impl Import<'_> {
    /// The copies of a member, if it has any.
    pub(super) fn matrix(&mut self, member: &ValueMap, scope: &Scope) -> Option<Value> {
        if let Some(items) = member.get("withItems").and_then(Value::as_array) {
            self.wanted.bytes += items.len();
            let mut ours = Vec::with_capacity(items.len());
            for item in items {
                ours.push(match foreign::text(item) {
                    Some(text) => self.wanted.text(scope, &text, &mut self.page).into(),
                    None => item.clone(),
                });
            }
            return Some(json!({"item": ours}));
        }
        if let Some(text) = foreign::text_at(member, "withParam") {
            let list = self.wanted.text(scope, &text, &mut self.page);
            let inner = list.strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}")).map(str::trim);
            return Some(match (inner, cuelight_base::read_json::<Value>(&list)) {
                (Some(inner), _) if !inner.contains("${{") => computed(inner),
                (None, Ok(Value::Array(items))) => json!({"item": items}),
                _ => self.asked(member, &text),
            });
        }
        let sequence = foreign::map_at(member, "withSequence")?;
        let number = |key: &str| foreign::text_at(sequence, key).and_then(|text| text.parse::<i64>().ok());
        let start = number("start").unwrap_or(0);
        let end = number("end").or_else(|| start.checked_add(number("count")?)?.checked_sub(1));
        let Some(end) =
            end.filter(|number| number.abs_diff(start) < 10_000 && !sequence.contains_key("format"))
        else {
            return Some(self.asked(member, "a sequence that is only known when it runs"));
        };
        let items: Vec<String> = if start <= end {
            (start..=end).map(|index| index.to_string()).collect()
        } else {
            (end..=start).rev().map(|index| index.to_string()).collect()
        };
        self.wanted.bytes += items.len() * 8;
        Some(json!({"item": items}))
    }

    /// Copies that cannot be worked out here: the person who starts the run says which.
    fn asked(&mut self, member: &ValueMap, said: &str) -> Value {
        let name = variable(&format!("items_of_{}", named(member)));
        self.page.leave_out(format!("the copies of {}, {said}: give them as {name}, a list", named(member)));
        let inputs = self.page.top.entry("inputs").or_insert_with(|| json!({}));
        inputs[&name] = json!({"type": "array", "default": []});
        computed(&format!("toJSON(inputs.{name})"))
    }
}

/// A matrix whose items are what an expression says, as JSON.
fn computed(list: &str) -> Value {
    format!("${{{{ fromJSON(format('{{{{\"item\":{{0}}}}}}', {list})) }}}}").into()
}
