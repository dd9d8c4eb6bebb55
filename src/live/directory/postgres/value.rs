//! Values as PostgreSQL takes and gives them, for whatever type the server has inferred.

use std::error::Error;

use postgres::types::private::BytesMut;
use postgres::types::{FromSql, IsNull, Kind, ToSql, Type, to_sql_checked};

use super::super::statements::{Cell, Value};

/// A value in the server's format for its type.
#[derive(Debug)]
pub(super) struct Encoded(Vec<u8>);

/// The value for a parameter of this type; an error says why it cannot be one.
pub(super) fn encoded(value: &Value, of: &Type) -> Result<Encoded, String> {
    let of = base(of);
    let bytes = match value {
        Value::Text(text) if is_text(of) => text.clone().into_bytes(),
        Value::Whole(number) if is_text(of) => number.to_string().into_bytes(),
        Value::Whole(number) if *of == Type::INT8 => number.to_be_bytes().to_vec(),
        Value::Whole(number) if *of == Type::INT4 => {
            i32::try_from(*number).map_err(|_| format!("{number} does not fit into int4"))?.to_be_bytes().to_vec()
        }
        Value::Whole(number) if *of == Type::INT2 => {
            i16::try_from(*number).map_err(|_| format!("{number} does not fit into int2"))?.to_be_bytes().to_vec()
        }
        // `to_timestamp(:until)` takes it so.
        Value::Whole(number) if *of == Type::FLOAT8 => (*number as f64).to_be_bytes().to_vec(),
        Value::Text(_) => return Err(format!("a text for the type {}; write `::text` after it", of.name())),
        Value::Whole(_) => {
            return Err(format!("a whole number for the type {}; write `::bigint` after it", of.name()));
        }
    };
    Ok(Encoded(bytes))
}

impl ToSql for Encoded {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Cell {
    fn from_sql(of: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let of = base(of);
        Ok(if is_text(of) {
            Self::Text(std::str::from_utf8(raw)?.to_owned())
        } else if *of == Type::INT8 {
            Self::Whole(i64::from_sql(of, raw)?)
        } else if *of == Type::INT4 {
            Self::Whole(i32::from_sql(of, raw)?.into())
        } else if *of == Type::INT2 {
            Self::Whole(i16::from_sql(of, raw)?.into())
        } else {
            Self::Other(format!("of the type {}", of.name()))
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn base(of: &Type) -> &Type {
    let mut of = of;
    while let Kind::Domain(inner) = of.kind() {
        of = inner;
    }
    of
}

/// Types whose binary form is their text.
fn is_text(of: &Type) -> bool {
    let known = [Type::TEXT, Type::VARCHAR, Type::BPCHAR, Type::NAME, Type::UNKNOWN];
    known.contains(of) || of.name() == "citext" || matches!(of.kind(), Kind::Enum(_))
}
