//! Three binaries of sixty tests that share their servers, for the tests of sharing.
//!
//! The servers and the tests write into one file, the ledger, what becomes of them; its place is told by `CROWD_LEDGER`. What is
//! to go wrong, and where, by `CROWD_TROUBLE`. Each test checks what it can see by itself: that the server is up and is the
//! one that its handle says, that no other test has its slot, that nobody is there when it is to be alone.

mod ledger;
mod servers;
mod special;
mod trouble;
mod turns;
mod views;
mod visits;
mod words;

pub use ledger::note;
pub use special::*;
pub use trouble::Trouble;
pub use turns::{hold_slot, hold_slot_of};
pub use visits::visit;
pub use words::{ask, asked};

/// Sixty tests of the binary of this name.
#[macro_export]
macro_rules! sixty {
    ($binary:literal) => {
        $crate::sixty! { $binary:
            n00 n01 n02 n03 n04 n05 n06 n07 n08 n09 n10 n11 n12 n13 n14 n15 n16 n17 n18 n19
            n20 n21 n22 n23 n24 n25 n26 n27 n28 n29 n30 n31 n32 n33 n34 n35 n36 n37 n38 n39
            n40 n41 n42 n43 n44 n45 n46 n47 n48 n49 n50 n51 n52 n53 n54 n55 n56 n57 n58 n59
        }
    };
    ($binary:literal: $($test:ident)*) => {
        mod many {$(
            #[test]
            fn $test() {
                $crate::visit($binary, stringify!($test));
            }
        )*}
    };
}
