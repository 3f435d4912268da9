//! A JSON value that keeps a number as it was written and an object in its order.

/// Any JSON value, numbers as they were written.
pub type Value = serde_json::Value;

/// A JSON object, in the order it was written.
pub type ValueMap = serde_json::Map<String, serde_json::Value>;

/// The JSON word for a value's type.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// True if JSON text is nested more than `depth_max` deep; asked before anything recurses over untrusted
/// text.
pub fn is_nested_beyond(json: &[u8], depth_max: usize) -> bool {
    // Nearly always fewer signs than that open something, those inside of texts included.
    if json.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() <= depth_max {
        return false;
    }
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => depth += 1,
            b']' | b'}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > depth_max {
            return true;
        }
    }
    false
}

/// The front of a text, at most `chars` characters, with `…` when something was left out.
pub fn shorten(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        None => text.to_owned(),
        Some(_) if chars == 0 => String::new(),
        Some(_) => text.chars().take(chars - 1).chain(['…']).collect(),
    }
}
