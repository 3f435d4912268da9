//! See [`cuelight_fuzz::lifeline`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cuelight_fuzz::lifeline(bytes));
