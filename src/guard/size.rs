//! How large values can get, estimated before PostgreSQL computes them: it folds constant expressions while it plans,
//! where no row limit holds, so that 49 bytes of nested `repeat` cost gigabytes.
//!
//! In: the sizes of a function's arguments. Out: the size of its result, or a [`Rejection`]. What depends on data cannot be known
//! here and is taken to be ordinary; the database's own limits hold for it.

use super::rejection::{Checked, Rejection, RejectionCode};

/// Largest value that an expression may build, in bytes. A chart of characters or a padded report line has
/// hundreds; the largest cell that a client is ever sent is a sixteenth of it.
const VALUE_BYTES_MAX: f64 = 1024.0 * 1024.0;

/// Most rows that `generate_series` may make from known bounds: a minute grid of a year has 525,600.
const SERIES_ROWS_MAX: f64 = 1_000_000.0;

/// Most grouping sets that CUBE, ROLLUP and GROUPING SETS may expand to. PostgreSQL's own limit, 4096, lets one
/// short query sort its input 4096 times.
pub(super) const GROUPING_SETS_MAX: usize = 128;

/// An estimate of one value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Size {
    /// Its bytes.
    pub(super) bytes: f64,
    /// As a number: its magnitude at most.
    pub(super) magnitude: f64,
    /// As a number: its value, where the text gives it.
    pub(super) exact: Option<f64>,
}

impl Default for Size {
    /// A value out of the data: a name, a count.
    fn default() -> Self {
        Self {
            bytes: 64.0,
            magnitude: 1000.0,
            exact: None,
        }
    }
}

impl Size {
    /// A literal. A text that spells a number can become one, and one that spells an array has the magnitude of its
    /// elements multiplied, as `ARRAY[…]` has.
    pub(super) fn of_literal(text: &str) -> Self {
        let exact = text.trim().parse::<f64>().ok();
        let magnitude = match exact {
            Some(number) => number.abs(),
            None if text.starts_with('{') => text
                .split(|c: char| !c.is_ascii_digit())
                .filter_map(|digits| digits.parse::<f64>().ok())
                .product(),
            None => Self::default().magnitude,
        };
        Self {
            bytes: text.len() as f64,
            magnitude,
            exact,
        }
    }

    /// A whole number, without a way through its text: lists have thousands.
    pub(super) fn of_integer(number: i32) -> Self {
        let value = f64::from(number);
        Self {
            bytes: 8.0,
            magnitude: value.abs(),
            exact: Some(value),
        }
    }

    /// The larger of both, for what can be either.
    pub(super) fn max(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.max(other.bytes),
            magnitude: self.magnitude.max(other.magnitude),
            exact: None,
        }
    }

    /// Both together in one value.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            magnitude: self.magnitude + other.magnitude,
            exact: None,
        }
    }

    fn of_bytes(bytes: f64) -> Self {
        Self {
            bytes,
            ..Self::default()
        }
    }
}

/// The size of `left operator right`, or of `operator right`.
pub(super) fn operator_size(symbol: &str, left: Option<Size>, right: Size) -> Checked<Size> {
    let Some(left) = left else {
        let exact = right
            .exact
            .map(|value| if symbol == "-" { -value } else { value });
        return Ok(Size { exact, ..right });
    };
    let exact = left
        .exact
        .zip(right.exact)
        .and_then(|(left, right)| match symbol {
            "+" => Some(left + right),
            "-" => Some(left - right),
            "*" => Some(left * right),
            _ => None,
        });
    let magnitude = match symbol {
        "+" | "-" => left.magnitude + right.magnitude,
        "*" => left.magnitude * right.magnitude,
        "/" => left.magnitude / right.magnitude.max(1.0),
        "%" => left.magnitude.min(right.magnitude),
        "^" => left.magnitude.powf(right.magnitude),
        "<<" => left.magnitude * right.magnitude.min(63.0).exp2(),
        _ => Size::default().magnitude,
    };
    bounded(Size {
        bytes: left.bytes + right.bytes,
        magnitude,
        exact,
    })
}

