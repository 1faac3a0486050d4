//! The API of Tributary.
