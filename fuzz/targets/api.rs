//! See [`cuelight_fuzz::api`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cuelight_fuzz::api(bytes));