/// The size of what a function makes of its arguments.
pub(super) fn call_size(name: &str, arguments: &[Size]) -> Checked<Size> {
    let argument = |index: usize| arguments.get(index).copied().unwrap_or_default();
    let together = arguments
        .iter()
        .copied()
        .reduce(Size::plus)
        .unwrap_or_default();
    let largest = arguments.iter().copied().reduce(Size::max);
    let size = match name {
        "repeat" => Size::of_bytes(argument(0).bytes * argument(1).magnitude),
        "lpad" | "rpad" => Size::of_bytes(argument(0).bytes.max(argument(1).magnitude)),
        "replace" | "regexp_replace" => {
            let replacement = if arguments.len() > 2 {
                argument(2).bytes
            } else {
                0.0
            };
            replaced_size(argument(0).bytes, replacement)
        }
        "array_fill" => Size::of_bytes(argument(0).bytes.max(8.0) * argument(1).magnitude),
        "bit" | "varbit" | "bpchar" | "varchar" if arguments.len() > 1 => {
            Size::of_bytes(argument(0).bytes.max(argument(1).magnitude))
        }
        "array_to_string" | "string_agg" | "concat_ws" => {
            Size::of_bytes(together.bytes + argument(1).bytes * 64.0)
        }
        "generate_series" => return series_size(arguments),
        "power" | "pow" => Size {
            magnitude: argument(0).magnitude.powf(argument(1).magnitude),
            ..together
        },
        "exp" => Size {
            magnitude: argument(0).magnitude.exp(),
            ..together
        },
        "factorial" => Size {
            magnitude: f64::INFINITY,
            bytes: argument(0).magnitude * 8.0,
            exact: None,
        },
        "length" | "char_length" | "character_length" | "octet_length" | "bit_length" => Size {
            bytes: 8.0,
            magnitude: argument(0).bytes * 8.0,
            exact: None,
        },
        "abs" | "ceil" | "ceiling" | "floor" | "round" | "trunc" | "int2" | "int4" | "int8"
        | "float4" | "float8" | "numeric" | "max" | "min" | "avg" | "sum" | "unnest"
        | "any_value" | "first_value" | "last_value" | "nth_value" | "lag" | "lead" | "div"
        | "to_number" | "sign" => largest.unwrap_or_default(),
        "mod" => Size {
            magnitude: argument(0).magnitude.min(argument(1).magnitude),
            ..together
        },
        "count" | "row_number" | "rank" | "dense_rank" | "ntile" | "md5" => Size::default(),
        // Escapes, hexadecimal digits, upper case: at most some times the bytes that went in.
        "quote_literal" | "quote_nullable" | "quote_ident" | "encode" | "upper" | "lower"
        | "initcap" | "normalize" | "to_json" | "to_jsonb" | "casefold" => {
            Size::of_bytes(together.bytes * 3.0)
        }
        _ => Size::of_bytes(together.bytes),
    };
    bounded(size)
}

/// The size of `ARRAY[…]`: its magnitude is the product of its elements, which is what `array_fill` makes of it.
pub(super) fn array_size(elements: &[Size]) -> Checked<Size> {
    bounded(Size {
        bytes: elements.iter().map(|size| size.bytes).sum(),
        magnitude: elements.iter().map(|size| size.magnitude).product(),
        exact: None,
    })
}

/// The size of a value converted to a type of fixed length, e.g. `char(n)`.
pub(super) fn padded_size(size: Size, length: f64) -> Checked<Size> {
    bounded(Size {
        bytes: size.bytes.max(length),
        ..size
    })
}

/// Refuses formats that pad, e.g. `%1000000000s`.
pub(super) fn check_format(format: &str) -> Checked<()> {
    let mut digits = 0_usize;
    for byte in format.bytes() {
        digits = if byte.is_ascii_digit() { digits + 1 } else { 0 };
        if digits > 4 {
            return Err(too_expensive(
                "A format may not hold a number of more than four digits; use a smaller width.",
            ));
        }
    }
    Ok(())
}

/// Refuses JSON paths that visit every level more than once: PostgreSQL cannot be stopped inside one.
pub(super) fn check_json_path(path: &str) -> Checked<()> {
    if path.matches("**").count() > 1 {
        return Err(too_expensive(
            "A JSON path may use ** only once; name the keys instead.",
        ));
    }
    Ok(())
}

/// Lets simple XPath through: PostgreSQL cannot be stopped inside one that looks at every node from every node.
pub(super) fn check_xpath(path: &str) -> Checked<()> {
    let without_node_tests = path.replace("text()", "").replace("node()", "");
    let simple = path.len() <= 200
        && !without_node_tests.contains('(')
        && !path.contains("::")
        && path.matches("//").count() <= 1
        && path.matches('[').count() <= 2;
    if simple {
        return Ok(());
    }
    Err(too_expensive(
        "Only simple XPath is let through: element names, @attributes, one //, plain conditions, no functions and no axes.",
    ))
}

