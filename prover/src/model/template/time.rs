//! Decides what `strftime_now` writes.

use chrono::{Datelike, Local, NaiveDate, NaiveDateTime, Timelike};

use super::{Outcome, refused};

/// When a template is rendered.
#[derive(Debug, Clone, Copy)]
pub struct Now(NaiveDateTime);

impl Now {
    /// The clock's local time, as transformers takes it.
    pub fn clock() -> Now {
        Now(Local::now().naive_local())
    }

    /// A day, at its first second.
    pub fn day(year: i32, month: u32, day: u32) -> Option<Now> {
        Some(Now(NaiveDate::from_ymd_opt(year, month, day)?.and_hms_opt(0, 0, 0)?))
    }

    /// The time in a form of Python's `strftime`, of what is written alike on every system.
    pub(super) fn format(self, form: &str) -> Outcome<String> {
        let mut out = String::new();
        let mut characters = form.chars();
        while let Some(c) = characters.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let time = self.0;
            let hour = match time.hour() % 12 {
                0 => 12,
                hour => hour,
            };
            out.push_str(&match characters.next() {
                Some('Y') => format!("{:04}", time.year()),
                Some('y') => format!("{:02}", time.year().rem_euclid(100)),
                Some('m') => format!("{:02}", time.month()),
                Some('d') => format!("{:02}", time.day()),
                Some('H') => format!("{:02}", time.hour()),
                Some('I') => format!("{hour:02}"),
                Some('M') => format!("{:02}", time.minute()),
                Some('S') => format!("{:02}", time.second()),
                Some('j') => format!("{:03}", time.ordinal()),
                Some('p') => if time.hour() < 12 { "AM" } else { "PM" }.to_string(),
                Some(name @ ('a' | 'A' | 'b' | 'B')) => time.format(&format!("%{name}")).to_string(),
                Some('%') => "%".to_string(),
                other => {
                    let other = other.map(String::from).unwrap_or_default();
                    return Err(refused(format!("%{other} in strftime_now")));
                }
            });
        }
        Ok(out)
    }
}
