//! A file that describes a model: whose format it speaks, where it is, what it costs, and how often it may be asked.

use super::{
    fields::{Object, Reader, first_line},
    tool::{breaker, rate},
};
use crate::{
    Model,
    document::{GRADES, HINTS, MODEL, PRICE, PROVIDERS},
    yaml::Node,
};
use cuelight_base::{Grade, Hints, MODEL_TOKENS_DEFAULT, Price, Provider, shorten};

/// Characters of a name.
const NAME_CHARS_MAX: usize = 60;

/// One description. Where something was wrong, there is a finding.
pub(crate) fn model(reader: &mut Reader<'_, '_>, root: &Node) -> Option<Model> {
    let top = reader.object(root, &MODEL)?;
    let name = top.get("name").and_then(|node| name(reader, node));
    let provider = top.get("provider").and_then(|provider| {
        let values: Vec<Provider> = Provider::ALL.iter().map(|entry| entry.1).collect();
        reader.one_of(provider, "`provider`", PROVIDERS, &values)
    });
    let description =
        top.get("description").and_then(|description| reader.word(description, "a description"));
    let model = top.get("model").and_then(|model| id(reader, model));
    let url = top.get("url").and_then(|node| url(reader, node));
    let key = top.get("key").and_then(|node| key(reader, node));
    let price = top.get("price").and_then(|node| price(reader, node));
    let max_tokens =
        top.get("max-tokens").and_then(|max_tokens| reader.small(max_tokens, "`max-tokens`", 1, 10_000_000));
    let hints = top.get("hints").map(|node| hints(reader, node)).unwrap_or_default();
    let breaker = top.get("breaker").and_then(|node| breaker(reader, node)).unwrap_or_default();
    let rate = top.get("rate").and_then(|node| rate(reader, node));
    let provider = provider?;
    place(reader, &top, provider, url.as_deref(), key.as_deref());
    // Without another address the key is the one that everybody knows; to another address nothing is sent unsaid.
    let usual_key = provider.key().filter(|_| url.is_none()).map(str::to_owned);
    Some(Model {
        name: name?,
        description: description.map(|description| description.value).unwrap_or_default(),
        provider,
        model: model?,
        url: url.unwrap_or_else(|| provider.url().to_owned()),
        key: key.or(usual_key),
        price,
        max_tokens: max_tokens.unwrap_or(MODEL_TOKENS_DEFAULT),
        hints,
        breaker,
        rate,
        origin: reader.findings.file.to_owned(),
    })
}

/// The grades of complexity, cost and speed: properties of a model, or wishes of a step.
pub(super) fn hints(reader: &mut Reader<'_, '_>, node: &Node) -> Hints {
    let Some(found) = reader.object(node, &HINTS) else { return Hints::default() };
    let grades: Vec<Grade> = Grade::ALL.iter().map(|grade| grade.1).collect();
    let mut grade =
        |key: &str| found.get(key).and_then(|node| reader.one_of(node, &format!("`{key}`"), GRADES, &grades));
    Hints { complexity: grade("complexity"), cost: grade("cost"), speed: grade("speed") }
}

/// True if the text is a valid name of a model.
pub(super) fn is_model_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    !name.is_empty()
        && name.len() <= NAME_CHARS_MAX
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(fits)
}

fn name(reader: &mut Reader<'_, '_>, node: &Node) -> Option<String> {
    let name = reader.word(node, "the name of a model")?;
    if !is_model_name(&name.value) || name.value == "auto" {
        let message = format!("`{}` cannot be the name of a model", shorten(&name.value, 60));
        reader
            .findings
            .error("model", node.place, message)
            .help("lower-case letters, digits, `.`, `-`, `_`, such as claude-sonnet; `auto` means the best that there is");
        return None;
    }
    Some(name.value)
}

/// The name that a provider uses for a model; for some providers it becomes part of an address.
fn id(reader: &mut Reader<'_, '_>, node: &Node) -> Option<String> {
    let id = reader.word(node, "what the provider calls the model")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-:/@+".contains(c);
    if id.value.is_empty() || id.value.contains("..") || !id.value.chars().all(fits) {
        let message = format!("`{}` cannot be what a provider calls a model", shorten(&id.value, 60));
        reader.findings.error("model", node.place, message).help("letters, digits and . _ - : / @ +");
        return None;
    }
    Some(id.value)
}

fn url(reader: &mut Reader<'_, '_>, node: &Node) -> Option<String> {
    let url = reader.word(node, "an address")?;
    let text = url.value.trim_end_matches('/');
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let odd = |c: char| c.is_whitespace() || c.is_control() || "\\\"<>^`{|}@?#$".contains(c);
    if host.is_none_or(|host| host.is_empty() || host.contains(odd)) {
        let message = format!("`{}` cannot be the address of a provider", shorten(&url.value, 80));
        reader.findings.error("model", node.place, message).help(
            "write it up to its version, such as http://127.0.0.1:11434/v1; a key goes into `key`, by the name of its secret",
        );
        return None;
    }
    Some(text.to_owned())
}

/// The name of a secret, never the key itself.
fn key(reader: &mut Reader<'_, '_>, node: &Node) -> Option<String> {
    let key = reader.word(node, "the name of a secret")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let looks_like_one =
        key.value.len() > 40 || key.value.starts_with("sk-") || key.value.starts_with("AIza");
    if looks_like_one || key.value.is_empty() || !key.value.chars().all(fits) {
        reader
            .findings
            .error("secret", node.place, "`key` is the name of a secret, not the key itself")
            .help("write key: MY_KEY, and export MY_KEY or write it to .cuelight/secrets/MY_KEY");
        return None;
    }
    Some(key.value)
}

fn price(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Price> {
    let found = reader.object(node, &PRICE)?;
    let mut of = |key: &str| found.get(key).and_then(|node| reader.millionths(node, &format!("`{key}`")));
    let (input, output) = (of("input-usd"), of("output-usd"));
    Some(Price { input_micro_usd: input?, output_micro_usd: output? })
}

/// Checks the address against the key, and that a stand-in has neither.
fn place(
    reader: &mut Reader<'_, '_>,
    top: &Object<'_>,
    provider: Provider,
    url: Option<&str>,
    key: Option<&str>,
) {
    let is_here = |url: &str| {
        ["http://127.0.0.1", "http://localhost", "http://[::1]"].iter().any(|here| url.starts_with(here))
    };
    if provider == Provider::StandIn {
        for word in ["url", "key"] {
            if let Some(place) = top.key_place(word) {
                let message = format!("a stand-in asks nobody, so it has no `{word}`");
                reader.findings.error("kind", place, message).help("remove it");
            }
        }
    } else if let (Some(url), Some(_), Some(place)) = (url, key, top.key_place("key"))
        && url.starts_with("http://")
        && !is_here(url)
    {
        reader
            .findings
            .warning(
                "secret",
                first_line(reader.findings.source, place),
                "the key goes over a line that is not encrypted",
            )
            .help("write https:// where the other side can");
    }
}
