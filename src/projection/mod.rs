//! (room: projection)
