//! What a statement takes: values that know their PostgreSQL type, so that statements need not be described first.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};

/// A value that can stand alone or in an array.
pub(super) trait Element: ToSql + Sync {
    const TYPE: Type;
    const ARRAY: Type;
}

/// A parameter of a statement. Whole numbers are `bigint` in parameters, also where the column is smaller;
/// in rows, the columns of kinds, states and roles are `smallint`.
pub(super) trait Param: Sync {
    /// The value as it is sent.
    fn encode(&self) -> Result<Encoded, Box<dyn Error + Sync + Send>>;
}

macro_rules! elements {
    ($($of:ty => $alone:ident, $array:ident;)+) => {$(
        impl Element for $of {
            const TYPE: Type = Type::$alone;
            const ARRAY: Type = Type::$array;
        }
    )+};
}

elements! {
    i64 => INT8, INT8_ARRAY;
    bool => BOOL, BOOL_ARRAY;
    &str => TEXT, TEXT_ARRAY;
    String => TEXT, TEXT_ARRAY;
    &[u8] => BYTEA, BYTEA_ARRAY;
    Vec<u8> => BYTEA, BYTEA_ARRAY;
    [u8; 32] => BYTEA, BYTEA_ARRAY;
}

impl<E: Element> Param for E {
    fn encode(&self) -> Result<Encoded, Box<dyn Error + Sync + Send>> {
        Encoded::new(self, E::TYPE)
    }
}

impl<E: Element> Param for Option<E> {
    fn encode(&self) -> Result<Encoded, Box<dyn Error + Sync + Send>> {
        Encoded::new(self, E::TYPE)
    }
}

impl<E: Element> Param for Vec<E> {
    fn encode(&self) -> Result<Encoded, Box<dyn Error + Sync + Send>> {
        Encoded::new(self, E::ARRAY)
    }
}

impl<E: Element> Param for Vec<Option<E>> {
    fn encode(&self) -> Result<Encoded, Box<dyn Error + Sync + Send>> {
        Encoded::new(self, E::ARRAY)
    }
}

impl<E: Element> Param for &[E] {
    fn encode(&self) -> Result<Encoded, Box<dyn Error + Sync + Send>> {
        Encoded::new(self, E::ARRAY)
    }
}

/// A parameter that is ready to be sent, and borrows nothing.
#[derive(Debug)]
pub(super) struct Encoded {
    kind: Type,
    /// `None` is NULL.
    bytes: Option<BytesMut>,
}

impl Encoded {
    fn new<T: ToSql>(value: &T, kind: Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let mut bytes = BytesMut::new();
        let bytes = match value.to_sql(&kind, &mut bytes)? {
            IsNull::No => Some(bytes),
            IsNull::Yes => None,
        };
        Ok(Self { kind, bytes })
    }

    pub(super) const fn kind(&self) -> &Type {
        &self.kind
    }
}

impl ToSql for Encoded {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        Ok(match &self.bytes {
            Some(bytes) => {
                out.extend_from_slice(bytes);
                IsNull::No
            }
            None => IsNull::Yes,
        })
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Binary
    }

    to_sql_checked!();
}
