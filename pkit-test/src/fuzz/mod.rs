//! What reads text or bytes that somebody else wrote, each as a function of any bytes, with what must hold for all of them.
//!
//! The fuzzer in `fuzz/` calls these functions with inputs that reach ever more of the code; that needs a build of its
//! own (`--cfg pkit_fuzz`). The tests of this crate call them with what is kept in `fuzz/corpus` and with mutations of
//! that, so that what was found once stays found without a fuzzer. A function panics where something does not hold.

mod command;
mod http;
mod input;
mod json_line;
mod lines;
mod log;
mod notify;
mod packed;
mod protocol;
mod registry;
mod settings;
mod shared;
mod template;
mod web;

#[cfg(test)]
mod mutation;
#[cfg(test)]
mod replay;

/// Something that reads what others wrote.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Also the name of the directory of its corpus.
    pub name: &'static str,
    /// Panics where something that must hold for all inputs does not.
    pub run: fn(&[u8]),
    /// Longer inputs show nothing more.
    pub most_bytes: usize,
}

macro_rules! targets {
    ($($name:ident: $run:path, $most_bytes:literal;)*) => {
        /// All of them.
        pub const TARGETS: &[Target] =
            &[$(Target { name: stringify!($name), run: $run, most_bytes: $most_bytes }),*];

        #[cfg(test)]
        mod tests {
            $(
                #[test]
                fn $name() {
                    super::replay::replay(stringify!($name));
                }
            )*
        }
    };
}

targets! {
    template: template::plain, 4096;
    regex: template::regex, 1024;
    script: template::script, 4096;
    command: command::command, 4096;
    words: command::words, 4096;
    protocol: protocol::protocol, 4096;
    status: http::status, 16384;
    exchange: http::exchange, 16384;
    url: web::url, 1024;
    request: web::request, 2048;
    lines: lines::lines, 4096;
    log: log::log, 4096;
    settings: settings::settings, 1024;
    notify: notify::notify, 4096;
    registry: registry::registry, 4096;
    packed: packed::packed, 4096;
    json_line: json_line::json_line, 4096;
    said: shared::said, 4096;
    leases: shared::leases, 1024;
}
