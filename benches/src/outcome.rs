//! What can go wrong here ends a row of the list, and is only shown.

/// What a measurement gives.
pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error>>;
