//! See [`cuelight_fuzz::expression`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cuelight_fuzz::expression(bytes));
