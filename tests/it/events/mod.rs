//! Probes that wait for an event: output, unix sockets, files, and the word of the service itself.

mod bell;
mod file;
mod notify;
mod together;
mod unix;
