//! An application as a valid value, and every fault of one that is not.
