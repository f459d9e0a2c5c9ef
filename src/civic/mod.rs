//! Identifiers, money and the calendar of Italian civic life. Pure.
