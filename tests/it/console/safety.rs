//! What must never happen by accident: no decision by paste, by a held key, by Enter alone, or too soon.

