//! See [`cuelight_fuzz::format`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cuelight_fuzz::format(bytes));
