//! What is wrong with a schedule, and what to write instead.

/// A text that is no schedule, or a schedule that never comes. Each says what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Neither a frequency nor a cron.
    #[error("'{text}' is no schedule; {remedy}")]
    NotASchedule {
        /// The text.
        text: String,
        /// What to write instead.
        remedy: String,
    },
    /// A cron with a field that can't be read.
    #[error("the cron '{text}' can't be read: {why}")]
    Unreadable {
        /// The text.
        text: String,
        /// What is wrong, and what to write instead.
        why: String,
    },
    /// Not a name of the IANA time zone database.
    #[error("'{text}' is no time zone; {remedy}")]
    NotAZone {
        /// The text.
        text: String,
        /// What to write instead.
        remedy: String,
    },
    /// It can be read, but has no slot, whatever the bounds.
    #[error("'{pattern}' never comes: {remedy}")]
    Never {
        /// The pattern.
        pattern: String,
        /// Why, and what to write instead.
        remedy: String,
    },
    /// Its bounds leave no slot.
    #[error("'{schedule}' has no slot between its bounds: {remedy}")]
    NoSlot {
        /// The schedule.
        schedule: String,
        /// What to write instead.
        remedy: String,
    },
}
