//! What a tree says, without where its parts stood in the text: for comparing what was checked with what was written out.
//!
//! In: anything that serializes, as all of libpg_query's nodes do. Out: bytes that are equal exactly when the trees are equal
//! but for positions. It knows no node types, so that none can be forgotten.

use std::fmt;

use serde::ser::{
    Impossible, Serialize, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// Fields that hold positions in the text.
const POSITIONS: [&str; 8] = [
    "location",
    "stmt_location",
    "stmt_len",
    "list_start",
    "list_end",
    "rexpr_list_start",
    "rexpr_list_end",
    "name_location",
];

/// The shape of a tree; `None` if it holds something that no tree of the parser holds.
pub(super) fn shape(tree: &impl Serialize) -> Option<Vec<u8>> {
    let mut writer = ShapeWriter {
        bytes: Vec::with_capacity(4096),
    };
    tree.serialize(&mut writer).ok()?;
    Some(writer.bytes)
}

/// Writes every value behind a tag, and every text behind its length, so that no two trees run together.
struct ShapeWriter {
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct NoShape;

impl fmt::Display for NoShape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("not a part of a parse tree")
    }
}

impl std::error::Error for NoShape {}

impl serde::ser::Error for NoShape {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl ShapeWriter {
    fn put(&mut self, tag: u8, bytes: &[u8]) {
        self.bytes.push(tag);
        self.bytes
            .extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.bytes.extend_from_slice(bytes);
    }

