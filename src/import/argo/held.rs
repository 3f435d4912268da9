//! The keys of Argo that confine or place a pod: what docker can hold it to is an option of its command line, a node becomes a label
//! that the machine must have, and the rest is asked before the work.

use super::work::quoted as shell_word;
use crate::{foreign, page::Page};
use cuelight_base::{Value, ValueMap};

/// Keys of a template and of a workflow that say where its pods run, or with what rights, and that only a person can judge here.
pub(super) const PLACED: [&str; 6] =
    ["affinity", "tolerations", "podSpecPatch", "schedulerName", "resourceClaims", "podResources"];
/// The keys of both that are read here.
pub(super) const READ: [&str; 3] = ["nodeSelector", "securityContext", "synchronization"];

/// The requirements on the pod of a template.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    /// Options of `docker run`.
    pub(super) options: String,
    /// Labels that the machine must have.
    pub(super) labels: Vec<String>,
    /// The rest, for a person: `affinity`, `runAsNonRoot`.
    pub(super) asks: Vec<String>,
}

impl Held {
    /// The part that a workflow or a template says of its pods.
    pub(super) fn of_pod(&mut self, said: &ValueMap) {
        for key in PLACED.into_iter().filter(|key| said.contains_key(*key)) {
            self.asks.push(format!("`{key}`"));
        }
        for (key, value) in foreign::map_at(said, "nodeSelector").into_iter().flatten() {
            let value = foreign::text(value).unwrap_or_default();
            let label = match (key.as_str(), value.as_str()) {
                (_, value) if value.contains("{{") => {
                    self.asks.push(format!("`nodeSelector` {key}: {}", value.replace("{{", "{ {")));
                    continue;
                }
                ("kubernetes.io/os" | "beta.kubernetes.io/os", os) => os.to_lowercase(),
                ("kubernetes.io/arch" | "beta.kubernetes.io/arch", "amd64") => "x86_64".to_owned(),
                ("kubernetes.io/arch" | "beta.kubernetes.io/arch", "arm64") => "aarch64".to_owned(),
                _ => format!("{key}={value}"),
            };
            self.labels.push(label);
        }
        for (key, value) in foreign::map_at(said, "synchronization").into_iter().flatten() {
            self.asks.push(format!("`synchronization` by {key} {}", names(value)));
        }
    }

    /// The rights of a container, over those of its pod.
    pub(super) fn secured(&mut self, pods: &[&ValueMap], container: &ValueMap, page: &mut Page, of: &str) {
        let mut rights = ValueMap::new();
        for map in pods.iter().copied().chain([container]) {
            let said = foreign::map_at(map, "securityContext").into_iter().flatten();
            rights.extend(said.map(|(key, value)| (key.clone(), value.clone())));
        }
        let whole = |key: &str| rights.get(key).and_then(Value::as_u64);
        for (key, value) in &rights {
            match (key.as_str(), value) {
                ("runAsUser" | "runAsGroup", Value::Number(number)) if number.as_u64().is_some() => {}
                ("runAsNonRoot", Value::Bool(true))
                    if whole("runAsUser").is_some_and(|number| number > 0) => {}
                ("readOnlyRootFilesystem", Value::Bool(true)) => self.options.push_str(" --read-only"),
                ("allowPrivilegeEscalation", Value::Bool(false)) => {
                    self.options.push_str(" --security-opt no-new-privileges");
                }
                ("capabilities", Value::Object(keys)) => {
                    for name in foreign::texts(keys.get("drop")) {
                        self.options.push_str(&format!(" --cap-drop {}", shell_word(&name)));
                    }
                    page.leave_out_all_but(
                        &["drop"],
                        keys,
                        &format!("the capabilities of {of}: docker gives them with `--cap-add`"),
                    );
                }
                ("seccompProfile" | "appArmorProfile", Value::Object(keys))
                    if foreign::text_at(keys, "type").as_deref() == Some("RuntimeDefault") => {}
                // They say what a container may do, and it may not do it here.
                ("runAsNonRoot" | "privileged" | "readOnlyRootFilesystem", Value::Bool(false))
                | ("allowPrivilegeEscalation", Value::Bool(true)) => {}
                (
                    "privileged"
                    | "fsGroup"
                    | "fsGroupChangePolicy"
                    | "supplementalGroups"
                    | "supplementalGroupsPolicy"
                    | "sysctls",
                    _,
                ) => {
                    page.leave_out(format!("`{key}` of {of}: the container runs without it"));
                }
                _ => self.asks.push(format!("`{key}`")),
            }
        }
        match (whole("runAsUser"), whole("runAsGroup")) {
            (Some(user), Some(group)) => self.options.push_str(&format!(" --user {user}:{group}")),
            (Some(user), None) => self.options.push_str(&format!(" --user {user}")),
            (None, Some(_)) => self.asks.push("`runAsGroup`".to_owned()),
            (None, None) => {}
        }
    }

