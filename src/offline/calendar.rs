//! Calendar units and ranges of days. Knows the calendar, no words.

use chrono::{Datelike, Days, Months, NaiveDate};

/// Days from `start` up to but not including `end`; an end that is `None` is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DateRange {
    /// The first day.
    pub(super) start: Option<NaiveDate>,
    /// The day after the last.
    pub(super) end: Option<NaiveDate>,
    /// The calendar unit that it is one of, or counted in.
    pub(super) unit: Unit,
}

/// The units that people count time in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unit {
    /// A day.
    Day,
    /// Monday to Sunday, as PostgreSQL and ISO 8601 have it.
    Week,
    /// A calendar month.
    Month,
    /// A calendar quarter.
    Quarter,
    /// A calendar year.
    Year,
}

impl Unit {
    /// The unit that a word names: "month", "monthly" is not one.
    pub(super) fn named(stem: &str) -> Option<Self> {
        Some(match stem {
            "day" => Self::Day,
            "week" => Self::Week,
            "month" => Self::Month,
            "quarter" => Self::Quarter,
            "year" => Self::Year,
            _ => return None,
        })
    }

    /// The field name that `date_trunc` takes.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    /// The first day of the unit that `day` lies in.
    fn floor(self, day: NaiveDate) -> Option<NaiveDate> {
        match self {
            Self::Day => Some(day),
            Self::Week => {
                day.checked_sub_days(Days::new(u64::from(day.weekday().num_days_from_monday())))
            }
            Self::Month => day.with_day(1),
            Self::Quarter => day.with_day(1)?.with_month0(day.month0() / 3 * 3),
            Self::Year => NaiveDate::from_ymd_opt(day.year(), 1, 1),
        }
    }

    /// `day` moved by `count` units, back when negative.
    pub(super) fn shift(self, day: NaiveDate, count: i32) -> Option<NaiveDate> {
        let size = count.unsigned_abs();
        let months = match self {
            Self::Day | Self::Week => {
                let days = Days::new(u64::from(size) * if self == Self::Week { 7 } else { 1 });
                return if count < 0 {
                    day.checked_sub_days(days)
                } else {
                    day.checked_add_days(days)
                };
            }
            Self::Month => size,
            Self::Quarter => size.checked_mul(3)?,
            Self::Year => size.checked_mul(12)?,
        };
        if count < 0 {
            day.checked_sub_months(Months::new(months))
        } else {
            day.checked_add_months(Months::new(months))
        }
    }

    /// The unit `offset` away from the one that `day` lies in.
    pub(super) fn around(self, day: NaiveDate, offset: i32) -> Option<DateRange> {
        let start = self.shift(self.floor(day)?, offset)?;
        Some(DateRange {
            start: Some(start),
            end: Some(self.shift(start, 1)?),
            unit: self,
        })
    }
}

impl DateRange {
    /// The range `offset` units away, e.g. the month before for `unit` month and -1.
    pub(super) fn moved(self, unit: Unit, offset: i32) -> Option<Self> {
        unit.around(self.start?, offset)
    }
}
