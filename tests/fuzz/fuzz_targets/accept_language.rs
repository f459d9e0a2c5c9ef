//! Input: an `Accept-Language` field. Any text gives one of the two languages, English only if the text asks for it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sportello::civic::Language;

fuzz_target!(|field: &str| {
    let language = Language::from_accept_language(Some(field));
    let is_asked_for = field.contains('*') || field.to_ascii_lowercase().contains("en");
    assert!(language == Language::Italian || is_asked_for, "English without being asked for");
});