    /// The containers that Argo starts before the work of a template and beside it. One that fails keeps the work from starting there, and
    /// none of them is started here.
    pub(super) fn accompanied(&mut self, template: &ValueMap) {
        for (key, how) in [("initContainers", "before it"), ("sidecars", "beside it")] {
            let all = foreign::maps_at(template, key).map(|map| {
                let name = foreign::text_at(map, "name").unwrap_or_else(|| "a container".to_owned());
                match foreign::text_at(map, "image") {
                    Some(image) => format!("{name} ({image})"),
                    None => name,
                }
            });
            let all: Vec<String> = all.collect();
            if !all.is_empty() {
                self.asks.push(format!("`{key}`, which run {how}: {}", all.join(", ").replace("{{", "{ {")));
            }
        }
    }

    /// The means of a container, and how its image is pulled.
    pub(super) fn bounded(&mut self, container: &ValueMap, page: &mut Page, of: &str) {
        if let Some(resources) = foreign::map_at(container, "resources") {
            page.leave_out_all_but(
                &["limits", "requests", "claims"],
                resources,
                &format!("the resources of {of}"),
            );
            for (key, value) in foreign::map_at(resources, "limits").into_iter().flatten() {
                let value = foreign::text(value).unwrap_or_default();
                match (key.as_str(), bytes(&value), millis(&value)) {
                    ("memory", Some(bytes), _) => self.options.push_str(&format!(" --memory {bytes}b")),
                    ("cpu", _, Some(cpu)) => {
                        self.options.push_str(&format!(" --cpus {}.{:03}", cpu / 1000, cpu % 1000));
                    }
                    (device, _, _) if device.contains('/') => self.labels.push(device.to_owned()),
                    _ => {
                        self.asks.push(format!("the `resources` limit {key}: {}", value.replace("{{", "{ {")))
                    }
                }
            }
            for key in foreign::map_at(resources, "requests").into_iter().flat_map(|requests| requests.keys())
            {
                if key.contains('/') {
                    self.labels.push(key.clone());
                } else {
                    page.leave_out(format!("`requests` of {key} of {of}: nothing is kept free for it"));
                }
            }
            if resources.contains_key("claims") {
                self.asks.push("the `claims` of its resources".to_owned());
            }
        }
        let pull = foreign::text_at(container, "imagePullPolicy");
        match pull.as_deref() {
            Some("Always") => self.options.push_str(" --pull always"),
            Some("Never") => self.options.push_str(" --pull never"),
            Some("IfNotPresent") | None => {}
            Some(other) => page.leave_out(format!("`imagePullPolicy` {other} of {of}")),
        }
    }

    /// Labels and questions, each once and in order.
    pub(super) fn settled(mut self) -> Self {
        for all in [&mut self.labels, &mut self.asks] {
            all.sort();
            all.dedup();
        }
        self
    }
}

/// Names of locks, as far as they are written.
fn names(value: &Value) -> String {
    let one = |item: &Value| {
        let fields = item.as_object()?;
        foreign::text_at(fields, "name").or_else(|| {
            foreign::map_at(fields, "configMapKeyRef").and_then(|key_ref| foreign::text_at(key_ref, "key"))
        })
    };
    let all: Vec<String> = match value {
        Value::Array(items) => items.iter().filter_map(one).collect(),
        other => one(other).into_iter().collect(),
    };
    all.join(", ").replace("{{", "{ {")
}

/// `64Mi` in bytes; none for anything that is no whole number of them.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit: u64 = match &text[digits..] {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(unit)
}

/// `500m` or `1.5` in thousandths of a processor.
fn millis(text: &str) -> Option<u64> {
    if let Some(millis) = text.strip_suffix('m') {
        return millis.parse().ok().filter(|millis| *millis > 0);
    }
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = format!("{part:0<3}").parse::<u64>().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(part).filter(|number| *number > 0)
}
