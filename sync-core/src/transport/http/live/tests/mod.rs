//! Live connections against servers that say what they are told to say.

mod cuts;
mod opening;
mod script;
mod sharing;
mod talking;
