//! Control: what operators change while the server runs, below `/control` of the operator listener.
//!
//! A request passes three walls: it names this machine, it comes from no page of another site, and it brings the token
//! of the data directory ([`access`]). A change is looked at first and done only if nothing in it is at fault; it is on
//! disk before it is in force, and the audit trail has who, what, before and after ([`steering`]). Settings that control
//! sets lie over the configuration: reload of a file and control are one mechanism ([`LiveParts`]).

mod access;
mod actions;
mod calls;
mod documents;
mod done;
mod json;
mod orders;
mod parts;
mod problem;
mod refusals;
mod state;
mod steering;
mod wishes;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use hyper::{Request, StatusCode, body::Incoming};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use self::{
    access::Token,
    actions::Actions,
    calls::{Asked, Read},
    orders::Orders,
    problem::Problem,
    refusals::Refusals,
    steering::Steering,
};
pub use self::{
    access::{TokenFault, is_name, token_in},
    actions::{ACTIONS_MAX, Action},
    done::quoted,
    orders::{OrdersFault, orders_in},
    parts::{Change, Fault, LiveParts, Outlook, Overlay, Part, SettingNow},
    wishes::Wishes,
};
use super::answer::Answer;
use crate::{intake::Intake, live::Live, metrics::CONTROL_ACTIONS};

/// What operators steer, and who may.
pub struct Control {
    token: Token,
    refusals: Refusals,
    steering: Arc<Steering>,
}

/// What control works on.
pub struct Steered {
    /// The use cases.
    pub intake: Arc<Intake>,
    /// The settings.
    pub parts: Box<dyn LiveParts>,
    /// To the thread that waits for signals.
    pub wishes: Arc<Wishes>,
    /// Cancelled when the server begins to stop.
    pub draining: CancellationToken,
}

/// Why control cannot begin, so that the server does not start: correct the file, or move it away.
#[derive(Debug, thiserror::Error)]
pub enum ControlFault {
    /// There is no token.
    #[error("{path}: {source}")]
    Token {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: TokenFault,
    },
    /// What control had set cannot be read.
    #[error("{path}: {source}; move it away to start with the configuration alone")]
    Orders {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: OrdersFault,
    },
    /// What control had set does not fit the configuration.
    #[error(
        "{path} does not fit the configuration; move it away to start with that alone:\n  {}",
        faults.join("\n  ")
    )]
    Contradicted {
        /// Its file.
        path: PathBuf,
        /// Every fault.
        faults: Vec<String>,
    },
}

impl Control {
    /// Reads the token, or makes it, and puts in force what control had set before a restart.
    ///
    /// # Errors
    /// [`ControlFault`].
    pub fn open(data: &Path, steered: Steered) -> Result<Self, ControlFault> {
        let (token, file) = (token_in(data), orders_in(data));
        let token = Token::load_or_create(&token)
            .map_err(|source| ControlFault::Token { path: token, source })?;
        let orders = Orders::load(&file)
            .map_err(|source| ControlFault::Orders { path: file.clone(), source })?;
        let Steered { intake, parts, wishes, draining } = steered;
        let steering = Steering {
            file,
            intake,
            parts,
            wishes,
            draining,
            changing: Mutex::default(),
            orders: Live::new(orders),
            actions: Actions::default(),
        };
        steering.restore().map_err(|faults| ControlFault::Contradicted {
            path: steering.file.clone(),
            faults: faults.into_iter().map(|fault| fault.what).collect(),
        })?;
        Ok(Self { token, refusals: Refusals::new(), steering: Arc::new(steering) })
    }

    /// The latest actions, the newest first.
    pub(super) fn last_actions(&self) -> Vec<Action> {
        self.steering.actions.all()
    }

    /// Answers a request for a path below `/control`.
    pub(super) async fn answer(&self, below: &str, request: Request<Incoming>) -> Answer {
        if let Err(problem) = access::check(&request, &self.token) {
            self.refusals.note(&self.steering.intake, problem.slug);
            return problem.answer();
        }
        let asked = match Asked::of(request.method(), below) {
            Ok(Asked::State) => {
                return json::answer(StatusCode::OK, "application/json", &self.steering.state());
            }
            Ok(asked) => asked,
            Err(refused) => return refused.answer(),
        };
        let name = asked.name();
        let (outcome, answer) = match self.act(asked, request).await {
            Ok(done) if done.dry_run => ("dry-run", done.answer()),
            Ok(done) => ("done", done.answer()),
            Err(problem) => ("failed", problem.answer()),
        };
        CONTROL_ACTIONS.counter(&[name, outcome]).increment(1);
        answer
    }

    async fn act(&self, asked: Asked, request: Request<Incoming>) -> Result<done::Done, Problem> {
        let read = Read::of(asked, request).await?;
        let steering = Arc::clone(&self.steering);
        let ends_sessions = matches!(read.asked, Asked::EndSessions(_)) && !read.call.dry_run;
        // An operator who goes away does not stop it halfway.
        let done = match spawn_blocking(move || read.run(&steering)).await {
            Ok(done) => done?,
            Err(fault) => {
                tracing::error!(%fault, "an action of control panicked");
                return Err(Problem::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal",
                    "A fault of the server",
                    "It is logged. Read GET /control to see what is in force.",
                ));
            }
        };
        if ends_sessions && self.steering.intake.sessions_kept().await.is_err() {
            return Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "storage-unavailable",
                "The database is away",
                "The sessions have ended here. Other nodes end them when it is back.",
            ));
        }
        Ok(done)
    }
}

/// The path below `/control`, if it is one. That of `/control/` names nothing.
pub(super) fn below(path: &str) -> Option<&str> {
    match path.strip_prefix("/control")? {
        "" => Some(""),
        "/" => Some("/"),
        rest => rest.strip_prefix('/'),
    }
}
