//! (room: expression)
