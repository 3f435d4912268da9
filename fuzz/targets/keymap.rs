//! See [`cuelight_fuzz::keymap`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cuelight_fuzz::keymap(bytes));
