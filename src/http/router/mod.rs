//! One table of all routes: what each does, its priority under load, its face, and who may use it.
//!
//! Face and access are part of the type of what a route does: [`Open`] and [`Inside`] belong to the API, [`OpenPage`]
//! and [`InsidePage`] to the pages. The face decides which credential opens a session, a Bearer token or a cookie, and
//! how problems look. A route with the wrong face or access does not compile:
//!
//! ```compile_fail,E0308
//! use sportello::{gate::pressure::Class, http::router::{Inside, Route}};
//! let _route = Route::open("GET", "/v1/sessions/{visit}", Class::Read, Inside::ShowSession);
//! ```
//! ```compile_fail,E0308
//! use sportello::{gate::pressure::Class, http::router::{OpenPage, Route}};
//! let _route = Route::open("GET", "/help", Class::Read, OpenPage::Home(None));
//! ```
//! ```compile_fail,E0308
//! use sportello::{gate::pressure::Class, http::router::{Inside, Route}};
//! let _route = Route::inside_page("GET", "/visit/{visit}/", Class::Read, Inside::ShowSession);
//! ```
//!
//! Nor does a route of the table whose path does not fit its access: one with a session names its visit, at the place
//! that its face has for it, and an open page is not below one.
//!
//! ```compile_fail,E0080
//! use sportello::{gate::pressure::Class, http::router::{Inside, Route}};
//! const _ROUTE: Route = Route::inside("GET", "/v1/drafts", Class::Read, Inside::ShowDraft);
//! ```
//! ```compile_fail,E0080
//! use sportello::{gate::pressure::Class, http::router::{InsidePage, Route}};
//! const _ROUTE: Route = Route::inside_page("GET", "/v1/sessions/{visit}", Class::Read, InsidePage::Welcome);
//! ```
//! ```compile_fail,E0080
//! use sportello::{gate::pressure::Class, http::router::{OpenPage, Route}};
//! const _ROUTE: Route = Route::open_page("GET", "/visit/{visit}/", Class::Read, OpenPage::Home(None));
//! ```
//!
//! The same routes as they are meant do:
//!
//! ```
//! use sportello::{gate::pressure::Class, http::router::{Inside, InsidePage, OpenPage, Route}};
//! const _ROUTES: [Route; 3] = [
//!     Route::inside("GET", "/v1/sessions/{visit}", Class::Read, Inside::ShowSession),
//!     Route::open_page("GET", "/help", Class::Read, OpenPage::Home(None)),
//!     Route::inside_page("GET", "/visit/{visit}/", Class::Read, InsidePage::Welcome),
//! ];
//! ```

mod route;
mod table;
mod uses;

pub(super) use self::table::{Found, find};
pub use self::{
    route::{Access, Face, Route, Segments},
    table::ROUTES,
    uses::{Inside, InsidePage, Open, OpenPage},
};
