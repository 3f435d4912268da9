//! Bytes inside JSON: each byte is the character of its number, so that plain text stays short and readable, and any
//! byte comes back exactly. For frames and signals; nothing stored is written this way.

use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// Writes each byte as the character of the same number.
pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&bytes.iter().map(|byte| char::from(*byte)).collect::<String>())
}

/// Reads each character as the byte of the same number.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let byte = |c| u8::try_from(c).map_err(|_| D::Error::custom("a character that is no byte"));
    text.chars().map(byte).collect()
}
