//! See [`cuelight_fuzz::safe_text`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cuelight_fuzz::safe_text(bytes));
