//! What belongs to a person does not leave the session's scope under its brand.
use sportello::session::{Session, scope::within};

async fn carried_out(session: &Session) {
    let _secret = within(session, async |scope| scope.personal(scope.subject(), "5000.00")).await;
}

fn main() {}
