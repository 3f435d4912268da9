//! The documents say what is so: generated pages are fresh, links lead somewhere, tables match the code.
//!
//! With `UPDATE_DOCS=1` the pages are written anew instead of compared.

/// Whether generated files are written instead of compared.
#[expect(clippy::disallowed_methods, reason = "a test is told by whoever runs it")]
pub(crate) fn is_updating() -> bool {
    std::env::var_os("UPDATE_DOCS").is_some_and(|it| it == "1")
}
