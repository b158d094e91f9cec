//! Pages of lists as the REST interfaces of these clients' old servers gave them.

use serde::Serialize;

/// A page of a list.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// How long the whole list is.
    pub count: u64,
    /// Address of the page after this one.
    pub next: Option<String>,
    /// Address of the page before this one.
    pub previous: Option<String>,
    /// What is on this page.
    pub results: Vec<T>,
}
