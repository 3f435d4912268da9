//! See [`cuelight_fuzz::keys`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cuelight_fuzz::keys(bytes));