/// The size of a text in which something is replaced. In a short text a few places are, in a long one, which somebody may have
/// built for it, every byte.
fn replaced_size(text_bytes: f64, replacement_bytes: f64) -> Size {
    const SHORT_BYTES: f64 = 4096.0;
    const PLACES: f64 = 16.0;
    if text_bytes <= SHORT_BYTES {
        Size::of_bytes(text_bytes + replacement_bytes * PLACES)
    } else {
        Size::of_bytes(text_bytes * replacement_bytes.max(1.0))
    }
}

fn series_size(arguments: &[Size]) -> Checked<Size> {
    let argument = |index: usize| arguments.get(index).copied();
    let (start, stop) = (
        argument(0).unwrap_or_default(),
        argument(1).unwrap_or_default(),
    );
    let span = start.exact.zip(stop.exact).map_or_else(
        || start.magnitude + stop.magnitude,
        |(start, stop)| (stop - start).abs(),
    );
    let step = argument(2).map_or(1.0, |step| step.magnitude);
    let step = if step > 0.0 { step } else { 1.0 };
    if span / step > SERIES_ROWS_MAX {
        return Err(too_expensive(
            "generate_series would make more than 1,000,000 rows; choose nearer bounds or a larger step.",
        ));
    }
    Ok(Size {
        bytes: 16.0,
        magnitude: start.magnitude.max(stop.magnitude),
        exact: None,
    })
}

fn bounded(size: Size) -> Checked<Size> {
    if size.bytes > VALUE_BYTES_MAX {
        return Err(too_expensive(
            "An expression would build a value of more than 1 MiB; build a smaller one.",
        ));
    }
    Ok(size)
}

pub(super) fn too_expensive(reason: &str) -> Rejection {
    Rejection::new(RejectionCode::TooExpensive, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Size {
        Size::of_literal(text)
    }

    #[test]
    fn what_would_be_large_is_refused_before_it_is_built() {
        for (name, arguments) in [
            ("repeat", vec![literal("x"), literal("2000000")]),
            ("repeat", vec![Size::default(), literal("100000")]),
            ("lpad", vec![literal("x"), literal("260000000")]),
            ("array_fill", vec![literal("7"), literal("{1000,1000}")]),
            ("generate_series", vec![literal("1"), literal("1000000000")]),
            ("bit", vec![literal("1"), literal("80000000")]),
        ] {
            assert!(call_size(name, &arguments).is_err(), "{name}");
        }
    }

    #[test]
    fn what_people_write_is_small() {
        for (name, arguments) in [
            ("repeat", vec![literal("*"), Size::default()]),
            ("lpad", vec![Size::default(), literal("12")]),
            ("array_fill", vec![literal("0"), literal("{12}")]),
            (
                "generate_series",
                vec![literal("1000000"), literal("1000012")],
            ),
            ("generate_series", vec![literal("1"), Size::default()]),
            ("string_agg", vec![Size::default(), literal(", ")]),
        ] {
            assert!(call_size(name, &arguments).is_ok(), "{name}");
        }
        let mut text = Size::default();
        for _ in 0..8 {
            text = call_size("replace", &[text, literal("-"), literal(" and ")]).expect("small");
        }
    }

    #[test]
    fn arithmetic_multiplies_what_is_asked_for() {
        let product =
            operator_size("*", Some(literal("1000")), literal("1000000")).expect("a number");
        assert!(call_size("repeat", &[literal("x"), product]).is_err());
        let negated = operator_size("-", None, literal("5")).expect("a number");
        assert_eq!(negated.exact, Some(-5.0));
    }

    #[test]
    fn formats_and_paths_are_programs_that_are_looked_at() {
        assert!(check_format("%s of %-20s").is_ok());
        assert!(check_format("%1000000000s").is_err());
        assert!(check_json_path("$.**.name ? (@ == \"x\")").is_ok());
        assert!(check_json_path("$.** ? (@.** == 3)").is_err());
        for path in ["/r/i", "//item[@id=\"3\"]/text()", "@a", ".", "node()"] {
            assert!(check_xpath(path).is_ok(), "{path}");
        }
        for path in [
            "//a[count(preceding::a) > 1]",
            "//a//b",
            "ancestor::a",
            "id(1)",
        ] {
            assert!(check_xpath(path).is_err(), "{path}");
        }
    }
}