    fn number(&mut self, number: i128) -> Result<(), NoShape> {
        self.bytes.push(b'n');
        self.bytes.extend_from_slice(&number.to_le_bytes());
        Ok(())
    }
}

impl Serializer for &mut ShapeWriter {
    type Ok = ();
    type Error = NoShape;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Impossible<(), NoShape>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    fn serialize_bool(self, value: bool) -> Result<(), NoShape> {
        self.number(i128::from(value))
    }
    fn serialize_i8(self, value: i8) -> Result<(), NoShape> {
        self.number(i128::from(value))
    }
    fn serialize_i16(self, value: i16) -> Result<(), NoShape> {
        self.number(i128::from(value))
    }
    fn serialize_i32(self, value: i32) -> Result<(), NoShape> {
        self.number(i128::from(value))
    }
    fn serialize_i64(self, value: i64) -> Result<(), NoShape> {
        self.number(i128::from(value))
    }
    fn serialize_u8(self, value: u8) -> Result<(), NoShape> {
        self.number(i128::from(value))
    }
    fn serialize_u16(self, value: u16) -> Result<(), NoShape> {
        self.number(i128::from(value))
    }
    fn serialize_u32(self, value: u32) -> Result<(), NoShape> {
        self.number(i128::from(value))
    }
    fn serialize_u64(self, value: u64) -> Result<(), NoShape> {
        self.number(i128::from(value))
    }
    fn serialize_f32(self, value: f32) -> Result<(), NoShape> {
        self.serialize_f64(f64::from(value))
    }
    fn serialize_f64(self, value: f64) -> Result<(), NoShape> {
        self.put(b'f', &value.to_bits().to_le_bytes());
        Ok(())
    }
    fn serialize_char(self, value: char) -> Result<(), NoShape> {
        self.number(i128::from(u32::from(value)))
    }
    fn serialize_str(self, value: &str) -> Result<(), NoShape> {
        self.put(b's', value.as_bytes());
        Ok(())
    }
    fn serialize_bytes(self, value: &[u8]) -> Result<(), NoShape> {
        self.put(b'b', value);
        Ok(())
    }
    fn serialize_none(self) -> Result<(), NoShape> {
        self.bytes.push(b'0');
        Ok(())
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NoShape> {
        self.bytes.push(b'1');
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<(), NoShape> {
        self.serialize_none()
    }
    fn serialize_unit_struct(self, name: &'static str) -> Result<(), NoShape> {
        self.serialize_str(name)
    }
    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), NoShape> {
        self.serialize_str(variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), NoShape> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), NoShape> {
        self.number(i128::from(index))?;
        value.serialize(self)
    }
    fn serialize_seq(self, length: Option<usize>) -> Result<Self, NoShape> {
        let length = length.ok_or(NoShape)?;
        self.put(b'l', &(length as u64).to_le_bytes());
        Ok(self)
    }
    fn serialize_tuple(self, length: usize) -> Result<Self, NoShape> {
        self.serialize_seq(Some(length))
    }
    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<Self, NoShape> {
        self.serialize_seq(Some(length))
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        length: usize,
    ) -> Result<Self, NoShape> {
        self.number(i128::from(index))?;
        self.serialize_seq(Some(length))
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, NoShape> {
        Err(NoShape)
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, NoShape> {
        self.bytes.push(b'{');
        Ok(self)
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, NoShape> {
        self.number(i128::from(index))?;
        self.bytes.push(b'{');
        Ok(self)
    }
}

impl SerializeSeq for &mut ShapeWriter {
    type Ok = ();
    type Error = NoShape;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NoShape> {
        value.serialize(&mut **self)
    }
    fn end(self) -> Result<(), NoShape> {
        Ok(())
    }
}

impl SerializeTuple for &mut ShapeWriter {
    type Ok = ();
    type Error = NoShape;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NoShape> {
        value.serialize(&mut **self)
    }
    fn end(self) -> Result<(), NoShape> {
        Ok(())
    }
}

impl SerializeTupleStruct for &mut ShapeWriter {
    type Ok = ();
    type Error = NoShape;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NoShape> {
        value.serialize(&mut **self)
    }
    fn end(self) -> Result<(), NoShape> {
        Ok(())
    }
}

impl SerializeTupleVariant for &mut ShapeWriter {
    type Ok = ();
    type Error = NoShape;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NoShape> {
        value.serialize(&mut **self)
    }
    fn end(self) -> Result<(), NoShape> {
        Ok(())
    }
}

impl SerializeStruct for &mut ShapeWriter {
    type Ok = ();
    type Error = NoShape;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), NoShape> {
        if POSITIONS.contains(&name) {
            return Ok(());
        }
        value.serialize(&mut **self)
    }
    fn end(self) -> Result<(), NoShape> {
        self.bytes.push(b'}');
        Ok(())
    }
}

impl SerializeStructVariant for &mut ShapeWriter {
    type Ok = ();
    type Error = NoShape;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), NoShape> {
        SerializeStruct::serialize_field(self, name, value)
    }
    fn end(self) -> Result<(), NoShape> {
        SerializeStruct::end(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape_of(sql: &str) -> Option<Vec<u8>> {
        shape(&pg_query::parse(sql, 0).expect("SQL that parses").protobuf)
    }

    #[test]
    fn trees_have_one_shape_wherever_their_parts_stand() {
        assert_eq!(
            shape_of("SELECT a,b FROM t"),
            shape_of("SELECT  a ,\n b  FROM t ;")
        );
        assert!(shape_of("SELECT 1").is_some());
    }

    #[test]
    fn any_other_difference_is_another_shape() {
        let base = shape_of("SELECT a FROM t WHERE b = 'x'");
        for other in [
            "SELECT b FROM t WHERE b = 'x'",
            "SELECT a FROM s.t WHERE b = 'x'",
            "SELECT a FROM t WHERE b = 'y'",
            "SELECT a FROM t WHERE b <> 'x'",
            "SELECT a AS c FROM t WHERE b = 'x'",
            "SELECT a FROM ONLY t WHERE b = 'x'",
            "SELECT a FROM t WHERE b = 'x' LIMIT 1",
            "SELECT a FROM t WHERE b = 'x'; SELECT 1",
        ] {
            assert_ne!(base, shape_of(other), "{other}");
        }
    }
}
