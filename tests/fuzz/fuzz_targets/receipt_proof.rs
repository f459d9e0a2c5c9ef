//! Input: a receipt to be verified. Only the receipt that was signed passes.
#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use libfuzzer_sys::fuzz_target;
use sportello::ledger::{
    Receipt,
    proof::{Digest, Proof, content_digest, receipt_leaf, sha256},
    verify::proves_itself,
};

/// The signed receipt, which is also the first seed of the corpus, and the public key.
static GENUINE: LazyLock<(Receipt, [Vec<u8>; 1])> = LazyLock::new(|| {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("32 bytes are a seed");
    let (receipt, received_on) = ("ISCRO-2024-7K3M-9QXT-B2FD-0YHR", "2024-09-16");
    let digest = sha256(b"a made-up application");
    let neighbours = [[1; 32], [2; 32]];
    let leaf = receipt_leaf(receipt, received_on, &digest);
    let root = node(&neighbours[1], &node(&leaf, &neighbours[0]));
    let step = |side, hash| format!("{side}:{}", STANDARD.encode(hash));
    let proof = Proof {
        path: vec![step("right", neighbours[0]), step("left", neighbours[1])],
        root: STANDARD.encode(root),
        signature: format!("ed25519=:{}:", STANDARD.encode(pair.sign(&root))),
    };
    let receipt = Receipt {
        receipt: receipt.to_owned(),
        state: "received".to_owned(),
        received_on: received_on.to_owned(),
        digest: content_digest(&digest),
        proof,
    };
    let public_keys = [pair.public_key().as_ref().to_vec()];
    assert!(proves_itself(&receipt, &public_keys), "the signed receipt passes");
    (receipt, public_keys)
});

fuzz_target!(|json: &[u8]| {
    let Ok(receipt) = serde_json::from_slice::<Receipt>(json) else { return };
    let (genuine, public_keys) = &*GENUINE;
    if proves_itself(&receipt, public_keys) {
        assert_eq!(&receipt, genuine, "a changed receipt passes");
    }
    assert!(
        !proves_itself(&receipt, &[public_keys[0][1..].to_vec()]),
        "a receipt passes with a truncated key"
    );
});

fn node(left: &Digest, right: &Digest) -> Digest {
    sha256(&[&[1], left.as_slice(), right].concat())
}
