//! See [`cuelight_fuzz::query`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cuelight_fuzz::query(bytes));
