//! Reads JSON that comes from outside. `serde_json` keeps the last of two equal keys without a word, and two
//! readers of one text then see two values; here such a text is refused.

use super::{Value, shorten};
use serde::{
    Deserializer,
    de::{DeserializeOwned, DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::de::SliceRead;
use std::{collections::BTreeSet, fmt};

/// Characters of a key that stands twice, in the error.
const KEY_CHARS_SHOWN: usize = 80;

/// A value from JSON text in which no object has a key twice. The text is read in two passes: the first looks
/// for such keys.
///
/// # Errors
/// When the text is not JSON, is not what is wanted, or an object in it names a key twice: then the key is
/// named.
pub fn read_json<T: DeserializeOwned>(text: impl AsRef<[u8]>) -> serde_json::Result<T> {
    read(text.as_ref(), false)
}

/// A value from text that may be JSON; nothing where it is none.
///
/// # Errors
/// When it is JSON in which an object names a key twice: the key, and where.
pub fn json_if_any(text: impl AsRef<[u8]>) -> Result<Option<Value>, String> {
    match read_json(text) {
        Ok(value) => Ok(Some(value)),
        Err(why) if why.is_data() => Err(why.to_string()),
        Err(_) => Ok(None),
    }
}

/// Refuses JSON text in which an object names a key twice.
///
/// # Errors
/// When it does, or the text is not JSON.
pub fn refuse_twice(text: &[u8]) -> serde_json::Result<()> {
    let mut reader = reader(text, false);
    Once.deserialize(&mut reader)?;
    reader.end()
}

/// A value from JSON text that may be nested deeper than `serde_json` follows by itself, in which no object
/// has a key twice. It costs two passes, as `read_json` does.
///
/// The caller bounds the depth first, see `is_nested_beyond`.
///
/// # Errors
/// As of `read_json`.
pub fn read_deep_json<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    read(text, true)
}

fn read<T: DeserializeOwned>(text: &[u8], is_deep: bool) -> serde_json::Result<T> {
    Once.deserialize(&mut reader(text, is_deep))?;
    let mut reader = reader(text, is_deep);
    let value = T::deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

fn reader(text: &[u8], is_deep: bool) -> serde_json::Deserializer<SliceRead<'_>> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    if is_deep {
        reader.disable_recursion_limit();
    }
    reader
}

/// Walks a value and keeps nothing of it.
struct Once;

impl<'de> DeserializeSeed<'de> for Once {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Once {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut seen: BTreeSet<String> = BTreeSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if seen.contains(&key) {
                return Err(A::Error::custom(format!(
                    "the key {:?} stands twice in one object; keep one of them",
                    shorten(&key, KEY_CHARS_SHOWN)
                )));
            }
            seen.insert(key);
            entries.next_value_seed(Self)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nested_deeper_than_usual_is_read_and_no_key_of_it_stands_twice() {
        let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(200), "]".repeat(200));
        assert!(read_deep_json::<Value>(deep("1").as_bytes()).is_ok());
        let why = read_deep_json::<Value>(deep(r#"{"a":1,"a":2}"#).as_bytes()).expect_err("twice");
        assert!(why.to_string().contains("the key \"a\" stands twice"), "{why}");
        assert!(read_deep_json::<Value>(b"1 2").is_err());
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_by_its_name_at_any_depth() {
        for text in [
            r#"{"a": 1, "a": 2}"#,
            r#"[{"b": {"a": 1, "c": 0, "a": 1}}]"#,
            r#"{"a": 1, "\u0061": 2}"#,
            r#"{"a": {}, "b": 1e400, "a": null}"#,
        ] {
            let why = read_json::<Value>(text).expect_err(text).to_string();
            assert!(
                why.starts_with(r#"the key "a" stands twice in one object; keep one of them at line 1"#),
                "{why}"
            );
        }
    }

    #[test]
    fn all_other_json_reads_as_it_is() {
        for text in [
            r#"{"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}]}"#,
            "-12345678901234567890.0100",
            "1e400",
            r#""\ud83d\ude00""#,
            "null",
            "[]",
        ] {
            let read: Value = read_json(text).expect(text);
            assert_eq!(read, serde_json::from_str::<Value>(text).expect(text));
        }
        assert_eq!(json_if_any("no JSON"), Ok(None));
        assert!(json_if_any(r#"{"a": 1, "a": 1}"#).is_err());
        assert!(read_json::<Value>("{} {}").is_err());
        assert!(read_json::<Value>("[".repeat(200)).is_err(), "too deep");
        assert_eq!(
            read_json::<Value>("[1,").expect_err("cut").to_string(),
            serde_json::from_str::<Value>("[1,").expect_err("cut").to_string()
        );
    }
}
