//! (room: definition)
