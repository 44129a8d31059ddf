//! Any bytes as an event.
#![no_main]

#[expect(dead_code, reason = "the other target has the rest of it")]
#[path = "../../src/fuzz.rs"]
mod fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz::event(data);
});
