//! Times as `plain` clients show them: the Django date format `N d, Y, h:i A`.

use jiff::{Timestamp, Zoned, tz::TimeZone};
use parlour_core::model::Millis;
use serde::{Serialize, Serializer};

/// The months as the Associated Press abbreviates them.
const MONTHS: [&str; 12] = [
    "Jan.", "Feb.", "March", "April", "May", "June", "July", "Aug.", "Sept.", "Oct.", "Nov.",
    "Dec.",
];

/// A moment, written in a time zone as `Jan. 15, 2025, 03:45 PM`.
pub(super) struct Date<'a> {
    pub(super) at: Millis,
    pub(super) zone: &'a TimeZone,
}

impl Serialize for Date<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let at = Timestamp::from_millisecond(self.at).unwrap_or(Timestamp::UNIX_EPOCH);
        let local = Zoned::new(at, self.zone.clone());
        let month = usize::try_from(local.month() - 1).ok().and_then(|month| MONTHS.get(month));
        let (hour, half) = match local.hour() {
            0 => (12, "AM"),
            morning @ 1..=11 => (morning, "AM"),
            12 => (12, "PM"),
            afternoon => (afternoon - 12, "PM"),
        };
        serializer.collect_str(&format_args!(
            "{} {:02}, {:04}, {hour:02}:{:02} {half}",
            month.copied().unwrap_or_default(),
            local.day(),
            local.year(),
            local.minute(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rfc3339: &str, zone: &str, expected: &str) {
        let zone = TimeZone::get(zone).unwrap();
        let at = rfc3339.parse::<Timestamp>().unwrap().as_millisecond();
        let written = serde_json::to_value(Date { at, zone: &zone }).unwrap();
        assert_eq!(written, expected, "{rfc3339}");
    }

    #[test]
    fn dates_are_written_as_django_does() {
        check("2025-01-15T15:45:59.999Z", "UTC", "Jan. 15, 2025, 03:45 PM");
        check("2025-02-01T00:00:00Z", "UTC", "Feb. 01, 2025, 12:00 AM");
        check("2025-03-31T12:00:00Z", "UTC", "March 31, 2025, 12:00 PM");
        check("2025-04-09T11:59:00Z", "UTC", "April 09, 2025, 11:59 AM");
        check("2025-05-10T01:05:00Z", "UTC", "May 10, 2025, 01:05 AM");
        check("2025-06-10T13:05:00Z", "UTC", "June 10, 2025, 01:05 PM");
        check("2025-07-10T23:05:00Z", "UTC", "July 10, 2025, 11:05 PM");
        check("2025-08-10T23:05:00Z", "UTC", "Aug. 10, 2025, 11:05 PM");
        check("2025-09-10T23:05:00Z", "UTC", "Sept. 10, 2025, 11:05 PM");
        check("2025-10-10T23:05:00Z", "UTC", "Oct. 10, 2025, 11:05 PM");
        check("2025-11-10T23:05:00Z", "UTC", "Nov. 10, 2025, 11:05 PM");
        check("2025-12-31T23:59:59Z", "UTC", "Dec. 31, 2025, 11:59 PM");
    }

    #[test]
    fn dates_are_written_in_the_time_zone_of_the_server() {
        check("2025-12-31T23:30:00Z", "Europe/Berlin", "Jan. 01, 2026, 12:30 AM");
        check("2025-07-15T03:45:00Z", "America/New_York", "July 14, 2025, 11:45 PM");
        check("2025-01-15T03:45:00Z", "Asia/Kathmandu", "Jan. 15, 2025, 09:30 AM");
    }
}
