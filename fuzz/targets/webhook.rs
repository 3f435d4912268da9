//! See [`cuelight_fuzz::webhook`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cuelight_fuzz::webhook(bytes));
