//! The resume record.
