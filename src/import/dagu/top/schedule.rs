//! Keys that decide when a workflow of Dagu runs, and how many of its runs at once.

use crate::dagu::{Import, one};
use crate::foreign;
use crate::page::{one_line, without_holes};
use cuelight_base::{Value, ValueMap};
use serde_json::json;

impl Import<'_> {
    /// A queue, and a bound on the runs of one workflow: the runs of a group of ours follow each other, which is never more at once
    /// than Dagu lets through.
    pub(super) fn one_run_at_a_time(&mut self, root: &ValueMap) {
        let most = match root.get("max_active_runs").filter(|said| !said.is_null()) {
            None => None,
            Some(said) => match foreign::text(said).and_then(|text| text.trim().parse::<i64>().ok()) {
                Some(most) => Some(most),
                None => return self.refuse("max_active_runs", "`max_active_runs` is a whole number"),
            },
        };
        let queue = foreign::text_at(root, "queue").map(|queue| one_line(&without_holes(&queue)));
        let queue = queue.filter(|queue| !queue.is_empty());
        if let Some(queue) = &queue {
            self.lose(
                "queue",
                &format!("`queue`: the runs of {queue} follow each other here; how many of them Dagu starts at once stands in its configuration"),
            );
        }
        match most {
            Some(most) if most < 1 => self.lose(
                "max_active_runs",
                "`max_active_runs`: below 1 it is no bound on the runs of this workflow",
            ),
            Some(most) if most > 1 => self.lose(
                "max_active_runs",
                &format!("`max_active_runs`: up to {most} runs at once; here they follow each other"),
            ),
            _ => {}
        }
        for key in self.bounds_of_calls(root, queue.is_some()) {
            self.lose(
                key,
                &format!(
                    "`{key}`: where another workflow calls this one, its steps belong to the run of the caller, and bound no other run"
                ),
            );
        }
        let group = queue
            .or_else(|| most.filter(|number| *number > 0).map(|_| one_line(&without_holes(&self.name()))));
        if let Some(group) = group {
            let group = json!({"group": format!("dagu {group}"), "on-conflict": "queue"});
            self.page.top.insert("concurrency".to_owned(), group);
        }
    }

    /// The bounds on runs that a workflow says which others call: they hold where it runs by itself.
    fn bounds_of_calls(&self, root: &ValueMap, has_queue: bool) -> Vec<&'static str> {
        if !self.is_called(root) {
            return Vec::new();
        }
        let has_most = root.get("max_active_runs").is_some_and(|said| !said.is_null());
        [("queue", has_queue), ("max_active_runs", has_most)]
            .into_iter()
            .filter(|pair| pair.1)
            .map(|pair| pair.0)
            .collect()
    }

    pub(super) fn is_called(&self, root: &ValueMap) -> bool {
        let name = root.get("name").and_then(Value::as_str).unwrap_or_default();
        self.item.is_some() || self.called.contains_key(name)
    }

    pub(super) fn schedule(&mut self, root: &ValueMap) {
        let Some(said) = root.get("schedule") else {
            for key in ["overlap_policy", "catchup_window"].into_iter().filter(|key| root.contains_key(*key))
            {
                self.lose(key, &format!("`{key}`: there is no schedule"));
            }
            return;
        };
        let (start, path) = match said.as_object() {
            Some(map) if !map.contains_key("expression") && !map.contains_key("at") => {
                for key in map.keys().filter(|key| *key != "start") {
                    let path = format!("schedule.{key}");
                    self.lose(&path, &format!("`{path}`: no schedule stops or restarts a run"));
                }
                (map.get("start").cloned().unwrap_or(Value::Null), "schedule.start")
            }
            _ => (said.clone(), "schedule"),
        };
        let entries = match start {
            Value::Array(entries) => entries,
            Value::Null => Vec::new(),
            other => vec![other],
        };
        let mut crons: Vec<Value> = Vec::new();
        for entry in &entries {
            let map = entry.as_object();
            let text = foreign::text(entry).or_else(|| foreign::text_at(map?, "expression"));
            if map.is_some_and(|map| map.contains_key("profile")) {
                self.lose(path, &format!("`{path}.profile`: there are no profiles"));
            }
            let Some(text) = text else {
                self.lose(
                    path,
                    &format!("`{path}`: a start at one instant is no schedule here; start it by hand"),
                );
                continue;
            };
            let zone = text
                .split_whitespace()
                .next()
                .and_then(|word| word.strip_prefix("CRON_TZ=").or_else(|| word.strip_prefix("TZ=")));
            let fields: Vec<&str> = text.split_whitespace().skip(usize::from(zone.is_some())).collect();
            if fields.len() != 5 {
                self.lose(path, &format!("`{path}`: {} has no five fields", one_line(&text)));
                continue;
            }
            let mut cron = one("cron", fields.join(" "));
            if let Some(zone) = zone {
                cron.insert("timezone".to_owned(), zone.into());
            }
            match foreign::text_at(root, "overlap_policy").as_deref() {
                Some("all") => drop(cron.insert("overlap".to_owned(), "queue".into())),
                Some("latest") => self.lose(
                    "overlap_policy",
                    "`overlap_policy: latest`: a start is skipped while the run before still goes on",
                ),
                _ => {}
            }
            if let Some(window) = foreign::text_at(root, "catchup_window") {
                cron.insert("catch-up".to_owned(), window.into());
            }
            crons.push(Value::Object(cron));
        }
        if !crons.is_empty() {
            self.page.top.insert("on".to_owned(), json!({ "schedule": crons }));
        }
    }
}
