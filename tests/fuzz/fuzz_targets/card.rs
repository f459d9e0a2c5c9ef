//! Input: the certificate of a card, whose chain was checked. A card has one of the policies, and its holder stands in it.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sportello::identity::certificate::{Policies, read_card};

static POLICIES: LazyLock<Policies> =
    LazyLock::new(|| "1.3.76.16.2.1, 1.3.76.47.4".parse().expect("policies"));
/// The same in DER, without their tags and lengths.
const IN_DER: [&[u8]; 2] = [&[0x2b, 0x4c, 0x10, 0x02, 0x01], &[0x2b, 0x4c, 0x2f, 0x04]];

fuzz_target!(|der: &[u8]| {
    let read = read_card(der, &POLICIES);
    assert_eq!(read, read_card(der, &POLICIES));
    let Ok(card) = read else { return };
    let holds = |part: &[u8]| der.windows(part.len()).any(|bytes| bytes == part);
    assert!(IN_DER.iter().any(|policy| holds(policy)), "a card without a policy");
    let holder = card.fiscal_code.as_str().as_bytes();
    assert!(holds(holder), "a holder whom the card does not name");
});
