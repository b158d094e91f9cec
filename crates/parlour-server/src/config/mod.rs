//! What the operator decides: one struct a section, from flags, environment, a TOML file and defaults.
//!
//! Each key is declared once, with its documentation, in a section struct. Parsing, the unknown-key check,
//! `docs/configuration.md`, the commented example and `parlour config` all come from that declaration.

mod docs;
mod layers;
mod limits;
mod pusher;
mod sections;
mod value;

pub use docs::{effective, example, reference};
pub use layers::{ConfigError, Loaded, Origin, Sources, load};
pub use limits::LimitsSection;
pub use pusher::{
    PusherApp, PusherEventNames, PusherKey, PusherSection, PusherWebhook, WebhookKind,
};
pub use sections::{
    AuthSection, BusSection, Config, ConversationDialect, DatabaseSection, DialectsSection,
    Durability, LogFormat, LogSection, MetricsSection, ServerSection, UserDialect,
};
pub use value::{Network, Period, Secret, Zone};
