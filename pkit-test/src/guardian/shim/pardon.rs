//! Which ends of a service are no surprise.

use crate::exit::Exit;
use crate::signal::Signal;

/// What somebody has asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pardon {
    None,
    /// To end in whatever way.
    Any,
    /// A signal that some programs end by and others read their configuration again.
    BySignal(i32),
}

impl Pardon {
    /// What holds after the test has sent a signal itself.
    pub(super) fn after_signal(self, number: i32) -> Pardon {
        use Signal::{Abort, Hup, Int, Kill, Quit, Term};
        if [Int, Quit, Abort, Kill, Term].iter().any(|signal| signal.number() == number) {
            Pardon::Any
        } else if number == Hup.number() && self == Pardon::None {
            Pardon::BySignal(number)
        } else {
            self
        }
    }

    /// Whether this is an end that was asked for.
    pub(super) fn covers(self, exit: Exit) -> bool {
        match self {
            Pardon::None => false,
            Pardon::Any => true,
            Pardon::BySignal(number) => exit.signal() == Some(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::child::End;

    #[test]
    fn only_what_was_asked_for_is_covered() {
        let by_hup: Exit = End::Signal { number: Signal::Hup.number(), core_dumped: false }.into();
        let code: Exit = End::Code(9).into();
        let covered = |pardon: Pardon| (pardon.covers(by_hup), pardon.covers(code));
        assert_eq!(covered(Pardon::None), (false, false));
        assert_eq!(covered(Pardon::None.after_signal(Signal::Usr1.number())), (false, false));
        assert_eq!(covered(Pardon::None.after_signal(Signal::Hup.number())), (true, false));
        assert_eq!(covered(Pardon::None.after_signal(Signal::Term.number())), (true, true));
        assert_eq!(covered(Pardon::Any.after_signal(Signal::Hup.number())), (true, true));
    }
}
