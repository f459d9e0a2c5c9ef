//! What was loaded in one session cannot be shown in another.
use sportello::session::{Session, scope::within};

async fn mixed(mine: &Session, yours: &Session) {
    within(mine, async |my| {
        within(yours, async |your| {
            let secret = your.personal(your.subject(), "5000.00");
            let _shown = my.show(secret);
        })
        .await;
    })
    .await;
}

fn main() {}
