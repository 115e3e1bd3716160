//! What a tree says, without where its parts stood in the text: for comparing what was checked with what was written out.
//!
//! In: anything that serializes, as all of libpg_query's nodes do. Out: bytes that are equal exactly when the trees are equal
//! but for positions. It knows no node types, so that none can be forgotten.

use std::fmt;

use serde::ser::{
    Impossible, Serialize, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// Whether a field holds a position in the text.
fn is_position(field: &str) -> bool {
    matches!(
        field,
        "location"
            | "stmt_location"
            | "stmt_len"
            | "list_start"
            | "list_end"
            | "rexpr_list_start"
            | "rexpr_list_end"
            | "name_location"
    )
}

/// The shape of a tree; `None` if it holds something that no tree of the parser holds.
pub(super) fn shape(tree: &impl Serialize) -> Option<Vec<u8>> {
    let mut writer = ShapeWriter {
        bytes: Vec::with_capacity(4096),
    };
    tree.serialize(&mut writer).ok()?;
    Some(writer.bytes)
}

/// Writes values so that no two trees run together. The types say what comes next, so no tags are needed: numbers end
/// themselves, and texts, lists, options and variants begin with how long or which they are.
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
    /// Seven bits a byte, the lowest first; the last byte has its top bit clear.
    fn put_number(&mut self, mut number: u64) {
        while number > 0x7f {
            self.bytes.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.bytes.push(number.to_le_bytes()[0]);
    }

    fn put_signed(&mut self, number: i64) {
        // Small numbers of either sign are short: 0, -1, 1, -2 … become 0, 1, 2, 3 …
        self.put_number(((number << 1) ^ (number >> 63)).cast_unsigned());
    }

    fn put_bytes(&mut self, bytes: &[u8]) {
        self.put_number(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
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
        self.bytes.push(u8::from(value));
        Ok(())
    }
    fn serialize_i8(self, value: i8) -> Result<(), NoShape> {
        self.serialize_i64(i64::from(value))
    }
    fn serialize_i16(self, value: i16) -> Result<(), NoShape> {
        self.serialize_i64(i64::from(value))
    }
    fn serialize_i32(self, value: i32) -> Result<(), NoShape> {
        self.serialize_i64(i64::from(value))
    }
    fn serialize_i64(self, value: i64) -> Result<(), NoShape> {
        self.put_signed(value);
        Ok(())
    }
    fn serialize_u8(self, value: u8) -> Result<(), NoShape> {
        self.serialize_u64(u64::from(value))
    }
    fn serialize_u16(self, value: u16) -> Result<(), NoShape> {
        self.serialize_u64(u64::from(value))
    }
    fn serialize_u32(self, value: u32) -> Result<(), NoShape> {
        self.serialize_u64(u64::from(value))
    }
    fn serialize_u64(self, value: u64) -> Result<(), NoShape> {
        self.put_number(value);
        Ok(())
    }
    fn serialize_f32(self, value: f32) -> Result<(), NoShape> {
        self.serialize_f64(f64::from(value))
    }
    fn serialize_f64(self, value: f64) -> Result<(), NoShape> {
        self.bytes.extend_from_slice(&value.to_bits().to_le_bytes());
        Ok(())
    }
    fn serialize_char(self, value: char) -> Result<(), NoShape> {
        self.serialize_u32(u32::from(value))
    }
    fn serialize_str(self, value: &str) -> Result<(), NoShape> {
        self.put_bytes(value.as_bytes());
        Ok(())
    }
    fn serialize_bytes(self, value: &[u8]) -> Result<(), NoShape> {
        self.put_bytes(value);
        Ok(())
    }
    fn serialize_none(self) -> Result<(), NoShape> {
        self.bytes.push(0);
        Ok(())
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NoShape> {
        self.bytes.push(1);
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<(), NoShape> {
        Ok(())
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), NoShape> {
        Ok(())
    }
    fn serialize_unit_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
    ) -> Result<(), NoShape> {
        self.serialize_u32(index)
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
        self.put_number(u64::from(index));
        value.serialize(self)
    }
    fn serialize_seq(self, length: Option<usize>) -> Result<Self, NoShape> {
        let length = length.ok_or(NoShape)?;
        self.put_number(length as u64);
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
        self.put_number(u64::from(index));
        self.serialize_seq(Some(length))
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, NoShape> {
        Err(NoShape)
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, NoShape> {
        Ok(self)
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, NoShape> {
        self.put_number(u64::from(index));
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
        if is_position(name) {
            return Ok(());
        }
        value.serialize(&mut **self)
    }
    fn end(self) -> Result<(), NoShape> {
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
    fn numbers_of_any_size_and_sign_end_where_they_end() {
        let shapes: Vec<_> = [0_i64, -1, 1, 63, 64, -64, -65, 300, i64::MAX, i64::MIN]
            .iter()
            .map(|number| shape(&(*number, 7_u64)).expect("a shape"))
            .collect();
        for (index, shape) in shapes.iter().enumerate() {
            let others = shapes.iter().skip(index + 1);
            assert!(others.into_iter().all(|other| !other.starts_with(shape)));
        }
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
